"""Tensors that may be larger than memory: they lie in a file that goes when they do."""

import math
import os
import tempfile
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from unihpe.errors import InputError, one_line

IN_MEMORY = 1 << 28  # bytes; more lies in a file


def empty(shape: tuple[int, ...]) -> Tensor:
    """A float32 tensor of any content, in memory or in a temporary file without a name.

    InputError where the disk has no room for it.
    """
    size = 4 * math.prod(shape)
    if size <= IN_MEMORY:
        return torch.empty(shape)
    with tempfile.TemporaryFile(prefix="unihpe-") as file:
        try:
            if hasattr(os, "posix_fallocate"):  # a file with holes fails once it is written to
                os.posix_fallocate(file.fileno(), 0, size)
            return torch.from_numpy(np.memmap(file, np.float32, "w+", 0, shape))
        except OSError as error:
            where = f"{tempfile.gettempdir()} has no room for {size / 1e9:.1f} GB of poses"
            remedy = "ask for fewer samples, or set TMPDIR to a larger disk"
            raise InputError(f"{where} ({one_line(error, 80)}); {remedy}") from error


def joined(parts: list[Tensor], axis: int) -> Tensor:
    """`torch.cat` of float32 tensors, as `empty` makes room for them."""
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    whole, at = empty(tuple(shape)), 0
    for part in parts:
        whole.narrow(axis, at, part.shape[axis]).copy_(part)
        at += part.shape[axis]
    return whole


def chosen(whole: Tensor, rows: Sequence[int], axis: int) -> Tensor:
    """Rows of a float32 tensor by number, in that order, as `empty` makes room for them."""
    numbers = torch.arange(whole.shape[axis])[list(rows)]
    shape = list(whole.shape)
    shape[axis] = len(numbers)
    return torch.index_select(whole, axis, numbers, out=empty(tuple(shape)))
