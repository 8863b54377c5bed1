"""Paths from data (t = 0) to noise (t = 1): the three SDEs of Song et al. (2021), and the line of
flow matching.

Every path is Gaussian, x_t = α(t)·x₀ + σ(t)·z, and knows nothing of what x is: any shape with the
batch first. As an SDE it is dx = f(t)·x dt + g(t) dw, where f = α'/α and g² = (σ²)' − 2f·σ². Each
has

    prior_std   the standard deviation of the noise at t = 1
    t_max       the latest time at which its SDE has finite coefficients: where SDE samplers start
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, assert_never

import torch
from torch import Tensor

PathKind = Literal["sub_vp", "vp", "ve", "linear"]


def over(values: Tensor, x: Tensor) -> Tensor:
    """Values (B,) shaped to broadcast over x (B, ...)."""
    return values.view(-1, *(1,) * (x.ndim - 1))


@dataclass(frozen=True)
class VP:
    """Variance preserving: dx = −½β x dt + √β dw, β linear in t."""

    beta_min: float = 0.1
    beta_max: float = 20.0

    prior_std = 1.0
    t_max = 1.0

    def integral(self, t: Tensor) -> Tensor:
        """∫₀ᵗ β."""
        return t * self.beta_min + 0.5 * t**2 * (self.beta_max - self.beta_min)

    def beta(self, t: Tensor) -> Tensor:
        """β(t)."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at times t (B,), both (B,)."""
        integral = self.integral(t)
        return torch.exp(-0.5 * integral), torch.sqrt(-torch.expm1(-integral))

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift factor f (the drift is f·x) and squared diffusion g² at times t (B,)."""
        beta = self.beta(t)
        return -0.5 * beta, beta


@dataclass(frozen=True)
class SubVP(VP):
    """Sub-variance preserving, the paper's: σ = 1 − α², so clean data are reached faster."""

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at times t (B,), both (B,)."""
        integral = self.integral(t)
        return torch.exp(-0.5 * integral), -torch.expm1(-integral)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift factor f (the drift is f·x) and squared diffusion g² at times t (B,)."""
        beta = self.beta(t)
        return -0.5 * beta, beta * -torch.expm1(-2 * self.integral(t))


@dataclass(frozen=True)
class VE:
    """Variance exploding: no drift, σ grows geometrically."""

    sigma_min: float = 0.01
    sigma_max: float = 50.0

    t_max = 1.0

    @property
    def prior_std(self) -> float:
        """Standard deviation of the noise at t = 1."""
        return self.sigma_max

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at times t (B,), both (B,)."""
        return torch.ones_like(t), self.sigma_min * (self.sigma_max / self.sigma_min) ** t

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift factor f (the drift is f·x) and squared diffusion g² at times t (B,)."""
        _, sigma = self.marginal(t)
        return torch.zeros_like(t), 2 * math.log(self.sigma_max / self.sigma_min) * sigma**2


@dataclass(frozen=True)
class Linear:
    """The straight line of flow matching, x_t = (1 − t)·x₀ + t·z.

    Its SDE is singular at t = 1, where α = 0: samplers that need its coefficients start at `t_max`,
    0.99. Closer to 1 the drift −1/(1 − t) would ask for steps as short as 1 − t. The price is a
    start 1 % off: x there counts as noise.
    """

    prior_std = 1.0
    t_max = 0.99

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at times t (B,), both (B,)."""
        return 1 - t, t

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift factor f (the drift is f·x) and squared diffusion g² at times t (B,), t < 1."""
        return -1 / (1 - t), 2 * t / (1 - t)


Path = VP | SubVP | VE | Linear


def build_path(kind: PathKind) -> Path:
    """A path by its name, with the usual constants."""
    match kind:
        case "sub_vp":
            return SubVP()
        case "vp":
            return VP()
        case "ve":
            return VE()
        case "linear":
            return Linear()
        case _:
            assert_never(kind)
