"""VideoPose3D's npz files: world poses per sequence, and 2D per sequence and camera.

`data_3d_<set>.npz` holds `positions_3d`: subject → sequence → (T, J, 3), metres, world axes, z up.
`data_2d_<set>_<name>.npz` holds `positions_2d`: subject → sequence → one (T', K, 2) per camera,
pixels, and `metadata`. 2D may be longer than 3D (videos have a few more frames) and is cut at its
end, as VideoPose3D does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.camera import Camera
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError, listing
from unihpe.inputs.readers.videopose3d import joints_of
from unihpe.io.arrays import Array, as_floats, require_finite
from unihpe.io.files import in_order
from unihpe.io.mapped import LARGE, Mapped, stacked
from unihpe.io.pickles import load_npz

NUMBERS = 3  # of a joint in 2D: x, y and a score, which some files lack
OWN_FILES, ONE_SOURCE = "use the set's own files", "take both files from one source"
NORMALISED = 5.0  # 2D within this is not in pixels


@dataclass(frozen=True)
class Sequence3D:
    """One sequence's world poses, (T, J, 3), as the file holds them."""

    subject: str
    name: str
    poses: Array


@dataclass(frozen=True)
class Detections:
    path: Path  # of the 2D file
    skeleton: Skeleton  # of its joints
    by_subject: dict[str, dict[str, Any]]  # subject → sequence → one array per camera


def _as_mapping(value: object, where: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        kind = type(value).__name__
        raise InputError(f"{where}: {what} is a {kind}, expected a dict by name; {OWN_FILES}")
    return value


def read_3d(path: Path, joints: Mapping[int, Skeleton], wanted: Skeleton) -> list[Sequence3D]:
    """Every sequence of a 3D file, its joints, which their number tells, reduced to `wanted`."""
    sequences = []
    subjects = _as_mapping(load_npz(path, ("positions_3d",))["positions_3d"], path, "positions_3d")
    for subject, by_name in subjects.items():
        for name, value in _as_mapping(by_name, path, f"positions_3d[{subject}]").items():
            where = f"{path}: {subject}, {name}"
            poses = as_floats(value, (None, None, 3), where, "3D poses")
            if (source := joints.get(poses.shape[1])) is None:
                counts = f"{poses.shape[1]} joints, expected {' or '.join(map(str, joints))}"
                raise InputError(f"{where}: has {counts}; {OWN_FILES}")
            require_finite(poses, where)
            if len(poses):
                reduced = poses[:, wanted.select_from(source)].astype(np.float32)
                sequences.append(Sequence3D(subject, name, reduced))
    if not sequences:
        raise InputError(f"{path}: holds no sequence; make it again as docs/data.md describes")
    # large ones in a file, so that they do not lie beside the 2D that is read next
    large = sum(s.poses.nbytes for s in sequences) >= LARGE
    kept, maps = stacked((s.poses for s in sequences), large)
    for mapped in maps:
        mapped.release()
    parts = kept.split([len(s.poses) for s in sequences])
    return [replace(s, poses=part.numpy()) for s, part in zip(sequences, parts, strict=True)]


def require_bodies(
    sequences: list[Sequence3D], skeleton: Skeleton, path: Path, unit: str = "m"
) -> None:
    """Raise if a subject's poses are not in the unit or its legs are swapped."""
    some: dict[str, list[Tensor]] = {}
    for s in sequences:
        poses = torch.from_numpy(s.poses[evenly_spaced(len(s.poses), 100)])
        some.setdefault(s.subject, []).append(poses)
    for subject, parts in some.items():
        require_body(torch.cat(parts), skeleton, f"{path}: {subject}", unit)


def two_d_path(root: Path, set_name: str, two_d: str) -> Path:
    """The 2D file of a set; an InputError lists those that are present where it is not."""
    prefix = f"data_2d_{set_name}_"
    if not (path := root / f"{prefix}{two_d}.npz").is_file():
        files = in_order(root.glob(f"{prefix}*.npz"))
        names = ["exact (projected 3D)", *(file.stem.removeprefix(prefix) for file in files)]
        raise InputError(f"{path}: no such file; 2D there: {listing(names)}")
    return path


def read_2d(root: Path, set_name: str, two_d: str) -> Detections:
    """The 2D file of a set; an InputError for one without metadata or with unknown joints."""
    path = two_d_path(root, set_name, two_d)
    content = load_npz(path, ("positions_2d", "metadata"))
    metadata = _as_mapping(content["metadata"], path, "metadata")
    subjects = _as_mapping(content["positions_2d"], path, "positions_2d")
    for subject, sequences in subjects.items():
        _as_mapping(sequences, path, f"positions_2d[{subject}]")
    return Detections(path, joints_of(metadata, path), subjects)


@dataclass
class _TwoD:
    """The 2D of sequences, view by view, each cut to its 3D and as the target's joints."""

    detections: Detections
    target: Skeleton
    longer: int = 0  # views that were cut
    largest: float = 0.0  # of all numbers, pixels

    def parts(self, sequences: Sequence[Sequence3D], cameras: int) -> Iterator[Array]:
        """One (T, J, 3) per view: x, y, NaN where missing, confidence; uses up the detections."""
        for sequence in sequences:
            length = len(sequence.poses)
            for view in self.views_of(sequence, cameras):
                self.longer += len(view) > length
                yield self.converted(torch.from_numpy(view[:length].astype(np.float32)))

    def views_of(self, sequence: Sequence3D, cameras: int) -> list[Array]:
        """The 2D of a sequence, one (T', K, 2 or 3) per camera, T' at least the 3D's length."""
        path, joints = self.detections.path, len(self.detections.skeleton)
        where = f"{path}: {sequence.subject}, {sequence.name}"
        views = self.detections.by_subject.get(sequence.subject, {}).pop(sequence.name, None)
        if views is None:
            raise InputError(f"{where}: has 3D but no 2D here; {ONE_SOURCE}")
        count = len(views) if isinstance(views, list | tuple | np.ndarray) else 0
        if count != cameras:
            raise InputError(f"{where}: 2D of {count} cameras, expected {cameras}; {OWN_FILES}")
        arrays = [as_floats(view, (None, joints, None), where, "2D joints") for view in views]
        for array in arrays:
            if array.shape[2] not in (NUMBERS - 1, NUMBERS):
                numbers = f"{array.shape[2]} numbers each, expected x, y and perhaps a score"
                raise InputError(f"{where}: 2D joints have {numbers}; {OWN_FILES}")
            if len(array) < len(sequence.poses):
                lengths = f"2D of {len(array)} frames is shorter than 3D of {len(sequence.poses)}"
                raise InputError(f"{where}: {lengths}; {ONE_SOURCE}")
        return arrays

    def converted(self, view: Tensor) -> Array:
        """One view (T, K, 2 or 3) as (T, J, 3)."""
        points, source = view[..., :2], self.detections.skeleton
        seen = points.isfinite().all(-1)
        self.largest = max(self.largest, float(points[seen].abs().max() if bool(seen.any()) else 0))
        scored = view.shape[2] == NUMBERS
        confidence = view[..., 2].nan_to_num(0).clamp(0, 1) * seen if scored else seen.float()
        points = torch.where(seen[..., None], points, torch.nan)
        if source.name != self.target.name:
            made = convert(points, confidence, source, self.target)
            points, confidence = made.points, made.confidence
        return torch.cat([points, confidence[..., None]], dim=-1).numpy()


def assemble(
    sequences: list[Sequence3D],
    detections: Detections | None,
    seen: Sequence[tuple[View, int]],
    cameras: Camera,
    skeleton: Skeleton,
    layout: str,
    notes: tuple[str, ...] = (),
) -> Recorded:
    """Sequences as a data set: indices run over sequences, then cameras, then frames.

    The detections are used up; None projects 3D instead. `seen` has the views and the rows of their
    cameras, as many for each sequence, one after another.
    """
    each = len(seen) // len(sequences)
    lengths = torch.tensor([len(sequence.poses) for sequence in sequences])
    of_view = lengths.repeat_interleave(each)
    people = int(of_view.sum())
    large = people * len(skeleton) * NUMBERS * 4 >= LARGE
    points, maps = None, tuple[Mapped, ...]()
    if detections is not None:
        two_d = _TwoD(detections, skeleton)
        points, maps = stacked(two_d.parts(sequences, each), large)
        if two_d.largest < NORMALISED:
            what = f"2D lies within {NORMALISED:g} of 0, so it is no pixels"
            raise InputError(f"{layout}: {what}; use the set's raw 2D files")
        cut = f"2D longer than 3D in {two_d.longer} views: cut at its end"
        notes = (*notes, cut) if two_d.longer else notes
    # after the 2D is used up
    pose, pose_maps = stacked((sequence.poses * 1000 for sequence in sequences), large)
    first_pose = (lengths.cumsum(0) - lengths).repeat_interleave(each)
    frame = torch.arange(people) - (of_view.cumsum(0) - of_view).repeat_interleave(of_view)
    views, rows = zip(*seen, strict=True)
    columns = (torch.arange(len(views)), torch.tensor(rows))
    view, camera = (column.repeat_interleave(of_view) for column in columns)
    keypoints, confidence = (None, None) if points is None else (points[..., :2], points[..., 2])
    labels = (pose, first_pose.repeat_interleave(of_view) + frame, keypoints, confidence)
    seen_by = (torch.arange(people), cameras, camera, True)
    maps += pose_maps
    return Recorded(skeleton, views, view, frame, *labels, *seen_by, layout, notes, maps)


def first_2d(root: Path, set_name: str) -> str:
    """The true 2D of a set, else whichever 2D file there is, else none: projected 3D."""
    prefix = f"data_2d_{set_name}_"
    present = [file.stem.removeprefix(prefix) for file in in_order(root.glob(f"{prefix}*.npz"))]
    return "gt" if "gt" in present else next(iter(present), "exact")
