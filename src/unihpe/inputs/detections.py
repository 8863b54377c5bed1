"""The people of a keypoint file as its reader finds them; and plain arrays, the simplest file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unihpe.errors import InputError
from unihpe.io.pickles import load_npy, load_npz, npz_keys

Size = tuple[float, float]  # width and height, pixels


@dataclass(frozen=True)
class Person:
    image: str
    person: str
    joints: NDArray[Any]  # (J, 3): x, y, confidence
    size: Size | None = None  # of the picture, where the file tells


@dataclass(frozen=True)
class Detections:
    people: Sequence[Person]
    sets: Mapping[int, str] = field(default_factory=dict)  # joint sets by the number of joints
    skeleton: str | None = None  # the joint set where the file tells
    shares: bool = False  # x and y are shares of the picture, not pixels


def read_arrays(path: Path) -> Detections:
    """npy: keypoints (J, 2 or 3) or (N, J, 2 or 3), a third column is the confidence.

    npz: `keypoints` like that, and perhaps `confidence`, `skeleton` and `image_size`.
    """
    if path.suffix == ".npy":
        fields = {"keypoints": load_npy(path, "give a whole file of plain numbers")}
    else:
        fields = load_npz(path, sorted({"keypoints", *npz_keys(path)}), objects=False)
    points = fields["keypoints"]
    shape, kind = points.shape, points.dtype
    if kind.kind not in "fiu" or len(shape) not in (2, 3) or shape[-1] not in (2, 3):
        wanted = "they must be numbers (N, J, 2 or 3)"
        raise InputError(f"{path}: keypoints are {kind} {shape}; {wanted}")
    points = points.astype(np.float32).reshape(-1, *shape[-2:])
    if shape[-1] == 2:
        given = fields.get("confidence", np.ones(points.shape[:2])).reshape(points.shape[:2])
        points = np.concatenate([points, given.astype(np.float32)[..., None]], axis=-1)
    sizes: list[Size | None] = [None] * len(points)
    if "image_size" in fields:
        given = np.broadcast_to(fields["image_size"].astype(np.float64), (len(points), 2))
        sizes = [(float(width), float(height)) for width, height in given]
    rows = enumerate(zip(points, sizes, strict=True))
    people = [Person(str(n), "0", joints, size) for n, (joints, size) in rows]
    return Detections(people, skeleton=str(fields["skeleton"]) if "skeleton" in fields else None)
