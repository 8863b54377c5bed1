"""Data sets as tables with one row per picture, in any order; several files as one set."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, product
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError
from unihpe.io.arrays import Array

Place = tuple[Hashable, str, int]  # sequence, camera, frame


@dataclass(frozen=True)
class Rows:
    """Which frame of which view each of N rows shows."""

    views: tuple[View, ...]
    view: Tensor  # (N,), places in `views`
    frame: Tensor  # (N,), counted from 0

    @classmethod
    def of(cls, rows: Sequence[tuple[View, int]]) -> Self:
        # by identity: a million rows share some hundred views, and comparing those takes long
        known = {id(view): view for view, _ in rows}
        places = {view: n for n, view in enumerate(dict.fromkeys(known.values()))}
        place = {key: places[view] for key, view in known.items()}
        numbers = [place[id(view)] for view, _ in rows]
        frames = torch.tensor([frame for _, frame in rows])
        return cls(tuple(places), torch.tensor(numbers), frames)


def by_row(
    skeleton: Skeleton,
    rows: Rows,
    pose: Tensor,
    keypoints: Tensor | None,
    cameras: Camera,
    camera: Tensor,
    layout: str,
    notes: tuple[str, ...] = (),
    in_world: bool = False,
) -> Recorded:
    """N rows as a data set.

    Args:
        pose: (N, J, 3), mm, camera axes, or world axes with `in_world`.
        keypoints: (N, J, 2), pixels, NaN where missing; None where 2D is the projection of the 3D.
        cameras: C cameras.
        camera: the row of each picture's camera, (N,).
    """
    each, confidence = torch.arange(len(rows.view)), None
    if keypoints is not None:
        seen = keypoints.isfinite().all(-1)
        keypoints, confidence = torch.where(seen[..., None], keypoints, torch.nan), seen.float()
    labels = (pose, each, keypoints, confidence, each, cameras, camera)
    return Recorded(skeleton, rows.views, rows.view, rows.frame, *labels, in_world, layout, notes)


def of_view(
    skeleton: Skeleton, view: View, frame: Tensor, pose: Tensor, keypoints: Tensor, camera: Camera
) -> Recorded:
    """The people of one view, as `by_row` has them; one camera for all of them, or one each."""
    rows = Rows((view,), torch.zeros_like(frame), frame)
    which = rows.view if len(camera.focal) == 1 else torch.arange(len(frame))
    return by_row(skeleton, rows, pose, keypoints, camera, which, "")


def with_names(
    count: int, places: Iterable[Place], poses: Array, points: Array, cameras: list[str], path: Path
) -> tuple[Array, Array, tuple[str, ...]]:
    """The 3D and 2D of the rows of MMPose's tables that have a name, and a note if some lack one.

    `places`, of `count` names, are read only where there are more rows; cameras as packed.
    """
    if count < len(poses) == len(points):
        named = _rows_of_names(list(places), len(poses), cameras)
        if named is not None:
            note = f"{path.name}: rows without a name left out (videos that could not be read)"
            return poses[named], points[named], (note,)
    if not count == len(poses) == len(points):
        has = f"{count} names, {len(poses)} poses and {len(points)} sets of keypoints"
        why = "MMPose's script names no frame of a damaged video, and these names do not say which"
        raise InputError(f"{path}: {has}: {why}; make the file again from whole videos")
    return poses, points, ()


def _rows_of_names(places: Sequence[Place], rows: int, cameras: Sequence[str]) -> Array | None:
    """The rows (N,) that names belong to, in a table with more rows; None if that is unclear.

    MMPose's scripts write a row for every annotated frame, but no name for one whose video they
    cannot read. They go through sequences, then cameras, then frames, and a sequence has the same
    frames of every camera: what one camera has no name for, another tells.
    """
    frames: dict[Hashable, set[int]] = {}
    for sequence, _, frame in places:
        frames.setdefault(sequence, set()).add(frame)
    row: dict[Place, int] = {}
    for sequence, numbers in frames.items():
        for camera, frame in product(cameras, sorted(numbers)):
            row[sequence, camera, frame] = len(row)
    named = np.array([row.get(place, -1) for place in places])
    whole = len(row) == rows and (named >= 0).all() and (np.diff(named) > 0).all()
    return named if whole else None


def combined(parts: Sequence[Recorded], layout: str) -> Recorded:
    """Files of one set, in the same joints and axes, one after the other.

    Where some have 2D, the others get the projection of their 3D.
    """
    if len(parts) == 1:
        return replace(parts[0], layout=layout)
    if any(part.keypoints is not None for part in parts):
        parts = [part if part.keypoints is not None else _projected(part) for part in parts]
    columns: dict[str, Any] = {}
    for column in ("frame", "pose", "keypoints", "confidence"):
        tensors = [getattr(part, column) for part in parts]
        columns[column] = None if tensors[0] is None else torch.cat(tensors)
    sizes = {
        "view": [len(part.views) for part in parts],
        "pose_row": [len(part.pose) for part in parts],
        "keypoint_row": [0 if part.keypoints is None else len(part.keypoints) for part in parts],
        "camera": [len(part.cameras.focal) for part in parts],
    }
    for column, counts in sizes.items():
        pairs = zip(parts, accumulate(counts, initial=0), strict=False)  # the last sum is the total
        columns[column] = torch.cat([getattr(part, column) + start for part, start in pairs])
    views, notes = (tuple(chain(*(getattr(p, name) for p in parts))) for name in ("views", "notes"))
    cameras = _stacked([part.cameras for part in parts])
    first = replace(parts[0], views=views, cameras=cameras, layout=layout, notes=notes)
    return replace(first, **columns)


def _projected(part: Recorded) -> Recorded:
    """The same with the projection of its 3D as its 2D."""
    each = torch.arange(len(part))
    seen = part.read(each)
    return replace(part, keypoints=seen.keypoints, confidence=seen.confidence, keypoint_row=each)


def _stacked(cameras: Sequence[Camera]) -> Camera:
    """Cameras one after the other; all have a lens model, or none has."""
    parts = [name for name, part in vars(cameras[0]).items() if part is not None]
    joined = {part: torch.cat([getattr(camera, part) for camera in cameras]) for part in parts}
    return replace(cameras[0], **joined)
