"""Samplers: functions from noise to data, each under an honest name.

All see the model as a denoiser x̂₀(x_t, t), with t of shape (1,): the whole batch moves together.
All start from noise x (B, ...) with the standard deviation `path.prior_std` and give data of the
same shape, which may as well be (samples, people, ...): see `_step_noise`. What each costs is
counted in network evaluations (NFE).
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from unihpe.diffusion.parametrisation import Denoiser, Diffusion, score
from unihpe.diffusion.sde import VE, Linear, Path, over
from unihpe.errors import InputError, require_count, require_positive

# (denoiser, diffusion, noise (B, ...)) → data (B, ...)
Sampler = Callable[[Denoiser, Diffusion, Tensor], Tensor]
T_END = 1e-3  # where SDE and ODE samplers stop, as in GFPose
POSE_AXES = 2  # joints and coordinates
DPM_END = 0.02  # σ/α at which DPM-Solver++ stops and the last x̂₀ is taken
AUTO = "dpm-solver++"
DEFAULT_STEPS = {
    "euler-maruyama": 1000,
    "zero-temperature": 1000,
    "probability-flow": 50,
    "dpm-solver++": 10,
    "flow-euler": 10,
    "posterior-mean": 1,
}


def prior_noise(path: Path, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Noise to start from, N(0, prior_std²), on the generator's device."""
    return torch.randn(shape, generator=generator, device=generator.device) * path.prior_std


def _step_noise(x: Tensor, generator: torch.Generator) -> Tensor:
    """Noise for data x (B, J, C), or for (samples, people, J, C), where all people have the same:
    so what is drawn for a person does not depend on who else is there, and moves smoothly through
    a video."""
    shape = (x.shape[0], 1, *x.shape[2:]) if x.ndim > POSE_AXES + 1 else x.shape
    drawn = torch.randn(shape, generator=generator, device=generator.device, dtype=x.dtype)
    return drawn.to(x.device).expand_as(x)


def _require_noise(x: object) -> None:
    if not (isinstance(x, Tensor) and x.is_floating_point()):
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise InputError(f"a sampler starts from noise, a tensor of floats, not {kind}")


def _require_generator(generator: object) -> None:
    if not isinstance(generator, torch.Generator | None):
        raise InputError(f"a sampler's generator is a torch.Generator, not {generator!r}")


def _even(start: float, end: float, steps: int, like: Tensor) -> Tensor:
    """Evenly spaced times, (steps + 1,)."""
    require_count("a sampler's steps", steps, least=1)
    _require_noise(like)
    return torch.linspace(start, end, steps + 1, device=like.device, dtype=like.dtype)


def _start(t_start: float, path: Path) -> float:
    """The time that a sampler begins at; 0 is the path's latest."""
    if t_start == 0:
        return path.t_max
    require_positive("t_start", t_start)
    if not T_END < t_start <= path.t_max:
        raise InputError(f"t_start lies above {T_END} and up to {path.t_max}, not at {t_start}")
    return t_start


@torch.no_grad()
def euler_maruyama(
    denoise: Denoiser, path: Path, x: Tensor, steps: int, *, generator: torch.Generator | None
) -> Tensor:
    """The reverse SDE, the paper's sampler: an honest sample. NFE = steps.

    The last step adds no noise, as in score_sde. Without a generator no step does, see
    `zero_temperature`.
    """
    _require_generator(generator)
    mean = x
    for now, then in pairwise(_even(path.t_max, T_END, steps, x)):
        t, dt = now[None], now - then
        f, g2 = (over(part, x) for part in path.coefficients(t))
        x = mean = x - (f * x - g2 * score(denoise, path, x, t)) * dt
        if generator is not None:
            x = mean + (g2 * dt).sqrt() * _step_noise(x, generator)
    return mean


def zero_temperature(denoise: Denoiser, path: Path, x: Tensor, steps: int = 1000) -> Tensor:
    """The reverse SDE with its noise switched off: an estimator, not a sampler. NFE = steps.

    The GFPose line of work calls it "deterministic sampling". The probability-flow ODE has half the
    score term; here all noise ends near the posterior's dominant mode, and spread means nothing.
    """
    return euler_maruyama(denoise, path, x, steps, generator=None)


@torch.no_grad()
def probability_flow(
    denoise: Denoiser,
    path: Path,
    x: Tensor,
    steps: int = 50,
    t_start: float = 0,
    t_end: float = T_END,
) -> Tensor:
    """The true probability-flow ODE, dx/dt = f·x − ½g²·score, by Heun's method. NFE = 2 · steps.

    It is deterministic, and samples the posterior. x is noise of the standard deviation σ(t_start);
    0 is the path's `t_max`.
    """

    def slope(x: Tensor, t: Tensor) -> Tensor:
        f, g2 = (over(part, x) for part in path.coefficients(t))
        return f * x - 0.5 * g2 * score(denoise, path, x, t)

    start = _start(t_start, path)
    # even in √t, so that steps shorten where σ falls towards 0; VE's σ is geometric in t already
    power = 1 if isinstance(path, VE) else 2
    grid = _even(start ** (1 / power), t_end ** (1 / power), steps, x) ** power
    for now, then in pairwise(grid):
        first, dt = slope(x, now[None]), then - now
        x = x + dt * 0.5 * (first + slope(x + dt * first, then[None]))
    return x


@torch.no_grad()
def dpm_solver_pp_2m(
    denoise: Denoiser, path: Path, x: Tensor, steps: int = 10, t_start: float = 0
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022) on an even grid of log(α/σ), then x̂₀. NFE = steps + 1.

    It holds for every Gaussian path, sub-VP included: the formula knows α and σ only. The last x̂₀
    is a mean, so that a posterior much narrower than `DPM_END` comes out narrower still: by √½
    where its spread equals it. x is noise of the standard deviation σ(t_start).
    """
    _require_noise(x)
    grid = _log_snr_times(path, steps, x, t_start)
    alpha, sigma = path.marginal(grid)
    log_snr = (alpha / sigma).log()
    previous = None
    for i in range(steps):
        x0, h = denoise(x, grid[i][None]), log_snr[i + 1] - log_snr[i]
        # the grid is even: all h are equal
        corrected = x0 if previous is None else 1.5 * x0 - 0.5 * previous
        x = sigma[i + 1] / sigma[i] * x - alpha[i + 1] * torch.expm1(-h) * corrected
        previous = x0
    return denoise(x, grid[-1][None])


def _log_snr_times(path: Path, steps: int, x: Tensor, start: float = 0) -> Tensor:
    """Times at which log(α/σ) is evenly spaced, from noise to σ/α = `DPM_END`, (steps + 1,)."""
    dense = torch.linspace(_start(start, path), T_END, 20_001, dtype=torch.float64)
    log_snr = torch.div(*path.marginal(dense)).log()  # log(α/σ), rises along `dense`
    end = min(float(-torch.tensor(DPM_END, dtype=torch.float64).log()), float(log_snr[-1]))
    wanted = _even(float(log_snr[0]), end, steps, dense)
    upper = torch.searchsorted(log_snr, wanted).clamp(1, len(dense) - 1)
    # Interpolated, since the bare table would be uneven where steps are nearly as fine as it.
    part = (wanted - log_snr[upper - 1]) / (log_snr[upper] - log_snr[upper - 1])
    return torch.lerp(dense[upper - 1], dense[upper], part).to(x)


@torch.no_grad()
def flow_euler(denoise: Denoiser, path: Path, x: Tensor, steps: int = 10) -> Tensor:
    """Euler steps of the flow's own ODE, dx/dt = z − x₀, on the linear path. NFE = steps."""
    if not isinstance(path, Linear):
        raise InputError("flow-euler is for the linear path only; use dpm-solver++")
    for now, then in pairwise(_even(1.0, 0.0, steps, x)):
        x = x + (then - now) * (x - denoise(x, now[None])) / now
    return x


@torch.no_grad()
def posterior_mean(denoise: Denoiser, diffusion: Diffusion, x: Tensor) -> Tensor:
    """E[x₀] in one evaluation: x̂₀ at t = 1, where x carries no information. NFE = 1."""
    diffusion.require_posterior_mean()
    return denoise(x, x.new_ones(1))


def build_sampler(name: str, steps: int = 0, generator: torch.Generator | None = None) -> Sampler:
    """A sampler by name.

    Args:
        name: one of `DEFAULT_STEPS`, or "auto", which is dpm-solver++: with few steps it keeps the
            spread that flow-euler narrows.
        steps: 0 takes the sampler's own default.
        generator: the randomness of euler-maruyama; no other sampler has any.

    Raises:
        InputError: for a name, steps or generator that does not do; when called, for flow-euler off
            the linear path, and posterior-mean with ε-prediction.
    """
    chosen = AUTO if name == "auto" else name
    if not isinstance(chosen, str) or chosen not in DEFAULT_STEPS:
        raise InputError(f"no sampler '{name}'; there are auto, {', '.join(DEFAULT_STEPS)}")
    if chosen == "euler-maruyama" and generator is None:
        raise InputError("euler-maruyama is random: it needs a generator")
    _require_generator(generator)
    require_count("a sampler's steps", steps)
    count = steps or DEFAULT_STEPS[chosen]

    def sampler(denoise: Denoiser, diffusion: Diffusion, x: Tensor) -> Tensor:
        path, start, begin = diffusion.path, diffusion.ode_start(), x
        if start != path.t_max:
            begin = x * float(path.marginal(torch.tensor([start]))[1]) / path.prior_std
        match chosen:
            case "euler-maruyama":
                return euler_maruyama(denoise, path, x, count, generator=generator)
            case "zero-temperature":
                return zero_temperature(denoise, path, x, count)
            case "probability-flow":
                return probability_flow(denoise, path, begin, count, start)
            case "dpm-solver++":
                return dpm_solver_pp_2m(denoise, path, begin, count, start)
            case "flow-euler":
                return flow_euler(denoise, path, x, count)
            case _:
                return posterior_mean(denoise, diffusion, x)

    return sampler


def evaluations(name: str, steps: int = 0) -> int:
    """Network evaluations (NFE) of `build_sampler`'s sampler; 0 steps are its default."""
    chosen = AUTO if name == "auto" else name
    count = steps or DEFAULT_STEPS[chosen]
    other = {"probability-flow": 2 * count, "dpm-solver++": count + 1, "posterior-mean": 1}
    return other.get(chosen, count)
