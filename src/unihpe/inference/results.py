"""Results: poses with named joints, units and axes (layout of the files: docs/formats.md)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton

VERSION = 1
AXES = "camera: x right, y down, z forward; relative to the root joint"
BY_PERSON = ("pose", "keypoints", "confidence", "translation", "image_size", "focal", "spread")


@dataclass(frozen=True)
class Results:
    """Poses of N people."""

    skeleton: Skeleton  # names the J joints
    pose: Tensor  # (N, J, 3), mm, root-relative, camera axes
    keypoints: Tensor  # the 2D they came from, same joints, (N, J, 2), pixels; NaN where missing
    confidence: Tensor  # of the 2D, (N, J)
    synthesised: tuple[bool, ...]  # which 2D joints were made from others, length J
    translation: Tensor  # the root in camera axes by least squares, (N, 3), mm: as good as focal
    image_size: Tensor  # (N, 2), pixels
    focal: Tensor  # that translation and box token used, (N,), pixels
    focal_source: str  # "given" or "assumed √(W² + H²)"
    image: tuple[str, ...]  # names of the pictures, length N
    person: tuple[str, ...]  # names of the people, length N
    samples: Tensor | None = None  # hypotheses, (S, N, J, 3), mm
    spread: Tensor | None = None  # RMS distance of the samples from their mean, (N, J), mm
    estimate: str = ""  # how `pose` was found, in words
    # where a picture and keypoints were given: poses from "image", "2d" and "fused", (N, J, 3)
    paths: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pose)

    @property
    def absolute(self) -> Tensor:
        """Poses in camera axes, not relative to the root: (N, J, 3), mm."""
        return self.pose + self.translation[:, None]

    def select(self, rows: Sequence[int]) -> Self:
        """Some of the people."""
        chosen = torch.tensor(rows, dtype=torch.long)
        names = {name: tuple(getattr(self, name)[n] for n in rows) for name in ("image", "person")}
        return self._each(lambda own, axis: own[0].index_select(axis, chosen), [self], names)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The people of several results of one model, one after the other."""
        names = {name: sum((getattr(p, name) for p in parts), ()) for name in ("image", "person")}
        return parts[0]._each(lambda own, axis: torch.cat(own, axis), parts, names)

    def _each(
        self,
        make: Callable[[list[Tensor], int], Tensor],
        parts: Sequence[Self],
        names: dict[str, tuple[str, ...]],
    ) -> Self:
        """Every tensor made anew of those of some results, along its axis of people."""
        made: dict[str, Any] = dict(names)
        for name in (*BY_PERSON, "samples"):
            own = [getattr(part, name) for part in parts]
            made[name] = None if own[0] is None else make(own, 1 if name == "samples" else 0)
        paths = {name: make([part.paths[name] for part in parts], 0) for name in self.paths}
        return replace(self, **made, paths=paths)


def spread(samples: Tensor) -> Tensor:
    """Root-mean-square distance of samples (S, ..., C) from their mean, for each joint: (...)."""
    return (samples - samples.mean(0)).square().sum(-1).mean(0).sqrt()
