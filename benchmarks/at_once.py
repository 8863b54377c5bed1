"""How much faster a CPU is where backbones see a few pictures at a time (`backbones.AT_ONCE`).

    python benchmarks/at_once.py --json at_once.json

32 pictures of noise, whole and a few at a time, in turn; medians, and whole over few. On a machine
that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

import torch
from lifting import where

from unihpe.io.files import write_text
from unihpe.model.backbones import AT_ONCE, Backbone, build_backbone

PICTURES, ROUNDS = 32, 3
SIZES = {  # height and width, as they are used
    "movenet_thunder": (256, 256),
    "movenet_lightning": (192, 192),
    "hrnet_w18_small": (256, 192),
    "hrnet_w32": (256, 192),
}


@torch.inference_mode()
def seconds(backbone: Backbone, pictures: torch.Tensor, at_once: int) -> float:
    """Of one pass over all pictures."""
    begin = time.perf_counter()
    for some in pictures.split(at_once):
        backbone(some)
    return time.perf_counter() - begin


def compare(kind: str) -> dict[str, float]:
    """Pictures a second of both ways, and their ratio."""
    backbone = build_backbone(kind).eval().to(memory_format=torch.channels_last)
    noise = torch.rand(PICTURES, 3, *SIZES[kind], generator=torch.Generator().manual_seed(0))
    pictures = noise.contiguous(memory_format=torch.channels_last)
    seconds(backbone, pictures, AT_ONCE)
    rounds = [
        [seconds(backbone, pictures, at_once) for at_once in (PICTURES, AT_ONCE)]
        for _ in range(ROUNDS)
    ]
    whole, few = (PICTURES / median(column) for column in zip(*rounds, strict=True))
    ratio = median(slow / fast for slow, fast in rounds)
    return {"whole_per_s": round(whole, 1), "few_per_s": round(few, 1), "ratio": round(ratio, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {**where(), "at_once": AT_ONCE, **{kind: compare(kind) for kind in SIZES}}
    print(json.dumps(result, indent=2))
    if options.json is not None:
        write_text(options.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
