"""Data sets that come as tables with one row per picture, in any order; and several of one set's files as one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError
from unihpe.io.arrays import Array


def by_row(
    skeleton: Skeleton,
    rows: Sequence[tuple[View, int]],
    pose: Tensor,
    keypoints: Tensor | None,
    cameras: Camera,
    camera: Tensor,
    layout: str,
    notes: tuple[str, ...] = (),
    in_world: bool = False,
    confidence: Tensor | None = None,
) -> Recorded:
    """Rows as a data set.

    Args:
        rows: the view and the frame (from 0) of each of the N rows.
        pose: (N, J, 3), mm, camera axes, or world axes with `in_world`.
        keypoints: (N, J, 2), pixels, NaN where missing; None where 2D is the projection of the 3D.
        cameras: C cameras.
        camera: the row of each picture's camera, (N,).
        confidence: (N, J), of keypoints that bring one; without it every joint that is not missing
            counts fully.
    """
    views, number = camera_rows(rows)
    every = torch.arange(len(rows))
    if keypoints is not None and confidence is None:
        seen = keypoints.isfinite().all(-1)
        keypoints, confidence = torch.where(seen[..., None], keypoints, torch.nan), seen.float()
    return Recorded(
        skeleton=skeleton,
        views=tuple(views),
        view=number,
        frame=torch.tensor([frame for _, frame in rows]),
        pose=pose,
        pose_row=every,
        keypoints=keypoints,
        confidence=confidence,
        keypoint_row=every,
        cameras=cameras,
        camera=camera,
        in_world=in_world,
        layout=layout,
        notes=notes,
    )


def camera_rows(rows: Sequence[tuple[View, int]]) -> tuple[list[View], Tensor]:
    """The views that occur, for one camera each, and each row's place among them, (N,)."""
    views: dict[View, int] = {}
    known: dict[
        int, int
    ] = {}  # by identity: a million rows share some hundred views, and comparing those takes long
    numbers = []
    for view, _ in rows:
        if id(view) not in known:
            known[id(view)] = views.setdefault(view, len(views))
        numbers.append(known[id(view)])
    return list(views), torch.tensor(numbers)


def rows_of_names(
    places: Sequence[tuple[Hashable, str, int]], rows: int, cameras: Sequence[str]
) -> Tensor | None:
    """The rows of a table that its names belong to, (N,), where the table has more rows than names;
    None if that cannot be told.

    MMPose's scripts write a row for every annotated frame, but no name for one whose video they
    cannot read. They go through sequences, then cameras, then frames, and a sequence has the same
    frames of every camera: what one camera has no name for, another tells.

    Args:
        places: the sequence, the camera and the frame of each name.
        cameras: the set's, in the packer's order.
    """
    frames: dict[Hashable, set[int]] = {}
    for sequence, _, frame in places:
        frames.setdefault(sequence, set()).add(frame)
    row: dict[tuple[Hashable, str, int], int] = {}
    for sequence, numbers in frames.items():
        for camera in cameras:
            for frame in sorted(numbers):
                row[sequence, camera, frame] = len(row)
    if len(row) != rows or any(place not in row for place in places):
        return None
    found = torch.tensor([row[place] for place in places])
    return found if bool((found.diff() > 0).all()) else None


def with_names(
    count: int,
    places: Iterable[tuple[Hashable, str, int]],
    poses: Array,
    points: Array,
    cameras: Sequence[str],
    path: Path,
) -> tuple[Array, Array, tuple[str, ...]]:
    """The 3D and 2D of the rows that have a name (see `rows_of_names`), and a note where some have
    none.

    Args:
        count: of the names; their `places` are looked at only where there are more rows.

    Raises:
        InputError: where names, 3D and 2D are of different number, and nothing says which rows are
            without a name.
    """
    if count < len(poses) == len(points):
        named = rows_of_names(list(places), len(poses), cameras)
        if named is not None:
            note = f"{path.name}: rows without a name left out (videos that could not be read)"
            return poses[named.numpy()], points[named.numpy()], (note,)
    if not count == len(poses) == len(points):
        raise InputError(
            f"{path}: {count} names, {len(poses)} poses and {len(points)} sets of keypoints: MMPose's script names no frame of a"
            " damaged video, and these names do not say which those are; make the file again from whole videos"
        )
    return poses, points, ()


def combined(parts: Sequence[Recorded], layout: str) -> Recorded:
    """Files of one set, in the same joints and axes, one after the other; where some have 2D, the others get its projection."""
    if len(parts) == 1:
        return replace(parts[0], layout=layout)
    with_2d = any(part.keypoints is not None for part in parts)
    parts = [
        with_projection(part) if with_2d and part.keypoints is None else part for part in parts
    ]
    starts = {
        name: starting([size_of(part, name) for part in parts])
        for name in ("view", "pose", "keypoints", "camera")
    }

    def moved(column: str, by: str) -> Tensor:
        return torch.cat(
            [getattr(part, column) + start for part, start in zip(parts, starts[by], strict=True)]
        )

    return replace(
        parts[0],
        views=tuple(view for part in parts for view in part.views),
        view=moved("view", "view"),
        frame=torch.cat([part.frame for part in parts]),
        pose=torch.cat([part.pose for part in parts]),
        pose_row=moved("pose_row", "pose"),
        keypoints=torch.cat([part.keypoints for part in parts if part.keypoints is not None])
        if with_2d
        else None,
        confidence=torch.cat([part.confidence for part in parts if part.confidence is not None])
        if with_2d
        else None,
        keypoint_row=moved("keypoint_row", "keypoints"),
        cameras=stacked([part.cameras for part in parts]),
        camera=moved("camera", "camera"),
        layout=layout,
        notes=tuple(note for part in parts for note in part.notes),
    )


def with_projection(part: Recorded) -> Recorded:
    """The same with the projection of its 3D as its 2D."""
    every = torch.arange(len(part))
    frames = part.read(every)
    return replace(
        part, keypoints=frames.keypoints, confidence=frames.confidence, keypoint_row=every
    )


def size_of(part: Recorded, name: str) -> int:
    """How many views, poses, sets of keypoints or cameras a part has."""
    sizes = {"view": len(part.views), "pose": len(part.pose), "camera": len(part.cameras.focal)}
    return sizes.get(name, 0 if part.keypoints is None else len(part.keypoints))


def starting(sizes: Sequence[int]) -> list[int]:
    """Where each of several parts begins."""
    return [sum(sizes[:n]) for n in range(len(sizes))]


def stacked(cameras: Sequence[Camera]) -> Camera:
    """Cameras one after the other; all have a lens model, or none has."""
    parts = ["focal", "centre", "size", "rotation", "translation"]
    parts += [] if cameras[0].distortion is None else ["distortion"]
    return replace(
        cameras[0],
        **{part: torch.cat([getattr(camera, part) for camera in cameras]) for part in parts},
    )
