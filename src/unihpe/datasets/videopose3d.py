"""VideoPose3D's npz files: world poses per sequence, and 2D per sequence and camera. Human3.6M and
HumanEva-I share them.

`data_3d_<set>.npz` holds `positions_3d`: subject → sequence → (T, J, 3), metres, world axes, z up.
`data_2d_<set>_<name>.npz` holds `positions_2d`: subject → sequence → one (T', K, 2) per camera,
pixels, and `metadata`. 2D may be longer than 3D (videos have a few more frames) and is cut at its
end, as VideoPose3D does.
"""

from __future__ import annotations

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
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError, listing
from unihpe.io.arrays import Array, as_floats, require_finite
from unihpe.io.mapped import LARGE, Mapped, stacked
from unihpe.io.pickles import load_npz

MOST_COORDINATES = 3  # x, y and, in some files, a score
NORMALISED = 5.0  # 2D within this is not in pixels
# The joint sets of the published 2D files by the `layout_name` of their metadata. Which one a file
# has is told from the number of joints and from the columns it calls left; the name is often
# absent, or that of the picture set.
LAYOUT_NAMES: Mapping[str, str] = {
    "h36m": "human36m17",
    "coco": "coco17",
    "mpii": "mpii16",
    "humaneva15": "humaneva15",
}


@dataclass(frozen=True)
class Sequence3D:
    """One sequence's world poses, (T, J, 3), as the file holds them."""

    subject: str
    name: str
    poses: Array


@dataclass(frozen=True)
class Detections:
    """A 2D file: joints by name, and subject → sequence → one array per camera."""

    path: Path
    skeleton: Skeleton
    by_subject: dict[str, dict[str, Any]]


def as_mapping(value: object, where: str, what: str) -> dict[str, Any]:
    """A dict with text keys, or an InputError."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InputError(
            f"{where}: {what} is a {type(value).__name__}, expected a dict by name; use the set's own files"
        )
    return value


def read_3d(path: Path, joints: Mapping[int, Skeleton], wanted: Skeleton) -> list[Sequence3D]:
    """Every sequence of a 3D file, its joints reduced to `wanted` by name.

    Args:
        path: of the npz.
        joints: the joint set that each number of joints means.
        wanted: the joints to keep.

    Raises:
        InputError: for a file, sequence or joint number that does not fit.
    """
    found = []
    subjects = as_mapping(
        load_npz(path, ("positions_3d",))["positions_3d"], str(path), "positions_3d"
    )
    for subject, sequences in subjects.items():
        for name, value in as_mapping(sequences, str(path), f"positions_3d[{subject}]").items():
            where = f"{path}: {subject}, {name}"
            poses = as_floats(value, (None, None, 3), where, "3D poses")
            if poses.shape[1] not in joints:
                known = " or ".join(str(n) for n in joints)
                raise InputError(
                    f"{where}: has {poses.shape[1]} joints, expected {known}; use the set's own files"
                )
            require_finite(poses, where)
            if len(poses):
                columns = wanted.select_from(joints[poses.shape[1]])
                found.append(Sequence3D(subject, name, poses[:, columns].astype(np.float32)))
    if not found:
        raise InputError(f"{path}: holds no sequence; make it again as docs/data.md describes")
    return out_of_memory(found)


def out_of_memory(sequences: list[Sequence3D]) -> list[Sequence3D]:
    """The same, where they are large in a file, so that they do not lie beside the 2D that is read next."""
    poses, maps = stacked(
        (s.poses for s in sequences), sum(s.poses.nbytes for s in sequences) >= LARGE
    )
    for mapped in maps:
        mapped.release()
    parts = poses.split([len(s.poses) for s in sequences])
    return [replace(s, poses=part.numpy()) for s, part in zip(sequences, parts, strict=True)]


def require_bodies(
    sequences: list[Sequence3D], skeleton: Skeleton, path: Path, unit: str = "m"
) -> None:
    """Raise if a subject's poses are not in the unit or its legs are swapped."""
    for subject in dict.fromkeys(s.subject for s in sequences):
        poses = [
            torch.from_numpy(s.poses[evenly_spaced(len(s.poses), 100)])
            for s in sequences
            if s.subject == subject
        ]
        require_body(torch.cat(poses), skeleton, f"{path}: {subject}", unit)


def read_2d(path: Path) -> Detections:
    """A 2D file; its joint set is told from its metadata.

    Raises:
        InputError: for a file without metadata, or with an unknown joint set.
    """
    content = load_npz(path, ("positions_2d", "metadata"))
    metadata = as_mapping(content["metadata"], str(path), "metadata")
    subjects = as_mapping(content["positions_2d"], str(path), "positions_2d")
    checked = {
        subject: as_mapping(value, str(path), f"positions_2d[{subject}]")
        for subject, value in subjects.items()
    }
    return Detections(path, joints_of(metadata, path), checked)


def joints_of(metadata: Mapping[str, Any], path: Path) -> Skeleton:
    """The joint set of a 2D file, from the metadata's name and symmetry."""
    name, symmetry = str(metadata.get("layout_name")), metadata.get("keypoints_symmetry")
    count = metadata.get("num_joints")
    candidates = (
        (LAYOUT_NAMES[name],)
        if symmetry is None and name in LAYOUT_NAMES
        else LAYOUT_NAMES.values()
    )
    for candidate in candidates:
        skeleton = get_skeleton(candidate)
        if len(skeleton) == count and (symmetry is None or fits(symmetry, skeleton)):
            return skeleton
    raise InputError(
        f"{path}: its {count} joints (layout '{name}', symmetry {symmetry}) are none of {', '.join(LAYOUT_NAMES)};"
        " left and right may be exchanged: make the file again with VideoPose3D's own tools"
    )


def fits(symmetry: object, skeleton: Skeleton) -> bool:
    """Whether the columns a file calls left and right, in pairs, are a skeleton's."""
    if not isinstance(symmetry, list | tuple | np.ndarray) or len(symmetry) != 2:
        return False
    left, right = (whole_numbers(side) for side in symmetry)
    own = [n for n, joint in enumerate(skeleton.joints) if joint.startswith("left_")]
    mirrored = [skeleton.mirror[n] for n in left if n < len(skeleton)]
    return sorted(left) == own and sorted(mirrored) == sorted(right)


def whole_numbers(side: object) -> list[int]:
    """The joint numbers a file lists; none where it lists something else."""
    if not isinstance(side, list | tuple | np.ndarray) or not all(
        isinstance(n, int | np.integer) for n in side
    ):
        return []
    return [int(n) for n in side]


def two_d_of(detections: Detections, sequence: Sequence3D, cameras: int) -> list[Array]:
    """The 2D of a 3D sequence, one (T', K, 2 or 3) per camera, T' at least the 3D's length; taken
    out of the detections.

    Raises:
        InputError: if it is absent, has another number of cameras or joints, or is shorter than the
            3D.
    """
    where = f"{detections.path}: {sequence.subject}, {sequence.name}"
    views = detections.by_subject.get(sequence.subject, {}).pop(sequence.name, None)
    if views is None:
        raise InputError(f"{where}: has 3D but no 2D here; take both files from one source")
    if not isinstance(views, list | tuple | np.ndarray) or len(views) != cameras:
        count = len(views) if isinstance(views, list | tuple | np.ndarray) else 0
        raise InputError(
            f"{where}: 2D of {count} cameras, expected {cameras}; use the set's own files"
        )
    found = []
    for view in views:
        array = as_floats(view, (None, len(detections.skeleton), None), where, "2D joints")
        if not 2 <= array.shape[2] <= MOST_COORDINATES:
            raise InputError(
                f"{where}: 2D joints have {array.shape[2]} numbers each, expected x, y and perhaps a score"
            )
        if len(array) < len(sequence.poses):
            raise InputError(
                f"{where}: 2D of {len(array)} frames is shorter than 3D of {len(sequence.poses)}; take both files from"
                " one source"
            )
        found.append(array)
    return found


@dataclass
class Flat:
    """The 2D of sequences, view by view, each cut to its 3D and as the target's joints.

    Attributes:
        longer: views that were cut.
        largest: of all numbers, pixels.
    """

    detections: Detections
    target: Skeleton
    longer: int = 0
    largest: float = 0.0

    def parts(self, sequences: list[Sequence3D], cameras: Sequence[int]) -> Iterator[Array]:
        """One (T, J, 3) per view: x, y, NaN where missing, and confidence; the detections are used up."""
        for sequence, count in zip(sequences, cameras, strict=True):
            length = len(sequence.poses)
            for view in two_d_of(self.detections, sequence, count):
                self.longer += len(view) > length
                yield self.part(torch.from_numpy(view[:length].astype(np.float32)))

    def part(self, view: Tensor) -> Array:
        """One view (T, K, 2 or 3) as (T, J, 3)."""
        points, source = view[..., :2], self.detections.skeleton
        seen = points.isfinite().all(-1)
        self.largest = max(self.largest, float(points[seen].abs().max() if bool(seen.any()) else 0))
        scored = view.shape[2] == MOST_COORDINATES
        confidence = view[..., 2].nan_to_num(0).clamp(0, 1) * seen if scored else seen.float()
        points = torch.where(seen[..., None], points, torch.nan)
        if source.name != self.target.name:
            converted = convert(points, confidence, source, self.target)
            points, confidence = converted.points, converted.confidence
        return torch.cat([points, confidence[..., None]], dim=-1).numpy()


def joined_2d(
    sequences: list[Sequence3D], flat: Flat, cameras: Sequence[int], large: bool, layout: str
) -> tuple[Tensor, tuple[Mapped, ...], tuple[str, ...]]:
    """The 2D of all views, one after the other (Q, J, 3), pixels and confidence; the file it lies
    in; what was cut.

    Raises:
        InputError: for 2D that does not fit the 3D, or is not in pixels.
    """
    joined, maps = stacked(flat.parts(sequences, cameras), large)
    if flat.largest < NORMALISED:
        raise InputError(
            f"{layout}: 2D lies within {NORMALISED:g} of 0, so it is no pixels; use the set's raw 2D files"
        )
    longer = (f"2D longer than 3D in {flat.longer} views: cut at its end",) if flat.longer else ()
    return joined, maps, longer


def assemble(
    sequences: list[Sequence3D],
    detections: Detections | None,
    views: Sequence[Sequence[View]],
    camera_rows: Sequence[Sequence[int]],
    cameras: Camera,
    skeleton: Skeleton,
    layout: str,
    notes: tuple[str, ...] = (),
) -> Recorded:
    """A `Recorded` from sequences and their views: indices run over sequences, then cameras, then
    frames.

    Args:
        sequences: S sequences.
        detections: 2D of them, which is used up; None projects 3D instead.
        views: the views of each sequence.
        camera_rows: the row in `cameras` of each of these views.
        cameras: C cameras.
        skeleton: of the poses.
        layout: for messages.
        notes: what was left out already.

    Raises:
        InputError: for 2D that does not fit the 3D, or is not in pixels.
    """
    counts, lengths = (
        [len(of_sequence) for of_sequence in views],
        [len(sequence.poses) for sequence in sequences],
    )
    people = sum(count * length for count, length in zip(counts, lengths, strict=True))
    large = people * len(skeleton) * MOST_COORDINATES * 4 >= LARGE
    keypoints = confidence = None
    maps: tuple[Mapped, ...] = ()
    if detections is not None:
        joined, maps, longer = joined_2d(
            sequences, Flat(detections, skeleton), counts, large, layout
        )
        keypoints, confidence = joined[..., :2], joined[..., 2]
        notes = (*notes, *longer)
    pose, more = stacked(
        (sequence.poses * 1000 for sequence in sequences), large
    )  # after the 2D is used up
    of_view = torch.tensor(
        [length for count, length in zip(counts, lengths, strict=True) for _ in range(count)]
    )
    begin = (
        torch.tensor([0, *lengths[:-1]]).cumsum(0).repeat_interleave(torch.tensor(counts))
    )  # of each view's poses
    frame = torch.arange(people) - (of_view.cumsum(0) - of_view).repeat_interleave(of_view)
    return Recorded(
        skeleton=skeleton,
        views=tuple(one for of_sequence in views for one in of_sequence),
        view=torch.arange(len(of_view)).repeat_interleave(of_view),
        frame=frame,
        pose=pose,
        pose_row=begin.repeat_interleave(of_view) + frame,
        keypoints=keypoints,
        confidence=confidence,
        keypoint_row=torch.arange(people),
        cameras=cameras,
        camera=torch.tensor([row for rows in camera_rows for row in rows]).repeat_interleave(
            of_view
        ),
        in_world=True,
        layout=layout,
        notes=notes,
        maps=maps + more,
    )


def two_d_path(root: Path, set_name: str, two_d: str) -> Path:
    """The 2D file of a set.

    Raises:
        InputError: if it is not there, listing those that are.
    """
    path = root / f"data_2d_{set_name}_{two_d}.npz"
    if not path.is_file():
        present = [
            file.stem.removeprefix(f"data_2d_{set_name}_")
            for file in sorted(root.glob(f"data_2d_{set_name}_*.npz"))
        ]
        raise InputError(
            f"{path}: no such file; 2D there: {listing(['exact (projected 3D)', *present])}"
        )
    return path


def first_2d(root: Path, set_name: str) -> str:
    """The true 2D of a set, else whichever 2D file there is, else none: projected 3D."""
    prefix = f"data_2d_{set_name}_"
    present = [file.stem.removeprefix(prefix) for file in sorted(root.glob(f"{prefix}*.npz"))]
    return "gt" if "gt" in present else next(iter(present), "exact")
