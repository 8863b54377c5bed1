"""Cameras: hand-computed projections, round trips, and OpenCV as an independent twin."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from unihpe.body.camera import Camera, default_focal, look_at, place

SIZE = torch.tensor([[1000.0, 800.0]])


def camera(distortion: list[float] | None = None) -> Camera:
    made = Camera.simple(SIZE, torch.tensor([1100.0]))
    if distortion is None:
        return made
    return Camera(
        made.focal,
        made.centre,
        made.size,
        made.rotation,
        made.translation,
        torch.tensor([distortion]),
    )


def test_projection_by_hand():
    point = torch.tensor([[[100.0, -50.0, 2000.0]]])
    assert_close(camera().project(point), torch.tensor([[[500 + 1100 * 0.05, 400 - 1100 * 0.025]]]))


def test_points_behind_the_camera_have_no_picture():
    assert torch.isnan(camera().project(torch.tensor([[[0.0, 0.0, -10.0]]]))).all()


def test_distortion_agrees_with_opencv():
    coefficients = [-0.2, 0.24, -0.0007, -0.0009, -0.002]
    points = torch.randn(1, 20, 3, generator=torch.Generator().manual_seed(0)) * 300 + torch.tensor(
        [0.0, 0.0, 3000.0]
    )
    matrix = np.array([[1100, 0, 500], [0, 1100, 400], [0, 0, 1.0]])
    expected, _ = cv2.projectPoints(
        points[0].double().numpy(), np.zeros(3), np.zeros(3), matrix, np.array(coefficients)
    )
    assert_close(
        camera(coefficients).project(points)[0],
        torch.from_numpy(expected[:, 0]).float(),
        atol=1e-3,
        rtol=0,
    )


@pytest.mark.parametrize("distortion", [None, [-0.2, 0.1, 0.001, -0.002, 0.0]])
def test_unproject_undoes_project(distortion):
    points = torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(1)) * 200 + torch.tensor(
        [0.0, 0.0, 2500.0]
    )
    view = camera(distortion)
    assert_close(view.unproject(view.project(points), points[..., 2]), points, atol=0.05, rtol=0)


def test_look_at_puts_the_target_in_the_middle_and_the_sky_up():
    position, target = torch.tensor([[3000.0, 1500.0, -2000.0]]), torch.tensor([[0.0, 900.0, 0.0]])
    rotation, translation = look_at(position, target, torch.tensor([0.0, 1.0, 0.0]))
    view = Camera(torch.tensor([[1000.0, 1000.0]]), SIZE / 2, SIZE, rotation, translation)
    seen = view.to_camera(torch.stack([target, target + torch.tensor([0.0, 100.0, 0.0])], dim=1))
    assert_close(view.project(seen)[0, 0], torch.tensor([500.0, 400.0]))
    assert seen[0, 1, 1] < seen[0, 0, 1]  # y is down
    assert_close(torch.linalg.det(rotation), torch.ones(1))
    assert_close(view.to_world(seen)[:, 0], target, atol=1e-2, rtol=0)


def test_default_focal_is_the_diagonal():
    assert_close(default_focal(torch.tensor([300.0, 400.0])), torch.tensor(500.0))


def test_place_finds_where_a_pose_stands_and_leaves_missing_joints_out():
    generator = torch.Generator().manual_seed(2)
    pose = torch.randn(2, 17, 3, generator=generator) * 300
    stood = torch.tensor([[100.0, -200.0, 4000.0], [-500.0, 300.0, 6000.0]])
    size = SIZE.expand(2, 2)
    view = Camera.simple(size, torch.tensor([1100.0, 1300.0]))
    keypoints = view.project(pose + stood[:, None])
    weight = torch.ones(2, 17)
    weight[0, :5] = 0
    keypoints[0, :5] = torch.nan
    assert_close(place(pose, keypoints, view, weight), stood, atol=0.5, rtol=0)


def test_place_through_a_long_lens_and_without_an_answer():
    """Somebody 20 pixels high at 1000 times the picture's side; and nobody seen at all."""
    generator = torch.Generator().manual_seed(3)
    pose = (torch.randn(2, 17, 3, generator=generator) * 300).double()
    size = SIZE.double().expand(2, 2)
    view = Camera.simple(size, torch.full((2,), 1e6, dtype=torch.float64))
    stood = torch.tensor([[-3e4, 2e4, 1e8], [0.0, 0.0, 1e8]], dtype=torch.float64)
    keypoints = view.project(pose + stood[:, None])
    weight = torch.ones(2, 17)
    weight[1] = 0
    single = Camera.simple(size.float(), torch.full((2,), 1e6))
    found = place(pose.float(), keypoints.float(), single, weight)
    assert found.dtype == torch.float32 and found[1].isnan().all()
    assert_close(found[0].double(), stood[0], rtol=2e-3, atol=1.0)


@pytest.mark.parametrize("distortion", [[-0.3, 0.1, 0, 0, 0], [0.4, 0.1, 0.001, -0.002, 0.0]])
@pytest.mark.parametrize("focal", [400.0, 1100.0])
def test_strong_lenses_are_undone_up_to_the_corners(distortion, focal):
    made = Camera.simple(SIZE, torch.tensor([focal]))
    view = replace(made, distortion=torch.tensor([distortion]))
    corners = torch.tensor([[[0.0, 0.0], [1000.0, 0.0], [1000.0, 800.0], [500.0, 400.0]]])
    points = view.unproject(corners, torch.full((1, 4), 2000.0))
    assert_close(view.project(points), corners, atol=2e-3, rtol=0)


def test_where_a_lens_has_no_inverse_nothing_is_made_up():
    # r + k1·r³ has its largest value, 2/3·√(1/(−3·k1)), at r = √(1/(−3·k1))
    k1, focal = -0.35, 400.0
    edge = 2 / 3 * (1 / (-3 * k1)) ** 0.5 * focal
    view = replace(
        Camera.simple(SIZE, torch.tensor([focal])), distortion=torch.tensor([[k1, 0, 0, 0, 0]])
    )
    inside, outside = (SIZE[:, None] / 2 + torch.tensor([edge + by, 0.0]) for by in (-1.0, 1.0))
    depth = torch.ones(1, 1)
    assert torch.isfinite(view.unproject(inside, depth)).all()
    assert torch.isnan(view.unproject(outside, depth)[..., :2]).all()
