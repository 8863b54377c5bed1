"""Rendering many people on several processors: the same people, in order, whatever their number."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import torch
from torch import Tensor

from unihpe.rendering.scene import People, Person, Settings

_worker: list[People] = []  # a worker process's own renderer, made once


def render(
    poses: Tensor, settings: Settings, indices: Sequence[int], workers: int = 1
) -> Iterable[Person]:
    """The people at `indices`, as they become ready; see `People` for `poses` and `settings`.

    Args:
        workers: processes; 1 renders in this one.

    Raises:
        InputError: for settings that cannot be used; at once.
    """
    people = People(poses, settings)  # here too, so that bad settings are found at once
    if workers > 1:
        return render_in_processes(poses, settings, indices, workers)
    return (people[index] for index in indices)


def render_in_processes(
    poses: Tensor, settings: Settings, indices: Sequence[int], workers: int
) -> Iterator[Person]:
    with ProcessPoolExecutor(workers, initializer=begin, initargs=(poses, settings)) as pool:
        yield from pool.map(render_one, indices, chunksize=16)


def begin(poses: Tensor, settings: Settings) -> None:
    """Make a worker's renderer."""
    torch.set_num_threads(1)
    _worker[:] = [People(poses, settings)]


def render_one(index: int) -> Person:
    """One person, in a worker."""
    return _worker[0][index]
