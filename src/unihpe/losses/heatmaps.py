"""The losses of heat maps: their own, and that of the place they point at."""

import torch
from torch import Tensor

from unihpe.errors import InputError, require_positive
from unihpe.losses.score import masked_distance, require_same_shape

FAINTEST = 1e-5  # height of a heat map, of 1: less is as good as none
HALF = 0.5  # of a target map's sum, in cells: less is a joint outside


def heatmap_loss(heatmaps: Tensor, target: Tensor, confidence: Tensor) -> Tensor:
    """Mean square error over the joints that are seen, as in HRNet: (B, J, h, w) twice → scalar."""
    require_same_shape(heatmaps, target)
    if heatmaps.ndim != 4:
        raise InputError(f"heat maps must be (B, J, h, w), not {tuple(heatmaps.shape)}")
    require_same_shape(heatmaps[..., 0, 0], confidence)
    error = (heatmaps.float() - target).square().mean((2, 3))  # (B, J)
    seen = confidence > 0
    return torch.where(seen, error, 0.0).sum() / seen.sum().clamp_min(1)


def place_loss(heatmaps: Tensor, target: Tensor, confidence: Tensor) -> Tensor:
    """Cross entropy of which cell a joint is in, maps of heights from 0 to 1 read as odds:
    (B, J, h, w) twice → scalar; joints whose target is empty are left out."""
    require_same_shape(heatmaps, target)
    require_same_shape(heatmaps[..., 0, 0], confidence)
    odds = heatmaps.float().flatten(2).clamp_min(FAINTEST).log().log_softmax(-1)
    total = target.flatten(2).sum(-1)
    seen = (confidence > 0) & (total > HALF)
    entropy = -(odds * target.flatten(2)).sum(-1) / total.clamp_min(HALF)
    return torch.where(seen, entropy, 0.0).sum() / seen.sum().clamp_min(1)


def integral_loss(points: Tensor, joints: Tensor, confidence: Tensor, aspect: float) -> Tensor:
    """Mean distance of where heat maps point, (B, J, 2) by `_soft_argmax`, from the known joints
    within a crop of this width over height, hidden ones too; box units (Sun et al., Integral Human
    Pose Regression, ECCV 2018)."""
    require_positive("the aspect", aspect)
    require_same_shape(points, joints)
    require_same_shape(points[..., 0], confidence)
    inside = (joints.abs() <= joints.new_tensor([aspect, 1.0])).all(-1)
    return masked_distance(points, joints, inside & (confidence > 0))
