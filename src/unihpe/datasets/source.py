"""What a reader of a data set offers."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from unihpe.body.batch import Frames
from unihpe.body.skeleton import Skeleton


class Source(Protocol):
    """People of one data set, by index: full-picture pixels, millimetres, camera axes, the set's own joints."""

    @property
    def skeleton(self) -> Skeleton: ...

    def __len__(self) -> int: ...

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,); a source with virtual cameras or detector noise draws them from `generator`."""
        ...

    def weights(self) -> Tensor:
        """How often training draws each index, (len,), up to a factor."""
        ...
