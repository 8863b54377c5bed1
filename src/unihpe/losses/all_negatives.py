"""L_triplet against every triplet that holds one of the anchor's embeddings (eq. 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unihpe.losses.eigenvalue import eigenvalue_gradient, largest_eigenvalue

Cosines = tuple[Tensor, Tensor, Tensor]
BLOCK = 16  # anchors of "all negatives" worked on at a time


def all_negatives_loss(cosines: Cosines, temperature: Tensor | float) -> Tensor:
    """Each anchor n against every triplet that holds at least one of its three embeddings.

    Args:
        cosines: image–2D, image–3D and 2D–3D, (B, B) each.
    """
    tau = torch.as_tensor(temperature, dtype=cosines[0].dtype, device=cosines[0].device)
    result: Tensor = AllNegatives.apply(*cosines, tau)  # type: ignore[no-untyped-call]
    return result


class AllNegatives(torch.autograd.Function):
    """−log softmax of each anchor's positive over all its triplets, block by block.

    The triplets of anchor n are three disjoint slabs of the B × B × B cube: {i = n}, {i ≠ n, j =
    n}, {i ≠ n, j ≠ n, k = n}. Only one slab of a block of anchors exists at a time, forward and
    backward.
    """

    @staticmethod
    def forward(ctx: Any, ab: Tensor, ac: Tensor, bc: Tensor, tau: Tensor) -> Tensor:
        total = torch.cat(
            [
                torch.stack(
                    [torch.logsumexp((x / tau).flatten(1), 1) for x in slab_values(ab, ac, bc, n)]
                ).logsumexp(0)
                for n in blocks(len(ab), ab)
            ]
        )
        own = largest_eigenvalue(ab.diagonal(), ac.diagonal(), bc.diagonal())
        ctx.save_for_backward(ab, ac, bc, tau, total)
        return (total - own / tau).mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ab, ac, bc, tau, total = ctx.saved_tensors
        size = len(ab)
        grads = torch.zeros_like(ab), torch.zeros_like(ac), torch.zeros_like(bc)
        grad_tau = torch.zeros_like(tau)
        for n in blocks(size, ab):
            for slab in range(3):
                values, cosines, places = slab_of(ab, ac, bc, n, slab)
                share = torch.exp(
                    values / tau - total[n][:, None, None]
                )  # softmax weights, (n, B, B)
                grad_tau = grad_tau - torch.where(share > 0, share * values, 0.0).sum() / tau**2
                for grad, slope, (row, column) in zip(
                    grads, eigenvalue_gradient(*cosines), places, strict=True
                ):
                    weight = (share * slope).nan_to_num_(0.0)
                    grad.view(-1).index_add_(
                        0, (row * size + column).expand_as(weight).reshape(-1), weight.reshape(-1)
                    )
        own_cosines = ab.diagonal(), ac.diagonal(), bc.diagonal()
        for grad, slope in zip(grads, eigenvalue_gradient(*own_cosines), strict=True):
            grad.diagonal().sub_(slope)
        own = largest_eigenvalue(*own_cosines)
        grad_tau = grad_tau + own.sum() / tau**2
        scale = gradients[0] / size
        return (*(scale * grad / tau for grad in grads), scale * grad_tau)


def blocks(size: int, like: Tensor) -> tuple[Tensor, ...]:
    """Anchors in blocks."""
    anchors: tuple[Tensor, ...] = torch.arange(size, device=like.device).split(BLOCK)
    return anchors


def slab_values(ab: Tensor, ac: Tensor, bc: Tensor, n: Tensor) -> list[Tensor]:
    """λ₁ over the three slabs of the anchors n, (n, B, B) each; −∞ where a slab gives way to an earlier one."""
    return [slab_of(ab, ac, bc, n, slab)[0] for slab in range(3)]


def slab_of(
    ab: Tensor, ac: Tensor, bc: Tensor, n: Tensor, slab: int
) -> tuple[Tensor, Cosines, tuple[tuple[Tensor, Tensor], ...]]:
    """One slab: its λ₁ (n, B, B), the three cosines, and where in the three matrices each cosine came from."""
    every = torch.arange(len(ab), device=ab.device)
    anchor, second, third = n[:, None, None], every[None, :, None], every[None, None, :]
    i, j, k = ((anchor, second, third), (second, anchor, third), (second, third, anchor))[slab]
    cosines = ab[i, j], ac[i, k], bc[j, k]
    a, b, c = torch.broadcast_tensors(*cosines)
    values = largest_eigenvalue(a, b, c)
    earlier = (False, i == anchor, (i == anchor) | (j == anchor))[slab]
    if slab:
        values = values.masked_fill(torch.as_tensor(earlier, device=ab.device), -torch.inf)
    return values, (a, b, c), ((i, j), (i, k), (j, k))
