"""Samplers against a Gaussian, N(m, s²), whose denoiser is known in closed form, and a mixture of
two.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from unihpe.diffusion import sampling
from unihpe.diffusion.parametrisation import Denoiser, Diffusion, allowed
from unihpe.diffusion.sampling import build_sampler, evaluations, prior_noise
from unihpe.diffusion.sde import VE, VP, Linear, Path, SubVP
from unihpe.errors import InputError

MEAN, STD = 1.0, 0.25
PATHS: list[Path] = [SubVP(), VP(), VE(), Linear()]
every_path = pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
# Rows so that each shape holds about as many numbers: each coordinate is a sample of its own.
SHAPES = [(6_000, 3), (400, 17, 3)]
both_shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(path: Path, mean: float = MEAN, std: float = STD) -> Denoiser:
    """E[x₀ | x_t] for data N(mean, std²)."""

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        assert t.shape == (1,)
        alpha, sigma = path.marginal(t)
        return mean + alpha * std**2 / (alpha**2 * std**2 + sigma**2) * (x - alpha * mean)

    return denoise


def two_modes(path: Path) -> Denoiser:
    """E[x₀ | x_t] for data of 35 % N(−1, ¼²) and 65 % N(1, ¼²)."""

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = path.marginal(t)
        variance = alpha**2 * STD**2 + sigma**2
        modes = torch.tensor([-1.0, 1.0]).view(2, *(1,) * x.ndim)
        weight = torch.tensor([0.35, 0.65]).log().view_as(modes) - (x - alpha * modes) ** 2 / (
            2 * variance
        )
        means = modes + alpha * STD**2 / variance * (x - alpha * modes)
        return (weight.softmax(0) * means).sum(0)

    return denoise


def run(
    name: str,
    path: Path,
    shape: tuple[int, ...],
    steps: int,
    denoiser: Callable[[Path], Denoiser] = gaussian,
):
    noise = prior_noise(path, shape, generator())
    data = build_sampler(name, steps, generator(1))(denoiser(path), Diffusion(path, "x0"), noise)
    assert data.shape == shape and data.dtype == noise.dtype
    return data


@both_shapes
@every_path
@pytest.mark.parametrize(
    "name, steps", [("euler-maruyama", 500), ("probability-flow", 60), ("dpm-solver++", 40)]
)
def test_samplers_recover_the_gaussian(name: str, steps: int, path: Path, shape: tuple[int, ...]):
    data = run(name, path, shape, steps)
    assert float(data.mean()) == pytest.approx(MEAN, abs=0.012)
    assert float(data.std()) == pytest.approx(STD, rel=0.03)


@both_shapes
def test_flow_recovers_the_gaussian(shape: tuple[int, ...]):
    data = run("flow-euler", Linear(), shape, 200)
    assert float(data.mean()) == pytest.approx(MEAN, abs=0.01)
    assert float(data.std()) == pytest.approx(STD, rel=0.03)


@both_shapes
@every_path
def test_zero_temperature_collapses(path: Path, shape: tuple[int, ...]):
    """It has the right mean and next to no spread: no sampler, whatever it is called elsewhere."""
    data = run("zero-temperature", path, shape, 500)
    assert float(data.mean()) == pytest.approx(MEAN, abs=0.005)
    assert float(data.std()) < STD / 100


@every_path
def test_probability_flow_is_the_known_map(path: Path):
    """A Gaussian's flow is linear, x_t = αm + √(α²s² + σ²)·z with z fixed: each sample has its own
    place to reach.
    """
    start, end = (torch.tensor([t], dtype=torch.float64) for t in (path.t_max, 1e-3))

    def moments(t: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma = path.marginal(t)
        return alpha * MEAN, (alpha**2 * STD**2 + sigma**2).sqrt()

    z = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    (first, spread), (last, width) = moments(start), moments(end)
    errors = {}
    for steps in (200, 400):
        data = sampling.probability_flow(gaussian(path), path, first + spread * z, steps)
        errors[steps] = float((data - last - width * z).abs().max())
    assert errors[400] < 0.002
    assert errors[400] < 0.35 * errors[200], "Heun is of second order"


def distance_to_modes(data: Tensor) -> float:
    """W₁ between samples and the mixture: the mean gap of sorted values."""
    n = data.numel()
    light = round(0.35 * n)
    quantiles = torch.cat([torch.linspace(0.5 / k, 1 - 0.5 / k, k) for k in (light, n - light)])
    spread = math.sqrt(2) * STD * torch.erfinv(2 * quantiles - 1)
    truth = (spread + torch.cat([-torch.ones(light), torch.ones(n - light)])).sort().values
    return float((data.flatten().sort().values - truth).abs().mean())


@pytest.mark.parametrize("path", [SubVP(), VP(), Linear()], ids=lambda path: type(path).__name__)
def test_two_modes(path: Path):
    """Samplers find both modes with their weights; zero temperature puts nearly all into the heavy
    one.
    """
    for name, steps in [("euler-maruyama", 500), ("probability-flow", 20), ("dpm-solver++", 20)]:
        assert distance_to_modes(run(name, path, (10_000, 1), steps, two_modes)) < 0.035, name
    point = run("zero-temperature", path, (2_000, 1), 100, two_modes)
    assert (point > 0.8).all() and point.std() < 0.02


@every_path
def test_dpm_solver_converges_and_survives_many_steps(path: Path):
    noise = prior_noise(path, (200, 1), generator()).double()
    ten, forty, many = (
        sampling.dpm_solver_pp_2m(gaussian(path), path, noise, steps) for steps in (10, 40, 3_000)
    )
    assert torch.isfinite(many).all()
    assert (forty - many).abs().max() < 0.25 * (ten - many).abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@every_path
def test_dpm_grid_is_even_in_log_snr(path: Path, dtype: torch.dtype):
    grid = sampling._log_snr_times(path, 2_000, torch.zeros(1, dtype=dtype))
    alpha, sigma = path.marginal(grid)
    steps = (alpha / sigma).log().diff()
    assert float(grid[0]) == pytest.approx(path.t_max) and (grid.diff() < 0).all()
    assert_close(steps, steps.mean().expand_as(steps), rtol=0.02, atol=0)
    assert float(sigma[-1] / alpha[-1]) == pytest.approx(sampling.DPM_END, rel=1e-3)


@pytest.mark.parametrize("name", [*sampling.DEFAULT_STEPS, "auto"])
@pytest.mark.parametrize("path", [SubVP(), Linear()], ids=lambda path: type(path).__name__)
def test_cost_is_what_it_says(path: Path, name: str):
    path = Linear() if name == "flow-euler" else path  # which is the only one it follows
    denoise, calls = gaussian(path), []

    def counted(x: Tensor, t: Tensor) -> Tensor:
        calls.append(t)
        return denoise(x, t)

    for steps in (1, 7, 0):
        calls.clear()
        build_sampler(name, steps, generator())(counted, Diffusion(path, "x0"), torch.zeros(2, 3))
        assert len(calls) == evaluations(name, steps)


def test_defaults():
    assert evaluations("euler-maruyama") == 1000, "the paper's"
    assert evaluations("auto") == 11
    assert evaluations("posterior-mean", 50) == 1


def test_euler_maruyama_is_a_function_of_its_generator():
    path, x = SubVP(), torch.zeros(2, 3)
    one, same, other = (
        sampling.euler_maruyama(gaussian(path), path, x, 20, generator=generator(seed))
        for seed in (3, 3, 4)
    )
    assert torch.equal(one, same) and not torch.allclose(one, other)


def test_the_last_euler_maruyama_step_adds_no_noise():
    """One step has nothing random left: x − (f·x − g²·score)·dt, by hand for sub-VP at t = 1."""
    path, x, t = SubVP(), torch.tensor([[0.5]]), torch.ones(1)
    (alpha, sigma), (f, g2) = path.marginal(t), path.coefficients(t)
    slope = f * x - g2 * (alpha * gaussian(path)(x, t) - x) / sigma**2
    assert_close(
        sampling.euler_maruyama(gaussian(path), path, x, 1, generator=generator()),
        x - slope * 0.999,
    )
    assert_close(sampling.zero_temperature(gaussian(path), path, x, 1), x - slope * 0.999)


def test_where_sampling_stops_can_be_chosen():
    path = VP()
    spread = {}
    for end in (1e-3, 0.3):
        noise = prior_noise(path, (4_000, 1), generator())
        spread[end] = float(
            sampling.probability_flow(gaussian(path), path, noise, 60, t_end=end).std()
        )
    alpha, sigma = path.marginal(torch.tensor(0.3))
    assert spread[0.3] == pytest.approx(float((alpha**2 * STD**2 + sigma**2).sqrt()), rel=0.03)
    assert spread[1e-3] == pytest.approx(STD, rel=0.03)


@every_path
def test_posterior_mean_needs_no_noise(path: Path):
    for prediction in allowed(path):
        diffusion = Diffusion(path, prediction)
        if prediction == "epsilon":
            with pytest.raises(InputError, match="choose a sampler"):
                sampling.posterior_mean(gaussian(path), diffusion, torch.zeros(2, 3))
        else:
            mean = sampling.posterior_mean(gaussian(path), diffusion, torch.zeros(2, 3))
            assert_close(mean, torch.full((2, 3), MEAN), atol=1e-3, rtol=0)


@every_path
def test_prior_noise(path: Path):
    noise = prior_noise(path, (20_000, 2), generator())
    assert noise.shape == (20_000, 2)
    assert float(noise.std()) == pytest.approx(path.prior_std, rel=0.02)
    assert torch.equal(noise, prior_noise(path, (20_000, 2), generator()))


def test_no_gradients_are_kept():
    path, weight = SubVP(), torch.ones(1, requires_grad=True)
    for name in (
        "euler-maruyama",
        "zero-temperature",
        "probability-flow",
        "dpm-solver++",
        "posterior-mean",
    ):
        data = build_sampler(name, 3, generator())(
            lambda x, t: x * weight, Diffusion(path, "v"), torch.ones(2, 3)
        )
        assert not data.requires_grad, name


def test_bad_choices_are_refused():
    with pytest.raises(InputError, match="no sampler 'ddim'; there are auto, euler-maruyama"):
        build_sampler("ddim")
    with pytest.raises(InputError, match="needs a generator"):
        build_sampler("euler-maruyama")
    with pytest.raises(InputError, match="steps must be a whole number, 0 or more, not -3"):
        build_sampler("dpm-solver++", -3)
    with pytest.raises(InputError, match="linear path only"):
        build_sampler("flow-euler")(gaussian(VP()), Diffusion(VP(), "v"), torch.zeros(1, 3))
    x, path = torch.zeros(1, 3), Linear()
    for sampler in (
        sampling.zero_temperature,
        sampling.probability_flow,
        sampling.dpm_solver_pp_2m,
        sampling.flow_euler,
    ):
        with pytest.raises(InputError, match="steps must be a whole number, 1 or more, not 0"):
            sampler(gaussian(path), path, x, 0)


@pytest.mark.parametrize("path", [VP(), SubVP(), VE()])
def test_ode_samplers_begin_late_with_noise_prediction(path):
    """A network whose ε̂ is a little off everywhere: from t = 1 the ODE would end far away, from
    α/σ = 0.08 it does not.
    """
    assert Diffusion(path, "x0").ode_start() == path.t_max
    diffusion = Diffusion(path, "epsilon")
    alpha, sigma = path.marginal(torch.tensor([diffusion.ode_start()], dtype=torch.float64))
    assert (alpha / sigma).item() == pytest.approx(0.08, rel=0.02)

    def off(x, t):  # the data lie at 0.5 with spread 0.3; ε̂ is the exact one plus 0.03
        a, s = (part.to(x) for part in path.marginal(t))
        mean = (0.5 / 0.09 + a * x / s**2) / (1 / 0.09 + a**2 / s**2)
        return (x - a * mean) / s + 0.03

    noise = (
        torch.randn(2000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        * path.prior_std
    )
    denoise = diffusion.denoiser(
        lambda x, t: off(
            x * (1 if not isinstance(path, VE) else (1 + path.marginal(t)[1] ** 2).sqrt()), t
        )
    )
    for name in ("dpm-solver++", "probability-flow"):
        found = build_sampler(name, 20)(denoise, diffusion, noise)
        assert abs(found.mean().item() - 0.5) < 0.3 and found.abs().max() < 3
