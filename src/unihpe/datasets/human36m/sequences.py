"""Human3.6M as whole sequences in world axes: VideoPose3D's files, and the raw release.

The release has one CDF per sequence with the 3D, and one per sequence and camera with the 2D.
`S9/MyPoseFeatures/D3_Positions/Directions 1.cdf` holds `Pose` (1, T, 96): 32 joints, mm, world
axes; `S9/MyPoseFeatures/D2_Positions/Directions 1.54138969.cdf` (1, T, 64): pixels, with the lens's
distortion.
"""

from dataclasses import replace
from itertools import compress
from pathlib import Path

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets import videopose3d
from unihpe.datasets.human36m import cameras
from unihpe.datasets.human36m.cameras import INTRINSICS, Calibration, published_cameras
from unihpe.datasets.human36m.views import RAW_SKELETON, view_of
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.videopose3d import Detections, Sequence3D, assemble, require_bodies
from unihpe.errors import InputError, listing
from unihpe.io.arrays import Array, as_floats, require_finite
from unihpe.io.extra import extra
from unihpe.io.files import input_errors, matching

VIDEOPOSE3D = "data_3d_h36m.npz"
FEATURES = "MyPoseFeatures"


def raw_files(root: Path) -> list[Path]:
    """The 3D files under a folder that holds the subjects; `_ALL` repeats all sequences."""
    files = matching(root, f"S*/{FEATURES}/D3_Positions/*.cdf")
    return [path for path in files if not path.stem.startswith("_ALL")]


def _read_raw_3d(root: Path) -> list[Sequence3D]:
    """Every sequence's poses, 17 joints, mm, world axes."""
    sequences = []
    for path in raw_files(root):
        poses = _positions(path, 3)
        require_finite(poses, str(path))
        sequences.append(Sequence3D(path.parents[2].name, path.stem, poses.astype(np.float32)))
    return sequences


def _with_2d(root: Path, sequences: list[Sequence3D]) -> tuple[list[Sequence3D], tuple[str, ...]]:
    """The sequences that have 2D of every camera, and a note on the others; all where none has."""
    whole = [all(path.is_file() for path in _paths_2d(root, one)) for one in sequences]
    if all(whole) or not any(whole):
        return sequences, ()
    lost = [f"{s.subject} {s.name}" for s, has in zip(sequences, whole, strict=True) if not has]
    note = f"{len(lost)} sequences without 2D left out: {listing(lost)}"
    return list(compress(sequences, whole)), (note,)


def _paths_2d(root: Path, sequence: Sequence3D) -> list[Path]:
    folder = root / sequence.subject / FEATURES / "D2_Positions"
    return [folder / f"{sequence.name}.{camera}.cdf" for camera in INTRINSICS]


def _read_raw_2d(root: Path, sequences: list[Sequence3D]) -> Detections:
    """The 2D of these sequences, 17 joints."""
    by_subject: dict[str, dict[str, list[Array]]] = {}
    for one in sequences:
        views = [_positions(path, 2) for path in _paths_2d(root, one)]
        by_subject.setdefault(one.subject, {})[one.name] = views
    return Detections(root, get_skeleton("human36m17"), by_subject)


def _positions(path: Path, coordinates: int) -> Array:
    """`Pose` of a CDF, its 32 joints reduced to 17: (T, 17, coordinates)."""
    cdflib = extra("cdflib", "data", f"{path}: reading it needs cdflib")
    if not path.is_file():
        raise InputError(f"{path}: no such file; unpack this subject's archives or take 2D 'exact'")
    # cdflib raises errors of many kinds for a broken file
    with input_errors(f"{path}: not a readable CDF", kinds=(Exception,)):
        content = np.asarray(cdflib.CDF(path).varget("Pose"))
    flat = content[0] if content.ndim == 3 and len(content) == 1 else content
    numbers = as_floats(flat, (None, 32 * coordinates), str(path), "Pose")
    columns = get_skeleton("human36m17").select_from(RAW_SKELETON)
    return numbers.reshape(-1, 32, coordinates)[:, columns]


def open_videopose3d(root: Path, two_d: str, verify: bool) -> Recorded:
    path, target = root / VIDEOPOSE3D, get_skeleton("human36m17")
    sequences = videopose3d.read_3d(path, {32: RAW_SKELETON, 17: target}, target)
    detections = None if two_d == "exact" else videopose3d.read_2d(root, "h36m", two_d)
    if verify:
        require_bodies(sequences, target, path)
    layout = f"Human3.6M, VideoPose3D npz, 2D {two_d}"
    calibration = published_cameras()
    seen = _seen_by(calibration, sequences, path)
    return assemble(sequences, detections, seen, calibration.cameras, target, layout)


def open_raw(root: Path, two_d: str, verify: bool) -> Recorded:
    target, sequences, notes = get_skeleton("human36m17"), _read_raw_3d(root), tuple[str, ...]()
    if two_d == "gt":
        sequences, notes = _with_2d(root, sequences)
    detections = None if two_d == "exact" else _read_raw_2d(root, sequences)
    if verify:
        require_bodies(sequences, target, root, "mm")
    metadata = cameras.metadata_file(root)
    calibration = cameras.read_metadata(metadata) if metadata else published_cameras()
    layout = f"Human3.6M, raw release{', metadata.xml' if metadata else ''}, 2D {two_d}"
    in_metres = [replace(sequence, poses=sequence.poses / 1000) for sequence in sequences]
    seen = _seen_by(calibration, sequences, root)
    return assemble(in_metres, detections, seen, calibration.cameras, target, layout, notes)


def _seen_by(rig: Calibration, sequences: list[Sequence3D], where: Path) -> list[tuple[View, int]]:
    """The four views of each sequence, and the rows of their cameras."""
    keys = [(s.subject, s.name, camera) for s in sequences for camera in INTRINSICS]
    rows = rig.rows_of(keys, where).tolist()
    return [(view_of(*key), row) for key, row in zip(keys, rows, strict=True)]
