"""Pose errors, one figure a pose: means are taken by the caller (§4.1).

Poses are (..., J, 3) in mm, keypoints (..., J, 2) in pixels; `seen` (..., J) bool leaves joints out. A pose without a seen
joint scores NaN. Everything broadcasts over leading axes.
"""

from __future__ import annotations

import torch
from torch import Tensor

PCK_THRESHOLD = 150.0  # mm, of MPI-INF-3DHP
AUC_THRESHOLDS = tuple(5.0 * n for n in range(31))  # 0, 5, …, 150 mm, of MPI-INF-3DHP


def distances(pose: Tensor, target: Tensor) -> Tensor:
    """Euclidean distance of each joint: (..., J, C) → (..., J)."""
    return (pose - target).norm(dim=-1)


def mean_seen(values: Tensor, seen: Tensor | None) -> Tensor:
    """Mean over the seen joints: (..., J) → (...)."""
    if seen is None:
        return values.mean(-1)
    return torch.where(seen, values, 0.0).sum(-1) / seen.sum(-1)


def mpjpe(pose: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean per-joint position error, mm: protocol 1. Bring both poses to the same root first."""
    return mean_seen(distances(pose, target), seen)


def pa_mpjpe(pose: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """MPJPE after the best rotation, translation and scale, mm: protocol 2. Reflections are excluded."""
    return mpjpe(align(pose, target, seen), target, seen)


def n_mpjpe(pose: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """MPJPE after the best scale about the root, mm (Rhodin et al. 2018). A mirrored pose cannot gain: scale ≥ 0."""
    weight = torch.ones_like(pose[..., 0]) if seen is None else seen.to(pose.dtype)
    p, t = (torch.where(weight[..., None] > 0, x, 0.0) for x in (pose, target))
    scale = (p * t).sum((-1, -2)) / p.square().sum((-1, -2)).clamp_min(torch.finfo(pose.dtype).tiny)
    return mpjpe(pose * scale.clamp_min(0)[..., None, None], target, seen)


def mpjve(poses: Tensor, targets: Tensor, fps: float) -> Tensor:
    """Mean per-joint velocity error of a sequence (..., T, J, 3): (..., T − 1), mm/s."""
    return mpjpe(poses.diff(dim=-3), targets.diff(dim=-3)) * fps


def pck_3d(pose: Tensor, target: Tensor, seen: Tensor | None = None, threshold: float = PCK_THRESHOLD) -> Tensor:
    """Share of the joints within `threshold` mm of their place."""
    return mean_seen((distances(pose, target) < threshold).to(pose.dtype), seen)


def auc_3d(pose: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean of the 3D PCK over thresholds 0, 5, …, 150 mm."""
    return torch.stack([pck_3d(pose, target, seen, t) for t in AUC_THRESHOLDS]).mean(0)


def epe_2d(keypoints: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """End-point error: mean distance in pixels of the original picture (table 3)."""
    return mean_seen(distances(keypoints, target), seen)


def pck_2d(keypoints: Tensor, target: Tensor, reference: Tensor, threshold: float, seen: Tensor | None = None) -> Tensor:
    """Share of the joints within `threshold` · `reference` pixels: reference (...) is the box's larger side (table 3)."""
    near = distances(keypoints, target) <= threshold * reference[..., None]
    return mean_seen(near.to(keypoints.dtype), seen)


def align(pose: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """The best similarity transform (rotation, scale, translation; least squares) of `pose` onto `target`, (..., J, C).

    A reflection is never used: a mirrored pose must not score as perfect. A pose collapsed to a point is moved to the target's
    mean and stays a point.
    """
    weight = (torch.ones_like(pose[..., 0]) if seen is None else seen.to(pose.dtype))[..., None]
    total = weight.sum(-2, keepdim=True)
    clean_pose, clean_target = (torch.where(weight > 0, x, 0.0) for x in (pose, target))
    mean_p, mean_t = clean_pose.sum(-2, keepdim=True) / total, clean_target.sum(-2, keepdim=True) / total
    p, t = (clean_pose - mean_p) * weight, (clean_target - mean_t) * weight
    u, s, vt = torch.linalg.svd(torch.nan_to_num(p.mT @ t))
    sign = torch.ones_like(s)
    sign[..., -1] = torch.where(torch.linalg.det(u @ vt) < 0, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vt  # applied on the right
    scale = (s * sign).sum(-1) / p.square().sum((-1, -2)).clamp_min(torch.finfo(pose.dtype).tiny)
    return scale[..., None, None] * (pose - mean_p) @ rotation + mean_t
