"""MPI-INF-3DHP as MMPose packs it: `annotations/mpi_inf_3dhp_{train,test_valid}.npz` with one row
per picture, and the cameras.

3D (`S`) is annot3 in metres, absolute, camera axes. The files' visibility is "inside a picture of
2048 × 2048", also where pictures are smaller, so it is not used: 2D counts wherever it is a number,
as in the raw files. MMPose's cameras_train.pkl says that pictures are 204 pixels high; their size
is taken from the set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.mpi_inf_3dhp.parts import (
    CAMERAS,
    Truth,
    published_lenses,
    require_truth,
    view_named,
)
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.rows import by_row, camera_rows, with_names
from unihpe.datasets.spin import is_spin
from unihpe.errors import InputError, listing
from unihpe.io.arrays import as_array, as_floats, require_finite
from unihpe.io.pickles import load_npz, load_pickle

FILES = {
    "train": ("mpi_inf_3dhp_train.npz",),
    "test": ("mpi_inf_3dhp_test_valid.npz", "mpi_inf_3dhp_test_all.npz"),
}


def mmpose_3dhp_files(root: Path) -> dict[str, Path]:
    """MMPose's file of each split in a folder or its annotations/; SPIN's list for training has the same name."""
    found = {}
    for split, names in FILES.items():
        paths = [folder / name for name in names for folder in (root, root / "annotations")]
        if files := [path for path in paths if path.is_file() and not is_spin(path)]:
            found[split] = files[0]
    return found


def open_mmpose_3dhp(
    path: Path, split: str, target: Skeleton, truth: Truth | None, verify: bool
) -> Recorded:
    """One split of MMPose's files; see `open_mpi_inf_3dhp`."""
    require_truth(truth, "annot3", path)
    content = load_npz(path, ("imgname", "part", "S"))
    source = get_skeleton("mpi_inf_3dhp17")
    columns = target.select_from(source)
    poses = as_floats(content["S"], (None, len(source), 4), str(path), "3D poses (S)")[..., :3]
    points = as_floats(content["part"], (None, len(source), 3), str(path), "2D joints (part)")[
        ..., :2
    ]
    rows = [view_named(str(name), path) for name in np.asarray(content["imgname"]).ravel()]
    places = (((view.subject, view.sequence), view.camera, frame) for view, frame in rows)
    cameras = [str(camera) for camera in CAMERAS]
    poses, points, notes = with_names(len(rows), places, poses, points, cameras, path)
    require_finite(poses, str(path))
    if verify:
        require_body(torch.from_numpy(poses.astype(np.float32)), source, str(path), "m")
    views, camera = camera_rows(rows)
    pose = torch.from_numpy(poses[:, columns].astype(np.float32)) * 1000
    pixels = torch.from_numpy(points[:, columns].astype(np.float32))
    if path.name.endswith("_all.npz"):
        notes = (
            *notes,
            "invalid frames of the test set are among these: mpi_inf_3dhp_test_valid.npz has none",
        )
    return by_row(
        target,
        rows,
        pose,
        pixels,
        cameras_of(path.with_name(f"cameras_{split}.pkl"), views),
        camera,
        "MPI-INF-3DHP, MMPose npz, annot3",
        notes,
    )


def cameras_of(path: Path, views: list[View]) -> Camera:
    """The lenses of cameras_train.pkl or cameras_test.pkl for these views; without the file, the published ones."""
    published = published_lenses(views, path)
    if not path.is_file():
        return published
    content = load_pickle(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected a dict of cameras; make it again"
        )
    names = [name_of(view) for view in views]
    if absent := sorted({name for name in names if not has_lens(content.get(name))}):
        raise InputError(
            f"{path}: no f and c of camera {listing(absent)}; take it from the same place as the npz"
        )
    focal, centre = (
        torch.from_numpy(
            np.stack([lens_part(content[name], part, f"{path}: {name}") for name in names])
        )
        for part in ("f", "c")
    )
    return replace(published, focal=focal.float(), centre=centre.float())


def name_of(view: View) -> str:
    """What MMPose calls a view's camera."""
    return (
        view.sequence
        if view.split == "test"
        else f"{view.subject}_{view.sequence}_Cam{view.camera}"
    )


def has_lens(camera: object) -> bool:
    """Whether an entry of the camera file has focal lengths and a principal point."""
    return isinstance(camera, Mapping) and {"f", "c"} <= camera.keys()


def lens_part(camera: Mapping[str, Any], part: str, where: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Two numbers, however they are shaped."""
    return as_floats(as_array(camera[part]).ravel(), (2,), where, part).astype(np.float64)
