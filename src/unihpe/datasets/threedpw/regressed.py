"""3DPW with 17 joints regressed from SMPL's surface, without SMPL: HybrIK's JSON, or MMHuman3D's
npz of the same.

These are the joints of the standard protocol (14 of them) and of ZeDO's (17). 2D is their
projection, which lifting papers call ground truth. The files keep the root of SMPL, and joints
relative to the regressor's own pelvis: a constant of a few centimetres lies between the two, which
moves the person, not the pose.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.camera import Camera
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton, get_skeleton, skeleton
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import PROJECTED, Recorded, View
from unihpe.datasets.rows import Rows, by_row, combined
from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_array, as_floats, float32, require_finite
from unihpe.io.files import input_errors, read_text
from unihpe.io.pickles import load_npz

SPLITS = {"test": "test", "train": "train", "validation": "val"}
HYBRIK = {f"3DPW_{name}_new.json": split for name, split in SPLITS.items()}
MMHUMAN3D = {f"pw3d_{name}.npz": split for name, split in SPLITS.items()}
FILES = HYBRIK | MMHUMAN3D
# MMHuman3D's HumanData order of Human3.6M's joints.
STORED = skeleton(
    "mmhuman3d17",
    "left_knee right_knee left_ankle right_ankle left_shoulder right_shoulder left_elbow"
    " right_elbow left_wrist right_wrist right_hip left_hip thorax head pelvis spine nose",
)
NAME = re.compile(r"(?P<sequence>[^/\\]+)[/\\][^/\\]*?(?P<frame>\d+)\.\w+$")
NEAR_ROOT = 0.5  # m: a pelvis nearer to the camera than this is the origin of relative joints


@dataclass(frozen=True)
class _People:
    """N people as a file holds them."""

    names: list[str]  # of their pictures
    joints: Array  # (N, 17, 3), metres, camera axes, absolute or relative to the pelvis
    roots: Array  # (N, 3), metres, camera axes
    lens: tuple[Any, Any, Any]  # focal lengths, principal points and picture sizes, (N, 2) each
    stored: Skeleton  # the file's order of joints


def regressed_files(root: Path) -> list[tuple[Path, str]]:
    """The files of either kind, and their splits, in a folder, its json/ or annotations/."""
    if root.is_file():
        return [(root, FILES.get(root.name, "test"))]
    for names in (HYBRIK, MMHUMAN3D):
        for folder in (root, root / "json", root / "annotations"):
            paths = [(folder / name, split) for name, split in names.items()]
            if files := [(path, split) for path, split in paths if path.is_file()]:
                return files
    return []


def open_threedpw17(root: Path, split: str | None = None, verify: bool = True) -> Recorded:
    """3DPW in Human3.6M's 17 joints, in a folder or one file; index = file, then its order."""
    files = [(path, part) for path, part in regressed_files(root) if split in (None, part)]
    if not files:
        names = " or ".join(name for name, part in FILES.items() if part == (split or "test"))
        raise InputError(f"{root}: no {names}; get HybrIK's annotations of 3DPW, or MMHuman3D's")
    parts, first = [], 0
    for path, part in files:
        people = _read_hybrik(path) if path.suffix == ".json" else _read_mmhuman3d(path)
        parts.append(_recorded_of(people, str(path), part, first, verify))
        first += len(parts[-1])
    kind = "MMHuman3D's npz" if people.stored is STORED else "HybrIK's JSON"
    return combined(parts, f"3DPW, 17 joints regressed from SMPL, {kind}, {PROJECTED}")


def row_of(name: str, split: str, row: int) -> tuple[View, int]:
    """The view and frame of a picture; one of an unknown name has its row as frame."""
    match = NAME.search(name)
    sequence, frame = (match["sequence"], int(match["frame"])) if match else ("unknown", row)
    return View(sequence, "unknown", sequence, "camera", split, split), frame


def _read_hybrik(path: Path) -> _People:
    """HybrIK's JSON: COCO-like, h36m_joints with the left leg first."""
    with input_errors(f"{path}: not HybrIK's annotations of 3DPW"):
        content = json.loads(read_text(path, "copy it again"))
        by_id = {image["id"]: image for image in content["images"]}
        notes = content["annotations"]
        images = [by_id[note["image_id"]] for note in notes]
        joints, smpl = (_by_joint(notes, key, path) for key in ("h36m_joints", "smpl_joint_cam"))
        focal, centre = ([im["cam_param"][key] for im in images] for key in ("focal", "princpt"))
        size = [(image["width"], image["height"]) for image in images]
        files = [(im.get("sequence", "unknown"), Path(im["file_name"]).name) for im in images]
        names = [f"{sequence}/{file}" for sequence, file in files]
        stored = get_skeleton("human36m17_left_first")
        return _People(names, joints, smpl[:, 0], (focal, centre, size), stored)


def _by_joint(notes: list[Any], key: str, path: Path) -> Array:
    """Joints (N, J, 3), which may be flat; any number, as HybrIK's own loader takes 24 or 29."""
    array = as_array([note[key] for note in notes])
    if array.ndim == 2 and array.shape[1] and array.shape[1] % 3 == 0:
        array = array.reshape(len(array), -1, 3)
    return as_floats(array, (None, None, 3), str(path), key)


def _read_mmhuman3d(path: Path) -> _People:
    """MMHuman3D's HumanData: 17 joints in an order of its own, relative, and their root."""
    key, sizes = "keypoints3d17_relative", ("image_width", "image_height")
    content = load_npz(path, (key, "root_cam", "cam_param", "image_path", *sizes))
    joints = as_floats(content[key], (None, len(STORED), 4), str(path), key)[..., :3]
    roots = as_floats(content["root_cam"], (None, 3), str(path), "root_cam")
    lens = content["cam_param"]
    if not isinstance(lens, Mapping) or not {"f", "c"} <= lens.keys():
        raise InputError(f"{path}: cam_param is no dict with f and c; get MMHuman3D's file again")
    size = np.stack([np.asarray(content[name]).reshape(-1) for name in sizes], axis=1)
    names = [str(name) for name in np.asarray(content["image_path"]).reshape(-1)]
    return _People(names, joints, roots, (lens["f"], lens["c"], size), STORED)


def _recorded_of(people: _People, where: str, split: str, first: int, verify: bool) -> Recorded:
    """The people of one file, absolute, in Human3.6M's order; `first` counts those before."""
    source, target = people.stored, get_skeleton("human36m17")
    joints = as_floats(people.joints, (None, len(source), 3), where, "joints").astype(np.float64)
    require_finite(joints, where)
    lens = zip(people.lens, ("focal lengths", "principal points", "picture sizes"), strict=True)
    focal, centre, size = (float32(as_floats(part, (None, 2), where, what)) for part, what in lens)
    lengths = {len(part) for part in (people.roots, focal, centre, size)} | {len(people.names)}
    if lengths != {len(joints)}:
        raise InputError(f"{where}: its arrays are of different lengths; get it again")
    seen = torch.ones(joints.shape[:2])
    ordered = convert(torch.from_numpy(joints), seen, source, target).points
    if verify:
        require_body(ordered.float(), target, where, "m")
    root = ordered[:, target.index("pelvis"), None]
    if float(root.norm(dim=-1).median()) < NEAR_ROOT:
        ordered = ordered - root + torch.from_numpy(people.roots.astype(np.float64))[:, None]
    rows = Rows.of([row_of(name, split, row) for row, name in enumerate(people.names, first)])
    cameras = replace(Camera.simple(size), focal=focal, centre=centre)
    pose, each = ordered.float() * 1000, torch.arange(len(ordered))
    return replace(by_row(target, rows, pose, None, cameras, each, ""), stored=source)
