"""HDF5 files: what is in them is looked at before it is read."""

import numpy as np
import pytest
from miniatures import write_3dhp_test, write_fetch_h36m

from unihpe.datasets.human36m.reader import open_human36m
from unihpe.datasets.mpi_inf_3dhp.reader import open_mpi_inf_3dhp
from unihpe.errors import InputError
from unihpe.io import hdf5, pickles

h5py = pytest.importorskip("h5py", reason="HDF5 needs h5py")


def change(path, key, make):
    """One array of a file made anew; `make` gets the file."""
    with h5py.File(path, "a") as file:
        del file[key]
        make(file)


BAD = {
    "a bomb": (
        lambda file, key: file.create_dataset(key, (1 << 40, 1, 17, 3), "f8", chunks=(1, 1, 17, 3)),
        "not unpacked",
    ),
    "of another shape, and huge": (
        lambda file, key: file.create_dataset(key, (1 << 50,), "f8"),
        "have the shape",
    ),
    "text": (lambda file, key: file.create_dataset(key, data=[["walk"]]), "not numbers"),
    "structured": (
        lambda file, key: file.create_dataset(key, (3, 1), [("a", "f8")]),
        "not numbers",
    ),
    "a group": (lambda file, key: file.create_group(key), "is a group or empty"),
    "nothing": (
        lambda file, key: file.create_dataset(key, data=h5py.Empty("f8")),
        "is a group or empty",
    ),
    "a dead link": (
        lambda file, key: file.__setitem__(key, h5py.SoftLink("/none")),
        "not a readable HDF5",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arrays_are_refused_unread(tmp_path, name):
    write_3dhp_test(tmp_path, names=("TS1",))
    make, message = BAD[name]
    path = tmp_path / "mpi_inf_3dhp_test_set/TS1/annot_data.mat"
    change(path, "annot3", lambda file: make(file, "annot3"))
    with pytest.raises(InputError, match=message) as caught:
        open_mpi_inf_3dhp(tmp_path)
    assert "\n" not in str(caught.value) and "annot_data.mat" in str(caught.value)


def test_a_bomb_in_h36m_fetchs_file(tmp_path):
    write_fetch_h36m(tmp_path)
    path = next(tmp_path.rglob("annot.h5"))
    change(
        path,
        "pose/2d",
        lambda file: file.create_dataset("pose/2d", (1 << 40, 32, 2), "f8", chunks=(1, 32, 2)),
    )
    with pytest.raises(InputError, match="pose/2d has 0 bytes that unpack to .* not unpacked"):
        open_human36m(tmp_path)


def test_much_that_is_in_the_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "BOMB_BYTES", 1 << 10)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.random.default_rng(0).normal(size=(1000, 3))
    assert hdf5.read_hdf5(tmp_path / "a.h5", {"x": (None, 3)}, {"y": (None,)}, "")["x"].shape == (
        1000,
        3,
    )


@pytest.mark.parametrize(
    "values, message", [([["walk"]] * 12, "not numbers"), ([[np.nan]] * 12, "not finite")]
)
def test_activities_that_are_no_numbers(tmp_path, values, message):
    def changed(arrays):
        arrays["activity_annotation"] = values

    write_3dhp_test(tmp_path, changed)
    with pytest.raises(InputError, match=f"activity_annotation .*{message}"):
        open_mpi_inf_3dhp(tmp_path)
