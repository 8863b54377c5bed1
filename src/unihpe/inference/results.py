"""Results out: JSON and NPZ with named joints, units and axes (layout: docs/formats.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton

VERSION = 1
AXES = "camera: x right, y down, z forward; relative to the root joint"


@dataclass(frozen=True)
class Results:
    """Poses of N people.

    Attributes:
        skeleton: names the J joints.
        pose: (N, J, 3), mm, root-relative, camera axes.
        keypoints: the 2D they came from, in the same joints, (N, J, 2), pixels; NaN where missing.
        confidence: of the 2D, (N, J).
        synthesised: which 2D joints were made from others, length J.
        translation: the root's place in camera axes by least squares, (N, 3), mm: as good as the
            focal length.
        image_size: (N, 2), pixels.
        focal: focal length the translation and box token used, (N,), pixels.
        focal_source: "given" or "assumed √(W² + H²)".
        image, person: names from the input, length N.
        samples: hypotheses, (S, N, J, 3), mm, or None.
        spread: root-mean-square distance of the samples from their mean, (N, J), mm, or None.
        estimate: how `pose` was found, in words.
        paths: where a picture and keypoints were given: poses by what they came from ("image",
            "2d", "fused"), (N, J, 3) each.
    """

    skeleton: Skeleton
    pose: Tensor
    keypoints: Tensor
    confidence: Tensor
    synthesised: tuple[bool, ...]
    translation: Tensor
    image_size: Tensor
    focal: Tensor
    focal_source: str
    image: tuple[str, ...]
    person: tuple[str, ...]
    samples: Tensor | None = None
    spread: Tensor | None = None
    estimate: str = ""
    paths: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pose)

    @property
    def absolute(self) -> Tensor:
        """Poses in camera axes, not relative to the root: (N, J, 3), mm."""
        return self.pose + self.translation[:, None]


def select(results: Results, rows: list[int]) -> Results:
    """Some of the people."""
    chosen = torch.tensor(rows)
    return replace(
        results,
        pose=results.pose[chosen],
        keypoints=results.keypoints[chosen],
        confidence=results.confidence[chosen],
        translation=results.translation[chosen],
        image_size=results.image_size[chosen],
        focal=results.focal[chosen],
        image=tuple(results.image[n] for n in rows),
        person=tuple(results.person[n] for n in rows),
        samples=None if results.samples is None else results.samples[:, chosen],
        spread=None if results.spread is None else results.spread[chosen],
        paths={name: pose[chosen] for name, pose in results.paths.items()},
    )


def join(parts: Sequence[Results]) -> Results:
    """The people of several results, one after the other; all of one model and one way."""
    first = parts[0]

    def rows(name: str, axis: int = 0) -> Tensor | None:
        tensors = [getattr(part, name) for part in parts]
        return None if tensors[0] is None else torch.cat(tensors, dim=axis)

    names = ("pose", "keypoints", "confidence", "translation", "image_size", "focal", "spread")
    together: dict[str, Any] = {name: rows(name) for name in names}
    return replace(
        first,
        **together,
        samples=rows("samples", axis=1),
        paths={name: torch.cat([part.paths[name] for part in parts]) for name in first.paths},
        image=tuple(name for part in parts for name in part.image),
        person=tuple(name for part in parts for name in part.person),
    )
