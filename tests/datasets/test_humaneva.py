"""HumanEva-I in VideoPose3D's layout, whole and broken."""

import numpy as np
import pytest
import torch
from miniatures import EVA_LENSES, EVA_PLACES, to_camera, write_humaneva
from torch.testing import assert_close

from unihpe.body.prepare import prepare
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.humaneva.reader import open_humaneva
from unihpe.errors import InputError

SKELETON = get_skeleton("humaneva15")


def everything(source):
    return source.read(torch.arange(len(source)), torch.Generator())


def test_it_gives_the_2d_and_the_3d_that_were_written(tmp_path):
    world, two_d = write_humaneva(tmp_path)
    source = open_humaneva(tmp_path)
    assert len(source) == 3 * (9 + 2 + 8)
    frames = everything(source)
    at = 3 * 11 + 8 + 5  # S2, Box, second camera, frame 5
    view = source.views[source.view[at]]
    assert (view.subject, view.action, view.camera, view.split, view.group) == (
        "S2",
        "Box",
        "C2",
        "val",
        "S2 Box",
    )
    pose = to_camera(world["Validate/S2"]["Box 1 chunk0"][5] * 1000.0, EVA_PLACES["S2"][1])
    assert_close(frames.pose[at], torch.from_numpy(pose).float(), atol=0.02, rtol=0)
    assert_close(frames.keypoints[at], torch.from_numpy(two_d["Validate/S2"]["Box 1 chunk0"][1][5]))
    assert source.names("split") == ("train", "val") and source.names("camera") == (
        "C1",
        "C2",
        "C3",
    )
    assert len(prepare(frames, source.skeleton)) == len(source)


def test_the_intrinsics_are_found_from_the_2d(tmp_path):
    write_humaneva(tmp_path)
    frames = everything(open_humaneva(tmp_path))
    for at, (fx, fy, cx, cy) in zip((0, 9, 18), EVA_LENSES, strict=True):
        assert_close(frames.camera.focal[at], torch.tensor([fx, fy]), atol=0.2, rtol=0)
        assert_close(frames.camera.centre[at], torch.tensor([cx, cy]), atol=0.2, rtol=0)
    assert_close(frames.camera.project(frames.pose), frames.keypoints, atol=0.01, rtol=0)
    exact = everything(open_humaneva(tmp_path, "exact"))
    assert_close(exact.keypoints, frames.keypoints, atol=0.01, rtol=0)


def test_detections_do_not_change_the_fitted_cameras(tmp_path):
    def far_off(two_d):
        for actions in two_d.values():
            for views in actions.values():
                views[:] = [view + 40 for view in views]

    write_humaneva(tmp_path)
    write_humaneva(tmp_path, change_2d=far_off, name="detectron")
    detected, true = (
        everything(open_humaneva(tmp_path, "detectron")),
        everything(open_humaneva(tmp_path)),
    )
    assert_close(detected.camera.centre, true.camera.centre)
    assert_close(detected.keypoints, true.keypoints + 40)


def test_detections_alone_are_fitted_in_spite_of_outliers(tmp_path):
    def outliers(two_d):
        rng = np.random.default_rng(0)
        for actions in two_d.values():
            for views in actions.values():
                for view in views:
                    view[rng.random(view.shape[:2]) < 0.1] += 300
                    view[rng.random(view.shape[:2]) < 0.1] = np.nan

    write_humaneva(tmp_path, change_2d=outliers, name="detectron")
    frames = everything(open_humaneva(tmp_path, "detectron"))
    assert_close(frames.camera.focal[0], torch.tensor(EVA_LENSES[0][:2]), atol=2, rtol=0)
    assert bool((frames.confidence == 0).any())


def swap_legs(poses):
    order = list(range(15))
    for left, right in ((8, 11), (9, 12), (10, 13)):
        order[left], order[right] = right, left
    return poses[:, order]


def change_poses(function):
    def change(world):
        for actions in world.values():
            for name, poses in actions.items():
                actions[name] = function(poses)

    return change


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda poses: poses * 1000, "so 3D is in mm"),
        (swap_legs, "legs are swapped"),
        (
            lambda poses: np.where(np.arange(15)[:, None] == 3, np.nan, poses),
            "is not finite, first frame 0",
        ),
        (lambda poses: poses[:, :14], "has 14 joints, expected 15"),
        (lambda poses: poses.astype(object), "of type object"),
    ],
)
def test_wrong_3d_is_refused(tmp_path, function, message):
    write_humaneva(tmp_path, change_3d=change_poses(function))
    with pytest.raises(InputError, match=message) as caught:
        open_humaneva(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_verification_can_be_left_out(tmp_path):
    write_humaneva(tmp_path, change_3d=change_poses(swap_legs))
    assert len(open_humaneva(tmp_path, verify=False)) == 57


def test_2d_longer_is_cut_and_2d_shorter_refused(tmp_path):
    write_humaneva(tmp_path, longer=2)
    assert open_humaneva(tmp_path).notes == ("2D longer than 3D in 9 views: cut at its end",)

    def shorten(two_d):
        two_d["Train/S1"]["Jog 1 chunk2"][0] = two_d["Train/S1"]["Jog 1 chunk2"][0][:1]

    write_humaneva(tmp_path, change_2d=shorten)
    with pytest.raises(InputError, match="Train/S1, Jog 1 chunk2: 2D of 1 frames is shorter"):
        open_humaneva(tmp_path)


def test_unknown_subjects_and_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"data_3d_humaneva15.npz: no such file"):
        open_humaneva(tmp_path)
    write_humaneva(tmp_path, change_3d=lambda world: world.update({"Train/S4": world["Train/S1"]}))
    with pytest.raises(InputError, match="no calibration of Train/S4"):
        open_humaneva(tmp_path)
    write_humaneva(tmp_path)
    (tmp_path / "data_2d_humaneva15_gt.npz").unlink()
    with pytest.raises(InputError, match="data_2d_humaneva15_gt.npz: no such file"):
        open_humaneva(tmp_path)
