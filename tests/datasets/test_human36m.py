"""Human3.6M in VideoPose3D's and MMPose's layouts, whole and broken."""

import numpy as np
import pytest
import torch
from miniatures import (
    H36M_CAMERAS,
    H36M_KEPT,
    H36M_LENSES,
    H36M_PLACES,
    project_h36m,
    to_camera,
    write_mmpose_h36m,
    write_videopose3d_h36m,
)
from torch.testing import assert_close

from unihpe.body.camera import Camera
from unihpe.body.prepare import prepare
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import published_cameras
from unihpe.datasets.human36m.reader import open_human36m
from unihpe.datasets.human36m.views import DRIFTING, RAW_SKELETON
from unihpe.errors import InputError

SKELETON = get_skeleton("human36m17")


def everything(source):
    return source.read(torch.arange(len(source)), torch.Generator())


def test_the_raw_joints_keep_the_published_columns():
    assert len(RAW_SKELETON) == len(set(RAW_SKELETON.joints)) == 32
    assert SKELETON.select_from(RAW_SKELETON) == H36M_KEPT


def test_the_first_camera_has_the_published_matrix():
    rows, cameras = published_cameras()
    expected = [
        [-0.91536171, 0.40180838, 0.02574753],
        [0.0515481, 0.1803735, -0.9822465],
        [-0.39931904, -0.89778361, -0.18581944],
    ]
    assert len(rows) == 28
    assert_close(
        cameras.rotation[rows["S1", "54138969"]], torch.tensor(expected), atol=1e-6, rtol=0
    )
    assert cameras.size[rows["S9", "60457274"]].tolist() == [1000, 1002]


def test_videopose3d_gives_the_2d_and_the_3d_that_were_written(tmp_path):
    world, two_d = write_videopose3d_h36m(tmp_path)
    source = open_human36m(tmp_path)
    assert len(source) == 4 * (12 + 5 + 7 + 4)
    frames = everything(source)
    assert source.names("subject") == ("S1", "S9")
    assert source.names("camera") == tuple(H36M_CAMERAS)
    at = 4 * 17 + 2 * 7 + 3  # S9, Greeting, third camera, frame 3
    view = source.views[source.view[at]]
    assert (view.subject, view.sequence, view.camera, view.action, view.split) == (
        "S9",
        "Greeting",
        "58860488",
        "Greeting",
        "test",
    )
    assert (
        int(source.frame[at]) == 3
        and frames.group[at] == "Greeting"
        and (view.subject, view.sequence) in DRIFTING
    )
    pose = to_camera(world["S9"]["Greeting"][3][H36M_KEPT] * 1000.0, H36M_PLACES["S9"][2])
    assert_close(frames.pose[at], torch.from_numpy(pose).float(), atol=0.01, rtol=0)
    assert_close(frames.keypoints[at], torch.from_numpy(two_d["S9"]["Greeting"][2][3]))
    assert bool((frames.confidence == 1).all())


def test_the_cameras_project_3d_onto_2d_exactly_and_back(tmp_path):
    write_videopose3d_h36m(tmp_path)
    frames = everything(open_human36m(tmp_path))
    assert_close(frames.camera.project(frames.pose), frames.keypoints, atol=2e-3, rtol=0)
    assert_close(
        frames.camera.unproject(frames.keypoints, frames.pose[..., 2]),
        frames.pose,
        atol=0.05,
        rtol=0,
    )
    exact = everything(open_human36m(tmp_path, "exact"))
    assert_close(exact.keypoints, frames.keypoints, atol=2e-3, rtol=0)


def test_reading_is_by_index_and_in_any_order(tmp_path):
    write_videopose3d_h36m(tmp_path)
    source = open_human36m(tmp_path)
    order = torch.tensor([70, 3, 3, 110])
    some, whole = source.read(order), everything(source)
    assert torch.equal(some.pose, whole.pose[order]) and torch.equal(
        some.keypoints, whole.keypoints[order]
    )
    assert torch.equal(some.index, order)
    assert len(prepare(some, source.skeleton)) == 4


def test_selecting_by_split_and_stride(tmp_path):
    write_videopose3d_h36m(tmp_path)
    source = open_human36m(tmp_path)
    test = source.select(lambda view: view.split == "test", stride=3)
    assert test.names("subject") == ("S9",) and len(test) == 4 * (3 + 2)
    kept = test.select(lambda view: (view.subject, view.sequence) not in DRIFTING)
    assert kept.names("sequence") == ("Greeting 1",)
    with pytest.raises(InputError, match="no frame is left"):
        source.select(lambda view: view.split == "val")


def test_2d_longer_than_3d_is_cut_at_its_end(tmp_path):
    _, two_d = write_videopose3d_h36m(tmp_path, longer=4)
    source = open_human36m(tmp_path)
    assert len(source) == 4 * 28
    assert_close(
        everything(source).keypoints[:12], torch.from_numpy(two_d["S1"]["Walking 1"][0][:12])
    )
    assert source.notes == ("2D longer than 3D in 16 views: cut at its end",)


def test_coco_detections_are_converted_by_name_and_nan_is_a_missing_joint(tmp_path):
    coco = get_skeleton("coco17")

    def as_coco(two_d):
        for actions in two_d.values():
            for views in actions.values():
                for n, view in enumerate(views):
                    out = np.zeros_like(view)
                    for joint in coco.joints:
                        here = SKELETON.index(joint if joint in SKELETON.joints else "nose")
                        out[:, coco.index(joint)] = view[:, here]
                    out[:, coco.index("left_wrist")] = np.nan
                    views[n] = out

    sides = [
        [coco.index(j) for j in coco.joints if j.startswith(side)] for side in ("left", "right")
    ]
    write_videopose3d_h36m(tmp_path, name="exact_gt")
    world, _ = write_videopose3d_h36m(
        tmp_path, change_2d=as_coco, name="detectron_pt_coco", symmetry=sides
    )
    frames = everything(open_human36m(tmp_path, "detectron_pt_coco"))
    exact = frames.camera.project(frames.pose)
    for joint in ("left_knee", "right_ankle", "left_elbow", "right_shoulder"):
        assert_close(
            frames.keypoints[:, SKELETON.index(joint)],
            exact[:, SKELETON.index(joint)],
            atol=2e-3,
            rtol=0,
        )
    assert bool((frames.confidence[:, SKELETON.index("left_wrist")] == 0).all())
    assert bool(frames.keypoints[:, SKELETON.index("left_wrist")].isnan().all())
    assert bool((frames.confidence[:, SKELETON.index("pelvis")] > 0).all())


def change_poses(function):
    def change(world):
        for actions in world.values():
            for name, poses in actions.items():
                actions[name] = function(poses)

    return change


def swap_legs(poses):
    order = list(range(32))
    for right, left in ((1, 6), (2, 7), (3, 8)):
        order[right], order[left] = left, right
    return poses[:, order]


def not_finite(poses):
    poses = poses.copy()
    poses[2, 3] = np.nan
    return poses


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda poses: poses * 1000, "so 3D is in mm, but this layout is in m"),
        (swap_legs, "left and right legs are swapped"),
        (not_finite, "first frame 2"),
        (lambda poses: poses[:, :16], "has 16 joints, expected 32 or 17"),
        (lambda poses: poses.astype(str), "not numbers"),
        (lambda poses: poses[..., :2], "expected \\(N, N, 3\\)"),
    ],
)
def test_wrong_3d_is_refused_in_one_line(tmp_path, function, message):
    write_videopose3d_h36m(tmp_path, change_3d=change_poses(function))
    with pytest.raises(InputError, match=message) as caught:
        open_human36m(tmp_path)
    assert "\n" not in str(caught.value) and "S1" in str(caught.value)


def shorten(two_d):
    two_d["S9"]["Greeting"][3] = two_d["S9"]["Greeting"][3][:-2]


def drop_camera(two_d):
    two_d["S9"]["Greeting"].pop()


def drop_action(two_d):
    del two_d["S1"]["Photo"]


def fewer_joints(two_d):
    two_d["S1"]["Photo"][0] = two_d["S1"]["Photo"][0][:, :16]


def normalised(two_d):
    for actions in two_d.values():
        for views in actions.values():
            views[:] = [view / 500 - 1 for view in views]


@pytest.mark.parametrize(
    "change, message",
    [
        (shorten, "2D of 5 frames is shorter than 3D of 7"),
        (drop_camera, "2D of 3 cameras, expected 4"),
        (drop_action, "S1, Photo: has 3D but no 2D"),
        (fewer_joints, "shape \\(5, 16, 2\\)"),
        (normalised, "no pixels"),
    ],
)
def test_wrong_2d_is_refused(tmp_path, change, message):
    write_videopose3d_h36m(tmp_path, change_2d=change)
    with pytest.raises(InputError, match=message):
        open_human36m(tmp_path)


@pytest.mark.parametrize(
    "symmetry",
    [
        [[1, 2, 3, 11, 12, 13], [4, 5, 6, 14, 15, 16]],
        [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 9]],
        [[4, 5, 6], [1, 2, 3]],
        "none",
    ],
)
def test_2d_that_exchanges_left_and_right_in_its_metadata_is_refused(tmp_path, symmetry):
    write_videopose3d_h36m(tmp_path, symmetry=symmetry)
    with pytest.raises(InputError, match="left and right may be exchanged"):
        open_human36m(tmp_path)


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no Human3.6M here"):
        open_human36m(tmp_path)
    write_videopose3d_h36m(tmp_path)
    with pytest.raises(
        InputError,
        match=r"data_2d_h36m_cpn.npz: no such file; 2D there: exact \(projected 3D\), gt",
    ):
        open_human36m(tmp_path, "cpn")
    whole = (tmp_path / "data_3d_h36m.npz").read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 5):
        (tmp_path / "data_3d_h36m.npz").write_bytes(whole[:size])
        with pytest.raises(InputError, match="not a readable npz"):
            open_human36m(tmp_path)


def test_a_subject_without_calibration_is_refused(tmp_path):
    write_videopose3d_h36m(tmp_path, change_3d=lambda world: world.update(S4=world["S1"]))
    with pytest.raises(InputError, match="no calibration of S4"):
        open_human36m(tmp_path)


def test_mmpose_gives_what_was_written(tmp_path):
    folder = write_mmpose_h36m(tmp_path)
    source = open_human36m(tmp_path)
    assert len(source) == len(open_human36m(folder)) == 24
    frames = everything(source)
    with np.load(folder / "h36m_test.npz") as written:
        assert_close(
            frames.pose[12:],
            torch.from_numpy(written["S"][..., :3] * 1000).float(),
            atol=1e-2,
            rtol=0,
        )
        assert_close(frames.keypoints[12:], torch.from_numpy(written["part"][..., :2]).float())
    assert_close(frames.camera.project(frames.pose), frames.keypoints, atol=2e-3, rtol=0)
    assert source.names("action") == ("Photo", "Greeting") and source.names("sequence") == (
        "TakingPhoto 1",
        "Greeting",
    )
    assert source.frame[:3].tolist() == [0, 5, 10]
    world = frames.camera.to_world(frames.pose)
    assert_close(world[12:15], world[15:18], atol=0.1, rtol=0)  # two cameras, one person


def test_mmpose_without_cameras_uses_the_published_ones(tmp_path):
    write_mmpose_h36m(tmp_path)
    with_file = everything(open_human36m(tmp_path)).camera
    (tmp_path / "annotation_body3d" / "cameras.pkl").unlink()
    without = everything(open_human36m(tmp_path)).camera
    assert_close(with_file.rotation, without.rotation, atol=1e-6, rtol=0)
    assert_close(with_file.translation, without.translation, atol=1e-2, rtol=0)
    assert_close(with_file.distortion, without.distortion)


def relative(split, arrays):
    arrays["S"][..., :3] -= arrays["S"][:, :1, :3]


def millimetres(split, arrays):
    arrays["S"][..., :3] *= 1000


def renamed(split, arrays):
    arrays["imgname"][0] = "picture.jpg"


@pytest.mark.parametrize(
    "change, message",
    [
        (relative, "behind the camera"),
        (millimetres, "3D is in mm"),
        (renamed, "'picture.jpg' is not named like"),
    ],
)
def test_wrong_mmpose_files_are_refused(tmp_path, change, message):
    write_mmpose_h36m(tmp_path, change)
    with pytest.raises(InputError, match=message):
        open_human36m(tmp_path)


def test_mmpose_detections_lie_beside_the_npz(tmp_path):
    folder = write_mmpose_h36m(tmp_path)
    scores = np.full((24, 17, 3), 0.5, np.float32)
    np.save(folder / "cpn.npy", scores)
    frames = everything(open_human36m(tmp_path, "cpn.npy"))
    assert bool((frames.confidence == 0.5).all())
    np.save(folder / "short.npy", scores[:5])
    for name, message in (
        ("short.npy", "expected \\(24, 17, 3\\)"),
        ("none.npy", "no readable npy"),
    ):
        with pytest.raises(InputError, match=message):
            open_human36m(tmp_path, name)


def test_the_lens_is_not_opencvs(tmp_path):
    """The tangential terms: were the camera OpenCV's, this corner would be 0.1 px off."""
    rows, cameras = published_cameras()
    point = np.array([[1500.0, 1500.0, 4000.0]])
    ours = cameras.project(torch.from_numpy(point).float().expand(28, 1, 3))[rows["S1", "55011271"]]
    assert_close(
        ours, torch.from_numpy(project_h36m(point, H36M_LENSES[1])).float(), atol=1e-3, rtol=0
    )
    opencv = Camera(**vars(cameras)).project(torch.from_numpy(point).float().expand(28, 1, 3))[
        rows["S1", "55011271"]
    ]
    assert 0.1 < (ours - opencv).norm() < 1


def without_names(*which):
    """Rows of S9 lose their names, as MMPose's script names no pictures it cannot read."""

    def change(split, arrays):
        if split == "test":
            arrays["imgname"] = np.delete(arrays["imgname"], which)

    return change


@pytest.mark.parametrize(
    "lost", [(5,), (4, 5), (0, 1, 2), (2, 9, 10, 11), (1, 3)]
)  # three frames a camera
def test_rows_that_mmpose_could_not_name_are_told_from_the_other_cameras(tmp_path, lost):
    write_mmpose_h36m(tmp_path / "whole")
    write_mmpose_h36m(tmp_path / "short", without_names(*lost))
    whole, short = open_human36m(tmp_path / "whole"), open_human36m(tmp_path / "short")
    kept = [
        n for n in range(len(whole)) if n - 12 not in lost
    ]  # twelve rows of training come before
    assert len(short) == len(kept)
    for name in ("pose", "keypoints"):
        assert torch.equal(getattr(everything(short), name), getattr(everything(whole), name)[kept])
    assert [short.views[v] for v in short.view] == [whole.views[whole.view[n]] for n in kept]
    assert short.notes == (
        "h36m_test.npz: rows without a name left out (videos that could not be read)",
    )


def test_names_that_do_not_say_which_rows_they_belong_to_are_refused(tmp_path):
    write_mmpose_h36m(tmp_path, without_names(2, 5, 8, 11))  # no camera names the last frame
    with pytest.raises(InputError, match=r"8 names, 12 poses .* names no frame of a damaged video"):
        open_human36m(tmp_path)
