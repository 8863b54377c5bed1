"""Metrics: numbers worked out by hand, naive numpy twins, and what each must not forgive."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from unihpe.body.metrics import (
    _distances,
    align,
    auc_3d,
    epe_2d,
    mpjpe,
    mpjve,
    n_mpjpe,
    pa_mpjpe,
    pck_2d,
    pck_3d,
)

NAN = float("nan")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def poses(seed: int, *batch: int) -> Tensor:
    """Poses (*batch, 17, 3), mm."""
    return 300 * draw(*batch, 17, 3, seed=seed)


def rotations(count: int, seed: int = 0) -> Tensor:
    """Rotation matrices (count, 3, 3)."""
    q, r = torch.linalg.qr(draw(count, 3, 3, seed=seed))
    q = q * torch.sign(r.diagonal(dim1=-2, dim2=-1))[..., None, :]
    return q * torch.linalg.det(q)[:, None, None]


# By hand


def test_mpjpe_by_hand():
    target = torch.zeros(2, 3, 3)
    pose = target.clone()
    pose[0, 0] = torch.tensor([3.0, 4.0, 0.0])  # 5 mm
    pose[0, 2] = torch.tensor([0.0, 0.0, -10.0])  # 10 mm
    assert_close(_distances(pose, target), torch.tensor([[5.0, 0, 10], [0, 0, 0]]))
    assert_close(mpjpe(pose, target), torch.tensor([5.0, 0.0]))
    seen = torch.tensor([[True, True, False], [True, True, True]])
    assert_close(mpjpe(pose, target, seen), torch.tensor([2.5, 0.0]))


def test_n_mpjpe_by_hand():
    # Best scale of (1,0,0), (0,2,0) onto (2,0,0), (0,0,0): ⟨p,t⟩/⟨p,p⟩ = 2/5; errors 2 − 0.4 and
    # 0.8.
    pose, target = torch.tensor([[1.0, 0, 0], [0, 2, 0]]), torch.tensor([[2.0, 0, 0], [0, 0, 0]])
    assert_close(n_mpjpe(pose, target), torch.tensor((1.6 + 0.8) / 2))
    assert_close(n_mpjpe(pose, target, torch.tensor([True, False])), torch.tensor(0.0))
    assert_close(n_mpjpe(pose, -pose), mpjpe(torch.zeros(2, 3), pose))  # scale 0, not −1


def test_mpjve_by_hand():
    """One joint moving 2 mm a frame while the truth stands still for a step and then moves 5 mm."""
    x = torch.tensor([0.0, 2.0, 4.0])
    pose = torch.stack([x, torch.zeros(3), torch.zeros(3)], -1)[:, None]  # (T, 1, 3)
    target = torch.zeros(3, 1, 3)
    target[2, 0, 1] = 5.0
    expected = torch.tensor([2.0, math.sqrt(4 + 25)])
    assert_close(mpjve(pose, target, fps=1), expected)
    assert_close(mpjve(pose, target, fps=50), 50 * expected)
    assert_close(mpjve(pose + 1000, target, fps=1), expected)  # a constant offset has no velocity


def test_mpjve_needs_a_joint_in_both_frames():
    pose, target = draw(4, 2, 3), draw(4, 2, 3, seed=1)
    seen = torch.ones(4, 2, dtype=torch.bool)
    seen[1, 0] = False
    pose[1, 0] = NAN
    gap = _distances(pose.diff(dim=0), target.diff(dim=0))
    expected = torch.stack([gap[0, 1], gap[1, 1], gap[2].mean()])
    assert_close(mpjve(pose, target, 1, seen), expected)


def test_pck_3d_by_hand():
    target = torch.zeros(5, 3)
    pose = torch.zeros(5, 3)
    pose[:, 2] = torch.tensor([0.0, 149.9, 150.0, 150.1, 400.0])
    assert_close(
        pck_3d(pose, target), torch.tensor(2 / 5)
    )  # 150 itself is not within: strictly nearer
    assert_close(pck_3d(pose, target, threshold=200.0), torch.tensor(4 / 5))
    assert_close(
        pck_3d(pose, target, torch.tensor([True, False, True, True, False])), torch.tensor(1 / 3)
    )


def test_auc_3d_by_hand():
    """A joint at distance d is within as many of the 31 thresholds 0, 5, …, 150 as exceed d."""
    distance = torch.tensor([0.0, 4.0, 5.0, 73.0, 150.0, 1e6])
    within = torch.tensor([30.0, 30, 29, 16, 0, 0])
    pose = torch.zeros(6, 3)
    pose[:, 0] = distance
    assert_close(auc_3d(pose, torch.zeros(6, 3)), (within / 31).mean())
    assert_close(auc_3d(torch.zeros(2, 4, 3), torch.zeros(2, 4, 3)), torch.full((2,), 30 / 31))


def test_2d_by_hand():
    target = torch.zeros(2, 4, 2)
    keypoints = target.clone()
    keypoints[..., 0] = torch.tensor([0.0, 4.0, 10.0, 30.0])
    assert_close(epe_2d(keypoints, target), torch.tensor([11.0, 11.0]))
    box = torch.tensor([200.0, 600.0])  # at 0.05, within 10 and 30 pixels, strictly
    assert_close(pck_2d(keypoints, target, box, 0.05), torch.tensor([2 / 4, 3 / 4]))
    assert_close(pck_2d(keypoints, target, box, 0.2), torch.tensor([1.0, 1.0]))
    seen = torch.tensor([True, True, False, True])
    assert_close(epe_2d(keypoints, target, seen), torch.tensor([34 / 3, 34 / 3]))
    assert_close(pck_2d(keypoints, target, box, 0.05, seen), torch.tensor([2 / 3, 2 / 3]))


# Naive twins


def naive_procrustes(pose: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Best rotation by Horn's quaternions, which give no reflection; then scale and translation."""
    p, t = pose - pose.mean(0), target - target.mean(0)
    s = p.T @ t
    twist = np.array([s[1, 2] - s[2, 1], s[2, 0] - s[0, 2], s[0, 1] - s[1, 0]])
    horn = np.zeros((4, 4))
    horn[0, 0], horn[0, 1:], horn[1:, 0] = np.trace(s), twist, twist
    horn[1:, 1:] = s + s.T - np.trace(s) * np.eye(3)
    w, x, y, z = np.linalg.eigh(horn)[1][:, -1]
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    turned = p @ turn.T
    return (turned * t).sum() / (p * p).sum() * turned + target.mean(0)


def naive_mpjpe(pose: np.ndarray, target: np.ndarray) -> float:
    return sum(math.dist(a, b) for a, b in zip(pose, target, strict=True)) / len(pose)


@pytest.mark.parametrize("noise", [1.0, 50.0, 2000.0])
def test_naive_twins(noise: float):
    """From good predictions to nonsense, whose best orthogonal map would often be a reflection."""
    target = poses(0, 40)
    pose = target @ rotations(40).mT * 0.8 + 700 + noise * draw(40, 17, 3, seed=2)
    for n, (p, t) in enumerate(zip(pose.numpy(), target.numpy(), strict=True)):
        assert float(mpjpe(pose, target)[n]) == pytest.approx(naive_mpjpe(p, t))
        assert float(pa_mpjpe(pose, target)[n]) == pytest.approx(
            naive_mpjpe(naive_procrustes(p, t), t)
        )
        scale = sum(a * b for a, b in zip(p.flat, t.flat, strict=True)) / sum(a * a for a in p.flat)
        assert float(n_mpjpe(pose, target)[n]) == pytest.approx(naive_mpjpe(max(scale, 0) * p, t))


def test_alignment_is_the_least_squares_optimum():
    """No small rotation, scale or shift of the aligned pose comes nearer."""
    pose, target = poses(3), poses(4)
    best = align(pose, target)
    cost = (best - target).square().sum()
    for seed in range(50):
        noise = 0.02 * draw(3, 3, seed=seed)
        turned = (best - best.mean(0)) @ torch.matrix_exp(noise - noise.T) + best.mean(0)
        shifted = best * (1 + 0.02 * draw(1, seed=seed)) + 5 * draw(3, seed=seed + 100)
        assert (turned - target).square().sum() > cost and (shifted - target).square().sum() > cost


# What is forgiven


def test_pa_mpjpe_forgives_similarity_and_nothing_else():
    target = poses(0, 8)
    scales = torch.linspace(0.1, 5, 8, dtype=torch.float64)[:, None, None]
    similar = scales * target @ rotations(8).mT + 1000 * draw(8, 1, 3, seed=5)
    assert_close(pa_mpjpe(similar, target), torch.zeros(8, dtype=torch.float64), atol=1e-9, rtol=0)
    pose = target + 40 * draw(8, 17, 3, seed=6)
    moved = scales * pose @ rotations(8, seed=7).mT + 1000 * draw(8, 1, 3, seed=8)
    assert_close(pa_mpjpe(moved, target), pa_mpjpe(pose, target))
    assert (
        pa_mpjpe(target * torch.tensor([-1.0, 1, 1]), target) > 50
    ).all()  # a mirror image is not the pose


def test_aligning_never_hurts_squared_error():
    pose, target = poses(0, 100), poses(1, 100)
    before, after = (_distances(p, target).square().sum(-1) for p in (pose, align(pose, target)))
    assert (after <= before).all()


def test_n_mpjpe_forgives_scale_only():
    target = poses(0, 8)
    assert_close(
        n_mpjpe(3 * target, target), torch.zeros(8, dtype=torch.float64), atol=1e-9, rtol=0
    )
    for changed in (target + 100, target @ rotations(8).mT, -target):
        assert (n_mpjpe(changed, target) > 20).all()


def test_flat_poses_align():
    """All joints in one plane, or on one line: a reflection has no direction left to spoil."""
    for flat in (torch.tensor([1.0, 1, 0]), torch.tensor([1.0, 0, 0])):
        target = poses(0, 5) * flat
        similar = 2 * target @ rotations(5).mT + 30
        assert_close(
            pa_mpjpe(similar, target), torch.zeros(5, dtype=torch.float64), atol=1e-9, rtol=0
        )
    plane = poses(0, 5) * torch.tensor([1.0, 1, 0])
    mirrored = plane * torch.tensor([-1.0, 1, 1])  # in a plane this is half a turn
    assert_close(pa_mpjpe(mirrored, plane), torch.zeros(5, dtype=torch.float64), atol=1e-9, rtol=0)


def test_align_works_in_two_dimensions():
    target = 100 * draw(4, 17, 2)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    assert_close(align(3 * target @ turn + 7, target), target)
    assert (epe_2d(align(target * torch.tensor([-1.0, 1]), target), target) > 10).all()


# What is not known


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("where", [0.0, 123.4, 5e3])
def test_collapsed_prediction(where: float, dtype: torch.dtype):
    """A pose that is one point scores its best place's distance: neither NaN nor 0."""
    target = poses(0, 3).to(dtype) + 4000
    pose = torch.full_like(target, where)
    spread = _distances(target, target.mean(-2, keepdim=True)).mean(-1)
    assert (spread > 100).all()
    assert_close(pa_mpjpe(pose, target), spread, rtol=1e-4, atol=0)
    assert torch.isfinite(n_mpjpe(pose, target)).all() and (n_mpjpe(pose, target) > 100).all()


@pytest.mark.parametrize("metric", [mpjpe, pa_mpjpe, n_mpjpe, pck_3d, auc_3d, epe_2d])
def test_missing_joints_count_for_nothing(metric):
    """Masking equals leaving the joints out, whatever a masked joint holds, NaN included."""
    pose, target = poses(0, 6) / 4, poses(1, 6) / 4
    seen = draw(6, 17, seed=9) > -0.5
    seen[5] = False
    expected = [metric(p[s], t[s]) for p, t, s in zip(pose[:5], target[:5], seen[:5], strict=True)]
    for filler in (0.0, 1e6, NAN):
        broken_pose = torch.where(seen[..., None], pose, filler)
        for broken_target in (target, torch.where(seen[..., None], target, NAN)):
            score = metric(broken_pose, broken_target, seen)
            assert_close(score[:5], torch.stack(expected))
            assert score[5].isnan(), "a pose without a joint has no score"


@pytest.mark.parametrize("metric", [mpjpe, pa_mpjpe, n_mpjpe, pck_3d, auc_3d, epe_2d])
def test_nan_stays_with_its_pose(metric):
    pose, target = poses(0, 3), poses(1, 3)
    clean = metric(pose, target)
    for broken in (pose, target):
        kept = broken[1, 4].clone()
        broken[1, 4] = NAN
        score = metric(pose, target)
        assert score[1].isnan()
        assert_close(score[[0, 2]], clean[[0, 2]])
        broken[1, 4] = kept
    pose[1, 4] = float("inf")
    assert not score_is_good(metric(pose, target)[1], metric)


def score_is_good(score: Tensor, metric) -> bool:
    """Whether a score could pass for one of a decent pose."""
    return bool(score > 0.95) if metric in (pck_3d, auc_3d) else bool(score < 50)


@pytest.mark.parametrize("metric", [mpjpe, pa_mpjpe, n_mpjpe, pck_3d, auc_3d])
def test_one_figure_a_pose_whatever_the_batch(metric):
    """Samples (S, B, J, 3) broadcast against truth (B, J, 3) and mask (B, J), without a mean."""
    samples, target, seen = poses(0, 4, 5) / 4, poses(1, 5) / 4, draw(5, 17, seed=2) > -1
    score = metric(samples, target, seen)
    assert score.shape == (4, 5)
    for s in range(4):
        for b in range(5):
            assert_close(score[s, b], metric(samples[s, b], target[b], seen[b]))
    assert_close(
        metric(samples, target).mean(),
        torch.stack([metric(one, target).mean() for one in samples]).mean(),
    )
