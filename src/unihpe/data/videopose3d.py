"""VideoPose3D's npz files: world poses per sequence, and 2D per sequence and camera. Human3.6M and HumanEva-I share them.

`data_3d_<set>.npz` holds `positions_3d`: subject → sequence → (T, J, 3), metres, world axes, z up.
`data_2d_<set>_<name>.npz` holds `positions_2d`: subject → sequence → one (T', K, 2) per camera, pixels, and `metadata`.
2D may be longer than 3D (videos have a few more frames) and is cut at its end, as VideoPose3D does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.camera import Camera
from unihpe.data.recorded import Array, Recorded, View, as_floats, require_body, require_finite, shown, spread
from unihpe.data.unpickle import load_npz
from unihpe.errors import InputError
from unihpe.skeleton import Skeleton, convert, get_skeleton

MOST_COORDINATES = 3  # x, y and, in some files, a score
NORMALISED = 5.0  # 2D within this is not in pixels

# The joint sets of the published 2D files by the `layout_name` of their metadata. Which one a file has is told from the
# number of joints and from the columns it calls left; the name is often absent, or that of the picture set.
LAYOUT_NAMES: Mapping[str, str] = {"h36m": "human36m17", "coco": "coco17", "mpii": "mpii16", "humaneva15": "humaneva15"}


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
    by_subject: Mapping[str, Mapping[str, Sequence[Any]]]


def as_mapping(value: object, where: str, what: str) -> Mapping[str, Any]:
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
    subjects = as_mapping(load_npz(path, ("positions_3d",))["positions_3d"], str(path), "positions_3d")
    for subject, sequences in subjects.items():
        for name, value in as_mapping(sequences, str(path), f"positions_3d[{subject}]").items():
            where = f"{path}: {subject}, {name}"
            poses = as_floats(value, (None, None, 3), where, "3D poses")
            if poses.shape[1] not in joints:
                known = " or ".join(str(n) for n in joints)
                raise InputError(f"{where}: has {poses.shape[1]} joints, expected {known}; use the set's own files")
            require_finite(poses, where)
            if len(poses):
                columns = wanted.select_from(joints[poses.shape[1]])
                found.append(Sequence3D(subject, name, poses[:, columns].astype(np.float32)))
    if not found:
        raise InputError(f"{path}: holds no sequence; make it again as docs/data.md describes")
    return found


def require_bodies(sequences: list[Sequence3D], skeleton: Skeleton, path: Path, unit: str = "m") -> None:
    """Raise if a subject's poses are not in the unit or its legs are swapped."""
    for subject in dict.fromkeys(s.subject for s in sequences):
        poses = [torch.from_numpy(s.poses[spread(len(s.poses), 100)]) for s in sequences if s.subject == subject]
        require_body(torch.cat(poses), skeleton, f"{path}: {subject}", unit)


def read_2d(path: Path) -> Detections:
    """A 2D file; its joint set is told from its metadata.

    Raises:
        InputError: for a file without metadata, or with an unknown joint set.
    """
    content = load_npz(path, ("positions_2d", "metadata"))
    metadata = as_mapping(content["metadata"], str(path), "metadata")
    subjects = as_mapping(content["positions_2d"], str(path), "positions_2d")
    checked = {subject: as_mapping(value, str(path), f"positions_2d[{subject}]") for subject, value in subjects.items()}
    return Detections(path, joints_of(metadata, path), checked)


def joints_of(metadata: Mapping[str, Any], path: Path) -> Skeleton:
    """The joint set of a 2D file, from the metadata's name and symmetry."""
    name, symmetry = str(metadata.get("layout_name")), metadata.get("keypoints_symmetry")
    count = int(metadata.get("num_joints", 0))
    candidates = (LAYOUT_NAMES[name],) if symmetry is None and name in LAYOUT_NAMES else LAYOUT_NAMES.values()
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
    left, right = ([int(n) for n in side] for side in symmetry)
    own = [n for n, joint in enumerate(skeleton.joints) if joint.startswith("left_")]
    mirrored = [skeleton.mirror[n] for n in left if n < len(skeleton)]
    return sorted(left) == own and sorted(mirrored) == sorted(right)


def two_d_of(detections: Detections, sequence: Sequence3D, cameras: int) -> list[Array]:
    """The 2D of a 3D sequence, one (T, K, 2 or 3) per camera, cut to the 3D's length.

    Raises:
        InputError: if it is absent, has another number of cameras or joints, or is shorter than the 3D.
    """
    where = f"{detections.path}: {sequence.subject}, {sequence.name}"
    of_subject = detections.by_subject.get(sequence.subject)
    if of_subject is None or sequence.name not in of_subject:
        raise InputError(f"{where}: has 3D but no 2D here; take both files from one source")
    views = of_subject[sequence.name]
    if not isinstance(views, list | tuple | np.ndarray) or len(views) != cameras:
        count = len(views) if isinstance(views, list | tuple | np.ndarray) else 0
        raise InputError(f"{where}: 2D of {count} cameras, expected {cameras}; use the set's own files")
    cut = []
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
        cut.append(array[: len(sequence.poses)])
    return cut


def joined_2d(parts: list[Array], source: Skeleton, target: Skeleton, where: str) -> tuple[Tensor, Tensor]:
    """2D of all views one after the other, as the target's joints: (Q, J, 2) pixels and (Q, J) confidence."""
    width = min(part.shape[2] for part in parts)
    joined = torch.from_numpy(np.concatenate([part[..., :width] for part in parts]).astype(np.float32))
    points = joined[..., :2]
    seen = points.isfinite().all(-1)
    if float(points[seen].abs().max() if bool(seen.any()) else 0) < NORMALISED:
        raise InputError(f"{where}: 2D lies within {NORMALISED:g} of 0, so it is no pixels; use the set's raw 2D files")
    confidence = joined[..., 2].nan_to_num(0).clamp(0, 1) * seen if width == MOST_COORDINATES else seen.float()
    if source.name == target.name:
        return torch.where(seen[..., None], points, torch.nan), confidence
    converted = convert(points, confidence, source, target)
    return converted.points, converted.confidence


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
    """A `Recorded` from sequences and their views: indices run over sequences, then cameras, then frames.

    Args:
        sequences: S sequences.
        detections: 2D of them; None projects 3D instead.
        views: the views of each sequence.
        camera_rows: the row in `cameras` of each of these views.
        cameras: C cameras.
        skeleton: of the poses.
        layout: for messages.
        notes: what was left out already.
    """
    parts: list[Array] = []
    view: list[Tensor] = []
    frame: list[Tensor] = []
    pose_row: list[Tensor] = []
    camera: list[Tensor] = []
    start = extra = 0
    for n, sequence in enumerate(sequences):
        length = len(sequence.poses)
        if detections is not None:
            parts += two_d_of(detections, sequence, len(views[n]))
            extra += sum(len(whole) > length for whole in detections.by_subject[sequence.subject][sequence.name])
        for row in camera_rows[n]:
            view.append(torch.full((length,), len(view)))
            frame.append(torch.arange(length))
            pose_row.append(torch.arange(start, start + length))
            camera.append(torch.full((length,), row))
        start += length
    two_d = None if detections is None else joined_2d(parts, detections.skeleton, skeleton, layout)
    if extra:
        notes = (*notes, f"2D longer than 3D in {extra} views: cut at its end")
    return Recorded(
        skeleton=skeleton,
        views=tuple(one for of_sequence in views for one in of_sequence),
        view=torch.cat(view),
        frame=torch.cat(frame),
        pose=torch.from_numpy(np.concatenate([sequence.poses for sequence in sequences])) * 1000,
        pose_row=torch.cat(pose_row),
        keypoints=None if two_d is None else two_d[0],
        confidence=None if two_d is None else two_d[1],
        keypoint_row=torch.arange(sum(len(rows) for rows in view)),
        cameras=cameras,
        camera=torch.cat(camera),
        in_world=True,
        layout=layout,
        notes=notes,
    )


def two_d_path(root: Path, set_name: str, two_d: str) -> Path:
    """The 2D file of a set.

    Raises:
        InputError: if it is not there, listing those that are.
    """
    path = root / f"data_2d_{set_name}_{two_d}.npz"
    if not path.is_file():
        present = [
            file.stem.removeprefix(f"data_2d_{set_name}_") for file in sorted(root.glob(f"data_2d_{set_name}_*.npz"))
        ]
        raise InputError(f"{path}: no such file; 2D there: {shown(['exact (projected 3D)', *present])}")
    return path
