"""The ray frame: a person at a picture's edge looks as in its middle."""

import torch
from torch.testing import assert_close

from unihpe.body.batch import Frames
from unihpe.body.camera import Camera, rotation_of
from unihpe.body.prepare import prepare
from unihpe.body.rays import centred, into_ray, out_of_ray
from unihpe.body.skeleton import get_skeleton

SKELETON = get_skeleton("human36m17")
SIZE = torch.tensor([[1920.0, 1080.0]]).expand(6, 2)


def seen_after_turning(angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One person, seen by cameras turned about their own place: keypoints in the ray frame, token
    and pose there."""
    generator = torch.Generator().manual_seed(0)
    person = torch.randn(1, 17, 3, generator=generator) * 250 + torch.tensor([0.0, 0.0, 3500.0])
    turn = torch.stack([torch.ones(6), angles * 0.3, angles, 0 * angles], dim=1)
    pose = person @ rotation_of(turn).mT
    camera = Camera.simple(SIZE, torch.full((6,), 1500.0))
    frames = Frames(
        camera.project(pose), torch.ones(6, 17), pose, camera, ("a",) * 6, torch.arange(6)
    )
    batch = prepare(frames, SKELETON)
    points, token = centred(batch.keypoints, batch.confidence, batch.box_token)
    return points, token, into_ray(batch.pose, batch.box_token)


def test_a_turned_camera_changes_nothing_in_the_ray_frame():
    points, token, pose = seen_after_turning(torch.linspace(-0.12, 0.12, 6))
    # the box, and so the ray, is drawn round what is seen: equal to a few hundredths
    assert (points - points[:1]).abs().max() < 0.04
    assert (pose - pose[:1]).abs().max() < 40 and (token[:, 2] - token[0, 2]).abs().max() < 0.02
    plain = seen_after_turning(torch.zeros(6))[2]
    assert_close(plain, plain[:1].expand_as(plain))


def test_the_box_does_not_matter_nor_do_missing_joints():
    generator = torch.Generator().manual_seed(1)
    keypoints = torch.rand(1, 17, 2, generator=generator) * 300 + 500
    confidence = torch.ones(1, 17)
    confidence[:, 3] = 0
    camera = Camera.simple(SIZE[:1], torch.tensor([1400.0]))
    made = []
    for box in ([650.0, 640.0, 420.0, 560.0], [650.0, 640.0, 600.0, 800.0]):
        given = Frames(
            keypoints, confidence, None, camera, ("a",), torch.arange(1), box=torch.tensor([box])
        )
        batch = prepare(given, SKELETON)
        made.append(centred(batch.keypoints, batch.confidence, batch.box_token))
    seen = confidence[0] > 0
    assert_close(made[0][0][:, seen], made[1][0][:, seen], atol=1e-5, rtol=1e-4)
    assert_close(made[0][1], made[1][1], atol=1e-5, rtol=1e-4)


def test_the_frame_takes_the_axis_to_the_ray_and_back():
    token, ray = torch.tensor([[0.3, -0.2, 0.1]]), torch.tensor([0.3, -0.2, 1.0])
    turned = out_of_ray(torch.tensor([[[0.0, 0.0, 1.0]]]), token)
    assert_close(turned[0, 0], ray / ray.norm())
    points = torch.randn(4, 1, 5, 3, generator=torch.Generator().manual_seed(0))
    assert_close(out_of_ray(into_ray(points, token), token), points)
