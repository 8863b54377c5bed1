"""MPI-INF-3DHP as P-STMO packs it: `data_train_3dhp.npz` and `data_test_3dhp.npz`, dicts by
sequence and camera.

3D is univ_annot3 (poses of one height), mm, camera axes, 17 joints; so it does not project onto the
2D exactly. The files have no lenses: the published ones are taken.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.mpi_inf_3dhp.raw import Part, joined
from unihpe.datasets.mpi_inf_3dhp.views import Wanted, published_lenses, test_view, train_view
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError
from unihpe.io.arrays import as_flags, as_floats, require_finite
from unihpe.io.pickles import load_npz


def open_pstmo(path: Path, split: str, wanted: Wanted) -> Recorded:
    """One split of P-STMO's files."""
    wanted.require_truth("univ_annot3", path)
    content = load_npz(path, ("data",))["data"]
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: data is no dict of sequences; get P-STMO's file again")
    recordings = train_recordings if split == "train" else test_recordings
    parts = [part_of(view, value, wanted, path) for view, value in recordings(content, path)]
    lenses = published_lenses([part.view for part in parts], path)
    return joined(parts, lenses, wanted.joints, "MPI-INF-3DHP, P-STMO npz, univ_annot3")


def train_recordings(content: Mapping[Any, Any], path: Path) -> Iterator[tuple[View, object]]:
    """'S1 Seq1' → [{camera: {…}}, frames a second]."""
    for name, value in content.items():
        match = re.fullmatch(r"\s*S?(\d+)\s+(?:Seq)?(\d+)\s*", str(name))
        if match is None:
            raise InputError(
                f"{path}: sequence '{name}' is not named like 'S1 Seq1'; get P-STMO's file again"
            )
        cameras = value[0] if isinstance(value, list | tuple | np.ndarray) and len(value) else None
        if not isinstance(cameras, dict):
            raise InputError(f"{path}: {name} holds no dict of cameras; get P-STMO's file again")
        for camera, recording in cameras.items():
            yield train_view(int(match[1]), int(match[2]), str(camera)), recording


def test_recordings(content: Mapping[Any, Any], path: Path) -> Iterator[tuple[View, object]]:
    """'TS1' → {…}."""
    for name, recording in content.items():
        if not str(name).startswith("TS"):
            raise InputError(
                f"{path}: sequence '{name}' is not named like 'TS1'; get P-STMO's file again"
            )
        yield test_view(str(name)), recording


def part_of(view: View, recording: object, wanted: Wanted, path: Path) -> Part:
    """The people of one view; of the test set, its valid frames."""
    where = f"{path}: {view.subject} {view.sequence}, camera {view.camera}"
    if not isinstance(recording, dict) or not {"data_2d", "data_3d"} <= recording.keys():
        raise InputError(f"{where}: lacks data_2d or data_3d; get P-STMO's file again")
    source = get_skeleton("mpi_inf_3dhp17")
    poses = as_floats(recording["data_3d"], (None, len(source), 3), where, "data_3d")
    points = as_floats(recording["data_2d"], (None, len(source), None), where, "data_2d")
    use = as_flags(recording.get("valid", np.ones(len(poses))), where, "valid")
    if not len(poses) == len(points) == len(use) or points.shape[2] < 2:
        raise InputError(
            f"{where}: 3D of {len(poses)} frames, 2D of {len(points)}, valid of {len(use)};"
            " get it again"
        )
    require_finite(poses[use], where)
    wanted.require_body(poses[use], source, where, "mm")
    columns = wanted.joints.select_from(source)
    pose, keypoints = (array[use][:, columns] for array in (poses, points[..., :2]))
    return Part(view, np.flatnonzero(use), pose, keypoints)
