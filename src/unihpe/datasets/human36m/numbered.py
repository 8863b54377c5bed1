"""Human3.6M of h36m-fetch, H36M-Toolbox and LCN, which name takes by number.

h36m-fetch: `<subject>/<action>-<take>/annot.h5`, with 2D, 3D in camera axes, frame and camera.
H36M-Toolbox and LCN: a pickled list with one dict per picture, other keys each.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import INTRINSICS
from unihpe.datasets.human36m.tables import Key, Table, recorded_of
from unihpe.datasets.human36m.views import ACTIONS, FIRST_ID, IRREGULAR, raw_skeleton, sequence_of
from unihpe.datasets.recorded import Recorded
from unihpe.errors import InputError
from unihpe.io.arrays import Shape, as_floats, require_finite, require_numbers
from unihpe.io.files import matching
from unihpe.io.hdf5 import read_hdf5
from unihpe.io.pickles import load_pickle

NUMBERS = ("frame", "camera", "subject", "action", "subaction")
SHAPES: dict[str, Shape] = {"pose/2d": (None, 32, 2), "pose/3d": (None, 32, 3)}
SHAPES |= {key: (None,) for key in NUMBERS}
PICKLES = ("h36m_train.pkl", "h36m_validation.pkl", "h36m_test.pkl")
PICTURE = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+)_(\d+)\.\w+$")
JOINTS = {
    "H36M-Toolbox": ("joints_3d_camera", "joints_2d"),
    "LCN": ("joint_3d_camera", "joint_3d_image"),
}


def fetch_files(root: Path) -> list[Path]:
    """h36m-fetch's files under a folder."""
    return [*matching(root, "S*/*-[12]/annot.h5"), *matching(root, "processed/S*/*-[12]/annot.h5")]


def open_fetch(root: Path, two_d: str, verify: bool) -> Recorded:
    """h36m-fetch's files; the 32 raw joints are reduced to 17."""
    tables = [read_fetch(path) for path in fetch_files(root)]
    return recorded_of(tables, two_d, "h36m-fetch", root, "mm", verify)


def read_fetch(path: Path) -> Table:
    """The pictures of one take."""
    content = read_hdf5(path, SHAPES, {}, "make it again with h36m-fetch")
    if len(lengths := {len(value) for value in content.values()}) > 1:
        raise InputError(f"{path}: arrays of different length, {sorted(lengths)}; make it again")
    for key in NUMBERS:
        require_numbers(content[key], str(path), key)
    columns = zip(*(content[key].astype(int).tolist() for key in NUMBERS), strict=True)
    keys = [
        (*take_named(subject, action, take, str(path)), str(camera), frame - 1)
        for frame, camera, subject, action, take in columns
    ]
    kept = get_skeleton("human36m17").select_from(raw_skeleton())
    poses = content["pose/3d"][:, kept]
    require_finite(poses, str(path))
    return Table(keys, poses, content["pose/2d"][:, kept])


def take_named(subject: int, action: int, take: int, where: str) -> tuple[str, str]:
    """The subject and the release's sequence that numbers mean."""
    name, known = f"S{subject}", FIRST_ID <= action < FIRST_ID + len(ACTIONS)
    if name not in IRREGULAR or not known or take not in (1, 2):
        numbers = f"subject {name}, action {action}, take {take}"
        raise InputError(f"{where}: {numbers}: the set has no such recording")
    return name, sequence_of(name, action, take)


def pickle_files(root: Path) -> list[Path]:
    """H36M-Toolbox's or LCN's pickles in a folder."""
    return [path for name in PICKLES if (path := root / name).is_file()]


def open_pickles(root: Path, two_d: str, verify: bool) -> Recorded:
    """H36M-Toolbox's or LCN's pickles."""
    read = [read_pickle(path) for path in pickle_files(root)]
    projects = sorted({project for projects, _ in read for project in projects})
    layout = f"{' and '.join(projects)} pickles"
    recorded = recorded_of([table for _, table in read], two_d, layout, root, "mm", verify)
    if "LCN" in projects:  # its pixels were made without the lens's distortion
        return replace(recorded, cameras=replace(recorded.cameras, distortion=None))
    return recorded


def read_pickle(path: Path) -> tuple[set[str], Table]:
    """The projects whose rows a file holds, and its pictures."""
    content = load_pickle(path)
    dicts = isinstance(content, list) and all(isinstance(row, dict) for row in content)
    if not dicts or not content:
        remedy = "take h36m_train.pkl of H36M-Toolbox or LCN"
        raise InputError(f"{path}: holds no list of dicts; {remedy}")
    projects, keys, poses, points = set[str](), list[Key](), [], []
    for n, row in enumerate(content):
        where = f"{path}: picture {n}"
        project = next((p for p, names in JOINTS.items() if row.keys() >= set(names)), None)
        if project is None:
            expected = " nor ".join(f"{' and '.join(names)} ({p})" for p, names in JOINTS.items())
            raise InputError(f"{where}: neither {expected}")
        pose, pixels = (row[name] for name in JOINTS[project])
        projects.add(project)
        keys.append(key_of(row, where))
        poses.append(as_floats(pose, (17, 3), where, "3D joints"))
        points.append(as_floats(pixels, (17, None), where, "2D joints")[:, :2])
    require_finite(np.stack(poses), str(path))
    return projects, Table(keys, np.stack(poses), np.stack(points))


def key_of(row: Mapping[str, Any], where: str) -> Key:
    """Subject, sequence, camera and frame, from the picture's name."""
    match = PICTURE.search(str(row.get("image", row.get("image_path", ""))))
    if match is None:
        expected = "s_09_act_02_subact_01_ca_01_000001.jpg"
        raise InputError(f"{where}: its picture is not named like {expected}")
    subject, action, take, camera, frame = (int(text) for text in match.groups())
    cameras = tuple(INTRINSICS)
    if not 1 <= camera <= len(cameras):
        raise InputError(f"{where}: camera {camera}; the set has 1 to {len(cameras)}")
    return *take_named(subject, action, take, where), cameras[camera - 1], frame - 1
