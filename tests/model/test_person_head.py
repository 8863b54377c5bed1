"""MoveNet's heads for other joints: they begin as published, and go on learning."""

import pytest
import torch

from unihpe.body.batch import Batch
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.losses import place_loss
from unihpe.model.backbones import open_pose_network, single_pose
from unihpe.model.backbones.movenet import Heads
from unihpe.model.heatmaps import gaussian_heatmaps
from unihpe.model.person_head import SIGMA, PersonHead
from unihpe.training.objective import _heatmap_losses
from unihpe.training.stage import Stage

COCO, OURS = get_skeleton("coco17"), get_skeleton("human36m17")


@pytest.fixture(scope="module")
def network():
    return open_pose_network("thunder")


@pytest.fixture(scope="module")
def head(network):
    head = PersonHead("human36m17")
    published = {n.removeprefix("heads."): t for n, t in network.heads.state_dict().items()}
    head.published.start_from(published, "human36m17")
    return head


@pytest.fixture(scope="module")
def maps(network):
    torch.manual_seed(0)
    picture = torch.nn.functional.interpolate(torch.randn(3, 3, 32, 24), size=(256, 192))
    with torch.no_grad():
        return network.backbone(picture.clamp(-1, 1))


def test_joints_of_coco_begin_where_they_were_published(network, head, maps):
    with torch.no_grad():
        shown = head(maps)
        points, scores = single_pose(network.heads(maps[0]))
    shared = [joint for joint in OURS.joints if joint in COCO.joints]
    assert len(shared) == 13
    for joint in shared:
        ours, theirs = OURS.index(joint), COCO.index(joint)
        pixels = shown.keypoints[:, ours] * CROP_HEIGHT / 2
        pixels = pixels + torch.tensor([CROP_WIDTH, CROP_HEIGHT]) / 2
        torch.testing.assert_close(pixels, points[:, theirs], atol=1e-2, rtol=0)
        seen = scores[:, theirs] > 0.1
        torch.testing.assert_close(shown.confidence[seen, ours], scores[seen, theirs])


def test_other_joints_are_expected_where_the_rules_put_them(head, maps):
    with torch.no_grad():
        expected = head(maps).expected
    hips = [OURS.index(joint) for joint in ("left_hip", "right_hip")]
    pelvis, spine, thorax = (OURS.index(joint) for joint in ("pelvis", "spine", "thorax"))
    torch.testing.assert_close(expected[:, pelvis], expected[:, hips].mean(1), atol=1e-3, rtol=0)
    middle = (expected[:, pelvis] + expected[:, thorax]) / 2
    torch.testing.assert_close(expected[:, spine], middle, atol=1e-3, rtol=0)


def test_joints_that_nothing_makes_are_refused():
    with pytest.raises(InputError, match="cannot begin with spine3, .*left_toe"):
        Heads(28).start_from({}, "mpi_inf_3dhp28")


def test_the_flip_test_is_the_mean_where_both_looks_agree(head, maps):
    with torch.no_grad():
        one = head(maps)
    other = head(maps)
    moved = torch.zeros(17, 2)
    moved[0, 0], moved[1, 0] = 0.04, 0.5
    mirror = list(OURS.mirror)
    object.__setattr__(
        other, "keypoints", ((one.keypoints + moved) * torch.tensor([-1.0, 1.0]))[:, mirror]
    )
    tested = one.with_mirrored(other, OURS.mirror).keypoints - one.keypoints
    torch.testing.assert_close(tested[:, 0, 0], torch.full((3,), 0.02), atol=1e-5, rtol=0)
    assert tested[:, 1:].abs().max() < 1e-5


def test_the_place_loss_is_least_where_the_joint_is():
    seen, where = torch.ones(1, 2), torch.tensor([[[0.1, -0.2], [0.3, 0.4]]])
    bells = gaussian_heatmaps(where, seen, 24, 32, SIGMA)
    moved = gaussian_heatmaps(where + 0.2, seen, 24, 32, SIGMA)
    right, wrong = (place_loss(maps, bells, seen) for maps in (bells, moved))
    entropy = (
        -(p := bells.flatten(2) / bells.flatten(2).sum(-1, keepdim=True)) * p.clamp_min(1e-30).log()
    )
    assert float(right) == pytest.approx(float(entropy.sum(-1).mean()), abs=0.01) and wrong > right
    outside = gaussian_heatmaps(torch.full((1, 2, 2), 3.0), seen, 24, 32, SIGMA)
    assert place_loss(bells, outside, seen) == 0
    assert place_loss(bells, moved, torch.zeros(1, 2)) == 0


def test_every_head_learns(head, maps):
    joints = torch.rand(3, 17, 2, generator=torch.Generator().manual_seed(1)) - 0.5
    with torch.no_grad():
        joints[:, 0] = head(maps).keypoints[:, 0] + 0.01  # near enough for the offset
    image = torch.zeros(3, 3, 256, 192, dtype=torch.uint8)
    batch = Batch(joints, torch.ones(3, 17), torch.zeros(3, 3), image=image)
    stage = Stage(name="x", steps=1, batch_size=3, contrastive=0, heatmap=1.0, integral=1.0)
    terms = _heatmap_losses(head(maps), batch, stage)
    assert set(terms) == {"heatmap", "place", "expected", "offset"}
    assert all(torch.isfinite(term) and term > 0 for term in terms.values())
    head.zero_grad()
    sum(terms.values()).backward()
    for name in ("kpt_heatmap", "kpt_regress", "kpt_offset"):
        gradient = head.published.heads[name][1].weight.grad
        assert gradient.isfinite().all() and gradient.abs().max() > 0
