"""Table 7: what the triplet loss costs beside the pair losses, forward and backward.

python benchmarks/losses.py --json losses.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from lifting import where
from torch import Tensor

from unihpe.io.files import write_text
from unihpe.losses import multimodal_loss, pair_loss, sample_triplets, triplet_loss

TEMPERATURE = 0.1
Three = tuple[Tensor, Tensor, Tensor]  # (B, D) each
Loss = Callable[[Three, Tensor], Tensor]  # of embeddings and sampled triplets


def pairs(x: Three, triplets: Tensor) -> Tensor:
    """The three pair losses alone."""
    return sum(
        (pair_loss(x[a], x[b], TEMPERATURE) for a, b in ((0, 1), (0, 2), (1, 2))), torch.zeros(())
    )


def with_triplet(x: Three, triplets: Tensor) -> Tensor:
    """The pair losses and L_triplet on sampled negatives, λ₁ in closed form."""
    return pairs(x, triplets) + triplet_loss(*x, TEMPERATURE, triplets=triplets)


def with_eigenvalues(x: Three, triplets: Tensor) -> Tensor:
    """The same with λ₁ of the Gram matrices by `eigvalsh`."""
    return pairs(x, triplets) + multimodal_loss(x, TEMPERATURE, triplets)


def with_singular_values(x: Three, triplets: Tensor) -> Tensor:
    """The same with σ₁² of the stacked embeddings (B, B, 3, D), as algorithm 2 gathers them."""
    rows = zip(x, triplets.unbind(-1), strict=True)
    stacked = torch.stack([F.normalize(one, dim=-1)[own] for one, own in rows], dim=-2)
    logits = torch.linalg.svdvals(stacked)[..., 0] ** 2 / TEMPERATURE
    own = torch.zeros(len(triplets), dtype=torch.long)
    return pairs(x, triplets) + F.cross_entropy(logits, own)


def with_all_negatives(x: Three, triplets: Tensor) -> Tensor:
    """The pair losses and L_triplet on all 3B(B − 1) negatives of each anchor."""
    return pairs(x, triplets) + triplet_loss(*x, TEMPERATURE)


LOSSES = {
    "pair": pairs,
    "pair + triplet, svdvals": with_singular_values,
    "pair + triplet, eigvalsh": with_eigenvalues,
    "pair + triplet, closed form": with_triplet,
    "pair + triplet, closed form, all negatives": with_all_negatives,
}


def once(loss: Loss, batch: int, width: int, seed: int) -> float:
    """Seconds of one forward and backward pass."""
    generator = torch.Generator().manual_seed(seed)
    a, b, c = (torch.randn(batch, width, generator=generator, requires_grad=True) for _ in range(3))
    triplets = sample_triplets(batch, generator)
    begin = time.perf_counter()
    loss((a, b, c), triplets).backward()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=180)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in LOSSES}
    # Taken in turn, so that a slow moment hits all of them; the first round warms up.
    for seed in range(args.rounds + 1):
        for name, loss in LOSSES.items():
            times[name].append(once(loss, args.batch, args.width, seed))
    ms = {name: 1000 * median(values[1:]) for name, values in times.items()}
    for name, value in ms.items():
        print(f"{name:45s} {value:9.1f} ms  {value / ms['pair']:7.2f} ×")
    ratio = {name: value / ms["pair"] for name, value in ms.items()}
    result = {
        **where(),
        "batch": args.batch,
        "width": args.width,
        "milliseconds": ms,
        "over_pair": ratio,
    }
    write_text(args.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
