"""What a network's output means along a path: noise, velocity, clean data or flow.

Only well-posed pairs exist. A prediction is well posed where x̂₀ follows from it without a division
by something that vanishes inside the path's range of times:

    epsilon  x̂₀ = (x − σ·ε̂) / α             needs α > 0: not on the linear path, where α(1) = 0
    v        x̂₀ = (α·x − σ·v̂) / (α² + σ²)   not on VE, where v = z − σ·x₀ grows to 50 and hides z
    x0       x̂₀ itself
    flow     x̂₀ = x − t·û                    the linear path's own, u = z − x₀
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from unihpe.diffusion.sde import VE, Linear, Path, over
from unihpe.errors import InputError

Prediction = Literal["epsilon", "v", "x0", "flow"]
Denoiser = Callable[[Tensor, Tensor], Tensor]
EPSILON_START = 0.08  # α/σ where its ODE samplers begin: before, ε̂'s error is ×12 and more in x̂₀
LIMIT = 6.0  # standard deviations of the data that an x̂₀ made from ε̂ may reach
T_MIN = 1e-5  # the shortest time that is trained on, as in score_sde


def allowed(path: Path) -> tuple[Prediction, ...]:
    """The predictions that are well posed on a path."""
    if isinstance(path, Linear):
        return ("v", "x0", "flow")
    if isinstance(path, VE):
        return ("epsilon", "x0")
    return ("epsilon", "v", "x0")


@dataclass(frozen=True)
class Diffusion:
    """A path and a prediction; InputError for a pair that is not well posed."""

    path: Path
    prediction: Prediction

    def __post_init__(self) -> None:
        if not isinstance(self.path, Path):
            raise InputError(f"a diffusion takes a path of build_path, not {self.path!r}")
        if self.prediction not in allowed(self.path):
            what = f"{self.prediction}-prediction is not well posed on {type(self.path).__name__}"
            raise InputError(f"{what}; there it can be {', '.join(allowed(self.path))}")

    @property
    def allows_posterior_mean(self) -> bool:
        """Whether x̂₀ at t = 1, where x carries no information, is an answer: E[x₀].

        Not for ε-prediction, (x − σ·ε̂)/α: 1/α (152 for VP) or σ (50 for VE) magnifies each error.
        """
        return self.prediction != "epsilon"

    def require_posterior_mean(self) -> None:
        """Raise where `allows_posterior_mean` is false."""
        if not self.allows_posterior_mean:
            raise InputError("an ε-predicting decoder has no point estimate; choose a sampler")

    def ode_start(self) -> float:
        """The time at which ODE samplers begin: the path's `t_max`, but later for ε-prediction.

        An ODE never forgets its first steps, as the SDE does with its fresh noise; and near t = 1
        they would rest on an x̂₀ in which the network's error counts a hundredfold.
        """
        if self.prediction != "epsilon":
            return self.path.t_max
        t = torch.linspace(self.path.t_max, T_MIN, 10_001, dtype=torch.float64)
        return float(t[(torch.div(*self.path.marginal(t)) >= EPSILON_START).nonzero()[0, 0]])

    def clamp_time(self, t: Tensor) -> Tensor:
        """Times in [0, 1) moved into the range that is trained on."""
        return T_MIN + (1 - T_MIN) * t

    def noised(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t of data x0 (B, ...) with noise (B, ...) at times t (B,)."""
        alpha, sigma = self.path.marginal(t)
        return over(alpha, x0) * x0 + over(sigma, x0) * noise

    def scaled(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The network's input: x_t itself, for VE at unit variance (data of unit variance)."""
        if not isinstance(self.path, VE):
            return x_t
        alpha, sigma = self.path.marginal(t)
        return x_t / over((alpha**2 + sigma**2).sqrt(), x_t)

    def target(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the network should put out, (B, ...)."""
        alpha, sigma = (over(part, x0) for part in self.path.marginal(t))
        match self.prediction:
            case "epsilon":
                return noise
            case "v":
                return alpha * noise - sigma * x0
            case "x0":
                return x0
            case "flow":
                return noise - x0

    def denoised(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """x̂₀ (B, ...) from the network's output at x_t (B, ...) and times t (B,) or (1,)."""
        alpha, sigma = (over(part, x_t) for part in self.path.marginal(t))
        match self.prediction:
            case "epsilon":
                return ((x_t - sigma * output) / alpha).clamp(-LIMIT, LIMIT)
            case "v":
                return (alpha * x_t - sigma * output) / (alpha**2 + sigma**2)
            case "x0":
                return output
            case "flow":
                return x_t - sigma * output

    def denoiser(self, network: Denoiser) -> Denoiser:
        """Wrap a network (scaled x_t, t) → output as x̂₀(x_t, t); t is (B,) or (1,)."""
        return lambda x_t, t: self.denoised(network(self.scaled(x_t, t), t), x_t, t)


def score(denoise: Denoiser, path: Path, x: Tensor, t: Tensor) -> Tensor:
    """∇ log p_t(x) by Tweedie's formula, (α·x̂₀ − x) / σ²: x (B, ...), t (B,) or (1,)."""
    alpha, sigma = (over(part, x) for part in path.marginal(t))
    return torch.div(alpha * denoise(x, t) - x, sigma**2)
