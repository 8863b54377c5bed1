"""Rendering a whole set, on several processors: the same people in the same order, whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from unihpe.data.synthetic.pack import pack
from unihpe.data.synthetic.scene import People, Person, Settings
from unihpe.errors import InputError

_worker: list[People] = []  # a worker process's own renderer, made once


class InOrder:
    """People that others render, handed out one after the other: what `pack` reads."""

    def __init__(self, people: Iterator[Person], settings: Settings, done: Callable[[int], None]) -> None:
        self.people, self.settings, self.done = people, settings, done
        self.count = 0

    def __getitem__(self, index: int) -> Person:
        person = next(self.people)
        self.count += 1
        self.done(self.count)
        return person


def render_set(
    poses: Tensor,
    settings: Settings,
    indices: Sequence[int],
    file: Path,
    workers: int = 1,
    done: Callable[[int], None] = lambda count: None,
) -> None:
    """Render the people at `indices` into a packed set.

    Args:
        poses: (N, 17, 3), mm, world axes, y up.
        workers: processes; 1 renders in this one.
        done: told how many are ready.

    Raises:
        InputError: for settings that cannot be used, no index, or a file that cannot be written.
    """
    if not indices:
        raise InputError(f"{file}: nobody to render; ask for at least one person")
    people = People(poses, settings)  # here too, so that bad settings are found at once
    if workers <= 1:
        pack(InOrder((people[index] for index in indices), settings, done), indices, file)
        return
    with ProcessPoolExecutor(workers, initializer=begin, initargs=(poses, settings)) as pool:
        rendered = pool.map(render_one, indices, chunksize=16)
        pack(InOrder(rendered, settings, done), indices, file)


def begin(poses: Tensor, settings: Settings) -> None:
    """Make a worker's renderer."""
    torch.set_num_threads(1)
    _worker[:] = [People(poses, settings)]


def render_one(index: int) -> Person:
    """One person, in a worker."""
    return _worker[0][index]
