"""The people of a source in batches, for scoring."""

from collections.abc import Iterator

import torch

from unihpe.body.batch import Batch, evenly_spaced
from unihpe.body.prepare import prepare
from unihpe.datasets.source import Source

EVALUATION_BATCH = 2048  # people; a detector's noise is drawn batch by batch: scores depend on it


def prepared(
    source: Source,
    generator: torch.Generator,
    device: str,
    focal_known: bool = True,
    most: int | None = None,
) -> Iterator[Batch]:
    """The people of a source, or `most` of them evenly spaced, in order."""
    joints, unknown = source.skeleton, 0.0 if focal_known else 1.0
    for rows in evenly_spaced(len(source), most or len(source)).split(EVALUATION_BATCH):
        frames = source.read(rows, generator)
        yield prepare(frames, joints, generator=generator, unknown_focal=unknown).to(device)
