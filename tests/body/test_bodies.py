"""Proportions and postures."""

import pytest
import torch
from conftest import walker
from torch.testing import assert_close

from unihpe.body import proportions
from unihpe.body.camera import axis_rotation
from unihpe.body.postures import KINDS, postures
from unihpe.body.proportions import Bodies, trunk_axes
from unihpe.body.skeleton import get_skeleton

SKELETON = get_skeleton("human36m17")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bones(poses: torch.Tensor) -> torch.Tensor:
    parents, children = (list(column) for column in zip(*SKELETON.bones, strict=True))
    return poses[:, children] - poses[:, parents]


def test_a_body_keeps_its_bones_over_a_clip_and_the_angles_of_the_motion(monkeypatch):
    monkeypatch.setattr(proportions, "DISPLACED", {})
    clip = walker(20)
    one = Bodies.draw(1, SKELETON, generator())
    whole = Bodies(one.lengths.expand(20, -1), one.displaced.expand(20, -1, -1))
    before, after = bones(clip), bones(whole.shape(clip, SKELETON))
    assert_close(after / after.norm(dim=-1, keepdim=True), before / before.norm(dim=-1)[..., None])
    factor = after.norm(dim=-1) / before.norm(dim=-1)
    assert_close(factor, factor[:1].expand_as(factor))
    assert factor[0].std() > 0.02


def test_both_sides_are_nearly_alike_and_a_share_stays_as_recorded():
    bodies = Bodies.draw(4000, SKELETON, generator(), share=0.5)
    left, right = (SKELETON.index(f"{side}_knee") for side in ("left", "right"))
    changed = (bodies.lengths - 1).abs().amax(1) > 1e-6
    assert changed.float().mean().item() == pytest.approx(0.5, abs=0.03)
    logs = bodies.lengths[changed].log()
    assert (logs[:, left] - logs[:, right]).std() < 0.03 < logs[:, left].std()
    assert not bodies.displaced[~changed].any()


def test_displaced_joints_move_with_the_trunk():
    clip = walker(1).expand(2, 17, 3).clone()
    clip[1] = clip[1] @ axis_rotation(0, torch.tensor([1.0]))[0].mT
    one = Bodies.draw(1, SKELETON, generator(3))
    bodies = Bodies(torch.ones(2, 17), one.displaced.expand(2, -1, -1))
    moved = bodies.shape(clip, SKELETON) - clip
    axes, length = trunk_axes(clip, SKELETON)
    shares = (moved @ axes.mT) / length[:, None, None]
    assert_close(shares[0], shares[1], atol=1e-4, rtol=1e-3)
    left, right = SKELETON.index("left_hip"), SKELETON.index("right_hip")
    assert_close(shares[:, left] * torch.tensor([-1.0, 1.0, 1.0]), shares[:, right])


def figure(**places: tuple[float, float, float]) -> torch.Tensor:
    pose = walker(1)[0] * 0
    rest = walker(1, phase=0.0)[0]
    pose += rest - rest[:1]
    for joint, place in places.items():
        pose[SKELETON.index(joint)] = torch.tensor(place)
    return pose


def sat(seat: float, ahead: float) -> torch.Tensor:
    """Upright trunk, thighs level, shins down, at a height of the pelvis."""
    places = {}
    for side, x in (("left", 120.0), ("right", -120.0)):
        places[f"{side}_hip"] = (x, 0.0, 0.0)
        places[f"{side}_knee"] = (x, -20.0, ahead)
        places[f"{side}_ankle"] = (x, -20.0 - seat, ahead)
    return figure(**places)


@pytest.mark.parametrize(
    ("pose", "kind"),
    [
        (walker(1)[0], "upright"),
        (sat(430.0, 420.0), "sitting"),
        (walker(1)[0] * torch.tensor([1.0, -1.0, 1.0]), "inverted"),
        (walker(1)[0] @ axis_rotation(0, torch.tensor([1.57]))[0].mT, "lying"),
    ],
)
def test_kinds_are_told_wherever_and_however_large(pose, kind):
    moved = torch.stack([pose, 0.7 * pose + torch.tensor([300.0, -900.0, 4000.0])])
    assert [KINDS[k] for k in postures(moved, SKELETON)] == [kind, kind]
