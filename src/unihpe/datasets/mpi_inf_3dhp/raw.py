"""MPI-INF-3DHP as released: the training set's annot.mat and camera.calibration, the test set's
annot_data.mat.

3D is metric, absolute and in camera axes already, mm. 2D is in pixels of the whole picture; whether
the set counts from corners or centres is not published, and nothing is added. The test set gives no
intrinsics: a pinhole per sequence is fitted, as everybody does. Pictures are not needed;
`data.pictures` knows where they lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.mpi_inf_3dhp.parts import (
    ACTIVITIES,
    CAMERA_COUNT,
    FAST,
    TEST_SIZES,
    USABLE,
    Part,
    Truth,
    joined,
    test_view,
    train_view,
)
from unihpe.datasets.proofs import require_body, with_fitted_intrinsics
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.rows import stacked
from unihpe.errors import InputError, listing, one_line
from unihpe.io.arrays import Array, Shape, as_floats, require_finite
from unihpe.io.extra import extra
from unihpe.io.hdf5 import read_hdf5


def train_folders(root: Path) -> dict[tuple[int, int], Path]:
    """Sequence folders by subject and sequence number, in the folder or in train/ under it."""
    for base in (root, root / "train"):
        folders = {(s, q): base / f"S{s}" / f"Seq{q}" for s, q in USABLE}
        if found := {
            key: folder for key, folder in folders.items() if (folder / "annot.mat").is_file()
        }:
            return found
    return {}


def test_folders(root: Path) -> dict[str, Path]:
    """Sequence folders of the test set by name."""
    for base in (root, root / "mpi_inf_3dhp_test_set", root / "test"):
        found = {
            name: base / name for name in TEST_SIZES if (base / name / "annot_data.mat").is_file()
        }
        if found:
            return found
    return {}


def open_train(
    root: Path,
    folders: Mapping[tuple[int, int], Path],
    target: Skeleton,
    truth: Truth,
    cameras: Sequence[int],
    verify: bool,
) -> Recorded:
    """The training set; see `open_mpi_inf_3dhp`."""
    if not folders:
        raise InputError(
            f"{root}: no S1/Seq1/annot.mat to S8/Seq2/annot.mat, no TS1/annot_data.mat, no annotations/mpi_inf_3dhp_*.npz (MMPose,"
            " SPIN) and no data_*_3dhp.npz (P-STMO); give the set's folder"
        )
    if strange := [n for n in cameras if not 0 <= n < CAMERA_COUNT]:
        raise InputError(
            f"MPI-INF-3DHP has the cameras 0 to {CAMERA_COUNT - 1}, not {listing([str(n) for n in strange])}"
        )
    parts, calibrations, notes = [], [], list[str]()
    for (subject, sequence), folder in folders.items():
        of_sequence, cut = train_parts(folder, subject, sequence, target, truth, cameras)
        if verify:
            for part in of_sequence:
                require_body(
                    torch.from_numpy(part.pose),
                    target,
                    f"{folder}: camera {part.view.camera}",
                    "mm",
                )
        parts += of_sequence
        calibrations.append(read_calibration(folder / "camera.calibration", cameras))
        notes += [f"S{subject}/Seq{sequence}: {cut} frames without video cut"] if cut else []
    fast = [f"S{s}/Seq{q}" for s, q in FAST if (s, q) in folders]
    notes += [f"50 frames a second: {', '.join(fast)}; the others 25"] if fast else []
    if absent := [f"S{s}/Seq{q}" for s, q in USABLE if (s, q) not in folders]:
        notes.append(f"not in the folder: {listing(absent, 16)}")
    return joined(parts, stacked(calibrations), target, "training set", tuple(notes))


def train_parts(
    folder: Path,
    subject: int,
    sequence: int,
    target: Skeleton,
    truth: Truth,
    cameras: Sequence[int],
) -> tuple[list[Part], int]:
    """The views of one sequence, and how many frames were cut from each."""
    path, source = folder / "annot.mat", get_skeleton("mpi_inf_3dhp28")
    columns, usable = target.select_from(source), USABLE[subject, sequence]
    content = load_mat(path)
    if missing := {"annot2", truth} - content.keys():
        raise InputError(
            f"{path}: lacks {', '.join(sorted(missing))}; get the file again from the set's site"
        )
    cells = {key: np.asarray(content[key]).ravel() for key in ("annot2", truth)}
    if short := [key for key, value in cells.items() if len(value) != CAMERA_COUNT]:
        raise InputError(
            f"{path}: {short[0]} has {len(cells[short[0]])} cameras, expected {CAMERA_COUNT}; get the file again"
        )
    parts, cut = [], 0
    for camera in cameras:
        where = f"{path}: camera {camera}"
        keypoints = as_floats(cells["annot2"][camera], (None, 2 * len(source)), where, "annot2")
        poses = as_floats(cells[truth][camera], (None, 3 * len(source)), where, truth)
        if len(keypoints) != len(poses):
            raise InputError(
                f"{where}: 2D of {len(keypoints)} frames, 3D of {len(poses)}; get the file again"
            )
        poses = poses.reshape(len(poses), len(source), 3)[:usable, columns].astype(np.float32)
        require_finite(poses, where)
        cut = len(keypoints) - len(poses)
        pixels = keypoints.reshape(len(keypoints), len(source), 2)[:usable, columns].astype(
            np.float32
        )
        view = train_view(subject, sequence, str(camera))
        parts.append(Part(view, np.arange(len(poses)), poses, pixels))
    return parts, cut


def load_mat(path: Path) -> dict[str, Any]:
    """A MATLAB file of before version 7.3."""
    scipy_io = extra("scipy.io", "scipy", path)
    try:
        content: dict[str, Any] = scipy_io.loadmat(str(path))
    except (
        Exception
    ) as error:  # scipy raises errors of many kinds for a broken file, its own among them
        raise InputError(
            f"{path}: not a readable MATLAB file ({one_line(error, 120)}); copy it again"
        ) from error
    return content


def read_calibration(path: Path, cameras: Sequence[int]) -> Camera:
    """The cameras of a camera.calibration file: read by keyword, since the columns differ from line
    to line.

    Raises:
        InputError: for a missing file, camera or number.
    """
    try:
        lines = [
            line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); get it from the set's site"
        ) from error
    found: dict[int, dict[str, list[float]]] = {}
    current: dict[str, list[float]] = {}
    for word, *rest in (line for line in lines if line):
        if word == "name" and rest and rest[0].isdigit():
            current = found.setdefault(int(rest[0]), {})
        elif word in ("size", "intrinsic", "extrinsic"):
            current[word] = numbers(rest, path, word)
    rows = []
    for camera in cameras:
        lengths = {
            word: len(found.get(camera, {}).get(word, []))
            for word in ("size", "intrinsic", "extrinsic")
        }
        if lengths != {"size": 2, "intrinsic": 16, "extrinsic": 16}:
            raise InputError(
                f"{path}: camera {camera} lacks its size, intrinsic or extrinsic numbers; get the file again"
            )
        rows.append(found[camera])
    inner, outer = (
        torch.tensor([row[w] for row in rows]).view(-1, 4, 4) for w in ("intrinsic", "extrinsic")
    )
    focal = inner.diagonal(dim1=1, dim2=2)[:, :2]
    size = torch.tensor([row["size"] for row in rows])
    return Camera(focal, inner[:, :2, 2], size, outer[:, :3, :3], outer[:, :3, 3])


def numbers(words: list[str], path: Path, what: str) -> list[float]:
    """Words as numbers."""
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise InputError(
            f"{path}: {what} holds '{' '.join(words)[:40]}', which are no numbers; get the file again"
        ) from error


def open_test(
    root: Path, folders: Mapping[str, Path], target: Skeleton, truth: Truth, verify: bool
) -> Recorded:
    """The test set; see `open_mpi_inf_3dhp`. Intrinsics are fitted to annot3, whichever truth is read."""
    if not folders:
        raise InputError(
            f"{root}: no TS1/annot_data.mat to TS6/annot_data.mat here; give the test set's folder"
        )
    columns = target.select_from(get_skeleton("mpi_inf_3dhp17"))
    parts, metric, notes = [], [], list[str]()
    for name, folder in folders.items():
        content = read_test(folder / "annot_data.mat", truth)
        valid = content["valid_frame"].ravel() > 0
        notes.append(f"{name}: {int(valid.sum())} valid of {len(valid)} frames")
        if not valid.any():
            continue
        of_sequence, of_metric = test_parts(name, content, valid, columns, truth)
        require_finite(of_sequence.pose, str(folder))
        if verify:
            require_body(torch.from_numpy(of_sequence.pose), target, str(folder), "mm")
        parts.append(of_sequence)
        metric.append(of_metric)
    if not parts:
        raise InputError(f"{root}: no frame of the test set is marked valid; get the files again")
    if absent := [name for name in TEST_SIZES if name not in folders]:
        notes.append(f"not in the folder: {listing(absent)}")
    sizes = torch.tensor([TEST_SIZES[part.view.sequence] for part in parts])
    layout = "test set"
    fitted = with_fitted_intrinsics(joined(metric, Camera.simple(sizes), target, layout)).cameras
    return by_activity(joined(parts, fitted, target, layout, tuple(notes)), folders)


def read_test(path: Path, truth: Truth) -> dict[str, Array]:
    """The arrays of one annot_data.mat (HDF5), with the single person's axis removed."""
    joints = len(get_skeleton("mpi_inf_3dhp17"))
    shapes: dict[str, Shape] = {
        "annot2": (None, 1, joints, 2),
        "annot3": (None, 1, joints, 3),
        truth: (None, 1, joints, 3),
        "valid_frame": (None, 1),
    }
    content = read_hdf5(path, shapes, {}, "get the file again from the set's site")
    lengths = {key: len(value) for key, value in content.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"{path}: arrays of different length, {lengths}; get the file again")
    return {key: value if key == "valid_frame" else value[:, 0] for key, value in content.items()}


def test_parts(
    name: str, content: Mapping[str, Array], valid: Array, columns: list[int], truth: Truth
) -> tuple[Part, Part]:
    """One sequence with the truth that is asked for, and with the metric one that its camera is fitted to."""
    view, frame = test_view(name), np.flatnonzero(valid)
    pixels = content["annot2"][valid][:, columns].astype(np.float32)
    poses = {key: content[key][valid][:, columns].astype(np.float32) for key in {truth, "annot3"}}
    return Part(view, frame, poses[truth], pixels), Part(view, frame, poses["annot3"], pixels)


def activities(path: Path) -> Array | None:
    """The number of the activity that each frame of a test sequence shows, (T,); None where a file does not say."""
    key = "activity_annotation"
    found = read_hdf5(path, {}, {key: (None, 1)}, "").get(key)
    if found is None:
        return None
    if not np.isfinite(found).all():
        raise InputError(
            f"{path}: {key} has numbers that are not finite; get the file again from the set's site"
        )
    return found.ravel().astype(np.int64)


def by_activity(recorded: Recorded, folders: Mapping[str, Path]) -> Recorded:
    """The same with one view per sequence and activity, where the files say which frame shows which."""
    views, view = list[View](), recorded.view.clone()
    for old, one in enumerate(recorded.views):
        found = activities(folders[one.sequence] / "annot_data.mat")
        rows = (recorded.view == old).nonzero()[:, 0]
        frames = recorded.frame[rows].numpy()
        unsaid = found is None or len(found) <= int(frames.max())
        activity = np.zeros(len(rows), dtype=np.int64) if found is None or unsaid else found[frames]
        for number in sorted(set(activity.tolist())):
            action = ACTIVITIES[number - 1] if 1 <= number <= len(ACTIVITIES) else "unknown"
            view[rows[torch.from_numpy(activity == number)]] = len(views)
            views.append(replace(one, action=action))
    return replace(recorded, views=tuple(views), view=view)
