"""MPI-INF-3DHP's annot.mat, camera.calibration and annot_data.mat, whole and broken."""

import sys

import numpy as np
import pytest
import torch
from miniatures import (
    HP_JOINTS,
    HP_RELEVANT,
    LOOKING,
    hp_camera,
    people,
    write_3dhp_test,
    write_3dhp_train,
)
from torch.testing import assert_close

from unihpe.body.prepare import prepare
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.mpi_inf_3dhp.reader import open_mpi_inf_3dhp
from unihpe.errors import InputError

pytest.importorskip("scipy", reason="annot.mat needs scipy")


def everything(source):
    return source.read(torch.arange(len(source)), torch.Generator())


def test_the_17_joints_are_the_official_columns_of_the_28():
    assert get_skeleton("mpi_inf_3dhp17").select_from(get_skeleton("mpi_inf_3dhp28")) == HP_RELEVANT


def test_training_gives_what_was_written(tmp_path):
    write_3dhp_train(tmp_path)
    source = open_mpi_inf_3dhp(tmp_path)
    assert len(source) == 2 * 8 * 6 and source.names("camera") == (
        "0",
        "1",
        "2",
        "4",
        "5",
        "6",
        "7",
        "8",
    )
    frames = everything(source)
    at = 8 * 6 + 3 * 6 + 2  # S2 Seq2, camera 4, frame 2
    view = source.views[source.view[at]]
    assert (view.subject, view.sequence, view.camera, view.split, view.group) == (
        "S2",
        "Seq2",
        "4",
        "train",
        "S2 Seq2",
    )
    lens, rotation, translation = hp_camera(4)
    world = people(HP_JOINTS, 6, 2)[2] * 1000
    assert_close(
        frames.pose[at],
        torch.from_numpy(world @ rotation.T + translation)[HP_RELEVANT].float(),
        atol=0.01,
        rtol=0,
    )
    assert_close(
        frames.camera.to_world(frames.pose)[at],
        torch.from_numpy(world[HP_RELEVANT]).float(),
        atol=0.01,
        rtol=0,
    )
    assert_close(frames.camera.project(frames.pose), frames.keypoints, atol=0.01, rtol=0)
    assert frames.camera.focal[at].tolist() == [lens[0], lens[1]] and frames.camera.size[
        at
    ].tolist() == [2048, 2048]
    assert source.notes[0].startswith("not in the folder: S1/Seq2, S2/Seq1")
    assert len(prepare(frames, source.skeleton)) == len(source)


def test_all_28_joints_other_cameras_and_the_universal_truth(tmp_path):
    write_3dhp_train(tmp_path, sequences=((1, 1),))
    source = open_mpi_inf_3dhp(tmp_path, joints="mpi_inf_3dhp28", cameras=(11,))
    assert len(source.skeleton) == 28 and source.names("camera") == ("11",) and len(source) == 6
    metric = everything(open_mpi_inf_3dhp(tmp_path)).pose
    universal = everything(open_mpi_inf_3dhp(tmp_path, truth="univ_annot3")).pose
    pelvis = get_skeleton("mpi_inf_3dhp17").index("pelvis")
    relative = metric - metric[:, pelvis : pelvis + 1]
    assert_close(universal - universal[:, pelvis : pelvis + 1], 0.9 * relative, atol=0.01, rtol=0)
    with pytest.raises(InputError, match="cameras 0 to 13, not 14"):
        open_mpi_inf_3dhp(tmp_path, cameras=(14,))


def test_frames_beyond_the_videos_are_cut(tmp_path, monkeypatch):
    write_3dhp_train(tmp_path, sequences=((1, 1),), longer=2)
    monkeypatch.setattr("unihpe.datasets.mpi_inf_3dhp.raw.USABLE", {(1, 1): 6})
    source = open_mpi_inf_3dhp(tmp_path)
    assert len(source) == 8 * 6 and source.notes == ("S1/Seq1: 2 frames without video cut",)


def each(key, function):
    def change(arrays):
        for n in range(14):
            arrays[key][n, 0] = function(arrays[key][n, 0])

    return change


def swap_legs(flat):
    skeleton = get_skeleton("mpi_inf_3dhp28")
    joints = flat.reshape(len(flat), 28, 3).copy()
    for name in ("hip", "knee", "ankle", "foot", "toe"):
        left, right = skeleton.index(f"left_{name}"), skeleton.index(f"right_{name}")
        joints[:, [left, right]] = joints[:, [right, left]]
    return joints.reshape(flat.shape)


@pytest.mark.parametrize(
    "change, message",
    [
        (each("annot3", lambda flat: flat / 1000), "3D is in m, but this layout is in mm"),
        (each("annot3", swap_legs), "legs are swapped"),
        (each("annot3", lambda flat: flat * np.nan), "not finite"),
        (each("annot3", lambda flat: flat[:, :81]), r"shape \(6, 81\), expected \(N, 84\)"),
        (each("annot2", lambda flat: flat[:-1]), "2D of 5 frames, 3D of 6"),
        (lambda arrays: arrays.pop("annot2"), "lacks annot2"),
        (
            lambda arrays: arrays.update(annot3=arrays["annot3"][:8]),
            "annot3 has 8 cameras, expected 14",
        ),
    ],
)
def test_wrong_training_files_are_refused(tmp_path, change, message):
    write_3dhp_train(tmp_path, sequences=((1, 1),), change=change)
    with pytest.raises(InputError, match=message) as caught:
        open_mpi_inf_3dhp(tmp_path)
    assert "\n" not in str(caught.value)


def test_broken_training_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no S1/Seq1/annot.mat"):
        open_mpi_inf_3dhp(tmp_path)
    write_3dhp_train(tmp_path, sequences=((1, 1),))
    calibration, annotation = (
        tmp_path / "S1" / "Seq1" / name for name in ("camera.calibration", "annot.mat")
    )
    text = calibration.read_text()
    for broken, message in (
        (text.replace("name          7", "name          77"), "camera 7 lacks its size"),
        (text.replace("2048 2048", "big big"), "no numbers"),
        (text[: len(text) // 3], "camera 4 lacks"),
    ):
        calibration.write_text(broken)
        with pytest.raises(InputError, match=message):
            open_mpi_inf_3dhp(tmp_path)
    calibration.unlink()
    with pytest.raises(InputError, match="calibration: cannot be read"):
        open_mpi_inf_3dhp(tmp_path)
    calibration.write_text(text)
    whole = annotation.read_bytes()
    for size in (0, 100, len(whole) // 2):
        annotation.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"annot.mat: (not a readable MATLAB file|lacks)"):
            open_mpi_inf_3dhp(tmp_path)


@pytest.mark.parametrize("module", ["scipy.io", "h5py"])
def test_a_missing_extra_says_how_to_install_it(tmp_path, monkeypatch, module):
    if module == "h5py":
        (tmp_path / "TS1").mkdir()
        (tmp_path / "TS1" / "annot_data.mat").touch()
    else:
        write_3dhp_train(tmp_path, sequences=((1, 1),))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        InputError, match=f"needs {module.split('.')[0]}: pip install 'unihpe.data.'"
    ):
        open_mpi_inf_3dhp(tmp_path)


def test_the_test_set_gives_valid_frames_and_fitted_cameras(tmp_path):
    pytest.importorskip("h5py", reason="annot_data.mat needs h5py")
    write_3dhp_test(tmp_path)
    source = open_mpi_inf_3dhp(tmp_path)
    assert len(source) == 2 * 11 and source.frame[:4].tolist() == [0, 1, 2, 4]
    assert source.notes[:2] == ("TS1: 11 valid of 12 frames", "TS6: 11 valid of 12 frames")
    frames = everything(source)
    assert_close(frames.camera.project(frames.pose), frames.keypoints, atol=0.02, rtol=0)
    assert_close(frames.camera.focal[-1], torch.tensor([1684.0, 1672.7]), atol=0.5, rtol=0)
    assert frames.camera.size[0].tolist() == [2048, 2048] and frames.camera.size[-1].tolist() == [
        1920,
        1080,
    ]
    expected = (people(HP_JOINTS, 12, 0)[4] * 1000 @ LOOKING.T + np.array([100.0, 950.0, 3800.0]))[
        HP_RELEVANT
    ]
    assert_close(frames.pose[3], torch.from_numpy(expected).float(), atol=0.01, rtol=0)
    assert source.names("action") == ("Standing/Walking", "Sports") and source.names("group") == (
        "TS1",
        "TS6",
    )
    universal = open_mpi_inf_3dhp(tmp_path, truth="univ_annot3")
    assert_close(everything(universal).camera.focal, frames.camera.focal)
    assert_close(everything(universal).pose, 0.9 * frames.pose)


def swap_test_legs(arrays):
    skeleton = get_skeleton("mpi_inf_3dhp17")
    for name in ("hip", "knee", "ankle"):
        left, right = skeleton.index(f"left_{name}"), skeleton.index(f"right_{name}")
        arrays["annot3"][:, :, [left, right]] = arrays["annot3"][:, :, [right, left]]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda arrays: arrays.update(annot3=arrays["annot3"] / 1000), "3D is in m"),
        (swap_test_legs, "legs are swapped"),
        (
            lambda arrays: arrays.update(annot3=arrays["annot3"][:, :, :16]),
            "expected \\(N, 1, 17, 3\\)",
        ),
        (lambda arrays: arrays.pop("valid_frame"), "lacks valid_frame"),
        (lambda arrays: arrays.update(valid_frame=arrays["valid_frame"][:-1]), "different length"),
        (
            lambda arrays: arrays.update(valid_frame=arrays["valid_frame"] * 0),
            "no frame of the test set is marked valid",
        ),
        (lambda arrays: arrays.update(annot3=arrays["annot3"] * np.nan), "not finite"),
    ],
)
def test_wrong_test_files_are_refused(tmp_path, change, message):
    pytest.importorskip("h5py", reason="annot_data.mat needs h5py")
    write_3dhp_test(tmp_path, change)
    with pytest.raises(InputError, match=message) as caught:
        open_mpi_inf_3dhp(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_truncated_test_file(tmp_path):
    pytest.importorskip("h5py", reason="annot_data.mat needs h5py")
    write_3dhp_test(tmp_path)
    path = tmp_path / "mpi_inf_3dhp_test_set" / "TS1" / "annot_data.mat"
    whole = path.read_bytes()
    for size in (0, 300, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="not a readable HDF5 file"):
            open_mpi_inf_3dhp(tmp_path)
