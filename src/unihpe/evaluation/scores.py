"""The figures of a protocol, pose by pose."""

from collections.abc import Callable

import torch
from torch import Tensor

from unihpe.body.metrics import align, auc_3d, mean_seen, mpjpe, n_mpjpe, pa_mpjpe, pck_3d
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.protocol import Figure, Metric, Protocol
from unihpe.errors import InputError


def scores(
    guess: Tensor, truth: Tensor, skeleton: Skeleton, protocol: Protocol
) -> dict[str, Tensor]:
    """The figures of poses (N, J, 3), mm: (N,) in mm or %, by metric; NaN truth does not count."""
    guess, truth = (pose - _origin(pose, skeleton, protocol.root) for pose in (guess, truth))
    found: dict[str, Tensor] = {}
    for figure in protocol.figures:
        columns = _columns_of(figure, skeleton, protocol.name)
        p, t = guess[:, columns], truth[:, columns]
        seen = torch.isfinite(t).all(-1)
        value = METRICS[figure.metric](p, torch.where(seen[..., None], t, 0.0), seen)
        found[figure.metric] = 100 * value if figure.metric in SHARES else value
    return found


def _columns_of(figure: Figure, skeleton: Skeleton, protocol: str) -> list[int]:
    if lacking := [joint for joint in figure.joints if joint not in skeleton.joints]:
        lacks = f"{', '.join(lacking)}, which {skeleton.name} does not have"
        remedy = "take a protocol over joints that this model estimates, such as limbs"
        raise InputError(f"protocol {protocol} scores {lacks}; {remedy}")
    return [skeleton.index(joint) for joint in figure.joints or skeleton.joints]


def _origin(pose: Tensor, skeleton: Skeleton, root: str) -> Tensor:
    """The root of each pose, (N, J, 3) → (N, 1, 3)."""
    hips = root == "mid_hip" or root not in skeleton.joints
    names = ("left_hip", "right_hip") if hips else (root,)
    return pose[:, [skeleton.index(name) for name in names]].mean(1, keepdim=True)


def _pa_reflected(pose: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """PA-MPJPE where a mirror image may be turned back, as some code does: of pose and mirror
    image, the better fit by least squares."""
    mirrored = pose * pose.new_tensor([-1.0, 1.0, 1.0])
    plain, turned = (align(p, target, seen) for p in (pose, mirrored))
    square = [mean_seen((p - target).square().sum(-1), seen) for p in (plain, turned)]
    return mpjpe(torch.where((square[0] <= square[1])[:, None, None], plain, turned), target, seen)


SHARES = ("3DPCK@150", "AUC")  # reported in %; the others are mm
METRICS: dict[Metric, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "MPJPE": mpjpe,
    "PA-MPJPE": pa_mpjpe,
    "PA-MPJPE, reflections allowed": _pa_reflected,
    "N-MPJPE": n_mpjpe,
    "3DPCK@150": pck_3d,
    "AUC": auc_3d,
}
