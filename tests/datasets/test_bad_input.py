"""Every layout of every recorded set with every kind of bad input, through the command: a sentence
and an exit code, never a traceback.

0: nothing wrong; 1: it was read, and something is wrong with it; 2: it cannot be read. The sentence
names the file or says what is wrong.
"""

import os
import pickle
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from miniatures import (
    write_3dhp_test,
    write_3dhp_train,
    write_fetch_h36m,
    write_humaneva,
    write_mmpose_h36m,
    write_pickled_h36m,
    write_raw_h36m,
    write_threedpw,
    write_videopose3d_h36m,
)
from miniatures_packings import (
    write_h36m_coco,
    write_h36m_metadata,
    write_mmpose_3dhp,
    write_pstmo_3dhp,
    write_spin_3dhp,
    write_spin_h36m,
)
from miniatures_smpl import write_posed_threedpw, write_smpl, write_spin_threedpw
from rewriting import rewrite
from test_threedpw17 import write_hybrik, write_mmhuman3d

from unihpe.errors import InputError
from unihpe.io import pickles as unpickle
from unihpe.io.arrays import as_flags, as_floats

H36M_17 = ((1, 4), (2, 5), (3, 6))
HP_17 = ((8, 11), (9, 12), (10, 13))


@dataclass(frozen=True)
class Layout:
    """What the sweep must know of a layout: its files, the names of 3D and 2D in them, joints and
    numbers of each, legs, unit.
    """

    data: str
    write: Callable[[Path], object]
    files: str
    three_d: str
    shape: tuple[int, int]
    legs: tuple[tuple[int, int], ...]
    two_d: str = ""
    two_d_shape: tuple[int, int] = (17, 2)
    two_d_legs: tuple[tuple[int, int], ...] = ()
    two_d_files: str = ""
    unit: str = "m"
    needs: str = ""
    table: bool = False  # one row per picture
    longer_2d: int = 2  # what 2D that goes on longer than 3D means
    relative: bool = False  # people are put where their 2D is


LAYOUTS = {
    "videopose3d": Layout(
        "human36m",
        write_videopose3d_h36m,
        "data_3d_h36m.npz",
        "positions_3d",
        (32, 3),
        ((1, 6), (2, 7), (3, 8)),
        "positions_2d",
        two_d_files="data_2d_h36m_gt.npz",
        longer_2d=0,
    ),
    "mmpose": Layout(
        "human36m",
        write_mmpose_h36m,
        "annotation_body3d/*/h36m_*.npz",
        "S",
        (17, 4),
        H36M_17,
        "part",
        (17, 3),
        table=True,
    ),
    "mmpose2d": Layout(
        "human36m",
        write_h36m_coco,
        "annotation_body2d/*.json",
        "keypoints_3d",
        (17, 4),
        H36M_17,
        "keypoints",
        (17, 3),
        table=True,
    ),
    "spin": Layout(
        "human36m",
        write_spin_h36m,
        "h36m_*.npz",
        "S",
        (24, 4),
        ((0, 5), (1, 4), (2, 3)),
        "part",
        (24, 3),
        table=True,
        relative=True,
    ),
    "fetch": Layout(
        "human36m",
        write_fetch_h36m,
        "processed/S*/*/annot.h5",
        "pose/3d",
        (32, 3),
        ((1, 6), (2, 7), (3, 8)),
        "pose/2d",
        (32, 2),
        ((1, 6), (2, 7), (3, 8)),
        unit="mm",
        needs="h5py",
        table=True,
    ),
    "toolbox": Layout(
        "human36m",
        lambda root: write_pickled_h36m(root, "toolbox"),
        "*.pkl",
        "joints_3d_camera",
        (17, 3),
        H36M_17,
        "joints_2d",
        unit="mm",
        table=True,
    ),
    "lcn": Layout(
        "human36m",
        lambda root: write_pickled_h36m(root, "lcn"),
        "*.pkl",
        "joint_3d_camera",
        (17, 3),
        H36M_17,
        "joint_3d_image",
        (17, 3),
        unit="mm",
        table=True,
    ),
    "raw": Layout(
        "human36m",
        write_raw_h36m,
        "S*/MyPoseFeatures/D3_Positions/*.cdf",
        "Pose",
        (32, 3),
        ((1, 6), (2, 7), (3, 8)),
        "Pose",
        (32, 2),
        ((1, 6), (2, 7), (3, 8)),
        "S*/MyPoseFeatures/D2_Positions/*.cdf",
        unit="mm",
        needs="cdflib",
        longer_2d=0,
    ),
    "humaneva": Layout(
        "humaneva",
        write_humaneva,
        "data_3d_humaneva15.npz",
        "positions_3d",
        (15, 3),
        HP_17,
        "positions_2d",
        (15, 2),
        HP_17,
        "data_2d_humaneva15_gt.npz",
        longer_2d=0,
    ),
    "3dhp_train": Layout(
        "mpi_inf_3dhp",
        lambda root: write_3dhp_train(root, ((1, 1),)),
        "S*/Seq*/annot.mat",
        "annot3",
        (28, 3),
        ((18, 23), (19, 24), (20, 25), (21, 26), (22, 27)),
        "annot2",
        (28, 2),
        ((18, 23), (19, 24), (20, 25)),
        unit="mm",
        needs="scipy",
    ),
    "3dhp_test": Layout(
        "mpi_inf_3dhp",
        write_3dhp_test,
        "mpi_inf_3dhp_test_set/TS*/annot_data.mat",
        "annot3",
        (17, 3),
        HP_17,
        "annot2",
        (17, 2),
        HP_17,
        unit="mm",
        needs="h5py",
    ),
    "3dhp_mmpose": Layout(
        "mpi_inf_3dhp",
        write_mmpose_3dhp,
        "annotations/*.npz",
        "S",
        (17, 4),
        HP_17,
        "part",
        (17, 3),
        HP_17,
        table=True,
    ),
    "3dhp_pstmo": Layout(
        "mpi_inf_3dhp",
        write_pstmo_3dhp,
        "data_*_3dhp.npz",
        "data_3d",
        (17, 3),
        HP_17,
        "data_2d",
        (17, 2),
        HP_17,
        unit="mm",
    ),
    "3dhp_spin": Layout(
        "mpi_inf_3dhp",
        write_spin_3dhp,
        "mpi_inf_3dhp_*.npz",
        "S",
        (24, 4),
        ((0, 5), (1, 4), (2, 3)),
        "part",
        (24, 3),
        table=True,
        relative=True,
    ),
    "3dpw": Layout(
        "threedpw",
        write_threedpw,
        "sequenceFiles/*/*.pkl",
        "jointPositions",
        (24, 3),
        ((1, 2), (4, 5), (7, 8), (10, 11)),
        "poses2d",
        (3, 18),
    ),
    "3dpw_hybrik": Layout(
        "threedpw",
        lambda root: write_hybrik(root / "3DPW_test_new.json"),
        "*.json",
        "h36m_joints",
        (17, 3),
        H36M_17,
        table=True,
    ),
    "3dpw_mmhuman3d": Layout(
        "threedpw",
        lambda root: write_mmhuman3d(root / "pw3d_test.npz"),
        "*.npz",
        "keypoints3d17_relative",
        (17, 4),
        ((0, 1), (2, 3), (11, 10)),
    ),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes each layout once; the tests copy it."""
    kept = {}

    def write(name):
        if LAYOUTS[name].needs:
            pytest.importorskip(LAYOUTS[name].needs, reason=f"{name} needs {LAYOUTS[name].needs}")
        if name not in kept:
            kept[name] = tmp_path_factory.mktemp(name)
            LAYOUTS[name].write(kept[name])
        return kept[name]

    return write


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return LAYOUTS[request.param]


@pytest.fixture
def root(request, written, layout, tmp_path):
    """A fresh copy of a layout."""
    name = next(name for name, one in LAYOUTS.items() if one is layout)
    return Path(shutil.copytree(written(name), tmp_path / "set"))


def files_of(layout, root, two_d=False):
    files = sorted(root.glob(layout.two_d_files if two_d and layout.two_d_files else layout.files))
    assert files
    return files


def ran(unihpe, layout, root, code, *words):
    """The check's exit code is `code`; what it says has these words (any of several, where one is a
    tuple), in one line if it is 2.
    """
    found, out, error = unihpe("data", "check", layout.data, "--root", root)
    assert found == code, (found, out, error)
    if code == 2:
        assert error.startswith("unihpe: ") and error.count("\n") == 1 and len(error) < 600, error
    text = (
        error
        if code == 2
        else "".join(line for line in out.splitlines(keepends=True) if line.startswith("problem"))
    )
    for word in words:
        assert any(one in text for one in ((word,) if isinstance(word, str) else word)), (
            word,
            text,
        )
    return out


def joints(layout, change, two_d=False):
    """A change of arrays (…, J, C) as a change of the file's own, which may be flat."""
    form = layout.two_d_shape if two_d else layout.shape

    def of_file(array):
        flat = array.shape[-1] == form[0] * form[1] and array.shape[-2:] != form
        lead = array.shape[:-1] if flat else array.shape[:-2]
        after = change(array.reshape(*lead, *form))
        return after.reshape(*after.shape[:-2], -1) if flat else after

    return of_file


def change_all(layout, root, change, two_d=False):
    for path in files_of(layout, root, two_d):
        rewrite(path, {layout.two_d if two_d else layout.three_d}, joints(layout, change, two_d))


def exchanged(pairs):
    def change(array):
        array = array.copy()
        for a, b in pairs:
            array[..., [a, b], :] = array[..., [b, a], :]
        return array

    return change


def test_whole_in_a_folder_with_spaces_and_other_letters(unihpe, layout, root, tmp_path):
    odd = tmp_path / "Ünï 姿 data (1)"
    root.rename(odd)
    assert f"unit: {layout.unit}\n" in ran(unihpe, layout, odd, 0)


def test_files_missing(unihpe, layout, root):
    for path in files_of(layout, root):
        path.unlink()
    ran(unihpe, layout, root, 2, str(root))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_a_truncated_file(unihpe, layout, root, share):
    path = files_of(layout, root)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    ran(unihpe, layout, root, 2, path.name)


def test_text_for_numbers(unihpe, layout, root):
    if layout.needs == "cdflib":
        pytest.skip("a CDF's numbers have a type in the file")
    change_all(layout, root, lambda poses: poses.astype(str))
    ran(unihpe, layout, root, 2, ("not numbers", "expected", "not a readable"))


def test_a_joint_too_few(unihpe, layout, root):
    change_all(layout, root, lambda poses: poses[..., :-1, :])
    ran(unihpe, layout, root, 2, ("expected", "no MPI", "no Human3.6M"))


def test_the_other_unit(unihpe, layout, root):
    factor, unit = (1000, "mm") if layout.unit == "m" else (0.001, "m")
    change_all(layout, root, lambda poses: poses * factor)
    code = 2 if layout.data == "humaneva" else 1  # whose lenses cannot be fitted to these
    out = ran(unihpe, layout, root, code, f"3D is in {unit}, but this layout is in {layout.unit}")
    assert code == 2 or f"unit: {unit}\n" in out


def test_legs_swapped(unihpe, layout, root):
    change_all(layout, root, exchanged(layout.legs))
    ran(unihpe, layout, root, 1, "legs are swapped")


def test_legs_swapped_in_2d_alone(unihpe, layout, root):
    if layout.two_d in ("", "poses2d"):
        pytest.skip("this layout has no 2D of its own, or a detector's")
    if layout.write is write_spin_h36m:
        (root / "h36m_valid_protocol1.npz").unlink()  # lists for testing have no 2D
        (root / "h36m_valid_protocol2.npz").unlink()
    legs = layout.two_d_legs or (
        layout.legs if layout.two_d_shape[0] == layout.shape[0] else H36M_17
    )
    change_all(layout, root, exchanged(legs), two_d=True)
    ran(unihpe, layout, root, 1, ("legs of the 2D are exchanged", "px from 2D"))


def test_frames_that_are_not_numbers(unihpe, layout, root):
    def change(poses):
        poses = np.array(poses, dtype=float)
        poses.reshape(-1, *layout.shape)[0] = np.nan
        return poses

    change_all(layout, root, change)
    ran(unihpe, layout, root, 2, "not finite")


def longer(points):
    """One frame more, the last once again; of one picture's joints, one joint more."""
    axis = max(-3, -points.ndim)
    return np.concatenate([points, np.take(points, [-1], axis)], axis)


def test_2d_that_goes_on_longer(unihpe, layout, root):
    if not layout.two_d:
        pytest.skip("this layout has no 2D")
    change_all(layout, root, longer, two_d=True)
    ran(unihpe, layout, root, layout.longer_2d)


def doubled(content):
    """A table with its first two rows once more at its end."""
    if isinstance(content, list):
        return content + content[:2]
    if "annotations" in content:
        return {**content, "annotations": content["annotations"] + content["annotations"][:2]}
    return {key: np.concatenate([value, value[:2]]) for key, value in content.items()}


def test_frames_that_are_there_twice(unihpe, layout, root):
    if not layout.table:
        pytest.skip("a frame is its place in this layout's sequences: none can be there twice")
    rewrite(files_of(layout, root)[0], set(), None, doubled)
    ran(unihpe, layout, root, 1, "frames are in the set twice, the first is")


@pytest.mark.parametrize(
    "value", [[[1.0], [1.0, 2.0]], [[[1.0, 2.0]], [3.0]], {"a": 1}, None, "text", [None, 1.0]]
)
def test_what_a_file_holds_instead_of_numbers_is_said(value):
    with pytest.raises(InputError, match="x: y are of type .*, not numbers"):
        as_floats(value, (None, None), "x", "y")
    with pytest.raises(InputError, match="x: y is of type .*, not flags"):
        as_flags(value, "x", "y")


class Evil:
    """Would make a folder when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def test_a_pickle_that_runs_code(unihpe, layout, root, tmp_path):
    path, marker = files_of(layout, root)[0], tmp_path / "ran"
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps([Evil(marker)]))
    elif path.suffix == ".npz":
        key = layout.three_d if layout.three_d != "data_3d" else "data"
        rewrite(
            path,
            set(),
            None,
            lambda content: {**content, key: np.array([Evil(marker)], dtype=object)},
        )
    else:
        pytest.skip("no pickle in this layout")
    ran(unihpe, layout, root, 2, path.name, "so nothing of it was run")
    assert not marker.exists()


def test_an_npz_that_would_fill_the_memory(unihpe, layout, root, monkeypatch):
    path = files_of(layout, root)[0]
    if path.suffix != ".npz":
        pytest.skip("no npz in this layout")
    monkeypatch.setattr(unpickle, "BOMB_BYTES", 1 << 20)
    key = layout.three_d if layout.three_d != "data_3d" else "data"
    rewrite(path, set(), None, lambda content: {**content, key: np.zeros((50_000, *layout.shape))})
    ran(unihpe, layout, root, 2, path.name, "it was not unpacked")


def test_a_real_bomb_is_not_unpacked(unihpe, tmp_path):
    path = tmp_path / "data_3d_h36m.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("positions_3d.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|i1", "fortran_order": False, "shape": (600, 1000, 1000)}
        )
        for _ in range(600):
            file.write(bytes(1_000_000))
    assert path.stat().st_size < 6_000_000
    ran(unihpe, LAYOUTS["videopose3d"], tmp_path, 2, "it was not unpacked")


@contextmanager
def nobody():
    """As a user without rights, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights are another matter here")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_files_that_may_not_be_read(unihpe, layout, root, what):
    ran(unihpe, layout, root, 0)  # what a reader imports is imported now, with rights
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        copy = Path(shutil.copytree(root, Path(place) / "set"))
        for inside in (copy, *copy.rglob("*")):
            inside.chmod(0o755)
        path = files_of(layout, copy)[0]
        locked = path if what == "file" else path.parent
        locked.chmod(0)
        try:
            with nobody():
                ran(unihpe, layout, copy, 2, locked.name)
        finally:
            locked.chmod(0o755)


@pytest.mark.parametrize("name", [name for name, one in LAYOUTS.items() if one.two_d_files])
def test_a_truncated_file_of_2d(unihpe, written, name, tmp_path):
    layout, root = LAYOUTS[name], Path(shutil.copytree(written(name), tmp_path / "set"))
    path = files_of(layout, root, two_d=True)[0]
    path.write_bytes(path.read_bytes()[:300])
    ran(unihpe, layout, root, 2, path.name)


@pytest.mark.parametrize(
    "name", [name for name, one in LAYOUTS.items() if one.two_d_files.endswith(".npz")]
)
def test_a_file_of_2d_that_runs_code(unihpe, written, name, tmp_path):
    layout, root = LAYOUTS[name], Path(shutil.copytree(written(name), tmp_path / "set"))
    path = files_of(layout, root, two_d=True)[0]
    content = np.array({"S1": Evil(tmp_path / "ran")}, dtype=object)
    np.savez(path, positions_2d=content, metadata=np.array({}, dtype=object))
    ran(unihpe, layout, root, 2, path.name, "so nothing of it was run")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "metadata",
    [
        {"num_joints": "many"},
        {"num_joints": None},
        {"num_joints": 17, "keypoints_symmetry": "left"},
        {"num_joints": 17, "keypoints_symmetry": [4, 1]},
        {"num_joints": 17, "keypoints_symmetry": [["a"], ["b"]]},
        {"num_joints": 17, "keypoints_symmetry": [[None], [[1]]]},
    ],
)
def test_a_file_of_2d_with_strange_metadata(unihpe, written, metadata, tmp_path):
    layout, root = (
        LAYOUTS["videopose3d"],
        Path(shutil.copytree(written("videopose3d"), tmp_path / "set")),
    )
    path = files_of(layout, root, two_d=True)[0]
    rewrite(
        path, set(), None, lambda content: {**content, "metadata": np.array(metadata, dtype=object)}
    )
    ran(unihpe, layout, root, 2, path.name, "left and right may be exchanged")


@pytest.mark.parametrize(
    "name, file",
    [
        ("mmpose", "annotation_body3d/cameras.pkl"),
        ("3dhp_mmpose", "annotations/cameras_train.pkl"),
        ("3dhp_train", "S1/Seq1/camera.calibration"),
    ],
)
def test_a_damaged_file_of_cameras(unihpe, written, name, file, tmp_path):
    layout, root = LAYOUTS[name], Path(shutil.copytree(written(name), tmp_path / "set"))
    path = root / file
    whole = path.read_bytes()
    for broken in (
        b"",
        whole[: len(whole) // 3],
        pickle.dumps([1, 2]),
        pickle.dumps({"TS1": {"f": 1}}),
    ):
        path.write_bytes(broken)
        ran(unihpe, layout, root, 2, path.name)
    path.write_bytes(pickle.dumps([Evil(tmp_path / "ran")]))
    ran(unihpe, layout, root, 2, path.name)
    assert not (tmp_path / "ran").exists()


def write_raw_with_metadata(root):
    write_raw_h36m(root)
    write_h36m_metadata(root)


# Layouts whose numbers lie in several kinds of file: what each is, and its layout's name for the
# command.
IN_SEVERAL = {
    "raw_metadata": ("human36m", "raw", write_raw_with_metadata, ("metadata.xml",)),
    "3dpw_smpl": (
        "threedpw", "smpl", lambda root: write_posed_threedpw(root, write_smpl(root)),
        ("smpl/SMPL_FEMALE.pkl", "J_regressor_h36m.npy", "sequenceFiles/test/*.pkl"),
    ),
    "3dpw_spin": (
        "threedpw", "spin", lambda root: write_spin_threedpw(root, write_smpl(root)),
        ("3dpw_test.npz", "smpl/SMPL_MALE.pkl", "J_regressor_h36m.npy"),
    ),
}  # fmt: skip
EACH_FILE = [(name, file) for name, (*_, files) in IN_SEVERAL.items() for file in files]


@pytest.fixture(scope="module")
def written_in_several(tmp_path_factory):
    """Writes each of them once."""
    kept = {}

    def write(name):
        if name == "raw_metadata":
            pytest.importorskip("cdflib", reason="the raw release needs cdflib")
        if name not in kept:
            kept[name] = tmp_path_factory.mktemp(name)
            IN_SEVERAL[name][2](kept[name])
        return kept[name]

    return write


@pytest.fixture(params=EACH_FILE, ids=" ".join)
def one_of_several(request, written_in_several, tmp_path, unihpe):
    """A file of a fresh copy, and the check of the copy."""
    name, file = request.param
    data, layout, *_ = IN_SEVERAL[name]
    root = Path(shutil.copytree(written_in_several(name), tmp_path / "set"))
    path = next(root.glob(file))

    def check():
        return unihpe("data", "check", data, "--root", root, "--layout", layout)

    assert check()[0] == 0
    return path, check


def refused(check, *words):
    code, _, error = check()
    assert (
        code == 2 and error.startswith("unihpe: ") and error.count("\n") == 1 and len(error) < 600
    ), error
    assert all(word in error for word in words), error


@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_one_file_of_several_truncated(one_of_several, share):
    path, check = one_of_several
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(check, path.name)


def test_one_file_of_several_is_something_else(one_of_several):
    path, check = one_of_several
    path.write_bytes(b"<html>404 Not Found</html>")
    refused(check, path.name)


def test_one_file_of_several_missing(one_of_several):
    path, check = one_of_several
    path.unlink()
    if path.name == "metadata.xml":
        assert check()[0] == 0  # the published cameras, which are the same
    else:
        refused(check)


def test_one_file_of_several_runs_code(one_of_several, tmp_path):
    path, check = one_of_several
    if path.suffix == ".xml":
        path.write_text(
            '<!DOCTYPE x [<!ENTITY a "b">]>' + path.read_text(encoding="utf-8"), encoding="utf-8"
        )
        return refused(check, path.name, "entities")
    content = [Evil(tmp_path / "ran")]
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    elif path.suffix == ".npy":
        np.save(path, np.array(content, dtype=object), allow_pickle=True)
        refused(check, path.name, "no readable npy")
        assert not (tmp_path / "ran").exists()
        return
    else:
        rewrite(path, set(), None, lambda known: {**known, "pose": np.array(content, dtype=object)})
    refused(check, path.name, "so nothing of it was run")
    assert not (tmp_path / "ran").exists()


def test_one_file_of_several_is_not_finite(one_of_several):
    path, check = one_of_several
    if path.suffix == ".xml":
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"(<w0>\s*\[?\s*)\S+", r"\1nan", text), encoding="utf-8")
    elif path.suffix == ".npy":
        np.save(path, np.load(path) * np.nan)
    elif path.parent.name == "smpl":
        pytest.skip("a model file's own arrays are chumpy's: test_threedpw_smpl.py changes them")
    else:
        rewrite(path, {"pose", "poses"}, lambda array: array * np.nan)
    refused(check, path.name, "not finite")


def test_a_metadata_file_of_something_else_in_the_folder_above(unihpe, written, tmp_path):
    root = Path(shutil.copytree(written("raw"), tmp_path / "set"))
    (tmp_path / "metadata.xml").write_text(
        "<library><name>photographs</name></library>", encoding="utf-8"
    )
    ran(unihpe, LAYOUTS["raw"], root, 0)
