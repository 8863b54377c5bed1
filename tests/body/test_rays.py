"""The person's frame: people look the same wherever they stand and however the camera is held."""

import math

import torch
from torch.testing import assert_close

from unihpe.body.batch import Frames
from unihpe.body.camera import Camera, axis_rotation, rotation_of
from unihpe.body.prepare import prepare
from unihpe.body.rays import Trunk, centred, person_frame
from unihpe.body.skeleton import get_skeleton

SKELETON = get_skeleton("human36m17")
TRUNK = Trunk.of(SKELETON)
SIZE = torch.tensor([1920.0, 1080.0])


def seen(pose, box=None, confidence=None):
    """The batch of poses (N, 17, 3) before one camera."""
    count = len(pose)
    camera = Camera.simple(SIZE.expand(count, 2), torch.full((count,), 1500.0))
    confidence = torch.ones(count, 17) if confidence is None else confidence
    group, index = ("a",) * count, torch.arange(count)
    frames = Frames(camera.project(pose), confidence, pose, camera, group, index, box=box)
    return prepare(frames, SKELETON)


def frame_of(batch):
    return person_frame(batch.keypoints, batch.confidence, batch.box_token, TRUNK)


def person(seed=0):
    """Somebody before the camera whose trunk is long enough to tell which way up it is."""
    generator = torch.Generator().manual_seed(seed)
    pose = torch.randn(1, 17, 3, generator=generator) * 150
    pose[:, TRUNK.upper, 1] -= 500
    return pose + torch.tensor([0.0, 0.0, 3500.0])


def test_joints_at_a_trunks_ends_are_found_by_name():
    names = [SKELETON.joints[n] for n in TRUNK.lower]
    assert sorted(names) == ["left_hip", "pelvis", "right_hip"]
    assert {"thorax", "left_shoulder", "head", "nose"} <= {SKELETON.joints[n] for n in TRUNK.upper}


def test_cameras_turned_and_rolled_see_the_same_in_the_persons_frame():
    angles = torch.linspace(-0.12, 0.12, 6)
    aside = rotation_of(torch.stack([torch.ones(6), angles * 0.3, angles, 0 * angles], dim=1))
    rolled = axis_rotation(2, torch.linspace(-math.pi, math.pi, 6))
    turned = person() @ (rolled @ aside).mT
    batch = seen(turned)
    points, place = centred(batch.keypoints, batch.confidence, batch.box_token, TRUNK)
    pose = frame_of(batch).into(batch.pose)
    # the middle of what is seen moves by a little within the person
    assert (points - points[:1]).abs().max() < 0.01
    assert (pose - pose[:1]).abs().max() < 10
    assert (place[:, 2] - place[0, 2]).abs().max() < 0.005
    assert (place[:, :2] - place[:1, :2]).abs().max() > 0.1  # which says where, and which way up
    angle = torch.atan2(place[:, 4], place[:, 3])
    assert (angle[1:] - angle[:-1]).abs().max() > 1


def test_which_way_up_is_an_angle_from_upright():
    upright = person()
    for degrees in (0.0, 90.0, 180.0):
        turn = axis_rotation(2, torch.tensor([math.radians(degrees)]))
        centre = torch.tensor([0.0, 0.0, 3500.0])
        batch = seen((upright - centre) @ turn.mT + centre)
        up = frame_of(batch).into(batch.pose)[0]
        trunk = up[TRUNK.upper].mean(0) - up[TRUNK.lower].mean(0)
        assert trunk[1] < -400 and trunk[0].abs() < 60
        flat = frame_of(batch).upright(batch.keypoints)[0]
        flat_trunk = flat[TRUNK.upper].mean(0) - flat[TRUNK.lower].mean(0)
        assert flat_trunk[1] < 0 and flat_trunk[0].abs() < 0.15 * flat_trunk[1].abs()


def test_the_box_does_not_matter_nor_do_missing_joints():
    confidence = torch.ones(2, 17)
    confidence[:, SKELETON.index("left_ankle")] = 0
    boxes = torch.tensor([[960.0, 540.0, 420.0, 560.0], [900.0, 640.0, 600.0, 800.0]])
    batch = seen(person().expand(2, 17, 3), boxes, confidence)
    keypoints = batch.keypoints.clone()
    keypoints[1, SKELETON.index("left_ankle")] = 9.0
    points, place = centred(keypoints, batch.confidence, batch.box_token, TRUNK)
    shown = confidence[0] > 0
    assert_close(points[0, shown], points[1, shown], atol=1e-5, rtol=1e-4)
    assert_close(place[0], place[1], atol=1e-5, rtol=1e-4)
    assert_close(*frame_of(batch).axes, atol=1e-5, rtol=1e-4)


def test_without_keypoints_the_ray_is_the_boxs_and_the_pose_says_which_way_up():
    token = torch.tensor([[0.3, -0.2, 0.1]])
    nothing = torch.zeros(1, 17, 2), torch.zeros(1, 17), token, TRUNK
    plain = person_frame(*nothing)
    ray = torch.tensor([0.3, -0.2, 1.0])
    ahead = plain.out_of(torch.tensor([[[0.0, 0.0, 1.0]]]))
    assert_close(ahead[0, 0], ray / ray.norm())
    assert_close(plain.roll, torch.tensor([[1.0, 0.0]]))
    pose = person()
    pose[:, SKELETON.index("nose")] = torch.nan
    inverted = pose * torch.tensor([-1.0, -1.0, 1.0])
    frame = person_frame(*nothing, inverted)
    assert frame.roll[0, 0] < -0.95


def test_half_a_person_counts_as_upright():
    confidence = torch.ones(1, 17)
    confidence[:, TRUNK.lower] = 0
    turn = axis_rotation(2, torch.tensor([1.0]))
    assert_close(
        frame_of(seen(person() @ turn.mT, None, confidence)).roll, torch.tensor([[1.0, 0.0]])
    )


def test_into_the_frame_and_back():
    frame = frame_of(seen(person(3).expand(4, 17, 3)))
    points = torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    assert_close(frame.out_of(frame.into(points)), points)
    flat = points[..., :2]
    assert_close(frame.as_seen(frame.upright(flat)), flat)
    assert_close(frame.axes @ frame.axes.mT, torch.eye(3).expand(4, 3, 3))
    assert_close(torch.linalg.det(frame.axes), torch.ones(4))


def test_gradients_are_finite_however_little_is_seen():
    # heat maps that learn through the embedding may show one joint, or none
    batch = seen(torch.cat([person(n) for n in range(4)]))
    confidence = torch.zeros(4, 17)
    for count in range(4):
        confidence[count, 3 : 3 + count] = 1.0
    keypoints = batch.keypoints.clone().requires_grad_()
    spots, place = centred(keypoints, confidence, batch.box_token, TRUNK)
    (spots.square().sum() + place.square().sum()).backward()
    assert keypoints.grad.isfinite().all()
    assert keypoints.grad[0].eq(0).all() and keypoints.grad[2].abs().max() > 0
