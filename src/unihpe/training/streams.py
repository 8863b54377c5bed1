"""Training batches drawn from sources."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from unihpe.body.batch import Batch, chosen, joined
from unihpe.body.prepare import prepare
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.training.stage import Stage

Pick = Callable[[int, Generator], Tensor]  # so many indices, drawn


class Stream(Protocol):
    """Draws a batch of `size` people, with their pictures or without."""

    def __call__(self, size: int, generator: Generator, pictures: bool = True) -> Batch: ...


@dataclass(frozen=True)
class StageStream:
    """What a step of a stage draws: one batch of `data` and its shares of `mix`; one of `poses`."""

    data: Stream
    mix: Sequence[tuple[float, Stream]] = ()
    poses: Stream | None = None

    def __call__(self, stage: Stage, generator: Generator) -> list[Batch]:
        return [self.people(stage, generator), *self.more(stage, generator)]

    def people(self, stage: Stage, generator: Generator) -> Batch:
        """The batch of `data` and `mix`."""
        counts = [round(share * stage.batch_size) for share, _ in self.mix]
        rest = stage.batch_size - sum(counts)
        people = self.data(rest, generator, stage.needs_pictures)
        for count, (_, stream) in zip(counts, self.mix, strict=True):
            if count:
                people = joined(people, stream(count, generator, stage.needs_pictures))
        if any(counts) and any(decoding.share < 1 for decoding in stage.decode):
            # such a path takes the first people of the batch, who would all be of `data`
            people = chosen(people, _alternating([rest, *counts]))
        return people

    def more(self, stage: Stage, generator: Generator) -> list[Batch]:
        """The batch of `poses`, if the stage has one."""
        poses = self.poses if stage.pose_batch else None
        return [] if poses is None else [poses(stage.pose_batch, generator)]


def _alternating(counts: Sequence[int]) -> Tensor:
    """An order in which sources that stand one after the other keep their shares throughout."""
    places = [(torch.arange(count) + 0.5) / max(count, 1) for count in counts]
    return torch.cat(places).argsort(stable=True)


def open_stream(data: DataSettings) -> Stream:
    """The training stream of a table of the recipe."""
    return training_stream(open_source(data, Part(data.split, training=True)), data)


def training_stream(source: Source, data: DataSettings) -> Stream:
    """Batches of a source, prepared for training; drawn by its weights or apart in time."""
    blind = source.without_pictures()
    shares = data.model_dump(include={"unknown_focal", "joint_dropout", "part_dropout", "flip"})
    pick = (
        _at_distance(source.in_time(), data.apart) if data.apart else _by_weights(source.weights())
    )

    def draw(size: int, generator: Generator, pictures: bool = True) -> Batch:
        frames = (source if pictures else blind).read(pick(size, generator), generator)
        return prepare(frames, source.skeleton, generator=generator, **shares)

    return draw


def _by_weights(weights: Tensor) -> Pick:
    """Draws indices with the odds of `weights` (N,), each independently."""
    cumulative = weights.double().cumsum(0)
    cumulative = cumulative / cumulative[-1]

    def pick(size: int, generator: Generator) -> Tensor:
        position = torch.rand(size, generator=generator, dtype=torch.float64)
        return torch.searchsorted(cumulative, position).clamp_max(len(cumulative) - 1)

    return pick


def _at_distance(order: Tensor, distance: int) -> Pick:
    """Draws from the indices `order` (N,), at multiples of `distance` from each other in it."""
    count = len(order)

    def pick(size: int, generator: Generator) -> Tensor:
        offset = int(torch.randint(min(distance, count), (), generator=generator))
        steps = torch.randperm((count - offset - 1) // distance + 1, generator=generator)[:size]
        if len(steps) < size:
            few = f"{count} people, {distance} apart, are too few for a batch of {size}"
            raise InputError(f"{few}: lower batch_size or data.apart")
        return order[offset + distance * steps]

    return pick
