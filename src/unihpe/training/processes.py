"""Several processes, started by torchrun, train together: they share the batches of each step.

A recipe trains the same model in one process as in several, but for the rounding of sums and for
batch norms' statistics, which each process takes of its own batches; all are then averaged.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from unihpe.errors import InputError, one_line
from unihpe.training.stage import Stage

Result = TypeVar("Result")


@dataclass(frozen=True)
class Processes:
    """This process among all that train together; the first of them writes files and messages."""

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        return self.rank == 0

    def share(self, batches: int) -> range:
        """Which of a step's batches are this process's."""
        return range(self.rank, batches, self.count)

    def require_shares(self, stages: Sequence[Stage]) -> None:
        """Raise for a stage whose batches cannot be shared evenly."""
        for stage in stages:
            if stage.accumulate % self.count:
                batches = f"{stage.accumulate} batch{'es' * (stage.accumulate > 1)}"
                raise InputError(
                    f"stage '{stage.name}' accumulates {batches} a step, which {self.count}"
                    f" processes cannot share: set its accumulate to a multiple of {self.count}"
                    " and lower its batch_size"
                )

    def agreed(self, compute: Callable[[], Result]) -> Result:
        """What the first process computes, in all: floats may differ, and decisions must not."""
        if self.count == 1:
            return compute()
        result = [compute() if self.writes else None]
        _exchange(dist.broadcast_object_list, result)
        return cast(Result, result[0])

    def add_up_gradients(self, trained: Iterable[Tensor]) -> None:
        """Replace each parameter's gradient by its sum over all processes; None counts as 0."""
        if self.count > 1:
            _add_up([_gradient_of(parameter) for parameter in trained])

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all processes, in place."""
        if self.count > 1:
            _add_up(tensors := list(tensors))
            for tensor in tensors:
                tensor.div_(self.count)


ALONE = Processes()


def _gradient_of(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _add_up(tensors: list[Tensor]) -> None:
    """Replace each tensor by its sum over all processes, in place and in one message."""
    if not tensors:  # a stage that trains no batch norms has no statistics, in all processes alike
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    _exchange(dist.all_reduce, flat)
    sums = flat.split([tensor.numel() for tensor in tensors])
    for tensor, total in zip(tensors, sums, strict=True):
        tensor.copy_(total.view_as(tensor))


def _exchange(operation: Callable[[Any], Any], message: Any) -> None:
    """An operation of all processes; if one has ended, it has said why, and the others stop."""
    try:
        operation(message)
    except RuntimeError as error:
        reason = f"has ended, and said why ({one_line(error, 80)})"
        raise InputError(f"another of the processes that train together {reason}") from error
