"""Human3.6M's raw release: one CDF per sequence with the 3D in world axes, and one per sequence and
camera with the 2D.

`S9/MyPoseFeatures/D3_Positions/Directions 1.cdf` holds `Pose` (1, T, 96): 32 joints, mm, world
axes; `S9/MyPoseFeatures/D2_Positions/Directions 1.54138969.cdf` (1, T, 64): pixels, with the lens's
distortion.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import INTRINSICS
from unihpe.datasets.human36m.views import raw_skeleton
from unihpe.datasets.matching import matching
from unihpe.datasets.videopose3d import Detections, Sequence3D
from unihpe.errors import InputError, listing, one_line
from unihpe.io.arrays import Array, as_floats, require_finite
from unihpe.io.extra import extra

FEATURES = "MyPoseFeatures"


def raw_files(root: Path) -> list[Path]:
    """The 3D files under a folder that holds the subjects; `_ALL` is all sequences again."""
    files = matching(root, f"S*/{FEATURES}/D3_Positions/*.cdf")
    return [path for path in files if not path.stem.startswith("_ALL")]


def read_raw_3d(root: Path) -> list[Sequence3D]:
    """Every sequence's poses, 17 joints, mm, world axes.

    Raises:
        InputError: for a file that cannot be read.
    """
    columns = get_skeleton("human36m17").select_from(raw_skeleton())
    sequences = []
    for path in raw_files(root):
        subject, name = path.parents[2].name, path.stem
        poses = positions(path, 3)[:, columns]
        require_finite(poses, str(path))
        sequences.append(Sequence3D(subject, name, poses.astype(np.float32)))
    return sequences


def with_2d(root: Path, sequences: list[Sequence3D]) -> tuple[list[Sequence3D], tuple[str, ...]]:
    """The sequences whose 2D is there, of every camera, and a note about the others; all where none has any."""
    there = [
        all(path_2d(root, sequence, camera).is_file() for camera in INTRINSICS)
        for sequence in sequences
    ]
    if all(there) or not any(there):
        return sequences, ()
    lost = [
        f"{one.subject} {one.name}" for one, has in zip(sequences, there, strict=True) if not has
    ]
    note = f"{len(lost)} sequences without 2D left out: {listing(lost)}"
    return [one for one, has in zip(sequences, there, strict=True) if has], (note,)


def path_2d(root: Path, sequence: Sequence3D, camera: str) -> Path:
    """The file of a sequence's 2D in one camera."""
    return root / sequence.subject / FEATURES / "D2_Positions" / f"{sequence.name}.{camera}.cdf"


def raw_2d(root: Path, sequences: list[Sequence3D], two_d: str) -> Detections:
    """The 2D of these sequences, 17 joints.

    Raises:
        InputError: for another 2D than "gt", or a file that is not there or cannot be read.
    """
    if two_d != "gt":
        raise InputError(f"{root}: the raw release has the 2D gt and exact, not '{two_d}'")
    columns = get_skeleton("human36m17").select_from(raw_skeleton())
    found: dict[str, dict[str, list[Array]]] = {}
    for sequence in sequences:
        views = [positions(path_2d(root, sequence, camera), 2)[:, columns] for camera in INTRINSICS]
        found.setdefault(sequence.subject, {})[sequence.name] = views
    return Detections(root, get_skeleton("human36m17"), found)


def positions(path: Path, coordinates: int) -> Array:
    """`Pose` of a CDF as (T, 32, coordinates)."""
    cdflib = extra("cdflib", "data", f"{path}: reading it needs cdflib")
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; unpack the release's archives of this subject, or ask for 2D 'exact'"
        )
    try:
        content = np.asarray(cdflib.CDF(path).varget("Pose"))
    except Exception as error:  # cdflib raises errors of many kinds for a broken file
        raise InputError(
            f"{path}: not a readable CDF ({one_line(error, 100)}); copy it again"
        ) from error
    flat = content[0] if content.ndim == 3 and len(content) == 1 else content
    return as_floats(flat, (None, 32 * coordinates), str(path), "Pose").reshape(-1, 32, coordinates)
