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
from typing import Literal

import torch
from lifting import where
from torch import Tensor

from unihpe.io.files import write_text
from unihpe.losses import pair_loss, sample_triplets, triplet_loss

TEMPERATURE = 0.1
Three = tuple[Tensor, Tensor, Tensor]  # (B, D) each
Loss = Callable[[Three, Tensor], Tensor]  # of embeddings and sampled triplets


def pairs(x: Three, triplets: Tensor) -> Tensor:
    """The three pair losses alone."""
    return sum(
        (pair_loss(x[a], x[b], TEMPERATURE) for a, b in ((0, 1), (0, 2), (1, 2))), torch.zeros(())
    )


def with_triplet(kind: Literal["closed", "eigvalsh", "svdvals"]) -> Loss:
    """The pair losses and L_triplet on sampled negatives, λ₁ found in one of three ways."""

    def loss(x: Three, triplets: Tensor) -> Tensor:
        triplet = triplet_loss(*x, TEMPERATURE, triplets=triplets, eigenvalue=kind)
        return pairs(x, triplets) + triplet

    return loss


def with_all_negatives(x: Three, triplets: Tensor) -> Tensor:
    """The pair losses and L_triplet on all 3B(B − 1) negatives of each anchor."""
    return pairs(x, triplets) + triplet_loss(*x, TEMPERATURE)


LOSSES = {
    "pair": pairs,
    "pair + triplet, svdvals": with_triplet("svdvals"),
    "pair + triplet, eigvalsh": with_triplet("eigvalsh"),
    "pair + triplet, closed form": with_triplet("closed"),
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
