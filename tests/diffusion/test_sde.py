"""Paths: values worked out by hand, and each path's marginals against its coefficients."""

import math

import pytest
import torch
from torch.testing import assert_close

from unihpe.diffusion.sde import VE, VP, Linear, Path, SubVP, build_path, over

PATHS: list[Path] = [
    SubVP(),
    VP(),
    VE(),
    Linear(),
    SubVP(beta_min=0.5, beta_max=8.0),
    VE(sigma_min=0.1, sigma_max=7.0),
]
named = pytest.mark.parametrize("path", PATHS, ids=str)


def at(*times: float) -> torch.Tensor:
    return torch.tensor(times, dtype=torch.float64)


def test_published_values():
    # t = 0.001, 0.1, 0.5, 1: α from ∫β = 0.1t + 9.95t², then VP's √(1 − α²) and sub-VP's 1 − α².
    t = at(0.001, 0.1, 0.5, 1.0)
    alpha = [math.exp(-0.5 * (0.1 * s + 9.95 * s * s)) for s in t.tolist()]
    assert_close(VP().marginal(t)[0], at(0.99995, 0.947, 0.281, 0.00657), atol=5e-4, rtol=0)
    assert_close(VP().marginal(t)[1], at(0.0105, 0.322, 0.960, 1.0), atol=5e-4, rtol=0)
    assert_close(SubVP().marginal(t)[1], at(0.00011, 0.104, 0.921, 1.0), atol=5e-4, rtol=0)
    assert_close(SubVP().marginal(t), (at(*alpha), at(*(1 - a * a for a in alpha))))
    assert_close(VE().marginal(at(0.0, 0.5, 1.0)), (at(1, 1, 1), at(0.01, math.sqrt(0.5), 50)))
    assert_close(Linear().marginal(at(0.0, 0.25, 1.0)), (at(1, 0.75, 0), at(0, 0.25, 1)))


def test_coefficients_by_hand():
    beta = 0.1 + 0.5 * 19.9  # at t = ½, where ∫β = 2.5375
    assert_close(VP().coefficients(at(0.5)), (at(-beta / 2), at(beta)))
    assert_close(
        SubVP().coefficients(at(0.5)), (at(-beta / 2), at(beta * (1 - math.exp(-2 * 2.5375))))
    )
    assert_close(VE().coefficients(at(0.5)), (at(0), at(2 * math.log(5000) * 0.5)))
    assert_close(Linear().coefficients(at(0.5)), (at(-2), at(2)))


@named
def test_coefficients_agree_with_marginals(path: Path):
    """f = d log α/dt, and dσ²/dt = 2f·σ² + g²: what makes the SDE have these marginals."""
    t = torch.linspace(0.01, path.t_max - 0.01, 50, dtype=torch.float64).requires_grad_()
    alpha, sigma = path.marginal(t)
    f, g2 = path.coefficients(t)
    (growth,) = torch.autograd.grad((alpha.log() + 0 * t).sum(), t, retain_graph=True)
    (variance,) = torch.autograd.grad(sigma.square().sum(), t)
    assert_close(f.detach(), growth, rtol=1e-9, atol=1e-12)
    assert_close((2 * f * sigma**2 + g2).detach(), variance, rtol=1e-9, atol=1e-12)


@named
def test_noise_grows_against_data(path: Path):
    alpha, sigma = path.marginal(torch.linspace(0.0, 1.0, 101, dtype=torch.float64))
    ratio = sigma / alpha.clamp_min(1e-12)
    assert (ratio.diff() > 0).all()
    assert ratio[0] <= 0.02 * path.prior_std
    assert math.isclose(sigma[-1], path.prior_std, rel_tol=0.02)  # 1.4 % for the gentle sub-VP


@named
def test_float32_loses_nothing_to_cancellation(path: Path):
    """float32 agrees with float64 right down to the shortest time that is trained on."""
    t = torch.tensor([1e-5, 1e-3, 0.02, 0.5, 0.99])
    for short, exact in zip(
        (*path.marginal(t), *path.coefficients(t)),
        (*path.marginal(t.double()), *path.coefficients(t.double())),
        strict=True,
    ):
        assert_close(short.double(), exact, rtol=1e-5, atol=0)


def test_linear_stops_short_of_its_singularity():
    assert Linear.t_max < 1
    assert all(torch.isfinite(part).all() for part in Linear().coefficients(at(Linear.t_max)))


def test_over_broadcasts_over_any_rank():
    for shape in [(4,), (4, 3), (4, 17, 3), (4, 2, 17, 3)]:
        x, values = torch.ones(shape), torch.arange(4.0)
        product = over(values, x) * x
        assert product.shape == shape
        assert_close(product.flatten(1).mean(1) if len(shape) > 1 else product, values)
    assert (over(torch.ones(1), torch.ones(4, 17, 3)) * torch.ones(4, 17, 3)).shape == (4, 17, 3)


def test_build_path():
    assert [build_path(kind) for kind in ("sub_vp", "vp", "ve", "linear")] == [
        SubVP(),
        VP(),
        VE(),
        Linear(),
    ]
    assert SubVP() != VP()
