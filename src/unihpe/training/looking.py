"""What a frozen backbone sees of many pictures, once, for stages that learn from it alone.

A backbone costs most of a step. Where it stays as it is, it looks at pictures (as augmented) once,
and steps draw people from what it saw there. Features are kept as float16.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from torch import Generator, Tensor

from unihpe.body.batch import Batch, chosen
from unihpe.errors import InputError
from unihpe.io.files import replacing
from unihpe.model.checkpoint import read_safetensors
from unihpe.model.device import mixed_precision
from unihpe.model.unihpe import UniHPE
from unihpe.training.ahead import made_in_order
from unihpe.training.seeds import step_seed
from unihpe.training.stage import Draw, Stage
from unihpe.training.state import Run
from unihpe.training.streams import StageStream

LOOKING = -1  # place of these batches in a step, where steps have places from 0 on
AT_ONCE = {"cpu": 32, "cuda": 256}  # pictures, by the kind of device
PIECE = 40  # batches in a file: what an interrupted look loses at most


@dataclass(frozen=True)
class _Looked:
    """Draws people of whom the network has seen a picture, and the stage's other poses."""

    seen: Batch
    stream: StageStream

    def __call__(self, stage: Stage, generator: Generator) -> list[Batch]:
        rows = torch.randint(len(self.seen), (stage.batch_size,), generator=generator)
        return [chosen(self.seen, rows), *self.stream.more(stage, generator)]


def first_that_looks(stages: Sequence[Stage], number: int) -> int:
    """Of the stages in a row before this one that look at as many pictures, the first: they share
    what was seen, since none of them changes the backbone."""
    own = stages[number].looks, stages[number].batch_size
    while number and (stages[number - 1].looks, stages[number - 1].batch_size) == own:
        number -= 1
    return number


def look_once(model: UniHPE, stage: Stage, draw: Draw, run: Run, number: int) -> Draw:
    """What a stage draws after the model has looked at `stage.looks` batches of it.

    What it saw is kept in the run's folder, a file for every `PIECE` batches, for a run that is
    resumed. A draw of what was seen already, which runs may share, stays as it is. InputError for
    data that `StageStream` does not draw.
    """
    if isinstance(draw, _Looked):
        return draw
    if not isinstance(draw, StageStream):
        raise InputError(f"stage {stage.name} looks at pictures of a data set: give it one")
    edges = [*range(0, stage.looks, PIECE), stage.looks]
    parts = []
    for piece, (first, end) in enumerate(pairwise(edges)):
        path = run.out / f"looked-{number}-{piece:04d}.safetensors"
        if (part := _kept(path, run)) is None:
            part = _look(model, stage, draw, run, (number, first, end))
            if run.processes.writes:
                _keep(path, part, run)
        parts.append(part)
    return _Looked(_together(parts), draw)


@torch.no_grad()
def _look(
    model: UniHPE, stage: Stage, stream: StageStream, run: Run, which: tuple[int, int, int]
) -> Batch:
    """What the model sees in a stage's batches from `first` to `end`."""
    number, first, end = which
    model.eval()
    parts = []

    def drawn(n: int) -> Batch:
        seed = step_seed(run.seed, number, n, LOOKING)
        return stream.people(stage, Generator().manual_seed(seed))

    for batch in made_in_order(drawn, range(first, end), run.workers):
        with mixed_precision(run.device, stage.bfloat16):
            rows_at_once = _at_once(len(batch), run.device)
            some = (chosen(batch, rows).to(run.device) for rows in rows_at_once)
            features = [model.look(people).half().cpu() for people in some]
        parts.append(replace(batch, image=None, seen=torch.cat(features), group=()))
    return _together(parts)


def _at_once(people: int, device: str) -> tuple[Tensor, ...]:
    """Rows of a few people at a time, which bounds memory: a backbone's maps are large."""
    some = AT_ONCE.get(device.split(":")[0], AT_ONCE["cpu"])
    return cast(tuple[Tensor, ...], torch.arange(people).split(some))


def _together(parts: list[Batch]) -> Batch:
    """The people of several batches that have the same evidence."""
    tables = [part.tensors() for part in parts]
    whole: dict[str, Any] = {n: torch.cat([table[n] for table in tables]) for n in tables[0]}
    return Batch(**whole)


def _keep(path: Path, part: Batch, run: Run) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(save(part.tensors(), {"fingerprint": run.fingerprint}))


def _kept(path: Path, run: Run) -> Batch | None:
    """A piece that an earlier start of this run has kept; InputError for another run's."""
    if not path.exists():
        return None
    tensors, said = read_safetensors(path, "remove it")
    if said.get("fingerprint") != run.fingerprint:
        raise InputError(f"{path} was written by another recipe: remove it, or choose a folder")
    fields: dict[str, Any] = tensors
    return Batch(**fields)
