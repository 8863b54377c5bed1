"""How people vary beyond what was recorded: each share does what it says, and 0 does nothing."""

import pytest
import torch
from torch.testing import assert_close

from unihpe.body.postures import KINDS, postures
from unihpe.body.skeleton import get_skeleton
from unihpe.body.virtual_cameras import FREE_ROLL, free_cameras
from unihpe.datasets import get_data_set
from unihpe.datasets.motion import coco_detector
from unihpe.datasets.motion.coco_detector import coco_detect
from unihpe.datasets.motion.source import MotionSource, together
from unihpe.datasets.settings import Part, open_source
from unihpe.datasets.variety import (
    AS_RECORDED,
    Variety,
    by_limbs,
    by_posture,
    recombined,
    restated,
    turned,
)
from unihpe.recipe import load_recipe

SKELETON = get_skeleton("human36m17")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lengths(poses: torch.Tensor) -> torch.Tensor:
    parents, children = (list(column) for column in zip(*SKELETON.bones, strict=True))
    return (poses[:, children] - poses[:, parents]).norm(dim=-1)


def test_nothing_varies_unless_it_is_asked_for(motion):
    world = motion.poses
    for function in (recombined, turned):
        assert function(world, SKELETON, 0.0, generator()) is world
    plain = MotionSource(motion, "random", "both")
    assert plain.variety == AS_RECORDED == Variety()


def test_recombined_people_have_their_own_bones_and_others_limbs(motion):
    world = motion.poses
    made = recombined(world, SKELETON, 1.0, generator())
    assert_close(lengths(made), lengths(world), atol=0.2, rtol=1e-3)
    moved = (made - world).norm(dim=-1)
    wrist, hip = SKELETON.index("left_wrist"), SKELETON.index("left_hip")
    assert 0.3 < (moved[:, wrist] > 20).float().mean() < 0.7  # half of the arms
    assert moved[:, hip].max() < 0.1  # the trunk stays
    few = (recombined(world, SKELETON, 0.2, generator()) - world).abs().amax((1, 2)) > 1
    assert 0.1 < few.float().mean() < 0.3


def test_turned_people_point_everywhere_and_stay_whole(motion):
    world = motion.poses
    made = turned(world, SKELETON, 1.0, generator())
    assert_close(made[:, 0], world[:, 0], atol=0.1, rtol=1e-4)
    assert_close(lengths(made), lengths(world), atol=0.1, rtol=1e-3)
    up = torch.nn.functional.normalize(made[:, SKELETON.index("thorax")] - made[:, 0], dim=1)
    assert up.mean(0).abs().max() < 0.2


def test_rare_postures_get_their_share(motion):
    poses = motion.poses.clone()
    rare = torch.arange(len(poses)) % 20 == 0
    poses[rare] *= torch.tensor([1.0, -1.0, 1.0])  # head down
    weights = by_posture(torch.ones(len(poses)), poses, SKELETON, 0.4)
    inverted = postures(poses, SKELETON) == KINDS.index("inverted")
    assert torch.equal(inverted, rare)
    assert (weights[rare].sum() / weights.sum()).item() == pytest.approx(0.4, abs=1e-4)


def test_free_cameras_roll_and_lean_and_see_the_pelvis(motion):
    world = motion.poses.repeat(20, 1, 1)
    pelvis = world[:, 0]
    camera = free_cameras(world, pelvis, generator())
    assert_close(torch.linalg.det(camera.rotation), torch.ones(len(world)))
    pose = camera.to_camera(world)
    assert pose[..., 2].min() > 0  # nobody reaches behind the camera
    seen = camera.project(pose)[:, 0] / camera.size
    assert seen.min() > -0.05 and seen.max() < 1.05
    up = camera.rotation[:, :2, 1]  # of the world, in the picture
    roll = torch.rad2deg(torch.atan2(up[:, 0], -up[:, 1]))
    assert roll.abs().max() > FREE_ROLL * 0.8 and roll.abs().median() < 15
    down = torch.rad2deg(torch.asin(-camera.rotation[:, 2, 1]))
    assert down.min() < -35 and down.max() > 55
    reach = camera.focal[:, 0] / camera.size.amax(1)
    assert reach.min() < 0.7 and reach.max() > 3.5


def test_joints_beyond_the_picture_are_missing_but_for_the_fixed_cameras(motion):
    indices = torch.arange(len(motion)).repeat(10)
    frames = MotionSource(motion, "free").read(indices, generator())
    size = frames.camera.size[:, None]
    outside = ((frames.keypoints < 0) | (frames.keypoints > size)).any(-1)
    few = (~outside).sum(1) < 4
    assert 0.02 < outside.float().mean() < 0.4
    assert torch.equal(frames.confidence[~few] == 0, outside[~few])
    fixed = MotionSource(motion, "fixed").read(torch.arange(40), generator())
    assert (fixed.confidence == 1).all()


def test_scores_that_say_nothing(motion):
    scores = torch.rand(4000, 17, generator=generator())
    scores[:, 3] = 0
    told = restated(scores, 0.5, generator(1))
    assert (told[:, 3] == 0).all()  # what is missing stays so
    changed = (told != scores).any(1)
    assert changed.float().mean().item() == pytest.approx(0.5, abs=0.03)
    seen = [n for n in range(17) if n != 3]
    alike = told[changed][:, seen].std(1) < 1e-6
    assert alike.float().mean().item() == pytest.approx(0.5, abs=0.04)


def test_limbs_alone_make_the_trunk_or_leave_it_out(motion):
    frames = MotionSource(motion, "fixed").read(torch.arange(400), generator())
    points, scores = by_limbs(frames.keypoints, frames.confidence, SKELETON, 1.0, generator())
    knee, head, pelvis = (SKELETON.index(name) for name in ("left_knee", "head", "pelvis"))
    assert torch.equal(points[:, knee], frames.keypoints[:, knee])
    made = scores[:, pelvis] > 0
    assert 0.4 < made.float().mean() < 0.6 and not scores[:, head].any()
    hips = frames.keypoints[:, [SKELETON.index("left_hip"), SKELETON.index("right_hip")]].mean(1)
    assert_close(points[made][:, pelvis], hips[made])


def test_the_coco_detector_errs_as_far_and_says_so_as_measured(motion):
    source = MotionSource(motion, "fixed")
    frames = source.read(torch.arange(880).repeat(10), generator())
    found, score = coco_detect(frames.keypoints, frames.confidence, SKELETON, generator(1))
    extent = frames.keypoints.amax(1) - frames.keypoints.amin(1)
    error = (found - frames.keypoints).norm(dim=-1) / extent.prod(-1, keepdim=True).sqrt()
    for joint in ("shoulder", "wrist", "ankle"):
        row, own = coco_detector.JOINTS[joint], error[:, SKELETON.index(f"left_{joint}")]
        assert row.seen < own.median() < row.hidden  # most are seen
        assert own.quantile(0.97) > 4 * row.seen  # sides are exchanged
    limbs = [n for n, joint in enumerate(SKELETON.joints) if "_" in joint]
    far = error[:, limbs] > 0.15
    assert score[:, limbs][far].mean() < score[:, limbs][~far].mean() - 0.1
    # bad joints come together
    alone = far.float().mean()
    many = (far.sum(1) >= 5).float().mean()
    assert many > 3 * torch.distributions.Binomial(12, alone).log_prob(torch.tensor(5.0)).exp()


def test_motions_of_several_files_are_one(motion, tmp_path):
    from conftest import write_motion

    files = [write_motion(tmp_path / name, motion) for name in ("a.npz", "b.npz")]
    both = together([motion, motion])
    assert len(both) == 2 * len(motion) and both.names == motion.names * 2
    assert both.select("test").sequence.unique().tolist() == [1, 4]
    recipe = load_recipe("quick", (f"data.root={files[0]}", f'data.also=["{files[1]}"]'))
    source = open_source(recipe.data, Part("train", training=True))
    assert len(source) == 240


def test_people_are_rendered_in_poses_that_vary(motion, tmp_path):
    from conftest import write_motion

    files = [write_motion(tmp_path / name, motion) for name in ("a.npz", "b.npz")]
    world_poses, recorded = get_data_set("motion").world_poses, motion.select("train").poses
    plain = world_poses(files[:1], "train", 10_000, 3, Variety())
    assert plain.shape == recorded.shape  # each once
    order = torch.randperm(len(plain), generator=generator(3))
    assert_close(plain, recorded[order], atol=0.01, rtol=1e-5)
    how = Variety(postures=0.4, recombined=0.5, turned=0.5)
    some = world_poses(files, "train", 10_000, 3, how)
    assert some.shape == (10_000, 17, 3)
    assert torch.equal(some, world_poses(files, "train", 10_000, 3, how))
    assert not torch.equal(some, world_poses(files, "train", 10_000, 4, how))
    up = torch.nn.functional.normalize(some[:, SKELETON.index("thorax")] - some[:, 0], dim=1)
    assert 0.2 < (up[:, 1] < 0).float().mean() < 0.3  # of the half that is turned, half
    assert some[..., 1].amin(1).abs().max() < recorded[..., 1].amin(1).abs().max() + 1


def test_groups_may_be_postures(motion):
    source = MotionSource(motion, "fixed", by="posture")
    assert set(source.read(torch.arange(8), generator()).group) == {"upright"}
