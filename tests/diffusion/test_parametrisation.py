"""Parametrisations: every allowed pair turns its own target back into the data; the others are
refused.
"""

import itertools
from typing import get_args

import pytest
import torch
from torch.testing import assert_close

from unihpe.diffusion.parametrisation import T_MIN, Diffusion, Prediction, allowed, score
from unihpe.diffusion.sde import VE, VP, Linear, Path, SubVP
from unihpe.errors import InputError

PATHS: list[Path] = [SubVP(), VP(), VE(), Linear()]
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)
PAIRS = [Diffusion(path, prediction) for path in PATHS for prediction in allowed(path)]
every_pair = pytest.mark.parametrize(
    "diffusion", PAIRS, ids=lambda d: f"{type(d.path).__name__}-{d.prediction}"
)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64
    )


def test_the_pairs_that_are_well_posed():
    assert {(type(d.path).__name__, d.prediction) for d in PAIRS} == {
        *(("SubVP", p) for p in ("epsilon", "v", "x0")),
        *(("VP", p) for p in ("epsilon", "v", "x0")),
        *(("VE", p) for p in ("epsilon", "x0")),
        *(("Linear", p) for p in ("v", "x0", "flow")),
    }


def test_other_pairs_are_refused_with_the_allowed_ones():
    for path, prediction in itertools.product(PATHS, PREDICTIONS):
        if prediction in allowed(path):
            continue
        with pytest.raises(InputError) as caught:
            Diffusion(path, prediction)
        message = str(caught.value)
        assert message.startswith(f"{prediction}-prediction") and type(path).__name__ in message
        assert all(other in message for other in allowed(path)) and "\n" not in message


@every_pair
@pytest.mark.parametrize("shape", [(6, 3), (6, 17, 3), (6, 2, 17, 2)], ids=str)
def test_target_comes_back_as_data(diffusion: Diffusion, shape: tuple[int, ...]):
    t = torch.tensor([T_MIN, 0.01, 0.2, 0.5, 0.9, 0.999], dtype=torch.float64)
    x0, noise = draw(*shape), draw(*shape, 2)[..., 0]
    x_t = diffusion.noised(x0, noise, t)
    back = diffusion.denoised(diffusion.target(x0, noise, t), x_t, t)
    assert_close(back, x0, rtol=0, atol=1e-9)


@every_pair
def test_one_time_for_the_batch_is_as_good_as_a_time_for_each(diffusion: Diffusion):
    x, output, t = (
        draw(5, 17, 3),
        draw(5, 17, 3, 2)[..., 1],
        torch.tensor([0.3], dtype=torch.float64),
    )
    assert_close(diffusion.denoised(output, x, t), diffusion.denoised(output, x, t.expand(5)))


def test_noised_by_hand():
    x0, noise = torch.tensor([[2.0], [2.0]]), torch.tensor([[-1.0], [10.0]])
    assert_close(
        Diffusion(Linear(), "flow").noised(x0, noise, torch.tensor([0.25, 0.5])),
        torch.tensor([[1.25], [6.0]]),
    )
    assert_close(
        Diffusion(VE(), "x0").noised(x0, noise, torch.tensor([1.0, 0.0])),
        torch.tensor([[-48.0], [2.1]]),
    )


def test_targets_by_hand():
    x0, noise, t = torch.tensor([[2.0]]), torch.tensor([[-1.0]]), torch.tensor([0.25])
    assert Diffusion(Linear(), "flow").target(x0, noise, t).item() == -3
    assert Diffusion(Linear(), "v").target(x0, noise, t).item() == pytest.approx(
        0.75 * -1 - 0.25 * 2
    )
    assert Diffusion(VP(), "epsilon").target(x0, noise, t) is noise
    assert Diffusion(VP(), "x0").target(x0, noise, t) is x0


def test_flow_is_the_velocity_of_its_path():
    diffusion, x0, noise = Diffusion(Linear(), "flow"), draw(3, 4), draw(3, 4, 2)[..., 0]
    t = torch.full((3,), 0.4, dtype=torch.float64)
    step = (diffusion.noised(x0, noise, t + 1e-6) - diffusion.noised(x0, noise, t - 1e-6)) / 2e-6
    assert_close(step, diffusion.target(x0, noise, t), rtol=0, atol=1e-8)


def test_epsilon_magnifies_errors_at_the_end_and_v_does_not():
    t, x, error = torch.ones(1), torch.zeros(1, 3), torch.full((1, 3), 1e-3)
    grown = {
        d.prediction: float(d.denoised(error, x, t).abs().max()) for d in PAIRS if d.path == SubVP()
    }
    assert grown["epsilon"] > 0.15 and grown["v"] < 1.1e-3 and grown["x0"] < 1.1e-3


def test_posterior_mean_is_for_all_but_epsilon():
    for diffusion in PAIRS:
        assert diffusion.allows_posterior_mean == (diffusion.prediction != "epsilon")
        if diffusion.allows_posterior_mean:
            diffusion.require_posterior_mean()
        else:
            with pytest.raises(InputError, match="choose a sampler"):
                diffusion.require_posterior_mean()


def test_clamped_times_cover_the_trained_range():
    t = Diffusion(SubVP(), "v").clamp_time(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
    assert_close(t, torch.tensor([T_MIN, 0.5 + T_MIN / 2, 1.0], dtype=torch.float64))


@every_pair
def test_network_input_stays_of_unit_size(diffusion: Diffusion):
    """Unit data and noise: VE must be scaled down from 50, the others are near 1 already (sub-VP's
    least is √0.75).
    """
    x0, noise = draw(20_000, 1), draw(20_000, 1, 2)[..., 0]
    for time in (T_MIN, 0.3, 0.7, 1.0):
        t = torch.tensor([time], dtype=torch.float64)
        assert 0.69 < diffusion.scaled(diffusion.noised(x0, noise, t), t).std() < 1.02


def test_denoiser_scales_what_the_network_sees_but_not_what_it_means():
    diffusion, t = Diffusion(VE(), "epsilon"), torch.ones(1, dtype=torch.float64)
    x0, noise = draw(4, 3), draw(4, 3, 2)[..., 0]
    x, seen = diffusion.noised(x0, noise, t), []

    def network(x_t: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        seen.append((x_t, time))
        return noise

    assert_close(diffusion.denoiser(network)(x, t), x0)
    assert_close(seen[0][0], x / (1 + 50.0**2) ** 0.5)
    assert seen[0][1] is t


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_score_is_the_gradient_of_the_log_density(path: Path):
    """Data N(m, s²) has x_t ~ N(αm, α²s² + σ²), whose score autograd gives."""
    mean, std = 0.7, 0.4
    t = torch.tensor([0.05, 0.3, 0.8], dtype=torch.float64)
    x = draw(3, 2).requires_grad_()
    alpha, sigma = (part[:, None] for part in path.marginal(t))
    variance = (alpha * std) ** 2 + sigma**2
    (expected,) = torch.autograd.grad((-((x - alpha * mean) ** 2) / (2 * variance)).sum(), x)

    def denoise(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return mean + alpha * std**2 / variance * (x - alpha * mean)

    assert_close(score(denoise, path, x, t), expected, rtol=1e-9, atol=1e-9)
