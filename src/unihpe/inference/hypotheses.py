"""Many hypotheses of one pose made into one, and how far they spread."""

from __future__ import annotations

from torch import Tensor


def geometric_median(samples: Tensor, iterations: int = 20, floor: float = 1e-3) -> Tensor:
    """The point with the least summed distance to the samples, for each joint: (S, ..., C) → (...,
    C).

    It minimises the expected MPJPE as the mean minimises the expected squared error. Weiszfeld's
    iteration from the mean.

    Args:
        floor: the least distance a sample is taken to be away, in the samples' unit; keeps the
            weights finite.
    """
    median = samples.mean(0)
    for _ in range(iterations):
        weight = 1 / (samples - median).norm(dim=-1, keepdim=True).clamp_min(floor)
        median = (weight * samples).sum(0) / weight.sum(0)
    return median


def spread(samples: Tensor) -> Tensor:
    """Root-mean-square distance of the samples from their mean, for each joint: (S, ..., C) → (...)."""
    return (samples - samples.mean(0)).square().sum(-1).mean(0).sqrt()
