"""Pose errors, one figure a pose: means are taken by the caller (§4.1).

Poses are (..., J, 3) in mm, keypoints (..., J, 2) in pixels; `seen` (..., J) bool leaves joints
out, whatever they hold. A pose without a seen joint scores NaN, and so does one with a NaN in a
seen joint: what is not known is masked, not guessed. Everything broadcasts over leading axes. Which
joints a data set counts is its protocol's to say.
"""

import torch
from torch import Tensor

from unihpe.errors import require_positive

Seen = Tensor | None  # None: all joints
PCK_MM = 150.0  # of MPI-INF-3DHP
AUC_THRESHOLDS = tuple(5.0 * n for n in range(31))  # 0, 5, …, 150 mm, of MPI-INF-3DHP


def _distances(pose: Tensor, target: Tensor) -> Tensor:
    """Euclidean distance of each joint: (..., J, C) → (..., J)."""
    distance: Tensor = torch.linalg.vector_norm(pose - target, dim=-1)
    return distance


def mean_seen(values: Tensor, seen: Seen) -> Tensor:
    """Mean over the seen joints: (..., J) → (...)."""
    if seen is None:
        return values.mean(-1)
    return torch.where(seen, values, 0.0).sum(-1) / seen.sum(-1)


def mpjpe(pose: Tensor, target: Tensor, seen: Seen = None) -> Tensor:
    """Mean per-joint position error, mm: protocol 1. Bring both poses to the same root first."""
    return mean_seen(_distances(pose, target), seen)


def pa_mpjpe(pose: Tensor, target: Tensor, seen: Seen = None) -> Tensor:
    """MPJPE after the best rotation, translation and scale, mm: protocol 2. No reflections."""
    return mpjpe(align(pose, target, seen), target, seen)


def n_mpjpe(pose: Tensor, target: Tensor, seen: Seen = None) -> Tensor:
    """MPJPE after the best scale about the root, mm (Rhodin et al. 2018), of poses at one root.

    Best is least squares; no scale below 0, which would turn the pose inside out.
    """
    p, t = _masked(pose, seen), _masked(target, seen)
    scale = (p * t).sum((-1, -2)) / p.square().sum((-1, -2)).clamp_min(torch.finfo(pose.dtype).tiny)
    return mpjpe(pose * scale.clamp_min(0)[..., None, None], target, seen)


def mpjve(poses: Tensor, targets: Tensor, fps: float, seen: Seen = None) -> Tensor:
    """Mean per-joint velocity error of a sequence (..., T, J, 3) → (..., T − 1), mm/s.

    A velocity is the difference of neighbouring frames, and counts where the joint is seen in both,
    seen (..., T, J). With fps = 1 it is in mm per frame. InputError unless fps is above 0.
    """
    require_positive("fps", fps)
    both = None if seen is None else seen[..., 1:, :] & seen[..., :-1, :]
    return mpjpe(poses.diff(dim=-3), targets.diff(dim=-3), both) * fps


def pck_3d(pose: Tensor, target: Tensor, seen: Seen = None, threshold: float = PCK_MM) -> Tensor:
    """Share of the joints nearer than `threshold` mm to their place, 0 to 1."""
    return _share_within(_distances(pose, target), threshold, seen)


def auc_3d(pose: Tensor, target: Tensor, seen: Seen = None) -> Tensor:
    """Mean of the 3D PCK over the thresholds 0, 5, …, 150 mm, 0 to 1.

    A perfect pose has 30/31, as in the official code: nothing is nearer than 0 mm.
    """
    return torch.stack([pck_3d(pose, target, seen, t) for t in AUC_THRESHOLDS]).mean(0)


def epe_2d(keypoints: Tensor, target: Tensor, seen: Seen = None) -> Tensor:
    """End-point error: mean distance in pixels of the original picture (table 3)."""
    return mean_seen(_distances(keypoints, target), seen)


def pck_2d(points: Tensor, target: Tensor, side: Tensor, share: float, seen: Seen = None) -> Tensor:
    """Share of the joints nearer than `share` · `side` to their place, 0 to 1 (table 3).

    `side` (...) is the larger side of each person's annotated box, pixels.
    """
    return _share_within(_distances(points, target), share * side[..., None], seen)


def _share_within(distance: Tensor, limit: Tensor | float, seen: Seen) -> Tensor:
    """Share of the seen joints whose distance (..., J) is below the limit; of a NaN it is NaN."""
    near = (distance < limit).to(distance.dtype)
    return mean_seen(torch.where(distance.isnan(), distance, near), seen)


def align(pose: Tensor, target: Tensor, seen: Seen = None) -> Tensor:
    """`pose` moved onto `target`, (..., J, C), by the best similarity transform (Umeyama 1991).

    Best is least squares over the seen joints; it moves all. A reflection is never used: a mirrored
    pose must not score as perfect. A pose collapsed to a point moves to the target's mean and stays
    a point.
    """
    count = pose.shape[-2] if seen is None else seen.sum(-1)[..., None, None]
    mean_p, mean_t = (_masked(x, seen).sum(-2, keepdim=True) / count for x in (pose, target))
    p, t = _masked(pose - mean_p, seen), _masked(target - mean_t, seen)
    # LAPACK refuses NaN: a pose that has one is solved as zeros, and its NaN comes back through the
    # scale and means.
    u, s, vt = torch.linalg.svd(torch.nan_to_num(p.mT @ t, 0.0, 0.0, 0.0))
    sign = torch.ones_like(s)
    sign[..., -1] = torch.where(torch.linalg.det(u @ vt) < 0, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vt  # applied on the right
    scale = (s * sign).sum(-1) / p.square().sum((-1, -2)).clamp_min(torch.finfo(pose.dtype).tiny)
    aligned: Tensor = (scale[..., None, None] * (pose - mean_p)) @ rotation + mean_t
    return aligned


def _masked(x: Tensor, seen: Seen) -> Tensor:
    """Points (..., J, C) with zeros where they are not seen."""
    return x if seen is None else torch.where(seen[..., None], x, 0.0)
