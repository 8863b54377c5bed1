"""The singular-value InfoNCE over three modalities at once (eqs. 2 and 3, algorithms 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unihpe.losses.all_negatives import all_negatives_loss
from unihpe.losses.eigenvalue import largest_eigenvalue
from unihpe.losses.pair import cosine_matrix

Eigenvalue = Literal["closed", "eigvalsh", "svdvals"]
Accidental = Literal["keep", "mask"]


def sample_triplets(batch: int, generator: torch.Generator, modalities: int = 3) -> Tensor:
    """Algorithm 1, as it must be meant: which row of each modality makes up each triplet, (B, B,
    modalities).

    Row n holds the triplets of picture n: column 0 the positive (n, n, n), columns 1 … B−1
    negatives (n, π(n), π′(n)) with two fresh permutations for each column. (As printed, the second
    line of the first loop runs over the axis of length 3.)
    """
    own = torch.arange(batch)
    triplets = own[:, None, None].repeat(1, batch, modalities)
    for m in range(1, modalities):
        order = torch.rand(batch, batch - 1, generator=generator).argsort(
            0
        )  # a permutation in each column
        triplets[:, 1:, m] = order
    return triplets


def triplet_loss(
    image: Tensor,
    pose_2d: Tensor,
    pose_3d: Tensor,
    temperature: Tensor | float,
    *,
    triplets: Tensor | None = None,
    eigenvalue: Eigenvalue = "closed",
    accidental: Accidental = "keep",
) -> Tensor:
    """L_triplet: the positive's largest eigenvalue λ₁ against those of negatives; rows n of the
    three (B, D) belong together.

    λ₁ of the 3 × 3 Gram matrix (= σ₁² of eq. 2's matrix) is 3 where the three agree and 1 where
    they are orthogonal.

    Args:
        triplets: from `sample_triplets`; None takes all 3B(B − 1) negatives of each anchor, which
            wants a temperature of 0.1 or less (most of them share a pair and have λ₁ = 2).
        eigenvalue: how λ₁ is found; "eigvalsh" and "svdvals" are the paper's two variants (table
            7), for sampled triplets.
        accidental: sampled triplets that are a positive by chance (about one a batch) are kept, as
            in the paper, or masked.
    """
    if eigenvalue == "svdvals" and triplets is not None:
        return contrast(
            singular_logits((image, pose_2d, pose_3d), triplets) / temperature, triplets, accidental
        )
    cosines = (
        cosine_matrix(image, pose_2d),
        cosine_matrix(image, pose_3d),
        cosine_matrix(pose_2d, pose_3d),
    )
    if triplets is None:
        if eigenvalue != "closed":
            raise ValueError(
                "all negatives are for the closed form; sample triplets for eigvalsh and svdvals"
            )
        return all_negatives_loss(cosines, temperature)
    i, j, k = triplets.to(image.device).unbind(-1)
    a, b, c = cosines[0][i, j], cosines[1][i, k], cosines[2][j, k]  # (B, N) each
    if eigenvalue == "closed":
        return contrast(largest_eigenvalue(a, b, c) / temperature, triplets, accidental)
    one = torch.ones_like(a)
    gram = torch.stack([one, a, b, a, one, c, b, c, one], dim=-1).unflatten(-1, (3, 3))
    return contrast(torch.linalg.eigvalsh(gram)[..., -1] / temperature, triplets, accidental)


def multimodal_loss(
    embeddings: Sequence[Tensor],
    temperature: Tensor | float,
    triplets: Tensor,
    accidental: Accidental = "keep",
) -> Tensor:
    """The same for any number k of modalities: λ₁ of the k × k Gram matrices by `eigvalsh`.

    Args:
        embeddings: k tensors (B, D) whose rows n belong together.
        triplets: from `sample_triplets(..., modalities=k)`, (B, N, k).
    """
    k = len(embeddings)
    rows = triplets.to(embeddings[0].device).unbind(-1)
    columns = [
        [
            cosine_matrix(embeddings[m], embeddings[n])[rows[m], rows[n]]
            if m != n
            else torch.ones_like(rows[0])
            for n in range(k)
        ]
        for m in range(k)
    ]
    dtype = columns[0][-1].dtype
    gram = torch.stack([torch.stack([x.to(dtype) for x in row], dim=-1) for row in columns], dim=-2)
    return contrast(torch.linalg.eigvalsh(gram)[..., -1] / temperature, triplets, accidental)


def singular_logits(embeddings: Sequence[Tensor], triplets: Tensor) -> Tensor:
    """σ₁² of the stacked embeddings, as algorithm 2 gathers them: (B, N, 3, D). Kept for table 7's comparison."""
    with torch.autocast(embeddings[0].device.type, enabled=False):
        unit = [
            F.normalize(x if x.dtype == torch.float64 else x.float(), dim=-1) for x in embeddings
        ]
        stacked = torch.stack(
            [x[rows] for x, rows in zip(unit, triplets.to(unit[0].device).unbind(-1), strict=True)],
            dim=-2,
        )
        logits: Tensor = torch.linalg.svdvals(stacked)[..., 0] ** 2
        return logits


def contrast(logits: Tensor, triplets: Tensor, accidental: Accidental) -> Tensor:
    """Cross entropy with column 0 as the positive: logits (B, N)."""
    if accidental == "mask":
        own = torch.arange(len(triplets), device=triplets.device)[:, None, None]
        chance = (triplets == own).all(-1)
        chance[:, 0] = False
        logits = logits.masked_fill(chance.to(logits.device), -torch.inf)
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))
