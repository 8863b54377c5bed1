"""Joint sets: orders against the sets' own documents, conversions by name, rules by hand."""

import pytest
import torch
from torch.testing import assert_close

from unihpe.body.conversions import RULES, convert
from unihpe.body.skeleton import SKELETONS, get_skeleton, other_side
from unihpe.errors import InputError

COUNTS = {
    "human36m17": 17, "human36m17_left_first": 17, "coco17": 17, "halpe26": 26, "body25": 25,
    "coco18": 18, "mediapipe33": 33, "mpii16": 16, "mpi_inf_3dhp28": 28, "mpi_inf_3dhp17": 17,
    "smpl24": 24, "spin24": 24, "lsp14": 14, "humaneva15": 15, "body25b": 25, "human36m32": 32,
    "halpe68": 68, "halpe136": 136, "coco_wholebody133": 133,
}  # fmt: skip
# (joint, column) pairs as the sets' documents number them
KNOWN = {
    "coco17": {"nose": 0, "right_wrist": 10, "left_hip": 11, "right_ankle": 16},
    "halpe26": {"head_top": 17, "neck": 18, "pelvis": 19, "left_heel": 24},
    "body25": {
        "neck": 1,
        "pelvis": 8,
        "right_hip": 9,
        "left_hip": 12,
        "right_eye": 15,
        "right_heel": 24,
    },
    "body25b": {
        "left_eye": 1,
        "right_ankle": 16,
        "neck": 17,
        "head_top": 18,
        "left_heel": 21,
        "right_big_toe": 22,
    },
    "human36m32": {
        "left_hip": 6,
        "spine": 12,
        "thorax": 13,
        "left_shoulder": 17,
        "right_wrist": 27,
    },
    "halpe68": {"right_heel": 25, "left_hand_1": 26, "right_hand_21": 67},
    "halpe136": {"pelvis": 19, "right_heel": 25, "right_jaw_1": 26, "left_hand_1": 94},
    "coco_wholebody133": {
        "left_heel": 19,
        "right_big_toe": 20,
        "right_jaw_1": 23,
        "chin": 31,
        "left_jaw_1": 39,
        "nose_base": 56,
        "left_eyelid_1": 68,
        "left_hand_1": 91,
        "right_hand_21": 132,
    },
    "coco18": {"neck": 1, "right_hip": 8, "left_ankle": 13, "left_ear": 17},
    "mediapipe33": {
        "left_ear": 7,
        "left_shoulder": 11,
        "right_hip": 24,
        "left_heel": 29,
        "right_foot_index": 32,
    },
    "mpii16": {
        "right_ankle": 0,
        "pelvis": 6,
        "head_top": 9,
        "right_shoulder": 12,
        "left_wrist": 15,
    },
    "mpi_inf_3dhp28": {
        "spine3": 0,
        "pelvis": 4,
        "head_top": 7,
        "left_shoulder": 9,
        "left_hip": 18,
        "right_hip": 23,
    },
    "mpi_inf_3dhp17": {"head_top": 0, "neck": 1, "right_hip": 8, "pelvis": 14, "head": 16},
    "smpl24": {"pelvis": 0, "left_hip": 1, "neck": 12, "head": 15, "right_wrist": 21},
    "spin24": {
        "right_ankle": 0,
        "neck": 12,
        "pelvis": 14,
        "thorax": 15,
        "spine": 16,
        "jaw": 17,
        "nose": 19,
    },
    "human36m17": {
        "right_hip": 1,
        "left_hip": 4,
        "thorax": 8,
        "nose": 9,
        "head": 10,
        "left_shoulder": 11,
        "right_wrist": 16,
    },
}

# the middle of a face, which like all of it has no bones
FACE = ("chin", "nose_base", "upper_lip", "lower_lip", "upper_inner_lip", "lower_inner_lip")


@pytest.mark.parametrize("name", SKELETONS)
def test_counts_and_known_columns(name):
    skeleton = get_skeleton(name)
    assert len(skeleton) == COUNTS[name] == len(set(skeleton.joints))
    assert all(skeleton.index(joint) == column for joint, column in KNOWN.get(name, {}).items())


@pytest.mark.parametrize("name", SKELETONS)
def test_mirror_swaps_sides_and_undoes_itself(name):
    skeleton = get_skeleton(name)
    assert [skeleton.mirror[n] for n in skeleton.mirror] == list(range(len(skeleton)))
    assert all(
        skeleton.joints[m] == other_side(joint)
        for joint, m in zip(skeleton.joints, skeleton.mirror, strict=True)
    )


def test_columns_of_both_sides():
    coco = get_skeleton("coco17")
    both = [coco.joints[n] for n in coco.columns_of(("knee", "nose"))]
    assert both == ["nose", "left_knee", "right_knee"]


def test_a_faces_points_mirror_as_the_68_are_numbered():
    skeleton, first = get_skeleton("coco_wholebody133"), 23
    swaps = {0: 16, 8: 8, 17: 26, 27: 27, 31: 35, 36: 45, 37: 44, 39: 42, 40: 47, 41: 46}
    swaps |= {48: 54, 50: 52, 51: 51, 55: 59, 57: 57, 60: 64, 65: 67, 66: 66}
    assert {n: skeleton.mirror[first + n] - first for n in swaps} == swaps


@pytest.mark.parametrize("name", SKELETONS)
def test_bones_make_a_forest_and_reach_nearly_every_joint(name):
    skeleton = get_skeleton(name)
    children = [child for _, child in skeleton.bones]
    assert len(children) == len(set(children))
    body = {n for n, joint in enumerate(skeleton.joints) if not joint[-1].isdigit()}
    loose = body - set(children) - {n for n in body if skeleton.joints[n] in FACE}
    assert len(loose) <= 3  # roots (COCO has its nose and both hips)
    for joint in skeleton.parent_of:  # no cycles
        seen = set()
        while joint in skeleton.parent_of:
            assert joint not in seen
            seen.add(joint)
            joint = skeleton.parent_of[joint]


@pytest.mark.parametrize("name", SKELETONS)
def test_own_joints_are_copied_and_only_others_are_marked(name):
    source, target = get_skeleton(name), get_skeleton("human36m17")
    points = torch.randn(2, len(source), 3, generator=torch.Generator().manual_seed(0))
    result = convert(points, torch.ones(2, len(source)), source, target)
    for n, joint in enumerate(target.joints):
        own = joint in source.joints and not (
            joint == "head" and name in ("smpl24", "mpi_inf_3dhp28", "mpi_inf_3dhp17")
        )
        assert result.synthesised[n] == (not own and bool(result.confidence[0, n] > 0))
        if own:
            assert_close(result.points[:, n], points[:, source.index(joint)])


def test_both_leg_orders_are_safe():
    right, left = get_skeleton("human36m17"), get_skeleton("human36m17_left_first")
    points = torch.randn(1, 17, 3, generator=torch.Generator().manual_seed(0))
    there = convert(points, torch.ones(1, 17), right, left)
    assert_close(there.points[0, left.index("left_knee")], points[0, right.index("left_knee")])
    back = convert(there.points, there.confidence, left, right)
    assert_close(back.points, points)
    assert not any(back.synthesised)


def test_rules_by_hand():
    coco, target = get_skeleton("coco17"), get_skeleton("human36m17")
    points = torch.zeros(17, 2)
    for joint, place in {
        "left_shoulder": (20, 0),
        "right_shoulder": (-20, 0),
        "left_hip": (10, 50),
        "right_hip": (-10, 50),
    }.items():
        points[coco.index(joint)] = torch.tensor(place, dtype=torch.float32)
    made = convert(points, torch.ones(17), coco, target).points
    assert_close(made[target.index("pelvis")], torch.tensor([0.0, 50.0]))
    assert_close(
        made[target.index("thorax")], torch.tensor([0.0, -5.0])
    )  # a tenth of the torso above the shoulders
    assert_close(made[target.index("spine")], torch.tensor([0.0, 22.5]))


def test_confidence_is_the_least_of_the_sources_and_missing_stays_missing():
    coco, target = get_skeleton("coco17"), get_skeleton("human36m17")
    confidence = torch.ones(17)
    confidence[coco.index("left_hip")] = 0.3
    confidence[coco.index("left_shoulder")] = 0.0
    result = convert(torch.ones(17, 2), confidence, coco, target)
    assert result.confidence[target.index("pelvis")] == pytest.approx(0.3)
    assert result.confidence[target.index("thorax")] == 0
    assert torch.isnan(result.points[target.index("thorax")]).all()


@pytest.mark.parametrize(
    ("joint", "rule"), [(joint, rule) for joint, rules in RULES.items() for rule in rules]
)
def test_every_rule_is_an_affine_combination(joint, rule):
    """Weights that sum to 1 move with the body wherever it stands."""
    assert sum(rule.values()) == pytest.approx(1.0)


def test_synthesised_trunk_is_near_the_real_one(shared_data):
    import numpy as np

    archive = np.load(shared_data / "cmu_mocap" / "cmu_h36m17_30fps.npz")
    target, lsp = get_skeleton("human36m17"), get_skeleton("lsp14")
    poses = torch.from_numpy(archive["poses"][::500]) * 1000
    limbs = [joint for joint in lsp.joints if joint in target.joints]
    points = torch.full((len(poses), 14, 3), torch.nan)
    for joint in limbs:
        points[:, lsp.index(joint)] = poses[:, target.index(joint)]
    confidence = torch.tensor([float(joint in limbs) for joint in lsp.joints]).expand(
        len(poses), 14
    )
    made = convert(points, confidence, lsp, target)
    for joint, limit in (("pelvis", 30.0), ("thorax", 30.0), ("spine", 30.0)):
        error = (made.points - poses)[:, target.index(joint)].norm(dim=-1).mean()
        assert error < limit, joint


def test_an_unknown_skeleton_lists_the_known_ones():
    with pytest.raises(InputError, match="coco17"):
        get_skeleton("coco")


def test_rules_are_chosen_for_each_person():
    """A profile hides an ear, a table the hips: the next rule steps in for that person alone."""
    coco, ours = get_skeleton("coco17"), get_skeleton("human36m17")
    points = torch.rand(3, 17, 2) * 100
    seen = torch.ones(3, 17)
    seen[1, coco.index("left_ear")] = 0
    seen[2, coco.index("left_hip")] = 0
    made = convert(points, seen, coco, ours)
    present = {
        joint: made.confidence[:, ours.index(joint)].tolist()
        for joint in ("head", "thorax", "pelvis", "spine")
    }
    assert present == {
        "head": [1, 1, 1],
        "thorax": [1, 1, 1],
        "pelvis": [1, 1, 0],
        "spine": [1, 1, 0],
    }
    whole = convert(points, torch.ones(3, 17), coco, ours)
    torch.testing.assert_close(made.points[0], whole.points[0])
    shoulders = points[2, [coco.index("left_shoulder"), coco.index("right_shoulder")]].mean(0)
    torch.testing.assert_close(made.points[2, ours.index("thorax")], shoulders)


def test_a_mirror_exchanges_left_and_right():
    skeleton = get_skeleton("human36m17")
    points = torch.arange(2 * 17 * 3, dtype=torch.float32).view(2, 17, 3)
    seen = skeleton.mirrored(points)
    left, right = skeleton.index("left_wrist"), skeleton.index("right_wrist")
    torch.testing.assert_close(seen[:, left], points[:, right] * torch.tensor([-1.0, 1.0, 1.0]))
    torch.testing.assert_close(skeleton.mirrored(seen), points)
    torch.testing.assert_close(skeleton.mirrored(points[..., :2]), seen[..., :2])
