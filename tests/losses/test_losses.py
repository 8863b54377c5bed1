"""Contrastive losses against naive twins, known values, and the closed form's degenerate points."""

import math
import re
import subprocess
import sys
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from unihpe.errors import InputError
from unihpe.losses import (
    clamp_log_scale_,
    heatmap_loss,
    largest_eigenvalue,
    masked_distance,
    masked_mean_square,
    multimodal_loss,
    pair_loss,
    sample_triplets,
    triplet_loss,
)


def unit(*shape: int, seed: int = 0) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(values, dim=-1)


def three(batch: int = 5, width: int = 8, seed: int = 0) -> list[Tensor]:
    return [x.clone().requires_grad_() for x in unit(3, batch, width, seed=seed)]


def eig(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    one = torch.ones_like(a)
    return torch.linalg.eigvalsh(
        torch.stack([one, a, b, a, one, c, b, c, one], -1).unflatten(-1, (3, 3))
    )[..., -1]


def cosines(count: int, width: int = 3, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    x, y, z = unit(3, count, width, seed=seed)
    return (x * y).sum(-1), (x * z).sum(-1), (y * z).sum(-1)


# pair


@pytest.mark.parametrize("directions", ["one", "both"])
def test_pair_loss_is_equation_1(directions):
    x, y, tau = unit(6, 8), unit(6, 8, seed=1), 0.2

    def one_way(s: Tensor, t: Tensor) -> float:
        total = 0.0
        for n in range(6):
            total -= math.log(
                math.exp(s[n] @ t[n] / tau) / sum(math.exp(s[n] @ t[i] / tau) for i in range(6))
            )
        return total / 6

    expected = one_way(x, y) if directions == "one" else (one_way(x, y) + one_way(y, x)) / 2
    assert pair_loss(x, y, tau, directions).item() == pytest.approx(expected, abs=1e-9)


def test_pair_loss_of_equal_embeddings_is_log_b():
    same = torch.ones(7, 4, dtype=torch.float64)
    assert pair_loss(same, same, 0.3).item() == pytest.approx(math.log(7))


def test_rows_are_brought_to_unit_length():
    x, y = unit(6, 8), unit(6, 8, seed=1)
    assert_close(pair_loss(3 * x, 0.1 * y, 0.2), pair_loss(x, y, 0.2))


def test_losses_stay_in_float32_under_autocast():
    x, y, z = (t.float() for t in unit(3, 64, 128))
    triplets = sample_triplets(64, torch.Generator().manual_seed(0))
    plain = pair_loss(x, y, 0.01), triplet_loss(x, y, z, 0.01, triplets=triplets)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = pair_loss(x, y, 0.01), triplet_loss(x, y, z, 0.01, triplets=triplets)
    assert_close(mixed, plain)


# the eigenvalue


@pytest.mark.parametrize("width", [3, 4, 64])
def test_eigenvalue_and_gradient_agree_with_eigvalsh(width):
    closed = [x.requires_grad_() for x in cosines(2000, width)]
    twin = [x.detach().clone().requires_grad_() for x in closed]
    value, expected = largest_eigenvalue(*closed), eig(*twin)
    assert_close(value, expected, atol=1e-9, rtol=0)
    value.sum().backward()
    expected.sum().backward()
    for x, y in zip(closed, twin, strict=True):
        assert_close(x.grad, y.grad, atol=1e-6, rtol=0)


def test_gradcheck_off_degeneracy():
    points = [
        torch.tensor(values, dtype=torch.float64, requires_grad=True)
        for values in ([0.5, 0.9], [0.3, -0.2], [0.1, 0.4])
    ]
    assert torch.autograd.gradcheck(largest_eigenvalue, points)


@pytest.mark.parametrize(
    ("point", "value"),
    [((0, 0, 0), 1), ((1, 1, 1), 3), ((1, 0, 0), 2), ((1, -1, -1), 3), ((-0.5, -0.5, -0.5), 1.5),
     ((0.4, -0.4, 0.4), 1.4), ((1e-12, 1e-12, -1e-12), 1), ((0.7, 0.7, 0.7), 2.4)],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_known_values_and_bounded_gradients_at_degenerate_points(point, value, dtype):
    x = [torch.tensor(float(p), dtype=dtype, requires_grad=True) for p in point]
    result = largest_eigenvalue(*x)
    result.backward()
    assert result.item() == pytest.approx(value, abs=1e-6)
    slopes = torch.stack([t.grad for t in x])
    assert torch.isfinite(slopes).all() and slopes.abs().max() <= 1 + 1e-6
    # a subgradient: λ₁ is convex in the cosines, so it lies above its tangent everywhere
    others = torch.stack(cosines(500)).to(dtype)
    tangent = result.detach() + (
        slopes[:, None] * (others - torch.tensor(point, dtype=dtype)[:, None])
    ).sum(0)
    assert (largest_eigenvalue(*others) >= tangent - 1e-5).all()


@pytest.mark.parametrize("signs", [(-1, -1, -1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)])
def test_the_double_eigenvalue_takes_the_mean_of_the_eigenspace(signs):
    x = [torch.tensor(0.3 * s, dtype=torch.float64, requires_grad=True) for s in signs]
    largest_eigenvalue(*x).backward()
    assert_close(torch.stack([t.grad for t in x]), torch.tensor(signs, dtype=torch.float64) / 3)


def test_float32_is_accurate_near_the_double_eigenvalue():
    generator = torch.Generator().manual_seed(0)
    points = -0.4 + 1e-3 * torch.randn(3, 5000, generator=generator, dtype=torch.float64)
    single = largest_eigenvalue(*points.float())
    assert (single.double() - largest_eigenvalue(*points)).abs().max() < 1e-6


# triplets


def naive_triplet(x: list[Tensor], triplets: Tensor, tau: float) -> Tensor:
    rows = []
    for n in range(len(triplets)):
        stacks = [torch.stack([x[m][row[m]] for m in range(len(x))]) for row in triplets[n]]
        logits = torch.stack([torch.linalg.svdvals(stack)[0] ** 2 for stack in stacks]) / tau
        rows.append(-F.log_softmax(logits, dim=0)[0])
    return torch.stack(rows).mean()


@pytest.mark.parametrize("eigenvalue", ["closed", "eigvalsh"])
def test_sampled_triplet_loss_is_algorithm_2(eigenvalue):
    x, twin = three(), three()
    triplets = sample_triplets(5, torch.Generator().manual_seed(1))
    closed = eigenvalue == "closed"
    loss = triplet_loss(*x, 0.2, triplets=triplets) if closed else multimodal_loss(x, 0.2, triplets)
    expected = naive_triplet(twin, triplets, 0.2)
    assert_close(loss, expected, atol=1e-9, rtol=0)
    loss.backward()
    expected.backward()
    for a, b in zip(x, twin, strict=True):
        # rows are normalised inside: compare the part of the gradient along the sphere
        along = b.grad - (b.grad * b).sum(-1, keepdim=True) * b
        assert_close(a.grad, along, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("batch", [2, 5, 19])
def test_all_negatives_enumerate_every_triplet_that_touches_the_anchor(batch):
    x, twin = three(batch), three(batch)
    tau = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    tau_twin = tau.detach().clone().requires_grad_()
    loss = triplet_loss(*x, tau)
    rows = []
    for n in range(batch):
        keys = [key for key in product(range(batch), repeat=3) if n in key]
        assert len(keys) == 3 * batch * batch - 3 * batch + 1
        i, j, k = torch.tensor(keys).T
        m1, m2, m3 = twin[0] @ twin[1].T, twin[0] @ twin[2].T, twin[1] @ twin[2].T
        logits = eig(m1[i, j], m2[i, k], m3[j, k]) / tau_twin
        rows.append(torch.logsumexp(logits, 0) - logits[keys.index((n, n, n))])
    expected = torch.stack(rows).mean()
    assert_close(loss, expected, atol=1e-9, rtol=0)
    loss.backward()
    expected.backward()
    assert_close(tau.grad, tau_twin.grad, atol=1e-8, rtol=1e-6)
    for a, b in zip(x, twin, strict=True):
        along = b.grad - (b.grad * b).sum(-1, keepdim=True) * b
        assert_close(a.grad, along, atol=1e-6, rtol=1e-5)


def test_all_negatives_keep_no_cube_for_the_backward_pass():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    ):
        triplet_loss(*three(40), 0.1)
    assert max(kept) <= 40 * 40


def test_sampled_triplets_follow_algorithm_1():
    triplets = sample_triplets(30, torch.Generator().manual_seed(0))
    own = torch.arange(30)
    assert triplets.shape == (30, 30, 3)
    assert (triplets[:, 0] == own[:, None]).all()  # column 0 is the positive
    assert (triplets[..., 0] == own[:, None]).all()  # every triplet of row n holds picture n
    for column, modality in product(range(1, 30), (1, 2)):
        assert sorted(triplets[:, column, modality].tolist()) == own.tolist()
    assert not torch.equal(triplets[:, 1, 1], triplets[:, 2, 1])
    assert torch.equal(triplets, sample_triplets(30, torch.Generator().manual_seed(0)))


def test_accidental_positives_are_kept_or_masked():
    x = three(4)
    triplets = sample_triplets(4, torch.Generator().manual_seed(0))
    triplets[:, 2] = torch.arange(4)[:, None]  # a whole column of accidental positives
    kept = triplet_loss(*x, 0.2, triplets=triplets)
    masked = triplet_loss(*x, 0.2, triplets=triplets, accidental="mask")
    columns = [0, 1, 3]
    chance = (triplets[:, columns[1:]] == torch.arange(4)[:, None, None]).all(-1).any()
    assert kept > masked
    if not chance:
        assert_close(masked, triplet_loss(*x, 0.2, triplets=triplets[:, columns]))


def test_perfect_alignment_has_finite_gradients():
    x = torch.ones(6, 4, requires_grad=True)
    for loss in (
        triplet_loss(x, x, x, 0.1),
        triplet_loss(x, x, x, 0.1, triplets=sample_triplets(6, torch.Generator())),
    ):
        (gradient,) = torch.autograd.grad(loss, x)
        assert torch.isfinite(gradient).all()


def test_multimodal_loss_is_the_triplet_loss_for_three():
    x = three(6)
    triplets = sample_triplets(6, torch.Generator().manual_seed(2))
    assert_close(
        multimodal_loss(x, 0.2, triplets),
        triplet_loss(*x, 0.2, triplets=triplets),
        atol=1e-9,
        rtol=0,
    )


@pytest.mark.parametrize("k", [2, 4, 5])
def test_multimodal_loss_agrees_with_the_naive_twin(k):
    x = list(unit(k, 5, 8))
    triplets = sample_triplets(5, torch.Generator().manual_seed(3), modalities=k)
    assert_close(
        multimodal_loss(x, 0.2, triplets), naive_triplet(x, triplets, 0.2), atol=1e-9, rtol=0
    )


# the rest


def test_the_clamp_works_in_place_on_the_temperature():
    scale = torch.tensor(math.log(500.0))
    clamp_log_scale_(scale, 0.01, 1e4)
    assert scale.item() == pytest.approx(math.log(100))
    scale.fill_(-50)
    clamp_log_scale_(scale, 0.01, 1e4)
    assert scale.item() == pytest.approx(-math.log(1e4))


def test_decoding_losses_by_hand_and_masked():
    guess, truth = torch.zeros(2, 2, 3), torch.zeros(2, 2, 3)
    guess[0, 0] = torch.tensor([1.0, 2.0, 2.0])
    seen = torch.tensor([[True, False], [False, True]])
    assert masked_mean_square(guess, truth).item() == pytest.approx(9 / 12)
    assert masked_mean_square(guess, truth, seen).item() == pytest.approx(1.5)
    assert masked_distance(guess, truth, seen).item() == pytest.approx(1.5, abs=1e-3)


def test_a_batch_without_a_seen_joint_gives_zero_and_no_gradient():
    guess = torch.ones(2, 3, 2, requires_grad=True)
    for loss in (masked_mean_square, masked_distance):
        value = loss(guess, torch.zeros(2, 3, 2), torch.zeros(2, 3, dtype=torch.bool))
        (gradient,) = torch.autograd.grad(value, guess)
        assert value == 0 and (gradient == 0).all()


@pytest.mark.parametrize("shape", [(4, 8), (5, 7), (8,)])
def test_embeddings_that_do_not_fit_are_named(shape):
    x, other, triplets = torch.ones(5, 8), torch.ones(shape), sample_triplets(5, torch.Generator())
    named = rf"\(B, D\).*\(5, 8\).*{re.escape(str(shape))}"
    for loss in (
        lambda: pair_loss(x, other, 0.1),
        lambda: triplet_loss(x, x, other, 0.1),
        lambda: triplet_loss(x, other, x, 0.1, triplets=triplets),
        lambda: multimodal_loss([x, x, x, other], 0.1, triplets),
    ):
        with pytest.raises(ValueError, match=named) as caught:
            loss()
        assert "\n" not in str(caught.value)


def test_triplets_and_poses_that_do_not_fit_are_named():
    x = torch.ones(5, 8)
    triplets = sample_triplets(4, torch.Generator())
    with pytest.raises(ValueError, match=r"are \(5, N, 3\), not \(4, 4, 3\)"):
        triplet_loss(x, x, x, 0.1, triplets=triplets)
    with pytest.raises(ValueError, match=r"are \(4, N, 2\), not \(4, 4, 3\)"):
        multimodal_loss([x[:4], x[:4]], 0.1, triplets)
    poses, seen = torch.ones(4, 17, 3), torch.ones(4, 17, dtype=torch.bool)
    for loss in (masked_mean_square, masked_distance):
        with pytest.raises(ValueError, match=r"are \(4, 17, 3\) and \(1, 17, 3\)"):
            loss(poses, poses[:1])
        with pytest.raises(ValueError, match=r"are \(4, 17\) and \(3, 17\)"):
            loss(poses, poses, seen[:3])
    with pytest.raises(ValueError, match="shapes must agree"):
        heatmap_loss(torch.ones(4, 17, 8, 6), torch.ones(1, 17, 8, 6), torch.ones(4, 17))


def test_losses_need_torch_alone():
    names = "('cv2', 'pydantic', 'typer', 'rich', 'safetensors')"
    code = f"import unihpe.losses, sys; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_negatives_go_backward_again_or_say_that_they_cannot():
    rows = [torch.randn(5, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    loss = triplet_loss(*rows, 0.1)
    loss.backward(retain_graph=True)
    first = [row.grad.clone() for row in rows]
    loss.backward()
    for row, once in zip(rows, first, strict=True):
        assert_close(row.grad, 2 * once)
    with pytest.raises(
        InputError, match="no second derivative; sample some .* or leave create_graph"
    ):
        torch.autograd.grad(triplet_loss(*rows, 0.1), rows, create_graph=True)


def test_sampled_triplets_have_a_second_derivative():
    triplets = sample_triplets(4, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randn(4, 5, dtype=torch.float64, generator=generator) for _ in range(3)]
    rows = [row.requires_grad_() for row in rows]
    assert torch.autograd.gradgradcheck(lambda *x: triplet_loss(*x, 0.5, triplets=triplets), rows)
