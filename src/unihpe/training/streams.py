"""Training batches drawn from sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from unihpe.body.batch import Batch, chosen, joined
from unihpe.body.prepare import prepare
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.training.loop import Draw
from unihpe.training.stage import Stage


class Stream(Protocol):
    """Training batches: how many people, drawn by which generator, and whether with their pictures."""

    def __call__(self, size: int, generator: torch.Generator, pictures: bool = True) -> Batch: ...


def stage_stream(data: Stream, mix: Sequence[tuple[float, Stream]], poses: Stream | None) -> Draw:
    """What each step of a stage draws: people of `data` and, by their shares, of `mix` in one batch; its `pose_batch` in another."""

    def batches(stage: Stage, generator: torch.Generator) -> list[Batch]:
        counts = [round(share * stage.batch_size) for share, _ in mix]
        people = data(stage.batch_size - sum(counts), generator, stage.needs_pictures)
        for count, (_, more) in zip(counts, mix, strict=True):
            people = (
                joined(people, more(count, generator, stage.needs_pictures)) if count else people
            )
        if any(counts) and any(decoding.share < 1 for decoding in stage.decode):
            # such a path takes the first people of the batch, who would all be of `data`
            people = chosen(people, alternating([stage.batch_size - sum(counts), *counts]))
        return (
            [people, poses(stage.pose_batch, generator)]
            if poses is not None and stage.pose_batch
            else [people]
        )

    return batches


def alternating(counts: Sequence[int]) -> Tensor:
    """An order of the people of several sources, who stand one source after the other: however few are taken, all sources are in it."""
    return torch.cat([(torch.arange(count) + 0.5) / max(count, 1) for count in counts]).argsort(
        stable=True
    )


def open_stream(data: DataSettings) -> Stream:
    """The training stream of a table of the recipe."""
    return training_stream(open_source(data, Part(data.split, training=True)), data)


def training_stream(source: Source, data: DataSettings) -> Stream:
    """Batches drawn from a source by its weights or, where the settings ask for it, apart; prepared for training."""
    blind = source.without_pictures()
    pick = apart(source.in_time(), data.apart) if data.apart else by_weights(source.weights())

    def draw(size: int, generator: torch.Generator, pictures: bool = True) -> Batch:
        return prepare(
            (source if pictures else blind).read(pick(size, generator), generator),
            source.skeleton,
            generator=generator,
            unknown_focal=data.unknown_focal,
            joint_dropout=data.joint_dropout,
            part_dropout=data.part_dropout,
            flip=data.flip,
        )

    return draw


def by_weights(weights: Tensor) -> Callable[[int, torch.Generator], Tensor]:
    """Draws indices with the odds of `weights` (N,), each on its own."""
    cumulative = weights.double().cumsum(0)
    cumulative = cumulative / cumulative[-1]

    def pick(size: int, generator: torch.Generator) -> Tensor:
        position = torch.rand(size, generator=generator, dtype=torch.float64)
        return torch.searchsorted(cumulative, position).clamp_max(len(cumulative) - 1)

    return pick


def apart(order: Tensor, distance: int) -> Callable[[int, torch.Generator], Tensor]:
    """Draws from the indices `order` (N,), any two of one draw a multiple of `distance` apart in
    it.

    One random offset, then none twice.
    """
    count = len(order)

    def pick(size: int, generator: torch.Generator) -> Tensor:
        offset = int(torch.randint(min(distance, count), (), generator=generator))
        steps = torch.randperm((count - offset - 1) // distance + 1, generator=generator)[:size]
        if len(steps) < size:
            raise InputError(
                f"{count} people, {distance} apart, are too few for a batch of {size}: lower batch_size or data.apart"
            )
        return order[offset + distance * steps]

    return pick
