"""Human3.6M of h36m-fetch: `<subject>/<action>-<take>/annot.h5`, with 2D, 3D in camera axes, frame
and camera."""

from pathlib import Path

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.tables import Table, recorded_of, sequence_named
from unihpe.datasets.human36m.views import raw_skeleton
from unihpe.datasets.matching import matching
from unihpe.datasets.recorded import Recorded
from unihpe.errors import InputError
from unihpe.io.arrays import Shape, require_finite, require_numbers
from unihpe.io.hdf5 import read_hdf5

NUMBERS = ("frame", "camera", "subject", "action", "subaction")
SHAPES: dict[str, Shape] = {"pose/2d": (None, 32, 2), "pose/3d": (None, 32, 3)}
SHAPES |= {key: (None,) for key in NUMBERS}


def fetch_files(root: Path) -> list[Path]:
    """h36m-fetch's files under a folder."""
    return [*matching(root, "S*/*-[12]/annot.h5"), *matching(root, "processed/S*/*-[12]/annot.h5")]


def open_fetch(root: Path, two_d: str, verify: bool) -> Recorded:
    """h36m-fetch's files; the 32 raw joints are reduced to 17."""
    tables = [read_table(path) for path in fetch_files(root)]
    return recorded_of(tables, two_d, "h36m-fetch", root, "mm", verify)


def read_table(path: Path) -> Table:
    """The pictures of one take."""
    content = read_hdf5(path, SHAPES, {}, "make it again with h36m-fetch")
    if len(lengths := {len(value) for value in content.values()}) > 1:
        raise InputError(
            f"{path}: arrays of different length, expected one, found {sorted(lengths)};"
            " make it again"
        )
    for key in NUMBERS:
        require_numbers(content[key], f"{path} [{key}]")
    keys = []
    columns = zip(*(content[key].astype(int).tolist() for key in NUMBERS), strict=True)
    for frame, camera, subject, action, take in columns:
        sequence = sequence_named(f"S{subject}", action, take, str(path))
        keys.append((f"S{subject}", sequence, str(camera), frame - 1))
    kept = get_skeleton("human36m17").select_from(raw_skeleton())
    poses, points = (content[key][:, kept].astype(np.float32) for key in ("pose/3d", "pose/2d"))
    require_finite(poses, str(path))
    return Table(keys, poses, points)
