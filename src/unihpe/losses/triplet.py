"""The singular-value InfoNCE over three modalities at once (eqs. 2 and 3, algorithms 1 and 2)."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unihpe.errors import InputError, require_count
from unihpe.losses.all_negatives import all_negatives_loss
from unihpe.losses.eigenvalue import largest_eigenvalue
from unihpe.losses.pair import cosine_matrix, require_rows_that_match
from unihpe.losses.score import require_tensors
from unihpe.losses.temperature import Tau, checked

Chance = Literal["keep", "mask"]  # of sampled triplets that are a positive by accident


def sample_triplets(batch: int, generator: torch.Generator, modalities: int = 3) -> Tensor:
    """Algorithm 1, as it must be meant: the rows of each triplet, (B, B, modalities).

    Row n holds the triplets of picture n: column 0 the positive (n, n, n), columns 1 … B−1
    negatives (n, π(n), π′(n)) with two fresh permutations for each column. (As printed, the second
    line of the first loop runs over the axis of length 3.)
    """
    require_count("the batch", batch, least=1)
    require_count("the number of modalities", modalities, least=1)
    if not isinstance(generator, torch.Generator | None):
        raise InputError(f"a torch.Generator makes triplets, not a {type(generator).__name__}")
    triplets = torch.arange(batch)[:, None, None].repeat(1, batch, modalities)
    for m in range(1, modalities):
        keys = torch.rand(batch, batch - 1, generator=generator)
        triplets[:, 1:, m] = keys.argsort(0)  # a permutation in each column
    return triplets


def triplet_loss(
    image: Tensor,
    pose_2d: Tensor,
    pose_3d: Tensor,
    temperature: Tau,
    *,
    triplets: Tensor | None = None,
    accidental: Chance = "keep",
) -> Tensor:
    """L_triplet: λ₁ of the positive against that of negatives; rows n of the three (B, D) match.

    λ₁, the largest eigenvalue of the 3 × 3 Gram matrix (= σ₁² of eq. 2's matrix), is 3 where the
    three agree and 1 where they are orthogonal.

    Args:
        triplets: from `sample_triplets`; None takes all 3B(B − 1) negatives of each anchor, which
            wants a temperature of 0.1 or less (most of them share a pair and have λ₁ = 2).
        accidental: sampled triplets that are a positive by chance (about one a batch) are kept, as
            in the paper, or masked.
    """
    pairs = (image, pose_2d), (image, pose_3d), (pose_2d, pose_3d)
    ab, ac, bc = (cosine_matrix(x, y) for x, y in pairs)
    if triplets is None:
        return all_negatives_loss((ab, ac, bc), temperature)
    i, j, k = _rows_of(triplets, (image, pose_2d, pose_3d))
    logits = largest_eigenvalue(ab[i, j], ac[i, k], bc[j, k]) / checked(temperature)  # (B, N)
    return _contrast(logits, triplets, accidental)


def multimodal_loss(
    embeddings: Sequence[Tensor], temperature: Tau, triplets: Tensor, accidental: Chance = "keep"
) -> Tensor:
    """The same for k embeddings (B, D) of any number of modalities, with triplets (B, N, k): λ₁ of
    the k × k Gram matrices by `eigvalsh`."""
    pairs = list(zip(embeddings, _rows_of(triplets, embeddings), strict=True))
    gram = [[cosine_matrix(a, b)[i, j] for b, j in pairs] for a, i in pairs]
    stacked = torch.stack([torch.stack(row, dim=-1) for row in gram], dim=-2)  # (B, N, k, k)
    return _contrast(
        torch.linalg.eigvalsh(stacked)[..., -1] / checked(temperature), triplets, accidental
    )


def _rows_of(triplets: Tensor, embeddings: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The rows of each modality that the triplets (B, N, k) take, (B, N) each."""
    require_rows_that_match(*embeddings)
    batch, kinds = embeddings[0].shape[0], len(embeddings)
    require_tensors(triplets)
    shape = tuple(triplets.shape)
    if len(shape) != 3 or not shape[1] or (shape[0], shape[-1]) != (batch, kinds):
        raise InputError(f"triplets of these embeddings are ({batch}, N, {kinds}), not {shape}")
    if triplets.dtype != torch.long:
        raise InputError(f"triplets are rows, torch.long, not {triplets.dtype}")
    if triplets.device.type == "cpu" and not 0 <= triplets.min() <= triplets.max() < batch:
        span = f"{int(triplets.min())} to {int(triplets.max())}"
        raise InputError(f"triplets name rows {span}; the batch has 0 to {batch - 1}")
    return triplets.to(embeddings[0].device).unbind(-1)


def _contrast(logits: Tensor, triplets: Tensor, accidental: Chance) -> Tensor:
    """Cross entropy with column 0 as the positive: logits (B, N)."""
    if accidental not in ("keep", "mask"):
        raise InputError(f"accidental positives are kept (keep) or masked (mask), not {accidental}")
    rows = torch.arange(logits.shape[0], device=logits.device)
    if accidental == "mask":
        chance = (triplets.to(logits.device) == rows[:, None, None]).all(-1)
        chance[:, 0] = False
        logits = logits.masked_fill(chance, -torch.inf)
    return F.cross_entropy(logits, torch.zeros_like(rows))
