"""Training by several processes, as torchrun starts them: they share the batches that a step
accumulates.

So a recipe gives the same training in one process as in several, but for the rounding of sums, and
for batch norms' running statistics, which each process takes of its own batches and all then
average. torchrun ends with its own exit code, 1, whatever went wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from unihpe.errors import InputError, one_line
from unihpe.training.stage import Stage

Made = TypeVar("Made")


@dataclass(frozen=True)
class Processes:
    """This process among all that train together."""

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Whether this one writes files and speaks."""
        return self.rank == 0

    def share(self, batches: int) -> range:
        """Which of a step's batches are this process's."""
        return range(self.rank, batches, self.count)

    def require_shares(self, stages: Sequence[Stage]) -> None:
        """Raise for a stage whose batches cannot be shared out evenly."""
        for stage in stages:
            if stage.accumulate % self.count:
                raise InputError(
                    f"stage '{stage.name}' accumulates {stage.accumulate} {'batch' if stage.accumulate == 1 else 'batches'} a step, which"
                    f" {self.count} processes cannot share evenly: set its accumulate to a multiple of {self.count}"
                    " (and its batch_size lower, for as many samples a step)"
                )

    def agreed(self, make: Callable[[], Made]) -> Made:
        """What the first process makes, in all of them: their floats may differ, and decisions must not."""
        if self.count == 1:
            return make()
        made = [make() if self.writes else None]
        with together():
            dist.broadcast_object_list(made)
        return cast(Made, made[0])

    def add_up_gradients(self, trained: Iterable[Tensor]) -> None:
        """Replace each parameter's gradient by its sum over all processes; one that a process has none of counts as 0."""
        if self.count == 1:
            return
        trained = list(trained)
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        add_up([parameter.grad for parameter in trained if parameter.grad is not None])

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all processes, in place."""
        if self.count == 1:
            return
        tensors = list(tensors)
        add_up(tensors)
        for tensor in tensors:
            tensor.div_(self.count)


ALONE = Processes()


def add_up(tensors: list[Tensor]) -> None:
    """Replace each tensor by its sum over all processes, in place and in one message; without
    tensors, none is sent.

    Raises:
        InputError: if another process has ended.
    """
    if (
        not tensors
    ):  # a stage without batch norms in training has no statistics, in all processes alike
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with together():
        dist.all_reduce(flat)
    for tensor, part in zip(
        tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True
    ):
        tensor.copy_(part.view_as(tensor))


@contextmanager
def together() -> Iterator[None]:
    """What needs all processes; where one has ended, it says why, and the others that it did."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(
            f"another of the processes that train together has ended, and said why ({one_line(error, 80)})"
        ) from error


@contextmanager
def joined(device: str) -> Iterator[tuple[Processes, str]]:
    """This process among those that torchrun started, and its own device of that kind; alone if it
    was started otherwise.

    Raises:
        InputError: for a device that several processes cannot share.
    """
    if not dist.is_torchelastic_launched():
        yield ALONE, device
        return
    own = own_device(device, int(os.environ["LOCAL_RANK"]))
    if own != "cpu":
        torch.cuda.set_device(own)
    dist.init_process_group("gloo" if own == "cpu" else "nccl")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size()), own
    finally:
        dist.destroy_process_group()


def own_device(device: str, place: int) -> str:
    """The device of the process at a place on its machine.

    Raises:
        InputError: for one GPU by number, another kind, or fewer GPUs than processes.
    """
    if device == "cpu":
        return device
    if device != "cuda":
        raise InputError(
            f"--device {device}: processes that train together take cpu or cuda, each a GPU of its own"
        )
    if place >= torch.cuda.device_count():
        raise InputError(
            f"--nproc-per-node: more processes than the {torch.cuda.device_count()} GPUs of this machine"
        )
    return f"cuda:{place}"
