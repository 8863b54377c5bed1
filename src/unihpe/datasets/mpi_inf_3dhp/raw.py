"""MPI-INF-3DHP as released: the training set's annot.mat and camera.calibration, the test set's
annot_data.mat.

3D is metric, absolute and in camera axes already, mm. Whether the set counts pixels from corners or
centres is not published, and nothing is added. The test set gives no intrinsics: a pinhole per
sequence is fitted, as everybody does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.mpi_inf_3dhp import views
from unihpe.datasets.mpi_inf_3dhp.views import CAMERA_COUNT, FAST, TEST_SIZES, USABLE, Wanted
from unihpe.datasets.proofs import with_fitted_intrinsics
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.rows import combined, of_view
from unihpe.errors import InputError, listing
from unihpe.io.arrays import Array, Shape, as_floats, float32, require_keys, require_numbers
from unihpe.io.extra import extra
from unihpe.io.files import input_errors, read_text
from unihpe.io.hdf5 import read_hdf5

Key = TypeVar("Key")
Number = tuple[int, int]  # of a sequence of the training set: subject and sequence
TRAIN_NAMES: Mapping[Number, str] = {(s, q): f"S{s}/Seq{q}" for s, q in USABLE}
METRIC = "annot3"
ACTIVITY = "activity_annotation"
ACTIVITIES = (
    *("Standing/Walking", "Exercising", "Sitting", "Reaching/Crouching"),
    *("On the floor", "Sports", "Miscellaneous"),
)
CALIBRATION = {"size": 2, "intrinsic": 16, "extrinsic": 16}  # numbers behind each keyword
GET_AGAIN = "get the file again from the set's site"


def train_folders(root: Path) -> dict[Number, Path]:
    """Sequence folders of the training set, in the folder or in train/ under it."""
    return _first_with((root, root / "train"), TRAIN_NAMES, "annot.mat")


def test_folders(root: Path) -> dict[str, Path]:
    bases = (root, root / "mpi_inf_3dhp_test_set", root / "test")
    return _first_with(bases, {name: name for name in TEST_SIZES}, "annot_data.mat")


def _first_with(bases: Sequence[Path], names: Mapping[Key, str], file: str) -> dict[Key, Path]:
    """The folders that hold the file, under the first base that has any."""
    for base in bases:
        folders = {key: base / name for key, name in names.items()}
        if present := {key: path for key, path in folders.items() if (path / file).is_file()}:
            return present
    return {}


def open_train(root: Path, folders: Mapping[Number, Path], wanted: Wanted) -> Recorded:
    if not folders:
        raw = "S1/Seq1/annot.mat to S8/Seq2/annot.mat, no TS1/annot_data.mat"
        packed = "annotations/mpi_inf_3dhp_*.npz (MMPose, SPIN) and no data_*_3dhp.npz (P-STMO)"
        raise InputError(f"{root}: no {raw}, no {packed}; give the set's folder")
    if strange := [str(n) for n in wanted.cameras if not 0 <= n < CAMERA_COUNT]:
        known = f"0 to {CAMERA_COUNT - 1}"
        raise InputError(f"MPI-INF-3DHP has the cameras {known}, not {listing(strange)}")
    parts, notes = [], list[str]()
    for number, folder in folders.items():
        some, cut = _train_parts(folder, number, wanted)
        parts += some
        notes += [f"{TRAIN_NAMES[number]}: {cut} frames without video cut"] if cut else []
    fast = [TRAIN_NAMES[number] for number in FAST if number in folders]
    notes += [f"50 frames a second: {', '.join(fast)}; the others 25"] if fast else []
    if absent := [TRAIN_NAMES[number] for number in USABLE if number not in folders]:
        notes.append(f"not in the folder: {listing(absent, 16)}")
    return replace(combined(parts, "training set"), notes=tuple(notes))


def _train_parts(folder: Path, number: Number, wanted: Wanted) -> tuple[list[Recorded], int]:
    """The views of one sequence, and how many frames were cut from each."""
    path, source, joints = folder / "annot.mat", get_skeleton("mpi_inf_3dhp28"), wanted.joints
    content, truth = _load_mat(path), wanted.truth or METRIC
    require_keys(content, keys := ("annot2", truth), path, GET_AGAIN)
    cells = {key: np.asarray(content[key]).ravel() for key in keys}
    for key, value in cells.items():
        if len(value) != CAMERA_COUNT:
            counts = f"{len(value)} cameras, expected {CAMERA_COUNT}"
            raise InputError(f"{path}: {key} has {counts}; {GET_AGAIN}")
    cameras = _read_calibration(folder / "camera.calibration", wanted.cameras)
    parts, cut, columns, usable = [], 0, joints.select_from(source), USABLE[number]
    for n, camera in enumerate(wanted.cameras):
        where = f"{path}: camera {camera}"
        points = as_floats(cells["annot2"][camera], (None, 2 * len(source)), where, "annot2")
        poses = as_floats(cells[truth][camera], (None, 3 * len(source)), where, truth)
        if len(points) != len(poses):
            counts = f"2D of {len(points)} frames, 3D of {len(poses)}"
            raise InputError(f"{where}: {counts}; {GET_AGAIN}")
        cut = max(0, len(poses) - usable)
        poses = poses[:usable].reshape(-1, len(source), 3)[:, columns].astype(np.float32)
        points = points[:usable].reshape(-1, len(source), 2)[:, columns]
        wanted.require_poses(poses, joints, where, "mm")
        view, frame = views.train_view(*number, str(camera)), torch.arange(len(poses))
        seen_by = cameras.select(torch.tensor([n]))
        parts.append(of_view(joints, view, frame, float32(poses), float32(points), seen_by))
    return parts, cut


def _load_mat(path: Path) -> dict[str, Any]:
    """A MATLAB file of before version 7.3."""
    scipy_io = extra("scipy.io", "data", f"{path}: reading it needs scipy")
    # scipy raises errors of many kinds for a broken file
    with input_errors(f"{path}: not a readable MATLAB file", kinds=(Exception,)):
        return dict(scipy_io.loadmat(str(path)))


def _read_calibration(path: Path, wanted: Sequence[int]) -> Camera:
    """Cameras of a camera.calibration file, by keyword: the columns differ from line to line."""
    cameras: dict[int, dict[str, list[float]]] = {}
    current: dict[str, list[float]] = {}
    for line in read_text(path, "get it from the set's site").splitlines():
        word, *rest = line.split() or [""]
        if word == "name" and rest and rest[0].isdigit():
            current = cameras.setdefault(int(rest[0]), {})
        elif word in CALIBRATION:
            with input_errors(f"{path}: {word} holds no numbers", GET_AGAIN):
                current[word] = [float(number) for number in rest]
    for camera in wanted:
        known = cameras.get(camera, {})
        if any(len(known.get(word, [])) != count for word, count in CALIBRATION.items()):
            lacking = f"lacks its {', '.join(CALIBRATION)} numbers"
            raise InputError(f"{path}: camera {camera} {lacking}; {GET_AGAIN}")
    size, inner, outer = (torch.tensor([cameras[n][word] for n in wanted]) for word in CALIBRATION)
    inner, outer = inner.view(-1, 4, 4), outer.view(-1, 4, 4)
    focal = inner.diagonal(dim1=1, dim2=2)[:, :2]
    return Camera(focal, inner[:, :2, 2], size, outer[:, :3, :3], outer[:, :3, 3])


def open_test(root: Path, folders: Mapping[str, Path], wanted: Wanted) -> Recorded:
    """The test set's valid frames; lenses are fitted to annot3, whichever truth is read."""
    if not folders:
        raise InputError(f"{root}: no TS1 to TS6/annot_data.mat; give the test set's folder")
    truth, source = wanted.truth or METRIC, get_skeleton("mpi_inf_3dhp17")
    parts: dict[str, list[Recorded]] = {truth: [], METRIC: []}
    columns, notes = wanted.joints.select_from(source), list[str]()
    activities: dict[str, Array] = {}
    for name, folder in folders.items():
        content = _read_test(folder / "annot_data.mat", truth)
        activities[name] = content[ACTIVITY]
        valid = content["valid_frame"].ravel() > 0
        notes.append(f"{name}: {int(valid.sum())} valid of {len(valid)} frames")
        if not valid.any():
            continue
        view, frame = views.test_view(name), torch.from_numpy(np.flatnonzero(valid))
        camera = Camera.simple(torch.tensor([TEST_SIZES[name]]))
        points = float32(content["annot2"][valid][:, columns])
        for key, of_truth in parts.items():
            poses = content[key][valid][:, columns]
            if key == truth:
                wanted.require_poses(poses, wanted.joints, str(folder), "mm")
            of_truth.append(of_view(wanted.joints, view, frame, float32(poses), points, camera))
    if not parts[truth]:
        raise InputError(f"{root}: no frame of the test set is marked valid; get the files again")
    if absent := [name for name in TEST_SIZES if name not in folders]:
        notes.append(f"not in the folder: {listing(absent)}")
    fitted = with_fitted_intrinsics(combined(parts[METRIC], "test set")).cameras
    recorded = replace(combined(parts[truth], "test set"), cameras=fitted, notes=tuple(notes))
    return _by_activity(recorded, activities)


def _read_test(path: Path, truth: str) -> dict[str, Array]:
    """The arrays of one annot_data.mat (HDF5), with the single person's axis removed."""
    people = None, 1, len(get_skeleton("mpi_inf_3dhp17"))
    shapes: dict[str, Shape] = {key: (*people, 3) for key in (METRIC, truth)}
    shapes |= {"annot2": (*people, 2), "valid_frame": (None, 1)}
    content = read_hdf5(path, shapes, {ACTIVITY: (None, 1)}, GET_AGAIN)
    activity = content.pop(ACTIVITY, np.zeros((0, 1)))
    require_numbers(activity, str(path), ACTIVITY)
    lengths = {key: len(value) for key, value in content.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"{path}: arrays of different length, {lengths}; get the file again")
    return {key: value[:, 0] for key, value in (content | {ACTIVITY: activity}).items()}


def _by_activity(recorded: Recorded, activities: Mapping[str, Array]) -> Recorded:
    """The same with one view per sequence and activity; files may give none, or too few."""
    acted, view = list[View](), recorded.view.clone()
    for old, one in enumerate(recorded.views):
        rows = (recorded.view == old).nonzero()[:, 0]
        frames, numbers = recorded.frame[rows].numpy(), activities[one.sequence].astype(np.int64)
        numbers = numbers[frames] if len(numbers) > frames.max() else np.zeros_like(frames)
        for number in sorted(set(numbers.tolist())):
            action = ACTIVITIES[number - 1] if 1 <= number <= len(ACTIVITIES) else "unknown"
            view[rows[torch.from_numpy(numbers == number)]] = len(acted)
            acted.append(replace(one, action=action))
    return replace(recorded, views=tuple(acted), view=view)
