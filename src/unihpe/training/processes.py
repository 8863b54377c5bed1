"""Training by several processes, as torchrun starts them: they share the batches that a step accumulates.

So a recipe gives the same training in one process as in several, but for the rounding of sums, and for batch norms' running
statistics, which each process takes of its own batches and all then average.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from unihpe.errors import InputError
from unihpe.training.stages import Stage


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
        for number, stage in enumerate(stages):
            if stage.accumulate % self.count:
                raise InputError(
                    f"stage '{stage.name}' accumulates {stage.accumulate} {'batch' if stage.accumulate == 1 else 'batches'} a step, which"
                    f" {self.count} processes cannot share evenly: set stage.{number}.accumulate to a multiple of {self.count}"
                )

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
    """Replace each tensor by its sum over all processes, in place and in one message."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def joined(device: str) -> tuple[Processes, str]:
    """This process among those that torchrun started, and its own device of that kind; alone if it was started otherwise."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return ALONE, device
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    own = f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" else device
    return Processes(dist.get_rank(), count), own


def leave() -> None:
    """Part from the other processes, if there are any."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
