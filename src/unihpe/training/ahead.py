"""Batches drawn ahead by worker processes, the same as without: a GPU waits for pictures otherwise.

Reading and augmenting pictures takes a core some milliseconds each, a GPU's step far less.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import cv2
from torch.utils.data import DataLoader, Dataset

from unihpe.errors import InputError
from unihpe.io.workers import begin_worker

Key = TypeVar("Key")
Made = TypeVar("Made")
EACH = 2  # results that wait for each worker


def made_in_order(
    make: Callable[[Key], Made], keys: Sequence[Key], workers: int = 0
) -> Iterator[Made]:
    """`make` of each key, in order; by processes forked from this one, some keys ahead, or none.

    Tensors come back through shared memory. What `make` draws must rest on the key alone.
    """
    if not workers or not keys:
        return map(make, keys)
    loader: Iterable[Made | InputError] = DataLoader(
        _Made(make),
        batch_size=None,
        sampler=keys,
        num_workers=min(workers, len(keys)),
        collate_fn=_as_it_is,
        worker_init_fn=_begin,
        prefetch_factor=EACH,
        multiprocessing_context="fork",  # data sets are mapped files, and are not copied so
    )
    # Each worker would use all cores, and wait for the others. A process forked from one that has
    # OpenCV's threads cannot put them away: it would wait for ever.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    made = iter(loader)  # forks
    cv2.setNumThreads(threads)
    return map(_or_raised, made)


class _Made(Dataset[Made | InputError], Generic[Key, Made]):
    """What is made of any key; an InputError comes back as it is, in one line."""

    def __init__(self, make: Callable[[Key], Made]) -> None:
        self.make = make

    def __getitem__(self, key: Key) -> Made | InputError:
        try:
            return self.make(key)
        except InputError as error:
            return error


def _or_raised(made: Made | InputError) -> Made:
    if isinstance(made, InputError):
        raise made
    return made


def _as_it_is(made: Made) -> Made:
    return made


def _begin(worker: int) -> None:
    begin_worker()
