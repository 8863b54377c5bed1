"""Angles by hand: somebody who stands, with one limb at a time turned by a known angle."""

import math

import pytest
import torch
from torch.testing import assert_close

from unihpe.body.angles import angles
from unihpe.body.camera import axis_rotation
from unihpe.body.skeleton import get_skeleton

SKELETON = get_skeleton("human36m17")
# y up, x to the person's left, z forwards
STANDING = {
    "pelvis": (0, 0, 0), "spine": (0, 25, 0), "thorax": (0, 50, 0), "nose": (0, 62, 10),
    "head": (0, 72, 0), "left_hip": (13, 0, 0), "left_knee": (13, -43, 0),
    "left_ankle": (13, -85, 0), "left_shoulder": (17, 45, 0), "left_elbow": (17, 17, 0),
    "left_wrist": (17, -8, 0),
}  # fmt: skip
BELOW = {
    "hip": ("knee", "ankle"), "knee": ("ankle",), "shoulder": ("elbow", "wrist"),
    "elbow": ("wrist",),
}  # fmt: skip
UPPER = ("spine", "thorax", "nose", "head", "left_shoulder", "left_elbow", "left_wrist",
         "right_shoulder", "right_elbow", "right_wrist")  # fmt: skip
X, Y, Z = range(3)


def standing():
    places = torch.zeros(len(SKELETON), 3, dtype=torch.float64)
    for n, joint in enumerate(SKELETON.joints):
        x, y, z = STANDING.get(joint) or STANDING[joint.replace("right", "left")]
        places[n] = torch.tensor([-x if joint.startswith("right") else x, y, z])
    return places


def turned(places, joints, about, axis, degrees):
    """Some joints turned about another by the right-hand rule."""
    made, centre = places.clone(), places[SKELETON.index(about)]
    rotation = axis_rotation(axis, torch.tensor([math.radians(degrees)]).double())[0]
    for joint in joints:
        n = SKELETON.index(joint)
        made[n] = centre + rotation @ (places[n] - centre)
    return made


def limb(side, joint, axis, degrees):
    below = [f"{side}_{name}" for name in BELOW[joint]]
    return turned(standing(), below, f"{side}_{joint}", axis, degrees)


def measured(places):
    return {name: float(angle) for name, angle in angles(places, SKELETON).items()}


def assert_only(found, expected, free=()):
    """These angles, and 0 for all others but the free ones."""
    for name, angle in found.items():
        if name not in free:
            assert angle == pytest.approx(expected.get(name, 0), abs=1e-4), name


def test_who_stands_has_no_angles():
    assert_only(measured(standing()), {})


# About x, the person's left, the right-hand rule takes −y to −z: backwards.
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_knee_that_bends_backwards_is_flexed(side):
    assert_only(measured(limb(side, "knee", X, 70)), {f"{side}_knee_flexion": 70})


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("degrees", [30, 120, -20])
def test_a_thigh_forwards_is_flexed_and_backwards_extended(side, degrees):
    assert_only(measured(limb(side, "hip", X, -degrees)), {f"{side}_hip_flexion": degrees})


@pytest.mark.parametrize(("side", "sign"), [("left", 1), ("right", -1)])
@pytest.mark.parametrize("degrees", [25, -10])
def test_a_thigh_outwards_is_abducted(side, sign, degrees):
    assert_only(measured(limb(side, "hip", Z, sign * degrees)), {f"{side}_hip_abduction": degrees})


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_forearm_forwards_is_flexed(side):
    assert_only(measured(limb(side, "elbow", X, -90)), {f"{side}_elbow_flexion": 90})


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("degrees", [60, 150, -30])
def test_an_arm_forwards_is_flexed(side, degrees):
    found = measured(limb(side, "shoulder", X, -degrees))
    expected = {f"{side}_shoulder_flexion": degrees, f"{side}_shoulder_elevation": abs(degrees)}
    abducted = f"{side}_shoulder_abduction"
    assert_only(found, expected, free={abducted})
    # its shadow from the front: straight down, or up above the shoulder
    assert abs(found[abducted]) == pytest.approx(0 if abs(degrees) < 90 else 180, abs=1e-6)


@pytest.mark.parametrize(("side", "sign"), [("left", 1), ("right", -1)])
def test_an_arm_to_the_side_is_abducted_and_level_has_no_flexion(side, sign):
    found = measured(limb(side, "shoulder", Z, sign * 90))
    assert found[f"{side}_shoulder_abduction"] == pytest.approx(90)
    assert found[f"{side}_shoulder_elevation"] == pytest.approx(90)
    assert math.isnan(found[f"{side}_shoulder_flexion"])


def test_the_trunk_leans_forwards_and_to_the_right():
    found = measured(turned(standing(), UPPER, "pelvis", X, 20))  # about the left: y to z
    legs = {f"{side}_hip_flexion": 20 for side in ("left", "right")}
    assert_only(found, {"trunk_flexion": 20, "trunk_inclination": 20, **legs})
    found = measured(turned(standing(), UPPER, "pelvis", Z, 15))  # about forwards: y to −x
    free = {f"{side}_hip_{kind}" for side in ("left", "right") for kind in ("flexion", "abduction")}
    expected = {"trunk_lateral_flexion": 15, "trunk_inclination": 15, "shoulder_obliquity": 15}
    assert_only(found, expected, free)


def test_shoulders_turned_to_the_left_are_a_positive_rotation():
    joints = [joint for joint in SKELETON.joints if joint.split("_")[-1] in BELOW["shoulder"]]
    joints += ["left_shoulder", "right_shoulder"]
    found = measured(turned(standing(), joints, "thorax", Y, 35))
    assert found["trunk_rotation"] == pytest.approx(35)
    assert found["trunk_flexion"] == pytest.approx(0)


def test_the_side_that_is_higher():
    hips = measured(turned(standing(), ["left_hip", "right_hip"], "pelvis", Z, 5))
    assert hips["pelvis_obliquity"] == pytest.approx(5)
    shoulders = measured(turned(standing(), ["left_shoulder", "right_shoulder"], "thorax", Z, -8))
    assert shoulders["shoulder_obliquity"] == pytest.approx(-8)


def test_a_head_that_bows_and_tilts():
    assert measured(turned(standing(), ["head"], "thorax", X, 40))["neck_flexion"] == pytest.approx(
        40
    )
    tilted = measured(turned(standing(), ["head"], "thorax", Z, 12))
    assert tilted["neck_lateral_flexion"] == pytest.approx(12)


def test_angles_are_the_same_wherever_people_stand_and_however_they_face():
    generator = torch.Generator().manual_seed(0)
    pose = standing() + torch.randn(20, len(SKELETON), 3, generator=generator).double() * 3
    moved = (pose @ axis_rotation(Y, torch.tensor([2.0]).double())[0].T + 40) * 7
    expected, found = angles(pose, SKELETON), angles(moved, SKELETON)
    for name, angle in expected.items():
        assert_close(found[name], angle, equal_nan=True)


def test_mirrored_people_have_each_others_sides():
    generator = torch.Generator().manual_seed(1)
    pose = standing() + torch.randn(20, len(SKELETON), 3, generator=generator).double() * 3
    mirrored = pose[:, list(SKELETON.mirror)] * torch.tensor([-1.0, 1, 1]).double()
    own, other = angles(pose, SKELETON), angles(mirrored, SKELETON)
    for name, angle in own.items():
        if name.startswith(("left", "right")):
            side = {"left": "right", "right": "left"}[name.split("_")[0]]
            assert_close(other[f"{side}_{name.split('_', 1)[1]}"], angle, equal_nan=True)
        else:
            sign = -1 if "lateral" in name or "obliquity" in name or "rotation" in name else 1
            assert_close(other[name], sign * angle, equal_nan=True)


def test_other_joint_sets_have_the_angles_that_their_joints_give():
    places = standing()[None]
    coco = get_skeleton("coco17")
    own = torch.full((1, len(coco), 3), torch.nan, dtype=torch.float64)
    for n, joint in enumerate(coco.joints):
        if joint in SKELETON.joints:
            own[:, n] = places[:, SKELETON.index(joint)]
    found = angles(own, coco)
    assert_close(found["left_knee_flexion"], torch.zeros(1).double())
    own[:, coco.index("left_ankle")] = torch.nan
    found = angles(own, coco)
    assert found["left_knee_flexion"].isnan().all() and found["right_knee_flexion"].isfinite().all()
