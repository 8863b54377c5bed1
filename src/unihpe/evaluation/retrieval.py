"""Retrieval across modalities, and how well embeddings of one person agree (figs. 1 and 5)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations, permutations
from typing import Any

import torch
from torch import Tensor

from unihpe.body.batch import Modality, evenly_spaced
from unihpe.body.metrics import mpjpe

CHUNK = 1024


@dataclass(frozen=True)
class _Retrieval:
    """Finding the person of one modality among a gallery of another (UniHPR's task)."""

    gallery: int  # how many to choose from
    recall: dict[int, float]  # by k: share of queries whose own person is among the k nearest
    pose_error: float  # MPJPE between the true poses of the query and of its nearest, mm


def retrieve(
    query: Tensor, gallery: Tensor, poses: Tensor, ranks: tuple[int, ...] = (1, 5, 10)
) -> _Retrieval:
    """Nearest neighbours by cosine: rows of query and gallery (N, D) and poses (N, J, 3) match.

    A tie counts against the query.
    """
    hits, error, n = dict.fromkeys(ranks, 0), 0.0, len(query)
    for rows in torch.arange(n, device=query.device).split(CHUNK):
        cosine = query[rows] @ gallery.T  # (n, N)
        rank = (cosine >= cosine.gather(1, rows[:, None])).sum(1)  # 1 is best
        for k in ranks:
            hits[k] += int((rank <= k).sum())
        nearest, truth = poses[cosine.argmax(1)], poses[rows]
        seen = torch.isfinite(nearest).all(-1) & torch.isfinite(truth).all(-1)
        error += float(mpjpe(nearest, truth, seen).sum())
    return _Retrieval(n, {k: hits[k] / n for k in ranks}, error / n)


def retrievals(
    embeddings: Mapping[Modality, Tensor], poses: Tensor, gallery: int
) -> dict[str, dict[str, Any]]:
    """Retrieval in all directions, among people evenly spaced over the data; {} without any."""
    if not gallery:
        return {}
    chosen = evenly_spaced(len(poses), gallery)
    rows = {kind: embedding[chosen] for kind, embedding in embeddings.items()}
    ways = permutations(sorted(rows), 2)
    found = {f"{a.label}→{b.label}": retrieve(rows[a], rows[b], poses[chosen]) for a, b in ways}
    return {way: asdict(retrieval) for way, retrieval in found.items()}


def _cosines(a: Tensor, b: Tensor, generator: torch.Generator) -> tuple[float, float]:
    """Mean cosine of matched unit rows (N, D), and of rows matched with somebody else's."""
    shift = int(torch.randint(1, len(a), (1,), generator=generator)) if len(a) > 1 else 0
    order = torch.randperm(len(a), generator=generator).to(a.device)
    partner = b[order.roll(shift)]  # no row meets its own
    return float((a * b).sum(-1).mean()), float((a[order] * partner).sum(-1).mean())


def pair_cosines(
    embeddings: Mapping[Modality, Tensor], generator: torch.Generator
) -> dict[str, dict[str, float]]:
    """Mean cosines of matched and unmatched embeddings, for every pair of modalities (fig. 5)."""
    pairs = combinations(sorted(embeddings.items()), 2)
    found = {f"{a.label}–{b.label}": _cosines(x, y, generator) for (a, x), (b, y) in pairs}
    return {pair: {"matched": own, "unmatched": other} for pair, (own, other) in found.items()}
