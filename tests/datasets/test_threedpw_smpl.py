"""3DPW by the user's SMPL files: against a body posed in loops, and bad files."""

import pickle
import shutil
import sys
import types

import numpy as np
import pytest
import torch
from miniatures import dumps_python2
from miniatures_smpl import (
    COUNT,
    LEFT_FIRST,
    RIGHT_FIRST,
    h36m_regressor,
    stub,
    write_posed_threedpw,
    write_smpl,
    write_spin_threedpw,
)
from opening import open_recorded

from unihpe.datasets.check import check
from unihpe.datasets.threedpw import smpl
from unihpe.datasets.threedpw.posed import open_list, open_threedpw_smpl
from unihpe.datasets.threedpw.smpl import model_files, read_body
from unihpe.errors import InputError
from unihpe.io.pickles import load_pickle

VALID = [0, 2, 3, 4, 5]  # the miniature's second frame has no camera


@pytest.mark.parametrize("order, said", [(LEFT_FIRST, "left"), (RIGHT_FIRST, "right")])
def test_joints_are_those_of_the_posed_surface_whatever_the_regressors_leg_order(
    order, said, tmp_path
):
    _, truth = write_posed_threedpw(tmp_path, write_smpl(tmp_path, order))
    source = open_threedpw_smpl(tmp_path)
    frames = source.read(torch.arange(len(source)))
    np.testing.assert_allclose(
        frames.pose, 1000 * truth[:, VALID].reshape(-1, 17, 3), rtol=0, atol=0.01
    )
    assert source.skeleton.name == "human36m17" and f"has the {said} leg first" in source.notes[-1]
    assert torch.equal(frames.keypoints, frames.camera.project(frames.pose))
    report = check("threedpw", tmp_path, "smpl")
    assert (
        report["problems"] == [] and report["leg_order"] == "right first" and report["unit"] == "m"
    )
    assert report["reprojection_px"] == {
        "median": 0.0,
        "p99": 0.0,
        "max": 0.0,
    }  # 2D is the projection


def test_the_standard_protocol_takes_them_and_others_do_not(tmp_path):
    write_posed_threedpw(tmp_path, write_smpl(tmp_path))
    assert (
        open_recorded("threedpw", tmp_path, "gt", "test", joints="human36m17").skeleton.name
        == "human36m17"
    )
    assert open_recorded("threedpw", tmp_path, "gt", "test").skeleton.name == "smpl24"


def test_spins_list_by_the_same_bodies(tmp_path):
    joints = write_spin_threedpw(tmp_path, write_smpl(tmp_path))
    source = open_recorded("threedpw", tmp_path, "gt", "test")
    frames = source.read(torch.arange(len(source)))
    np.testing.assert_allclose(frames.pose - frames.pose[:, :1], 1000 * joints, rtol=0, atol=0.01)
    arrays = np.load(tmp_path / "3dpw_test.npz")
    extent = frames.keypoints.amax(1) - frames.keypoints.amin(1)
    np.testing.assert_allclose(extent.amax(1), 200 * arrays["scale"] / 1.2, rtol=0.1)
    np.testing.assert_allclose(
        (frames.keypoints.amax(1) + frames.keypoints.amin(1)) / 2, arrays["center"], atol=25
    )
    assert source.names("sequence") == ("downtown_walk_00",) and source.frame[:3].tolist() == [
        0,
        1,
        2,
    ]


def test_model_files_under_other_names_and_as_npz(tmp_path):
    write_smpl(
        tmp_path,
        names=("basicModel_m_lbs_10_207_0_v1.0.0.pkl", "basicmodel_f_lbs_10_207_0_v1.1.0.pkl"),
    )
    files = model_files(tmp_path)
    assert set(files) == {"m", "f"}
    body = read_body(files["m"])
    parts = {
        "v_template": body.template,
        "shapedirs": body.shapes,
        "posedirs": body.poses,
        "J_regressor": body.joints,
        "weights": body.weights,
        "kintree_table": np.array([body.parents, range(24)]),
    }
    np.savez(tmp_path / "smpl" / "SMPL_MALE.npz", **parts)
    files["m"].unlink()
    again = read_body(model_files(tmp_path)["m"])
    np.testing.assert_array_equal(again.joints, body.joints)
    assert (
        again.parents
        == body.parents
        == (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
    )


def rewritten(path, change):
    """A model file's dict, changed, as a plain pickle."""
    body = read_body(path)
    content = {
        "v_template": body.template,
        "shapedirs": body.shapes,
        "posedirs": body.poses,
        "J_regressor": body.joints,
        "weights": body.weights,
        "kintree_table": np.array([body.parents, range(24)]),
    }
    change(content)
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.pop("posedirs"), "lacks posedirs, so it is no SMPL model"),
        (lambda c: c.update(shapedirs=c["shapedirs"][..., :4]), "has 4 shape directions"),
        (lambda c: c.update(weights=c["weights"].astype(str)), "not numbers"),
        (lambda c: c.update(v_template=c["v_template"][:-1]), "expected"),
        (
            lambda c: c.update(
                v_template=c["v_template"] + [0.1, 0, 0], J_regressor=c["J_regressor"] * 1.2
            ),
            "mm .median. from its",
        ),
    ],
)
def test_wrong_model_files_are_refused(tmp_path, change, message):
    write_posed_threedpw(tmp_path, write_smpl(tmp_path))
    rewritten(tmp_path / "smpl" / "SMPL_FEMALE.pkl", change)
    with pytest.raises(InputError, match=message) as caught:
        open_threedpw_smpl(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_pieces_are_named(tmp_path):
    write_posed_threedpw(tmp_path, write_smpl(tmp_path))
    female, regressor = tmp_path / "smpl" / "SMPL_FEMALE.pkl", tmp_path / "J_regressor_h36m.npy"
    shutil.move(female, tmp_path / "kept")
    with pytest.raises(InputError, match="gender 'f', and there are SMPL models of m only"):
        open_threedpw_smpl(tmp_path)
    shutil.move(tmp_path / "kept", female)
    np.save(regressor, h36m_regressor()[:, :-1])
    with pytest.raises(
        InputError, match=f"is for {COUNT - 1} vertices, SMPL_.*MALE.pkl has {COUNT}"
    ):
        open_threedpw_smpl(tmp_path)
    regressor.write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="no readable npy"):
        open_threedpw_smpl(tmp_path)
    regressor.unlink()
    with pytest.raises(InputError, match="no J_regressor_h36m.npy, or no SMPL_MALE"):
        open_threedpw_smpl(tmp_path)
    with pytest.raises(InputError, match="no 3dpw_test.npz"):
        open_list(tmp_path)


class Evil:
    def __reduce__(self):
        return print, ("run",)


def test_a_model_file_runs_nothing_and_other_pickles_take_no_chumpy(tmp_path, capsys):
    path = tmp_path / "SMPL_MALE.pkl"
    path.write_bytes(pickle.dumps({"v_template": Evil()}))
    with pytest.raises(InputError, match=r"asks for builtins.print"):
        read_body(path)
    path.write_bytes(b"ccopy_reg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.")
    with pytest.raises(InputError, match=r"asks for os.system"):
        read_body(path)
    path.write_bytes(b"ccopy_reg\n_reconstructor\n(c__builtin__\ndict\nc__builtin__\nobject\nNtR.")
    with pytest.raises(InputError, match="an object of a foreign class"):
        read_body(path)
    assert capsys.readouterr().out == ""
    path.write_bytes(dumps_python2(stub("chumpy.ch", "Ch")({"x": np.zeros(3)})))
    with pytest.raises(InputError, match=r"asks for chumpy.ch.Ch"):
        load_pickle(path)


def itself():
    """A chumpy array wrapped in itself."""
    array = stub("chumpy.ch", "Ch")({})
    array.state["x"] = array
    return array


def sparse(shape, indptr):
    return stub("scipy.sparse.csc", "csc_matrix")(
        {"data": np.ones(1), "indices": np.zeros(1, int), "indptr": indptr, "_shape": shape}
    )


def with_parent(number):
    return lambda c: c["kintree_table"].__setitem__((0, 5), number)


DAMAGED = {
    "without attributes": (lambda c: c.update(shapedirs=None), "a damaged array .'x'"),
    "wrapped in itself": (lambda c: c.update(shapedirs=itself()), "wrapped more than 8 times"),
    "huge": (
        lambda c: c.update(J_regressor=sparse((24, 1 << 50), np.zeros(25, int))),
        "a sparse matrix of [0-9]+ by 24",
    ),
    "huge run": (
        lambda c: c.update(J_regressor=sparse((24, 1), np.array([0, 1 << 60]))),
        "do not fit its shape",
    ),
    "negative run": (
        lambda c: c.update(J_regressor=sparse((24, 2), np.array([0, 5, 1]))),
        "do not fit its shape",
    ),
    "parent NaN": (with_parent(np.nan), "kintree_table has numbers that are not finite"),
    "parent 40": (with_parent(40), "joint 5 the parent 40, which is no earlier joint"),
    "parent itself": (with_parent(5), "joint 5 the parent 5, which"),
    "parent -1": (with_parent(-1), "joint 5 the parent -1, which"),
    "template NaN": (
        lambda c: c.update(v_template=c["v_template"] * np.nan),
        "v_template has numbers that are not",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_model_files_are_refused_in_a_sentence(tmp_path, name, monkeypatch):
    write_smpl(tmp_path)
    path, (change, message) = tmp_path / "smpl" / "SMPL_MALE.pkl", DAMAGED[name]
    for module in (
        "chumpy",
        "chumpy.ch",
        "scipy",
        "scipy.sparse",
        "scipy.sparse.csc",
    ):  # `stub` puts classes there
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))

    def changed(content):
        content["kintree_table"] = content["kintree_table"].astype(float)
        change(content)

    rewritten(path, changed)
    if name == "without attributes":
        path.write_bytes(
            path.read_bytes().replace(b"shapedirs\x94N", b"shapedirs\x94cchumpy.ch\nCh\n)\x81")
        )
    with pytest.raises(InputError, match=message) as caught:
        read_body(path)
    assert "\n" not in str(caught.value)


GIVEN = {
    "rebuilt": (b"copy_reg\n_reconstructor", smpl._rebuilt),
    "Ch": (b"chumpy.ch\nCh", smpl._Plain),
    "csc": (b"scipy.sparse.csc\ncsc_matrix", smpl._Plain),
    "object": (b"__builtin__\nobject", smpl._Plain),
}


@pytest.mark.parametrize("name", GIVEN)
def test_a_model_file_cannot_change_the_reader(tmp_path, name):
    """State set on what a pickle is given, its attributes and its defaults, must die with the
    pickle.
    """
    (words, ours), path = GIVEN[name], tmp_path / "SMPL_MALE.pkl"
    before = dict(vars(ours)), getattr(ours, "__defaults__", None), ours.__doc__
    for state in (
        b"(dS'mark'\nI1\ns",
        b"(N(dS'mark'\nI1\nst",
        b"(N(dS'__defaults__'\n(S'x'\ntsS'__doc__'\nS'x'\nst",
    ):
        path.write_bytes(b"c" + words + b"\n" + state + b"b.")
        with pytest.raises(InputError):
            read_body(path)
    assert (dict(vars(ours)), getattr(ours, "__defaults__", None), ours.__doc__) == before


def test_no_two_pickles_get_the_same_class(tmp_path):
    """Were the classes' own guard lost, what a pickle sets on one would still die with it."""
    with (tmp_path / "a").open("wb+") as file:
        reader = smpl._BodyUnpickler(file, "a")
        for words, ours in GIVEN.values():
            module, name = words.decode().split("\n")
            first, second = (reader.find_class(module, name) for _ in range(2))
            assert first is not second and ours not in (first, second)
