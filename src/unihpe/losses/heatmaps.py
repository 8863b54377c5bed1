"""The losses of heat maps: their own, and that of the place they point at."""

import torch
from torch import Tensor

from unihpe.losses.score import masked_distance, require_same_shape


def heatmap_loss(heatmaps: Tensor, target: Tensor, confidence: Tensor) -> Tensor:
    """Mean square error over the joints that are seen, as in HRNet: (B, J, h, w) twice → scalar."""
    require_same_shape(heatmaps, target)
    error = (heatmaps.float() - target).square().mean((2, 3))  # (B, J)
    seen = confidence > 0
    return torch.where(seen, error, 0.0).sum() / seen.sum().clamp_min(1)


def integral_loss(points: Tensor, joints: Tensor, confidence: Tensor, aspect: float) -> Tensor:
    """Mean distance of where heat maps point, (B, J, 2) by `soft_argmax`, from the known joints
    within a crop of this width over height, hidden ones too; box units (Sun et al., Integral Human
    Pose Regression, ECCV 2018)."""
    inside = (joints.abs() <= joints.new_tensor([aspect, 1.0])).all(-1)
    return masked_distance(points, joints, inside & (confidence > 0))
