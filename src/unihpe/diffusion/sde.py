"""Paths from data (t = 0) to noise (t = 1): the SDEs of Song et al. (2021), flow matching's line.

Every path is Gaussian, x_t = α(t)·x₀ + σ(t)·z, and knows nothing of what x is: any shape with the
batch first. As an SDE it is dx = f(t)·x dt + g(t) dw, where f = α'/α and g² = (σ²)' − 2f·σ². Each
has

    prior_std           the standard deviation of the noise at t = 1
    t_max               the latest time with finite coefficients: where samplers start
    marginal(t)         α and σ at times t (B,), both (B,)
    coefficients(t)     the drift's factor f and the squared diffusion g² at times t (B,)
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from unihpe.errors import InputError, require_positive

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

    def __post_init__(self) -> None:
        require_positive("beta_min", self.beta_min)
        require_positive("beta_max", self.beta_max)

    def integral(self, t: Tensor) -> Tensor:
        """∫₀ᵗ β."""
        return t * self.beta_min + 0.5 * t**2 * (self.beta_max - self.beta_min)

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        integral = self.integral(t)
        return torch.exp(-0.5 * integral), torch.sqrt(-torch.expm1(-integral))

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        beta = self.beta_min + t * (self.beta_max - self.beta_min)
        return -0.5 * beta, beta


@dataclass(frozen=True)
class SubVP(VP):
    """Sub-variance preserving, the paper's: σ = 1 − α², so clean data are reached faster."""

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        integral = self.integral(t)
        return torch.exp(-0.5 * integral), -torch.expm1(-integral)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        f, beta = super().coefficients(t)
        return f, beta * -torch.expm1(-2 * self.integral(t))


@dataclass(frozen=True)
class VE:
    """Variance exploding: no drift, σ grows geometrically."""

    sigma_min: float = 0.01
    sigma_max: float = 50.0

    t_max = 1.0

    @property
    def prior_std(self) -> float:
        return self.sigma_max

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(t), self.sigma_min * (self.sigma_max / self.sigma_min) ** t

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        _, sigma = self.marginal(t)
        return torch.zeros_like(t), 2 * math.log(self.sigma_max / self.sigma_min) * sigma**2


@dataclass(frozen=True)
class Linear:
    """The straight line of flow matching, x_t = (1 − t)·x₀ + t·z.

    Its SDE is singular at t = 1, where α = 0, and near it the drift −1/(1 − t) asks for steps as
    short as 1 − t: samplers of the SDE start at 0.99. The price is a start 1 % off, x for noise.
    """

    prior_std = 1.0
    t_max = 0.99

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - t, t

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -1 / (1 - t), 2 * t / (1 - t)


Path = VP | SubVP | VE | Linear
PATHS: dict[PathKind, type[Path]] = {"sub_vp": SubVP, "vp": VP, "ve": VE, "linear": Linear}


def build_path(kind: PathKind) -> Path:
    """A path by its name, with the usual constants; InputError for an unknown one."""
    if not isinstance(kind, str) or kind not in PATHS:
        raise InputError(f"no path '{kind}'; there are {', '.join(PATHS)}")
    return PATHS[kind]()
