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
    """Mean distance, box units, of where heat maps point from the joints within the crop, hidden
    ones too (Sun et al., Integral Human Pose Regression, ECCV 2018).

    Args:
        points: (B, J, 2), by `soft_argmax`; like `joints`, box units.
        confidence: (B, J); a joint of confidence 0 is unknown.
        aspect: the crop's width over its height.
    """
    inside = (joints.abs() <= joints.new_tensor([aspect, 1.0])).all(-1)
    return masked_distance(points, joints, inside & (confidence > 0))
