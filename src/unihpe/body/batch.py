"""What flows through the house: `Frames` out of a reader, `Batch` into the model."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, Self

import torch
from torch import Tensor

from unihpe.body.camera import Camera

FEWEST_JOINTS = 4  # seen in 2D; fewer do not make a person


class Modality(IntEnum):
    """The three kinds of evidence, in the paper's order; also the row of the modality token (§3.1)."""

    IMAGE = 0
    POSE_2D = 1
    POSE_3D = 2

    @property
    def label(self) -> str:
        """Its short name: in results, reports and figures."""
        return ("image", "2d", "3d")[self]


@dataclass(frozen=True)
class Frames:
    """N people as a data set holds them: full-picture pixels, millimetres, camera axes, the set's
    own joints.

    Attributes:
        keypoints: 2D joints, (N, J, 2), pixels; NaN where a joint has none.
        confidence: of each 2D joint, (N, J), in [0, 1]; 0 is a missing joint.
        pose: 3D joints, (N, J, 3), mm, camera axes, absolute; None where the set has no 3D.
        camera: N cameras.
        group: the name of the part of the data each person belongs to (source, action), length N.
        index: position of each person in its source, (N,).
        image: the crop of the box, uint8 RGB (N, 3, 256, 192); None where the set has no pictures.
        box: (N, 4), pixels; None where `prepare` is to take it from the keypoints.
    """

    keypoints: Tensor
    confidence: Tensor
    pose: Tensor | None
    camera: Camera
    group: tuple[str, ...]
    index: Tensor
    image: Tensor | None = None
    box: Tensor | None = None

    def __len__(self) -> int:
        return len(self.keypoints)


@dataclass(frozen=True)
class Batch:
    """B people as the model sees them. What is absent is None.

    Attributes:
        keypoints: box units (see `boxes`), (B, J, 2), 0 where missing.
        confidence: (B, J), in [0, 1]; 0 is a missing joint, which the encoder replaces by its mask
            token.
        box_token: CLIFF's three numbers, (B, 3).
        pose: pelvis-relative, camera axes, mm, (B, J, 3); NaN where it is not known.
        box: (B, 4), pixels; takes box units back to pixels.
        group: the part of the data each person belongs to, length B.
        image: the crop of the box, uint8 RGB (B, 3, 256, 192).
    """

    keypoints: Tensor
    confidence: Tensor
    box_token: Tensor
    pose: Tensor | None = None
    box: Tensor | None = None
    image: Tensor | None = None
    group: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.keypoints)

    def to(self, device: torch.device | str) -> Self:
        """The same batch on `device`."""
        moved: dict[str, Any] = {
            f.name: value.to(device)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved)


def joined(first: Batch, second: Batch) -> Batch:
    """The people of both, those of `first` before the others; evidence that only one of them has at all is left out."""
    pairs = {f.name: (getattr(first, f.name), getattr(second, f.name)) for f in fields(Batch)}
    tensors = {
        name: torch.cat([a, b]) if isinstance(a, Tensor) and isinstance(b, Tensor) else None
        for name, (a, b) in pairs.items()
        if name != "group"
    }
    return Batch(**tensors, group=first.group + second.group)  # type: ignore[arg-type]


def chosen(batch: Batch, rows: Tensor) -> Batch:
    """The people at `rows` (N,)."""
    tensors = {
        f.name: value[rows]
        for f in fields(Batch)
        if isinstance(value := getattr(batch, f.name), Tensor)
    }
    group = tuple(batch.group[n] for n in rows.tolist()) if batch.group else ()
    return Batch(**tensors, group=group)


def evenly_spaced(total: int, most: int) -> Tensor:
    """At most `most` of `total` indices, evenly spaced."""
    return torch.linspace(0, total - 1, min(total, most), dtype=torch.float64).round().long()
