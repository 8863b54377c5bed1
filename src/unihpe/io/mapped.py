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
    """A file in memory as far as it is touched.

    Args:
        file: open for reading; it must not change afterwards. It may be closed, and be removed.
        access: a private copy, which torch needs, or, for files larger than the memory,
            mmap.ACCESS_READ.
    """

    def __init__(self, file: IO[bytes], access: int = mmap.ACCESS_COPY) -> None:
        self.map = mmap.mmap(file.fileno(), 0, access=access)

    def __len__(self) -> int:
        return len(self.map)

    def tensor(self, offset: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """The numbers from byte `offset` on, as a tensor of `shape`; nothing is read yet."""
        count = math.prod(shape)
        if not count:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(self.map, dtype=dtype, count=count, offset=offset).view(shape)

    def release(self) -> None:
        """Give touched pages back to the system, which caches them while it has room."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.map.madvise(mmap.MADV_DONTNEED)


def stacked(parts: Iterable[Array], large: bool) -> tuple[Tensor, tuple[Mapped, ...]]:
    """Parts (n, ...) one after the other as one float32 tensor (N, ...): in memory, or, if large,
    in an unnamed temporary file ($TMPDIR).

    Parts are taken one at a time, so that whoever gives them can let go of each.
    """
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
        raise InputError(
            f"{where}: {error.strerror or error}; a set that is larger than the memory is read"
            " through a temporary file: set TMPDIR to a folder with room"
        ) from error
    return mapped.tensor(0, (count, *shape), torch.float32), (mapped,)
