"""The decoders' losses L_2D and L_3D (eq. 5), on tensors: what the network should have put out is the caller's."""

from __future__ import annotations

from torch import Tensor


def masked_mean_square(prediction: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean squared difference over the coordinates of seen joints: (B, J, C) twice, seen (B, J)
    bool → scalar.

    Score matching sums over coordinates where this takes the mean: the same up to a constant that
    the paper leaves unsaid, and the mean does not change with the number of joints. A batch without
    a seen joint gives 0.
    """
    return masked_mean((prediction - target).square().mean(-1), seen)


def masked_distance(prediction: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean Euclidean distance of seen joints: (B, J, C) twice, seen (B, J) bool → scalar.

    Its minimiser is each joint's geometric median, which is what MPJPE asks for. Smooth at 0.
    """
    squared = (prediction - target).square().sum(-1)
    tiny = 1e-8  # keeps the square root's gradient finite where the two agree
    return masked_mean((squared + tiny).sqrt(), seen)


def masked_mean(values: Tensor, seen: Tensor | None) -> Tensor:
    """Mean of the seen entries, 0 if there are none."""
    if seen is None:
        return values.mean()
    return (values * seen).sum() / seen.sum().clamp_min(1)
