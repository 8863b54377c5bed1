"""What flows through the house: `Frames` out of a reader, `Batch` into the model."""

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, crop_matrix
from unihpe.body.camera import Camera

FEWEST_JOINTS = 4  # seen in 2D; fewer do not make a person
RENDERED = "rendered"  # the group of people who belong to none


class Modality(IntEnum):
    """The three kinds of evidence, in the paper's order; the row of the modality token (§3.1)."""

    IMAGE = 0
    POSE_2D = 1
    POSE_3D = 2

    @property
    def label(self) -> str:
        """Its short name in reports and logs: image, 2d, 3d."""
        return self.name.removeprefix("POSE_").lower()


@dataclass(frozen=True)
class Frames:
    """N people as a data set holds them: full-picture pixels, millimetres, the set's own joints."""

    keypoints: Tensor  # (N, J, 2), pixels; NaN where a joint has none
    confidence: Tensor  # (N, J), in [0, 1]; 0 is a missing joint
    pose: Tensor | None  # (N, J, 3), mm, camera axes, absolute; None where the set has no 3D
    camera: Camera  # N of them
    group: tuple[str, ...]  # the part of the data (source, action) of each person, length N
    index: Tensor  # the person's position in the source, (N,)
    image: Tensor | None = None  # the box's crop, uint8 RGB (N, 3, height, width)
    box: Tensor | None = None  # (N, 4), pixels; None where `prepare` takes it from the keypoints

    def __len__(self) -> int:
        return len(self.keypoints)


@dataclass(frozen=True)
class LabelledCrop:
    """One person's picture, cut out round its box, with its labels; J joints."""

    picture: NDArray[np.uint8]  # (256, 192, 3), RGB
    keypoints: NDArray[np.floating[Any]]  # (J, 2), pixels of the full picture; NaN: not known
    pose: NDArray[np.floating[Any]]  # (J, 3), mm, camera axes, absolute; NaN: not known
    visibility: NDArray[np.uint8]  # (J,): 0 outside or not known, 1 hidden, 2 seen
    box: NDArray[np.float64]  # (4,), pixels of the full picture
    camera: Camera  # of leading shape ()
    index: int  # in the set it was made from
    group: str = RENDERED  # the part of the data a score is averaged in

    @property
    def crop_keypoints(self) -> NDArray[np.floating[Any]]:
        """The keypoints in pixels of the crop, (J, 2)."""
        matrix = crop_matrix(self.box, CROP_WIDTH, CROP_HEIGHT)
        return self.keypoints @ matrix[:, :2].T + matrix[:, 2]


@dataclass(frozen=True)
class Batch:
    """B people as the model sees them. What is absent is None."""

    keypoints: Tensor  # (B, J, 2), box units (see `boxes`); 0 where missing
    confidence: Tensor  # (B, J), in [0, 1]; 0 is a missing joint, a mask token to the encoder
    box_token: Tensor  # CLIFF's three numbers, (B, 3)
    pose: Tensor | None = None  # (B, J, 3), mm, camera axes, root-relative; NaN: not known
    box: Tensor | None = None  # (B, 4), pixels; takes box units back to pixels
    image: Tensor | None = None  # the box's crop, uint8 RGB (B, 3, height, width)
    group: tuple[str, ...] = ()  # the part of the data of each person, length B
    seen: Tensor | None = None  # what a frozen network saw in the image, in its place (`look`)

    def __len__(self) -> int:
        return len(self.keypoints)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors it has, by field."""
        return {f.name: x for f in fields(self) if isinstance(x := getattr(self, f.name), Tensor)}

    @property
    def has_pictures(self) -> bool:
        """Whether there are pictures, or what was seen in them."""
        return self.image is not None or self.seen is not None

    def first(self, count: int) -> Self:
        """The first people: views, no copies."""
        some: dict[str, Any] = {name: value[:count] for name, value in self.tensors().items()}
        return replace(self, **some, group=self.group[:count])

    def to(self, device: torch.device | str) -> Self:
        """The same batch on `device`."""
        moved: dict[str, Any] = {name: value.to(device) for name, value in self.tensors().items()}
        return replace(self, **moved)


def chosen(batch: Batch, rows: Tensor) -> Batch:
    """The people at `rows` (N,)."""
    group = tuple(batch.group[n] for n in rows.tolist()) if batch.group else ()
    return Batch(**{name: x[rows] for name, x in batch.tensors().items()}, group=group)


def joined(first: Batch, second: Batch) -> Batch:
    """The people of `first`, then of `second`; evidence that only one of them has is left out."""
    a, b = first.tensors(), second.tensors()
    shared = {name: torch.cat([x, b[name]]) for name, x in a.items() if name in b}
    return Batch(**shared, group=first.group + second.group)


def evenly_spaced(total: int, most: int) -> Tensor:
    """At most `most` of `total` indices, evenly spaced from the first to the last, int64."""
    return torch.linspace(0, total - 1, min(total, most), dtype=torch.float64).round().long()
