"""The decoders' losses L_2D and L_3D (eq. 5): score matching, and errors of poses.

Poses are (B, J, C); `seen` (B, J) bool says which joints count, all without it. A loss is a scalar,
0 for a batch without a seen joint.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor

Network = Callable[[Tensor, Tensor], Tensor]  # of noisy poses and times


class Process(Protocol):
    """What score matching asks of a diffusion, see `unihpe.diffusion.parametrisation`."""

    def clamp_time(self, t: Tensor) -> Tensor: ...
    def noised(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor: ...
    def scaled(self, x_t: Tensor, t: Tensor) -> Tensor: ...
    def target(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor: ...


def score_loss(
    network: Network, process: Process, x0: Tensor, seen: Tensor, generator: torch.Generator
) -> Tensor:
    """Denoising score matching of poses x0 at random times, one noise draw a row.

    Args:
        network: its output (B, J, C) for noisy poses, scaled, at times (B,).
    """
    # stratified over the batch: same law for each time, less variance than independent draws
    count = x0.shape[0]
    t = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = process.clamp_time(t[torch.randperm(count, generator=generator)]).to(x0.device)
    noise = torch.randn(x0.shape, generator=generator).to(x0.device)
    x_t = process.noised(x0, noise, t)
    output = network(process.scaled(x_t, t), t)
    return masked_mean_square(output, process.target(x0, noise, t), seen)


def point_loss(
    denoise: Network, x0: Tensor, seen: Tensor, kind: Literal["square", "distance"]
) -> Tensor:
    """How far x̂₀ at t = 1, at the centre of the noise, lies from the poses x0."""
    guess = denoise(torch.zeros_like(x0), x0.new_ones(1))
    distance = masked_distance if kind == "distance" else masked_mean_square
    return distance(guess, x0, seen)


def masked_mean_square(prediction: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean squared difference over the coordinates of seen joints.

    Score matching sums over coordinates where this takes the mean: the same up to a constant that
    the paper leaves unsaid, and the mean does not change with the number of joints.
    """
    require_same_shape(prediction, target)
    return masked_mean((prediction - target).square().mean(-1), seen)


def masked_distance(prediction: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean Euclidean distance of seen joints.

    Its minimiser is each joint's geometric median, which is what MPJPE asks for. Smooth at 0.
    """
    require_same_shape(prediction, target)
    squared = (prediction - target).square().sum(-1)
    tiny = 1e-8  # keeps the square root's gradient finite where the two agree
    return masked_mean((squared + tiny).sqrt(), seen)


def masked_mean(values: Tensor, seen: Tensor | None) -> Tensor:
    """Mean of the seen entries, 0 if there are none."""
    if seen is None:
        return values.mean()
    require_same_shape(values, seen)
    return (values * seen).sum() / seen.sum().clamp_min(1)


def require_same_shape(a: Tensor, b: Tensor) -> None:
    """ValueError where shapes differ, which broadcasting would hide."""
    if a.shape != b.shape:
        raise ValueError(f"shapes must agree; they are {tuple(a.shape)} and {tuple(b.shape)}")
