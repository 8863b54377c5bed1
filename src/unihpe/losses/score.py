"""The decoders' losses L_2D and L_3D (eq. 5): score matching, and errors of poses.

Poses are (B, J, C); `seen` (B, J) bool says which joints count, all without it. A loss is a scalar,
0 for a batch without a seen joint.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor

from unihpe.errors import InputError

Network = Callable[[Tensor, Tensor], Tensor]  # of noisy poses, scaled, and times (B,) or (1,)


class _Process(Protocol):
    """What score matching asks of a diffusion, see `unihpe.diffusion.parametrisation`."""

    def clamp_time(self, t: Tensor) -> Tensor: ...
    def noised(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor: ...
    def scaled(self, x_t: Tensor, t: Tensor) -> Tensor: ...
    def target(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor: ...


def score_loss(
    network: Network, process: _Process, x0: Tensor, seen: Tensor, generator: torch.Generator
) -> Tensor:
    """Denoising score matching of poses x0 at random times (B,), one noise draw a row."""
    count = x0.shape[0]
    # stratified over the batch: same law for each time, less variance than independent draws
    t = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = process.clamp_time(t[torch.randperm(count, generator=generator)]).to(x0.device)
    noise = torch.randn(x0.shape, generator=generator).to(x0.device)
    output = network(process.scaled(process.noised(x0, noise, t), t), t)
    return masked_mean_square(output, process.target(x0, noise, t), seen)


def point_loss(
    guess: Tensor, x0: Tensor, seen: Tensor, kind: Literal["square", "distance"]
) -> Tensor:
    """How far a guess, x̂₀ at t = 1 and at the centre of the noise, lies from the poses x0."""
    distance = masked_distance if kind == "distance" else masked_mean_square
    return distance(guess, x0, seen)


def quantile_loss(radius: Tensor, error: Tensor, shares: tuple[float, ...], seen: Tensor) -> Tensor:
    """How badly radii (B, J, S) cut off the `shares` of errors (B, J): the pinball loss of their
    logarithms, whose minimiser is each quantile; of small joints it takes as much notice as of
    those that err by a lot."""
    odds = radius.new_tensor(shares)
    gap = error.clamp_min(1e-4).log()[..., None] - radius.log()
    return _masked_mean(torch.maximum(odds * gap, (odds - 1) * gap).mean(-1), seen)


def masked_mean_square(prediction: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean squared difference over the coordinates of seen joints.

    The paper's score matching sums over coordinates; a mean does not change with their number.
    """
    require_same_shape(prediction, target)
    return _masked_mean((prediction - target).square().mean(-1), seen)


def masked_distance(prediction: Tensor, target: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean Euclidean distance of seen joints: its minimiser is the geometric median, as MPJPE's."""
    require_same_shape(prediction, target)
    squared = (prediction - target).square().sum(-1)
    tiny = 1e-8  # keeps the square root's gradient finite where the two agree
    return _masked_mean((squared + tiny).sqrt(), seen)


def _masked_mean(values: Tensor, seen: Tensor | None) -> Tensor:
    """Mean of the seen entries, 0 if there are none."""
    if seen is None:
        return values.sum() / max(values.numel(), 1)
    require_same_shape(values, seen)
    return (values * seen).sum() / seen.sum().clamp_min(1)


def require_same_shape(a: Tensor, b: Tensor) -> None:
    """InputError where shapes differ, which broadcasting would hide."""
    require_tensors(a, b)
    if a.shape != b.shape:
        raise InputError(f"shapes must agree; they are {tuple(a.shape)} and {tuple(b.shape)}")


def require_tensors(*values: object) -> None:
    """InputError for what is no tensor."""
    if odd := [type(value).__name__ for value in values if not isinstance(value, Tensor)]:
        raise InputError(f"losses take tensors, not {odd[0]}: torch.as_tensor makes one")
