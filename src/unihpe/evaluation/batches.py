"""The people of a source in batches, for scoring."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from unihpe.body.batch import Batch, evenly_spaced
from unihpe.body.prepare import prepare
from unihpe.datasets.source import Source

EVALUATION_BATCH = 2048


def prepared(
    source: Source,
    generator: torch.Generator,
    device: str,
    focal_known: bool = True,
    most: int | None = None,
) -> Iterator[Batch]:
    """The people of a source, in order, in batches; a detector's noise is drawn batch by batch, so
    the size is part of it.

    Args:
        most: no more people than these, evenly spread; None takes all.
    """
    for indices in evenly_spaced(len(source), most or len(source)).split(EVALUATION_BATCH):
        unknown = 0.0 if focal_known else 1.0
        frames = source.read(indices, generator)
        yield prepare(frames, source.skeleton, generator=generator, unknown_focal=unknown).to(
            device
        )
