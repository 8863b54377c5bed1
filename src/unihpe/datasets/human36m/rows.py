"""Human3.6M as tables with one row per picture: what several projects' files have in common; and
two of them.

h36m-fetch: `<subject>/<action>-<take>/annot.h5`, with 2D, 3D in camera axes, frame and camera.
H36M-Toolbox and LCN: a pickled list with one dict per picture. Both name takes by number, which
`takes` turns into the release's names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import INTRINSICS, published_cameras, rows_of_cameras
from unihpe.datasets.human36m.takes import ACTIONS, FIRST_ID, IRREGULAR, sequence_of
from unihpe.datasets.human36m.views import raw_skeleton, view_of
from unihpe.datasets.matching import matching
from unihpe.datasets.proofs import CHECKED_POSES, require_body
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import by_row
from unihpe.errors import InputError
from unihpe.io.arrays import Array, Shape, as_floats, require_finite, require_numbers
from unihpe.io.hdf5 import read_hdf5
from unihpe.io.pickles import load_pickle

Key = tuple[str, str, str, int]  # subject, sequence, camera, frame from 0
CAMERAS = tuple(INTRINSICS)
TAKE = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+)_(\d+)\.\w+$")
NUMBERS = ("frame", "camera", "subject", "action", "subaction")
FETCH: dict[str, Shape] = {
    "pose/2d": (None, 32, 2),
    "pose/3d": (None, 32, 3),
    **{key: (None,) for key in NUMBERS},
}
PICKLES = ("h36m_train.pkl", "h36m_validation.pkl", "h36m_test.pkl")


def require_subjects(keys: Sequence[Key], poses: Tensor, unit: str, where: str) -> None:
    """Raise if a subject's poses (N, 17, 3) are not of the unit, or its legs are swapped."""
    subjects = np.array([key[0] for key in keys])
    for subject in dict.fromkeys(subjects.tolist()):
        rows = torch.from_numpy(np.flatnonzero(subjects == subject))
        require_body(
            poses[rows[evenly_spaced(len(rows), CHECKED_POSES)]],
            get_skeleton("human36m17"),
            f"{where}: {subject}",
            unit,
        )


def with_published_cameras(
    keys: Sequence[Key],
    poses: Array,
    points: Array,
    two_d: str,
    layout: str,
    where: Path,
    verify: bool,
) -> Recorded:
    """Rows in mm, checked, seen by the published cameras."""
    if two_d not in ("gt", "exact"):
        raise InputError(f"{where}: this layout has the 2D gt and exact, not '{two_d}'")
    require_finite(poses, str(where))
    pose, pixels = (
        torch.from_numpy(poses.astype(np.float32)),
        torch.from_numpy(points.astype(np.float32)),
    )
    if verify:
        require_subjects(keys, pose, "mm", str(where))
    rows, cameras = published_cameras()
    camera = rows_of_cameras(rows, keys, where)
    found = None if two_d == "exact" else pixels
    views = [(view_of(*key[:3]), key[3]) for key in keys]
    return by_row(
        get_skeleton("human36m17"),
        views,
        pose,
        found,
        cameras,
        camera,
        f"Human3.6M, {layout}, 2D {two_d}",
    )


def sequence_named(subject: str, action: int, take: int, where: str) -> str:
    """The release's name of a take given by numbers.

    Raises:
        InputError: for numbers that the set does not have.
    """
    if (
        subject not in IRREGULAR
        or not FIRST_ID <= action < FIRST_ID + len(ACTIONS)
        or take not in (1, 2)
    ):
        raise InputError(
            f"{where}: subject {subject}, action {action}, take {take}: the set has no such recording"
        )
    return sequence_of(subject, action, take)


def fetch_files(root: Path) -> list[Path]:
    """h36m-fetch's files under a folder."""
    return [*matching(root, "S*/*-[12]/annot.h5"), *matching(root, "processed/S*/*-[12]/annot.h5")]


def open_fetch(root: Path, two_d: str, verify: bool) -> Recorded:
    """h36m-fetch's files; the 32 raw joints are reduced to 17."""
    files = fetch_files(root)
    keys: list[Key] = []
    poses: list[Array] = []
    points: list[Array] = []
    columns = get_skeleton("human36m17").select_from(raw_skeleton())
    for path in files:
        content = read_hdf5(path, FETCH, {}, "make it again with h36m-fetch")
        if len(lengths := {len(value) for value in content.values()}) > 1:
            raise InputError(
                f"{path}: arrays of different length, expected one, found {sorted(lengths)}; make it again"
            )
        pose, pixels = content["pose/3d"], content["pose/2d"]
        for key in NUMBERS:
            require_numbers(content[key], f"{path} [{key}]")
        numbers = [content[key].astype(int) for key in NUMBERS]
        for frame, camera, subject, action, take in np.stack(numbers, axis=1).tolist():
            person = f"S{subject}"
            keys.append(
                (person, sequence_named(person, action, take, str(path)), str(camera), frame - 1)
            )
        poses.append(pose[:, columns])
        points.append(pixels[:, columns])
    return with_published_cameras(
        keys, np.concatenate(poses), np.concatenate(points), two_d, "h36m-fetch", root, verify
    )


def pickle_files(root: Path) -> list[Path]:
    """H36M-Toolbox's or LCN's pickles in a folder."""
    return [file for name in PICKLES if (file := root / name).is_file()]


def open_pickles(root: Path, two_d: str, verify: bool) -> Recorded:
    """H36M-Toolbox's or LCN's pickles: both list one dict per picture, with other keys."""
    keys: list[Key] = []
    poses: list[Array] = []
    points: list[Array] = []
    kinds: set[str] = set()
    for path in pickle_files(root):
        content = load_pickle(path)
        if (
            not isinstance(content, list)
            or not content
            or not all(isinstance(row, dict) for row in content)
        ):
            raise InputError(
                f"{path}: holds no list of dicts; take h36m_train.pkl of H36M-Toolbox or LCN"
            )
        for n, row in enumerate(content):
            where = f"{path}: picture {n}"
            kind, (pose, pixels) = joints_of_row(row, where)
            kinds.add(kind)
            keys.append(key_of_row(row, where))
            poses.append(as_floats(pose, (17, 3), where, "3D joints"))
            points.append(as_floats(pixels, (17, None), where, "2D joints")[:, :2])
    found = with_published_cameras(
        keys,
        np.stack(poses),
        np.stack(points),
        two_d,
        f"{' and '.join(sorted(kinds))} pickles",
        root,
        verify,
    )
    if "LCN" in kinds:  # its pixels were made without the lens's distortion
        return replace(found, cameras=replace(found.cameras, distortion=None))
    return found


def joints_of_row(row: Mapping[str, Any], where: str) -> tuple[str, tuple[object, object]]:
    """Whose row it is, its 3D and its 2D."""
    if "joints_3d_camera" in row and "joints_2d" in row:
        return "H36M-Toolbox", (row["joints_3d_camera"], row["joints_2d"])
    if "joint_3d_camera" in row and "joint_3d_image" in row:
        return "LCN", (row["joint_3d_camera"], row["joint_3d_image"])
    raise InputError(
        f"{where}: neither joints_3d_camera and joints_2d (H36M-Toolbox) nor joint_3d_camera and joint_3d_image (LCN)"
    )


def key_of_row(row: Mapping[str, Any], where: str) -> Key:
    """Subject, sequence, camera and frame, from the picture's name."""
    found = TAKE.search(str(row.get("image", row.get("image_path", ""))))
    if found is None:
        raise InputError(
            f"{where}: its picture is not named like s_09_act_02_subact_01_ca_01_000001.jpg"
        )
    subject, action, take, camera, frame = (int(text) for text in found.groups())
    if not 1 <= camera <= len(CAMERAS):
        raise InputError(f"{where}: camera {camera}; the set has 1 to {len(CAMERAS)}")
    person = f"S{subject}"
    return person, sequence_named(person, action, take, where), CAMERAS[camera - 1], frame - 1
