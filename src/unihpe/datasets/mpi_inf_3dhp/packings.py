"""MPI-INF-3DHP as MMPose, P-STMO and SPIN pack it.

MMPose: one row per picture, and the cameras. 3D (`S`) is annot3 in metres, absolute, camera axes.
The visibility is "inside a picture of 2048 × 2048", also where pictures are smaller, so 2D counts
wherever it is a number, as in the raw files. cameras_train.pkl says that pictures are 204 pixels
high; their size is taken from the set.

P-STMO: dicts by sequence and camera. 3D is univ_annot3 (poses of one height), mm, camera axes, 17
joints; so it does not project onto the 2D exactly.

SPIN: lists of pictures, every 10th of the training set in annot3, the test set in univ_annot3.
Neither P-STMO's files nor SPIN's have lenses: the published ones are taken.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.mpi_inf_3dhp import views
from unihpe.datasets.mpi_inf_3dhp.views import Truth, Wanted, published_lenses
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.rows import Rows, by_row, combined, of_view, with_names
from unihpe.datasets.spin_lists import is_spin, placed, read_spin
from unihpe.errors import InputError, listing
from unihpe.io.arrays import as_array, as_dict, as_flags, as_floats, float32
from unihpe.io.pickles import load_npz, load_pickle

WORDS = {"head": "jaw", "head_top": "head"}  # ours → SPIN's
AGAIN = "get P-STMO's file again"


@dataclass(frozen=True)
class _Packing:
    open: Callable[[Path, str, Wanted], Recorded]  # of one split
    holds: Callable[[Path], bool]  # whether a file is in this layout
    folders: tuple[str, ...]
    test: tuple[str, ...]  # names, the best first
    train: tuple[str, ...] = ("mpi_inf_3dhp_train.npz",)

    def files(self, root: Path, split: str | None = None) -> dict[str, Path]:
        """The file of each split, or of one, in a folder."""
        files = {}
        for part, names in (("train", self.train), ("test", self.test)):
            paths = [root / folder / name for name in names for folder in self.folders]
            if split in (None, part) and (path := next(filter(self.holds, paths), None)):
                files[part] = path
        return files


def _is_mmpose(path: Path) -> bool:
    """Whether a file is MMPose's; SPIN's list for training has the same name."""
    return path.is_file() and not is_spin(path)


def _open_mmpose(path: Path, split: str, wanted: Wanted) -> Recorded:
    wanted.require_truth("annot3", path)
    content, where = load_npz(path, ("imgname", "part", "S")), str(path)
    source = get_skeleton("mpi_inf_3dhp17")
    poses = as_floats(content["S"], (None, len(source), 4), where, "3D poses (S)")
    points = as_floats(content["part"], (None, len(source), 3), where, "2D joints (part)")
    rows = [views.view_named(str(name), path) for name in np.asarray(content["imgname"]).ravel()]
    places = (((view.subject, view.sequence), view.camera, frame) for view, frame in rows)
    cameras = [str(camera) for camera in views.CAMERAS]
    poses, points, notes = with_names(len(rows), places, poses, points, cameras, path)
    wanted.require_poses(poses[..., :3], source, where, "m")
    if path.name.endswith("_all.npz"):
        notes += ("invalid frames are among these: mpi_inf_3dhp_test_valid.npz has none",)
    columns, table = wanted.joints.select_from(source), Rows.of(rows)
    pose, seen = float32(poses[:, columns, :3]) * 1000, float32(points[:, columns, :2])
    lenses = _cameras_of(path.with_name(f"cameras_{split}.pkl"), table.views)
    layout = "MPI-INF-3DHP, MMPose npz, annot3"
    return by_row(wanted.joints, table, pose, seen, lenses, table.view, layout, notes)


def _cameras_of(path: Path, seen: Sequence[View]) -> Camera:
    """The lenses of cameras_train.pkl or cameras_test.pkl for these views; else published ones."""
    published = published_lenses(seen, path)
    if not path.is_file():
        return published
    content = as_dict(load_pickle(path), "a dict of cameras", path, "make it again")
    lenses, absent = [], []
    for view in seen:
        name = f"{view.subject}_{view.sequence}_Cam{view.camera}"
        name = view.sequence if view.split == "test" else name
        camera = content.get(name)
        if isinstance(camera, Mapping) and {"f", "c"} <= camera.keys():
            parts = [as_array(camera[key]).ravel() for key in "fc"]
            lenses.append([as_floats(part, (2,), f"{path}: {name}", "f and c") for part in parts])
        else:
            absent.append(name)
    if absent:
        remedy = "take it from the same place as the npz"
        raise InputError(f"{path}: no f and c of camera {listing(sorted(set(absent)))}; {remedy}")
    focal, centre = torch.from_numpy(np.array(lenses, dtype=np.float64)).float().unbind(1)
    return replace(published, focal=focal, centre=centre)


def _open_pstmo(path: Path, split: str, wanted: Wanted) -> Recorded:
    wanted.require_truth("univ_annot3", path)
    content = as_dict(load_npz(path, ("data",))["data"], "a dict of sequences", path, AGAIN)
    parts = [_part_of(*pair, wanted, path) for pair in _recordings_of(content, split, path)]
    if not parts:
        raise InputError(f"{path}: holds no sequences; {AGAIN}")
    return combined(parts, "MPI-INF-3DHP, P-STMO npz, univ_annot3")


def _recordings_of(content: dict[Any, Any], split: str, path: Path) -> Iterator[tuple[View, Any]]:
    """'TS1' → {…}, or in training 'S1 Seq1' → [{camera: {…}}, frames a second]."""
    pattern = r"S?(\d+)\s+(?:Seq)?(\d+)" if split == "train" else r"TS.*"
    for name, value in content.items():
        if (match := re.fullmatch(pattern, str(name).strip())) is None:
            expected = "S1 Seq1" if split == "train" else "TS1"
            raise InputError(f"{path}: sequence '{name}' is not named like '{expected}'; {AGAIN}")
        if split != "train":
            yield views.test_view(str(name)), value
            continue
        cameras = value[0] if isinstance(value, list | tuple | np.ndarray) and len(value) else None
        if not isinstance(cameras, dict):
            raise InputError(f"{path}: {name} holds no dict of cameras; {AGAIN}")
        for camera, recording in cameras.items():
            yield views.train_view(int(match[1]), int(match[2]), str(camera)), recording


def _part_of(view: View, recording: object, wanted: Wanted, path: Path) -> Recorded:
    """The people of one view; of the test set, its valid frames."""
    where = f"{path}: {view.subject} {view.sequence}, camera {view.camera}"
    if not isinstance(recording, dict) or not {"data_2d", "data_3d"} <= recording.keys():
        raise InputError(f"{where}: lacks data_2d or data_3d; {AGAIN}")
    source = get_skeleton("mpi_inf_3dhp17")
    poses = as_floats(recording["data_3d"], (None, len(source), 3), where, "data_3d")
    points = as_floats(recording["data_2d"], (None, len(source), None), where, "data_2d")
    use = as_flags(recording.get("valid", np.ones(len(poses))), where, "valid")
    if not len(poses) == len(points) == len(use) or points.shape[2] < 2:
        counts = f"3D of {len(poses)} frames, 2D of {len(points)}, valid of {len(use)}"
        raise InputError(f"{where}: {counts}; {AGAIN}")
    wanted.require_poses(poses[use], source, where, "mm")
    columns = wanted.joints.select_from(source)
    pose, keypoints = (float32(array[use][:, columns]) for array in (poses, points[..., :2]))
    frame, lens = torch.from_numpy(np.flatnonzero(use)), published_lenses([view], path)
    return of_view(wanted.joints, view, frame, pose, keypoints, lens)


def _open_list(path: Path, split: str, wanted: Wanted) -> Recorded:
    held: Truth = "annot3" if split == "train" else "univ_annot3"
    wanted.require_truth(held, path)
    people = read_spin(path, wanted.joints, WORDS)
    wanted.require_poses(people.pose.numpy() / 1000, wanted.joints, str(path), "m")
    rows = Rows.of([views.view_named(name, path) for name in people.names])
    lenses = published_lenses(rows.views, path)
    pose = placed(people, lenses.select(rows.view))
    layout = f"MPI-INF-3DHP, SPIN's list, {held}"
    note = f"{path.name}: 3D is relative in the list; people stand where it meets their 2D"
    return by_row(wanted.joints, rows, pose, people.keypoints, lenses, rows.view, layout, (note,))


MMPOSE_TEST = ("mpi_inf_3dhp_test_valid.npz", "mpi_inf_3dhp_test_all.npz")
PSTMO_FILES = ("data_test_3dhp.npz",), ("data_train_3dhp.npz",)
SPIN_TEST = ("mpi_inf_3dhp_valid.npz", "mpi_inf_3dhp_test.npz")
PACKINGS: Mapping[str, _Packing] = {
    "mmpose": _Packing(_open_mmpose, _is_mmpose, ("", "annotations"), MMPOSE_TEST),
    "pstmo": _Packing(_open_pstmo, Path.is_file, ("",), *PSTMO_FILES),
    "spin": _Packing(_open_list, is_spin, ("", "dataset_extras"), SPIN_TEST),
}
