"""The score-matching loss of a diffusion decoder (§3.2, eq. 5), and that of its point estimate."""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor

from unihpe.losses.decoding import masked_distance, masked_mean_square


class Process(Protocol):
    """What the loss asks of a diffusion: where x_t lies, what the network sees and should say."""

    def clamp_time(self, t: Tensor) -> Tensor: ...
    def noised(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor: ...
    def scaled(self, x_t: Tensor, t: Tensor) -> Tensor: ...
    def target(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor: ...


def score_loss(
    network: Callable[[Tensor, Tensor], Tensor],
    process: Process,
    x0: Tensor,
    seen: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Denoising score matching at random times of (0, 1), one noise draw a row → scalar.

    Args:
        network: its output (B, J, C) for noisy poses, scaled, at times (B,).
        x0: clean poses (B, J, C); `seen` (B, J) bool says which joints count.
    """
    # stratified over the batch: same law for each time, less variance than independent draws
    count = x0.shape[0]
    t = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = process.clamp_time(t[torch.randperm(count, generator=generator)]).to(x0.device)
    noise = torch.randn(x0.shape, generator=generator).to(x0.device)
    x_t = process.noised(x0, noise, t)
    return masked_mean_square(
        network(process.scaled(x_t, t), t), process.target(x0, noise, t), seen
    )


def point_loss(
    denoise: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    seen: Tensor,
    kind: Literal["square", "distance"],
) -> Tensor:
    """How far x̂₀ at t = 1, at the centre of the noise, lies from the pose x0 (B, J, C) → scalar."""
    guess = denoise(torch.zeros_like(x0), x0.new_ones(1))
    distance = masked_distance if kind == "distance" else masked_mean_square
    return distance(guess, x0, seen)
