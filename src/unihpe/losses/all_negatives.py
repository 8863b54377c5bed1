"""L_triplet against every triplet that holds one of the anchor's embeddings (eq. 3)."""

from typing import Any

import torch
from torch import Tensor

from unihpe.errors import InputError
from unihpe.losses.eigenvalue import eigenvalue_gradient, largest_eigenvalue
from unihpe.losses.temperature import Tau, checked

Cosines = tuple[Tensor, ...]  # of three pairs of modalities: ab, ac, bc
BLOCK = 16  # anchors worked on at a time


def all_negatives_loss(cosines: Cosines, temperature: Tau) -> Tensor:
    """Eq. 3 from the cosines image–2D, image–3D and 2D–3D, (B, B) each."""
    tau = torch.as_tensor(checked(temperature), dtype=cosines[0].dtype, device=cosines[0].device)
    result: Tensor = _AllNegatives.apply(*cosines, tau)  # type: ignore[no-untyped-call]
    return result


class _AllNegatives(torch.autograd.Function):
    """−log softmax of each anchor's positive over all its triplets.

    Those of anchor n are three disjoint slabs of the B × B × B cube: {i = n}, {i ≠ n, j = n},
    {i ≠ n, j ≠ n, k = n}. Only one slab of a block of anchors is in memory at a time.
    """

    @staticmethod
    def forward(ctx: Any, ab: Tensor, ac: Tensor, bc: Tensor, tau: Tensor) -> Tensor:
        sums = []
        for n in torch.arange(ab.shape[0], device=ab.device).split(BLOCK):
            slabs = (_slab_of((ab, ac, bc), n, slab)[0] for slab in range(3))
            block = [torch.logsumexp((values / tau).flatten(1), 1) for values in slabs]
            sums.append(torch.stack(block).logsumexp(0))
        total = torch.cat(sums)
        own = largest_eigenvalue(ab.diagonal(), ac.diagonal(), bc.diagonal())
        ctx.save_for_backward(ab, ac, bc, tau, total)
        return (total - own / tau).mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        if torch.is_grad_enabled():  # asked for by create_graph=True
            remedy = "sample some (triplets=…) or leave create_graph=True out"
            raise InputError(f"the loss over all negatives has no second derivative; {remedy}")
        *matrices, tau, total = ctx.saved_tensors
        size, grad_tau = total.shape[0], torch.zeros_like(tau)
        grads = [torch.zeros_like(matrix) for matrix in matrices]
        for n in torch.arange(size, device=total.device).split(BLOCK):
            for slab in range(3):
                values, cosines, places = _slab_of(tuple(matrices), n, slab)
                share = torch.exp(values / tau - total[n][:, None, None])  # softmax, (n, B, B)
                grad_tau = grad_tau - torch.where(share > 0, share * values, 0.0).sum() / tau**2
                slopes = eigenvalue_gradient(*cosines)
                for grad, slope, (row, column) in zip(grads, slopes, places, strict=True):
                    weight = (share * slope).nan_to_num_(0.0)
                    place = (row * size + column).expand_as(weight)
                    grad.view(-1).index_add_(0, place.reshape(-1), weight.reshape(-1))
        own_cosines = [matrix.diagonal() for matrix in matrices]
        for grad, slope in zip(grads, eigenvalue_gradient(*own_cosines), strict=True):
            grad.diagonal().sub_(slope)
        grad_tau = grad_tau + largest_eigenvalue(*own_cosines).sum() / tau**2
        scale = gradients[0] / size
        return (*(scale * grad / tau for grad in grads), scale * grad_tau)


def _slab_of(
    matrices: Cosines, n: Tensor, slab: int
) -> tuple[Tensor, Cosines, tuple[tuple[Tensor, Tensor], ...]]:
    """One slab of the anchors n: λ₁ (n, B, B), −∞ where an earlier slab has the triplet; the three
    cosines; and the rows and columns that each of them has in its matrix."""
    ab, ac, bc = matrices
    every = torch.arange(ab.shape[0], device=ab.device)
    anchor, second, third = n[:, None, None], every[None, :, None], every[None, None, :]
    i, j, k = ((anchor, second, third), (second, anchor, third), (second, third, anchor))[slab]
    cosines: Cosines = torch.broadcast_tensors(ab[i, j], ac[i, k], bc[j, k])
    values = largest_eigenvalue(*cosines)
    if slab:
        earlier = i == anchor if slab == 1 else (i == anchor) | (j == anchor)
        values = values.masked_fill(earlier, -torch.inf)
    return values, cosines, ((i, j), (i, k), (j, k))
