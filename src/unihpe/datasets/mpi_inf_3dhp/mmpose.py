"""MPI-INF-3DHP as MMPose packs it: `annotations/mpi_inf_3dhp_{train,test_valid}.npz` with one row
per picture, and the cameras.

3D (`S`) is annot3 in metres, absolute, camera axes. The files' visibility is "inside a picture of
2048 × 2048", also where pictures are smaller, so it is not used: 2D counts wherever it is a number,
as in the raw files. MMPose's cameras_train.pkl says that pictures are 204 pixels high; their size
is taken from the set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.mpi_inf_3dhp.views import CAMERAS, Wanted, published_lenses, view_named
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.rows import Rows, by_row, with_names
from unihpe.errors import InputError, listing
from unihpe.io.arrays import as_array, as_floats, require_finite
from unihpe.io.pickles import load_npz, load_pickle


def open_mmpose(path: Path, split: str, wanted: Wanted) -> Recorded:
    """One split of MMPose's files."""
    wanted.require_truth("annot3", path)
    content, where = load_npz(path, ("imgname", "part", "S")), str(path)
    source = get_skeleton("mpi_inf_3dhp17")
    columns = wanted.joints.select_from(source)
    poses = as_floats(content["S"], (None, len(source), 4), where, "3D poses (S)")
    points = as_floats(content["part"], (None, len(source), 3), where, "2D joints (part)")
    rows = [view_named(str(name), path) for name in np.asarray(content["imgname"]).ravel()]
    places = (((view.subject, view.sequence), view.camera, frame) for view, frame in rows)
    cameras = [str(camera) for camera in CAMERAS]
    poses, points, notes = with_names(len(rows), places, poses, points, cameras, path)
    poses, points = poses[..., :3].astype(np.float32), points[..., :2].astype(np.float32)
    require_finite(poses, where)
    wanted.require_body(poses, source, where, "m")
    if path.name.endswith("_all.npz"):
        valid = "mpi_inf_3dhp_test_valid.npz has none"
        notes = (*notes, f"invalid frames of the test set are among these: {valid}")
    table = Rows.of(rows)
    return by_row(
        wanted.joints,
        table,
        torch.from_numpy(poses[:, columns]) * 1000,
        torch.from_numpy(points[:, columns]),
        cameras_of(path.with_name(f"cameras_{split}.pkl"), table.views),
        table.view,
        "MPI-INF-3DHP, MMPose npz, annot3",
        notes,
    )


def cameras_of(path: Path, views: Sequence[View]) -> Camera:
    """The lenses of cameras_train.pkl or cameras_test.pkl for these views; else published ones."""
    published = published_lenses(views, path)
    if not path.is_file():
        return published
    content = load_pickle(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected a dict of cameras; make it again"
        )
    names = [
        view.sequence
        if view.split == "test"
        else f"{view.subject}_{view.sequence}_Cam{view.camera}"
        for view in views
    ]
    if absent := sorted({name for name in names if not has_lens(content.get(name))}):
        raise InputError(
            f"{path}: no f and c of camera {listing(absent)};"
            " take it from the same place as the npz"
        )
    lenses = [
        [
            as_floats(as_array(content[name][key]).ravel(), (2,), f"{path}: {name}", key)
            for key in "fc"
        ]
        for name in names
    ]
    focal, centre = torch.from_numpy(np.array(lenses, dtype=np.float64)).float().unbind(1)
    return replace(published, focal=focal, centre=centre)


def has_lens(camera: object) -> bool:
    """Whether an entry of the camera file has focal lengths and a principal point."""
    return isinstance(camera, Mapping) and {"f", "c"} <= camera.keys()
