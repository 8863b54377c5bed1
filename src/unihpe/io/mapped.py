"""Arrays too large for the memory: in a file, seen as tensors, read as they are touched."""

import math
import mmap
import tempfile
from collections.abc import Iterable
from typing import IO

import numpy as np
import torch
from torch import Tensor

from unihpe.errors import InputError
from unihpe.io.arrays import Array

LARGE = 1 << 26  # bytes; smaller arrays stay in memory


class Mapped:
    """A file in memory as far as it is touched; it must not change, but may be closed and removed.

    `access` is a private copy, which torch needs, or mmap.ACCESS_READ for more than the memory.
    """

    def __init__(self, file: IO[bytes], access: int = mmap.ACCESS_COPY) -> None:
        self.map = mmap.mmap(file.fileno(), 0, access=access)

    def __len__(self) -> int:
        return len(self.map)

    def tensor(self, offset: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """The numbers from byte `offset` on, as a tensor of `shape`; nothing is read yet."""
        if not (count := math.prod(shape)):
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(self.map, dtype=dtype, count=count, offset=offset).view(shape)

    def release(self) -> None:
        """Give touched pages back to the system, which caches them while it has room."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.map.madvise(mmap.MADV_DONTNEED)


def stacked(parts: Iterable[Array], large: bool) -> tuple[Tensor, tuple[Mapped, ...]]:
    """Parts (n, ...), taken one at a time, as one float32 tensor (N, ...), if large in a file."""
    if not large:
        return torch.from_numpy(np.concatenate([part.astype(np.float32) for part in parts])), ()
    count, shape = 0, tuple[int, ...]()
    try:
        with tempfile.TemporaryFile() as file:
            for part in parts:
                file.write(np.ascontiguousarray(part, dtype=np.float32).data)
                count, shape = count + len(part), part.shape[1:]
            file.flush()
            mapped = Mapped(file)
    except OSError as error:
        # tempdir is None where no folder can be written
        where = tempfile.tempdir or "the folder for temporary files"
        what = f"{error.strerror or error}; sets larger than the memory go through temporary files"
        raise InputError(f"{where}: {what}: set TMPDIR to a folder with room") from error
    return mapped.tensor(0, (count, *shape), torch.float32), (mapped,)
