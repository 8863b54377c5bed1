"""Samplers: functions from noise to data, each under an honest name.

All see the model as a denoiser x̂₀(x_t, t), with t of shape (1,): the whole batch moves together. What each costs is counted
in network evaluations (NFE).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from unihpe.diffusion.parametrisation import Denoiser, Diffusion, score
from unihpe.diffusion.sde import Linear, Path, over
from unihpe.errors import InputError

T_END = 1e-3  # where SDE and ODE samplers stop, as in GFPose
DPM_END = 0.02  # σ/α at which DPM-Solver++ stops and the last x̂₀ is taken


def times(path: Path, steps: int, end: float, x: Tensor) -> Tensor:
    """Evenly spaced times from noise to `end`, (steps + 1,)."""
    return torch.linspace(path.t_max, end, steps + 1, device=x.device)


@torch.no_grad()
def euler_maruyama(
    denoise: Denoiser, path: Path, x: Tensor, steps: int = 1000, *, generator: torch.Generator
) -> Tensor:
    """The reverse SDE, the paper's sampler: an honest sample. NFE = steps.

    The last step adds no noise, as in score_sde.
    """
    grid = times(path, steps, T_END, x)
    for now, then in pairwise(grid):
        t, dt = now[None], now - then
        f, g2 = (over(part, x) for part in path.coefficients(t))
        mean = x - (f * x - g2 * score(denoise, path, x, t)) * dt
        noise = torch.randn(x.shape, generator=generator).to(x.device)
        x = mean + (g2 * dt).sqrt() * noise
    return mean


@torch.no_grad()
def zero_temperature(denoise: Denoiser, path: Path, x: Tensor, steps: int = 1000) -> Tensor:
    """The reverse SDE with its noise switched off: an estimator, not a sampler. NFE = steps.

    This is what the GFPose line of work runs as "deterministic sampling". It is not the probability-flow ODE (which has half
    the score term): all noise ends near one point, the dominant mode of the posterior.
    """
    for now, then in pairwise(times(path, steps, T_END, x)):
        t, dt = now[None], now - then
        f, g2 = (over(part, x) for part in path.coefficients(t))
        x = x - (f * x - g2 * score(denoise, path, x, t)) * dt
    return x


@torch.no_grad()
def probability_flow(denoise: Denoiser, path: Path, x: Tensor, steps: int = 50) -> Tensor:
    """The true probability-flow ODE by Heun's method: deterministic, and samples the posterior. NFE = 2 · steps."""

    def slope(x: Tensor, t: Tensor) -> Tensor:
        f, g2 = (over(part, x) for part in path.coefficients(t))
        return f * x - 0.5 * g2 * score(denoise, path, x, t)

    for now, then in pairwise(times(path, steps, T_END, x)):
        first = slope(x, now[None])
        guess = x + (then - now) * first
        x = x + (then - now) * 0.5 * (first + slope(guess, then[None]))
    return x


@torch.no_grad()
def dpm_solver_pp_2m(denoise: Denoiser, path: Path, x: Tensor, steps: int = 10) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022) on an even grid of log(α/σ), then one last x̂₀. NFE = steps + 1.

    It holds for every Gaussian path, sub-VP included.
    """
    grid = log_snr_times(path, steps, x)
    alpha, sigma = path.marginal(grid)
    log_snr = (alpha / sigma).log()
    previous = None
    for i in range(steps):
        x0, h = denoise(x, grid[i][None]), log_snr[i + 1] - log_snr[i]
        corrected = x0
        if previous is not None:
            ratio = h / (log_snr[i] - log_snr[i - 1])
            corrected = x0 + 0.5 * ratio * (x0 - previous)
        x = sigma[i + 1] / sigma[i] * x - alpha[i + 1] * torch.expm1(-h) * corrected
        previous = x0
    return denoise(x, grid[-1][None])


def log_snr_times(path: Path, steps: int, x: Tensor) -> Tensor:
    """Times at which log(α/σ) is evenly spaced, from noise to σ/α = `DPM_END`, (steps + 1,)."""
    dense = torch.linspace(path.t_max, 1e-4, 20_001, dtype=torch.float64)
    alpha, sigma = path.marginal(dense)
    log_snr = (alpha / sigma).log()
    end = min(float(-torch.tensor(DPM_END).log()), float(log_snr[-1]))
    wanted = torch.linspace(float(log_snr[0]), end, steps + 1, dtype=torch.float64)
    return dense[torch.searchsorted(log_snr, wanted).clamp_max(len(dense) - 1)].to(x)


@torch.no_grad()
def flow_euler(denoise: Denoiser, path: Path, x: Tensor, steps: int = 10) -> Tensor:
    """Euler steps of the flow's own ODE, dx/dt = z − x₀, on the linear path. NFE = steps."""
    if not isinstance(path, Linear):
        raise InputError("flow-euler follows the linear path only; use dpm-solver++ or probability-flow")
    for now, then in pairwise(torch.linspace(1.0, 0.0, steps + 1, device=x.device)):
        x = x + (then - now) * (x - denoise(x, now[None])) / now
    return x


@torch.no_grad()
def posterior_mean(denoise: Denoiser, diffusion: Diffusion, x: Tensor) -> Tensor:
    """E[x₀] in one evaluation: x̂₀ at t = 1, where x carries no information. NFE = 1.

    Raises:
        InputError: for ε-prediction (see `Diffusion.allows_posterior_mean`).
    """
    diffusion.require_posterior_mean()
    return denoise(x, x.new_ones(1))


SamplerName = Literal[
    "auto", "euler-maruyama", "probability-flow", "zero-temperature", "dpm-solver++", "flow-euler", "posterior-mean"
]
DEFAULT_STEPS = {
    "euler-maruyama": 1000,
    "zero-temperature": 1000,
    "probability-flow": 50,
    "dpm-solver++": 10,
    "flow-euler": 10,
}


def build_sampler(
    name: str, steps: int = 0, generator: torch.Generator | None = None
) -> Callable[[Denoiser, Diffusion, Tensor], Tensor]:
    """A sampler by name: (denoiser, diffusion, noise (B, ...)) → data (B, ...).

    Args:
        name: "auto" takes flow-euler on the linear path and dpm-solver++ elsewhere.
        steps: 0 takes the sampler's own default.
        generator: the randomness of euler-maruyama.

    Raises:
        InputError: for an unknown name, naming the known ones.
    """
    if name not in ("auto", "posterior-mean", *DEFAULT_STEPS):
        raise InputError(f"no sampler '{name}'; there are auto, posterior-mean, {', '.join(DEFAULT_STEPS)}")

    def sampler(denoise: Denoiser, diffusion: Diffusion, x: Tensor) -> Tensor:
        path = diffusion.path
        chosen = name if name != "auto" else "flow-euler" if isinstance(path, Linear) else "dpm-solver++"
        count = steps or DEFAULT_STEPS.get(chosen, 1)
        match chosen:
            case "euler-maruyama":
                return euler_maruyama(denoise, path, x, count, generator=generator or torch.Generator().manual_seed(0))
            case "zero-temperature":
                return zero_temperature(denoise, path, x, count)
            case "probability-flow":
                return probability_flow(denoise, path, x, count)
            case "dpm-solver++":
                return dpm_solver_pp_2m(denoise, path, x, count)
            case "flow-euler":
                return flow_euler(denoise, path, x, count)
            case _:
                return posterior_mean(denoise, diffusion, x)

    return sampler


def evaluations(name: str, steps: int) -> int:
    """Network evaluations (NFE) of a sampler."""
    return {"probability-flow": 2 * steps, "dpm-solver++": steps + 1, "posterior-mean": 1}.get(name, steps)
