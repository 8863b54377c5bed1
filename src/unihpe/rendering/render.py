"""Rendering a whole set, on several processors: the same people in the same order, whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from unihpe.datasets.pack import Packed, pack
from unihpe.errors import InputError
from unihpe.rendering.scene import People, Person, Settings

_worker: list[People] = []  # a worker process's own renderer, made once


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
        return write((people[index] for index in indices), indices, file, settings, done)
    with ProcessPoolExecutor(workers, initializer=begin, initargs=(poses, settings)) as pool:
        write(pool.map(render_one, indices, chunksize=16), indices, file, settings, done)


def write(
    people: Iterable[Person],
    indices: Sequence[int],
    file: Path,
    settings: Settings,
    done: Callable[[int], None],
) -> None:
    """Pack people as they come."""

    def counted() -> Iterator[Packed]:
        for count, (index, person) in enumerate(zip(indices, people, strict=True), 1):
            yield labelled(person, index)
            done(count)

    pack(counted(), file, asdict(settings))


def labelled(person: Person, index: int) -> Packed:
    """A rendered person as a packed set has them."""
    return Packed(
        person.picture,
        person.keypoints,
        person.pose,
        person.visibility,
        person.box,
        person.camera,
        index,
    )


def begin(poses: Tensor, settings: Settings) -> None:
    """Make a worker's renderer."""
    torch.set_num_threads(1)
    _worker[:] = [People(poses, settings)]


def render_one(index: int) -> Person:
    """One person, in a worker."""
    return _worker[0][index]
