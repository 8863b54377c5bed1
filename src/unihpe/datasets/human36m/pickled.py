"""Human3.6M of H36M-Toolbox and of LCN: a pickled list with one dict per picture."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.datasets.human36m.cameras import INTRINSICS
from unihpe.datasets.human36m.tables import Key, Table, recorded_of, sequence_named
from unihpe.datasets.recorded import Recorded
from unihpe.errors import InputError
from unihpe.io.arrays import as_floats, require_finite
from unihpe.io.pickles import load_pickle

FILES = ("h36m_train.pkl", "h36m_validation.pkl", "h36m_test.pkl")
TAKE = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+)_(\d+)\.\w+$")
JOINTS = {
    "H36M-Toolbox": ("joints_3d_camera", "joints_2d"),
    "LCN": ("joint_3d_camera", "joint_3d_image"),
}


def pickle_files(root: Path) -> list[Path]:
    """H36M-Toolbox's or LCN's pickles in a folder."""
    return [file for name in FILES if (file := root / name).is_file()]


def open_pickles(root: Path, two_d: str, verify: bool) -> Recorded:
    """H36M-Toolbox's or LCN's pickles."""
    read = [read_table(path) for path in pickle_files(root)]
    projects = sorted({project for projects, _ in read for project in projects})
    layout = f"{' and '.join(projects)} pickles"
    recorded = recorded_of([table for _, table in read], two_d, layout, root, "mm", verify)
    if "LCN" in projects:  # its pixels were made without the lens's distortion
        return replace(recorded, cameras=replace(recorded.cameras, distortion=None))
    return recorded


def read_table(path: Path) -> tuple[set[str], Table]:
    """The projects whose rows a file holds, and its pictures."""
    content = load_pickle(path)
    dicts = isinstance(content, list) and all(isinstance(row, dict) for row in content)
    if not dicts or not content:
        raise InputError(
            f"{path}: holds no list of dicts; take h36m_train.pkl of H36M-Toolbox or LCN"
        )
    projects, keys, poses, points = set[str](), list[Key](), [], []
    for n, row in enumerate(content):
        where = f"{path}: picture {n}"
        project = project_of(row, where)
        pose, pixels = (row[key] for key in JOINTS[project])
        projects.add(project)
        keys.append(key_of(row, where))
        poses.append(as_floats(pose, (17, 3), where, "3D joints"))
        points.append(as_floats(pixels, (17, None), where, "2D joints")[:, :2])
    require_finite(np.stack(poses), str(path))
    return projects, Table(keys, np.stack(poses), np.stack(points))


def project_of(row: Mapping[str, Any], where: str) -> str:
    """Whose row it is."""
    for project, keys in JOINTS.items():
        if all(key in row for key in keys):
            return project
    expected = " nor ".join(f"{' and '.join(keys)} ({project})" for project, keys in JOINTS.items())
    raise InputError(f"{where}: neither {expected}")


def key_of(row: Mapping[str, Any], where: str) -> Key:
    """Subject, sequence, camera and frame, from the picture's name."""
    match = TAKE.search(str(row.get("image", row.get("image_path", ""))))
    if match is None:
        raise InputError(
            f"{where}: its picture is not named like s_09_act_02_subact_01_ca_01_000001.jpg"
        )
    subject, action, take, camera, frame = (int(text) for text in match.groups())
    cameras = tuple(INTRINSICS)
    if not 1 <= camera <= len(cameras):
        raise InputError(f"{where}: camera {camera}; the set has 1 to {len(cameras)}")
    sequence = sequence_named(f"S{subject}", action, take, where)
    return f"S{subject}", sequence, cameras[camera - 1], frame - 1
