"""Human3.6M as tables with one row per picture: what several projects' files have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import Calibration, published_cameras
from unihpe.datasets.human36m.views import view_of
from unihpe.datasets.proofs import CHECKED_POSES, require_body
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import Rows, by_row
from unihpe.io.arrays import Array, float32

Key = tuple[str, str, str, int]  # subject, sequence, camera, frame from 0


@dataclass(frozen=True)
class Table:
    """N pictures of one file."""

    keys: list[Key]
    poses: Array  # (N, 17, 3), in the file's unit and axes
    keypoints: Array  # (N, 17, 2), pixels, NaN where missing
    notes: tuple[str, ...] = ()  # what was left out


def recorded_of(
    tables: Sequence[Table],
    two_d: str,
    layout: str,
    where: Path,
    unit: Literal["m", "mm"],
    verify: bool,
    calibration: Calibration | None = None,
    in_world: bool = False,
) -> Recorded:
    """Tables one after the other, checked, seen by the published cameras or those given."""
    keys = [key for table in tables for key in table.keys]
    pose = float32(*(table.poses for table in tables))
    if verify:
        require_subjects(keys, pose, unit, str(where))
    pose = pose * 1000 if unit == "m" else pose
    keypoints = None if two_d == "exact" else float32(*(table.keypoints for table in tables))
    calibration = calibration or published_cameras()
    cameras, camera = calibration.cameras, calibration.rows_of(keys, where)
    rows = Rows.of([(view_of(*key[:3]), key[3]) for key in keys])
    skeleton, layout = get_skeleton("human36m17"), f"Human3.6M, {layout}, 2D {two_d}"
    notes = tuple(note for table in tables for note in table.notes)
    return by_row(skeleton, rows, pose, keypoints, cameras, camera, layout, notes, in_world)


def require_subjects(keys: Sequence[Key], poses: Tensor, unit: str, where: str) -> None:
    """Raise if a subject's poses (N, 17, 3) are not of the unit, or its legs are swapped."""
    subjects = np.array([key[0] for key in keys])
    for subject in dict.fromkeys(subjects.tolist()):
        rows = torch.from_numpy(np.flatnonzero(subjects == subject))
        some = poses[rows[evenly_spaced(len(rows), CHECKED_POSES)]]
        require_body(some, get_skeleton("human36m17"), f"{where}: {subject}", unit)
