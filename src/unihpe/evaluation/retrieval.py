"""Retrieval across modalities, and how well embeddings of one person agree (figs. 1 and 5; UniHPR's task)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from unihpe.body.metrics import mpjpe

CHUNK = 1024


@dataclass(frozen=True)
class Retrieval:
    """Finding the person of one modality among a gallery of another.

    Attributes:
        gallery: how many to choose from.
        recall: share of queries whose own person is among the k nearest, by k.
        pose_error: MPJPE between the query's true pose and that of the nearest found, mm.
    """

    gallery: int
    recall: dict[int, float]
    pose_error: float


def retrieve(
    query: Tensor, gallery: Tensor, poses: Tensor, ranks: tuple[int, ...] = (1, 5, 10)
) -> Retrieval:
    """Nearest neighbours by cosine: row n of the query (N, D) belongs to that of the gallery (N, D)
    and pose (N, J, 3).

    A tie counts against the query: its own row ranks behind every row that is as near.
    """
    hits = dict.fromkeys(ranks, 0)
    error = 0.0
    for rows in torch.arange(len(query), device=query.device).split(CHUNK):
        cosine = query[rows] @ gallery.T  # (n, N)
        own = cosine.gather(1, rows[:, None])
        rank = (cosine >= own).sum(1)  # 1 is best
        for k in ranks:
            hits[k] += int((rank <= k).sum())
        found, own_pose = poses[cosine.argmax(1)], poses[rows]
        seen = torch.isfinite(found).all(-1) & torch.isfinite(own_pose).all(-1)
        error += float(mpjpe(found, own_pose, seen).sum())
    n = len(query)
    return Retrieval(n, {k: hits[k] / n for k in ranks}, error / n)


def cosines(a: Tensor, b: Tensor, generator: torch.Generator) -> tuple[float, float]:
    """Mean cosine of matched rows, and of rows matched at random with somebody else's: two (N, D) of unit rows."""
    shift = int(torch.randint(1, len(a), (1,), generator=generator)) if len(a) > 1 else 0
    order = torch.randperm(len(a), generator=generator).to(a.device)
    partner = b[order.roll(shift)]  # no row meets its own
    matched = (a * b).sum(-1).mean()
    return float(matched), float((a[order] * partner).sum(-1).mean())
