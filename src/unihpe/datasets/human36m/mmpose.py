"""Human3.6M as MMPose packs it: npz files with one row per picture, and cameras.pkl."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import (
    INTRINSICS,
    Human36mCamera,
    camera_of,
    published_cameras,
    rows_of_cameras,
)
from unihpe.datasets.human36m.rows import require_subjects
from unihpe.datasets.human36m.views import view_of
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import by_row, with_names
from unihpe.datasets.spin import is_spin
from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_array, as_floats, require_finite
from unihpe.io.pickles import load_npy, load_npz, load_pickle

IMAGE_NAME = re.compile(r"(S\d+)_([A-Za-z]+(?:_\d+)?)\.(\d+)_(\d+)\.\w+")  # frames from 1


@dataclass(frozen=True)
class Table:
    """MMPose's npz files as rows, one per picture.

    Attributes:
        keys: subject, sequence, camera and frame (from 0) of the pictures, N.
        poses: (N, 17, 3), metres, camera axes.
        keypoints: (N, 17, 2), pixels.
        notes: what was left out.
    """

    keys: list[tuple[str, str, str, int]]
    poses: Array
    keypoints: Array
    notes: tuple[str, ...]


def mmpose_files(root: Path) -> list[Path]:
    """MMPose's train and test npz under a folder: in it, or in the finest frame rate of
    annotation_body3d.

    SPIN's list for training has the same name; it holds 24 joints.
    """
    for folder in (
        root,
        *(root / "annotation_body3d" / fps for fps in ("fps50", "fps10")),
        root / "fps50",
        root / "fps10",
    ):
        if files := [
            path
            for split in ("train", "test")
            if (path := folder / f"h36m_{split}.npz").is_file() and not is_spin(path)
        ]:
            return files
    return []


def open_mmpose(root: Path, two_d: str, verify: bool) -> Recorded:
    """MMPose's files; see `open_human36m`. Pictures are named, not read: frames count from 0, names from 1."""
    files = mmpose_files(root)
    if not files:
        raise InputError(
            f"{root}: no h36m_train.npz or h36m_test.npz here or in annotation_body3d/fps*; give MMPose's folder"
        )
    tables = [read_table(path) for path in files]
    poses = torch.from_numpy(np.concatenate([table.poses for table in tables]))
    keys = [key for table in tables for key in table.keys]
    if verify:
        require_subjects(keys, poses, "m", str(files[0].parent))
    rows, cameras = mmpose_cameras(files[0].parent)
    keypoints, confidence = mmpose_2d(tables, two_d, files[0].parent)
    camera = rows_of_cameras(rows, keys, files[0].parent)
    layout = f"Human3.6M, MMPose npz ({files[0].parent.name}), 2D {two_d}"
    views = [(view_of(*key[:3]), key[3]) for key in keys]
    return by_row(
        get_skeleton("human36m17"),
        views,
        poses * 1000,
        keypoints,
        cameras,
        camera,
        layout,
        tuple(note for table in tables for note in table.notes),
        confidence=confidence,
    )


def read_table(path: Path) -> Table:
    """One of MMPose's npz files.

    Raises:
        InputError: for arrays of another shape, poses that are not finite, or arrays of different
            length.
    """
    content = load_npz(path, ("imgname", "part", "S"))
    keys = [parsed(str(name), path) for name in np.asarray(content["imgname"]).ravel()]
    joints = len(get_skeleton("human36m17"))
    poses = as_floats(content["S"], (None, joints, None), str(path), "3D poses (S)")
    keypoints = as_floats(content["part"], (None, joints, None), str(path), "2D joints (part)")
    if poses.shape[2] < 3 or keypoints.shape[2] < 2:
        raise InputError(
            f"{path}: S needs x, y, z and part x, y; the file has {poses.shape[2]} and {keypoints.shape[2]}"
        )
    places = ((key[:2], *key[2:]) for key in keys)
    poses, keypoints, notes = with_names(
        len(keys), places, poses, keypoints, tuple(INTRINSICS), path
    )
    require_finite(poses, str(path))
    if (poses[..., 2] <= 0).any():
        raise InputError(
            f"{path}: 3D lies behind the camera; this layout has absolute camera axes, not relative to the pelvis"
        )
    return Table(
        keys, poses[..., :3].astype(np.float32), keypoints[..., :2].astype(np.float32), notes
    )


def parsed(name: str, path: Path) -> tuple[str, str, str, int]:
    """Subject, sequence, camera and frame (from 0) of a picture's name."""
    match = IMAGE_NAME.fullmatch(name.replace("\\", "/").rsplit("/", 1)[-1])
    if match is None:
        raise InputError(
            f"{path}: picture '{name}' is not named like S9_Greeting_1.54138969_000001.jpg; use MMPose's script"
        )
    subject, sequence, camera, number = match.groups()
    return subject, sequence.replace("_", " "), camera, int(number) - 1


def mmpose_2d(tables: list[Table], two_d: str, folder: Path) -> tuple[Tensor | None, Tensor | None]:
    """2D (N, 17, 2), pixels, None for "exact"; and the confidence (N, 17) of detections, None where there is none."""
    if two_d == "exact":
        return None, None
    if two_d == "gt":
        return torch.from_numpy(np.concatenate([table.keypoints for table in tables])), None
    path, shape = (
        folder / two_d,
        (sum(len(t.keys) for t in tables), len(get_skeleton("human36m17")), 3),
    )
    loaded = load_npy(path, "2D is gt, exact or such a file")
    points = torch.from_numpy(as_floats(loaded, shape, str(path), "2D joints").astype(np.float32))
    return points[..., :2], points[..., 2].clamp(0, 1)


def mmpose_cameras(folder: Path) -> tuple[dict[tuple[str, str], int], Human36mCamera]:
    """The cameras of cameras.pkl, in the folder or above it; without that file the published ones, which are the same."""
    found = camera_files(folder)
    return read_cameras(found[0]) if found else published_cameras()


def camera_files(folder: Path) -> list[Path]:
    """The camera files in a folder or above it; the first is read."""
    return [
        path for path in (folder / "cameras.pkl", folder.parent / "cameras.pkl") if path.is_file()
    ]


def read_cameras(path: Path) -> tuple[dict[tuple[str, str], int], Human36mCamera]:
    """MMPose's cameras.pkl: (subject, camera name) → R (camera to world), T (the centre, metres), c, f, k, p (y first)."""
    content = load_pickle(path)
    keys: dict[tuple[str, str], int] = {}
    shapes = {"f": 2, "c": 2, "k": 3, "p": 2, "T": 3, "R": 9, "w": 1, "h": 1}
    rows: dict[str, list[Array]] = {key: [] for key in shapes}
    if not isinstance(content, dict) or not content:
        raise InputError(
            f"{path}: holds no dict of cameras; take it from the same place as the npz"
        )
    for key, camera in content.items():
        if (
            not isinstance(key, tuple)
            or len(key) != 2
            or not isinstance(camera, dict)
            or not shapes.keys() <= camera.keys()
        ):
            raise InputError(
                f"{path}: camera {key!r} is not one of MMPose's, with {', '.join(shapes)}; use MMPose's script"
            )
        keys[str(key[0]), str(key[1])] = len(keys)
        for part, size in shapes.items():
            values = as_array(camera[part]).ravel()
            rows[part].append(
                as_floats(values, (size,), f"{path}: camera {key}", part).astype(np.float64)
            )
    parts: dict[str, Tensor] = {
        key: torch.from_numpy(np.stack(values)) for key, values in rows.items()
    }
    size_of = torch.cat([parts["w"], parts["h"]], dim=1)
    rotation = parts["R"].view(-1, 3, 3).mT
    require_rotations(rotation, path)
    return keys, camera_of(
        size_of, parts["f"], parts["c"], parts["k"], parts["p"], rotation, parts["T"] * 1000
    )


def require_rotations(rotation: Tensor, path: Path) -> None:
    """Raise for matrices (C, 3, 3) that are no rotations."""
    eye = torch.eye(3, dtype=rotation.dtype)
    if bool(((rotation @ rotation.mT - eye).abs() > 1e-3).any()):
        raise InputError(
            f"{path}: a camera's R is no rotation; take the file from the same place as the npz"
        )
