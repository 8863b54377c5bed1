"""Human3.6M with one row per picture: what MMPose, SPIN, h36m-fetch, H36M-Toolbox and LCN pack.

MMPose has npz files, cameras.pkl, and JSON for 2D networks: `annotation_body2d/h36m_coco_*.json`
has COCO's layout, with 3D in world axes, metres, beside the 2D. Its own category calls joints 1 to
3 left; they are the right leg, as everywhere in MMPose's Human3.6M, so these names are not read.
SPIN's lists are `h36m_train.npz`, and `h36m_valid_protocol1.npz` and `2`, which have no 2D; they
name pictures as MMPose does. The others name takes by number:
h36m-fetch: `<subject>/<action>-<take>/annot.h5`, with 2D, 3D in camera axes, frame and camera;
H36M-Toolbox and LCN: a pickled list with one dict per picture, other keys each.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m import views
from unihpe.datasets.human36m.cameras import Calibration, camera_of, published_cameras
from unihpe.datasets.human36m.views import CAMERAS
from unihpe.datasets.proofs import CHECKED_POSES, require_body
from unihpe.datasets.recorded import PROJECTED, Recorded
from unihpe.datasets.rows import Rows, by_row, combined, with_names
from unihpe.datasets.spin_lists import is_spin, placed, read_spin
from unihpe.errors import InputError, one_line
from unihpe.io.arrays import Array, as_array, as_floats, float32, require_finite, require_numbers
from unihpe.io.files import input_errors, matching, read_text
from unihpe.io.hdf5 import read_hdf5
from unihpe.io.pickles import load_npy, load_npz, load_pickle

Key = tuple[str, str, str, int]  # subject, sequence, camera, frame from 0
IMAGE_NAME = re.compile(r"(S\d+)_([A-Za-z]+(?:_\d+)?)\.(\d+)_(\d+)\.\w+")  # frames from 1
FOLDERS = ("", "annotation_body3d/fps50", "annotation_body3d/fps10", "fps50", "fps10")
WHOLE, PAIR = ("h36m_coco.json",), ("h36m_coco_train.json", "h36m_coco_test.json")
SAME_PLACE = "take it from the same place as the npz"
TRAIN = "h36m_train.npz"
# The second holds the frontal camera of the first.
VALID = ("h36m_valid_protocol1.npz", "h36m_valid_protocol2.npz")
WORDS = {"thorax": "neck", "nose": "jaw"}  # ours → SPIN's
CAMERA_PARTS = {"f": 2, "c": 2, "k": 3, "p": 2, "T": 3, "R": 9, "w": 1, "h": 1}
NUMBERS = ("frame", "camera", "subject", "action", "subaction")
SHAPES = {"pose/2d": (None, 32, 2), "pose/3d": (None, 32, 3), **dict.fromkeys(NUMBERS, (None,))}
PICKLES = ("h36m_train.pkl", "h36m_validation.pkl", "h36m_test.pkl")
PICTURE = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+)_(\d+)\.\w+$")
JOINTS = {"H36M-Toolbox": ("joints_3d_camera", "joints_2d")}
JOINTS |= {"LCN": ("joint_3d_camera", "joint_3d_image")}


@dataclass(frozen=True)
class _Table:
    """N pictures of one file."""

    keys: list[Key]
    poses: Array  # (N, 17, 3), in the file's unit and axes
    keypoints: Array  # (N, 17, 2), pixels, NaN where missing
    notes: tuple[str, ...] = ()  # what was left out
    unit: str = "mm"


def _recorded_of(
    tables: list[_Table], two_d: str, layout: str, where: Path, verify: bool, cameras: Calibration
) -> Recorded:
    """Tables of one unit, in camera axes, one after the other and checked."""
    keys = [key for table in tables for key in table.keys]
    pose, unit = float32(*(table.poses for table in tables)), tables[0].unit
    if verify:
        _require_subjects(keys, pose, unit, where)
    pose = pose * 1000 if unit == "m" else pose
    keypoints = None if two_d == "exact" else float32(*(table.keypoints for table in tables))
    camera = cameras.rows_of(keys, where)
    rows = Rows.of([(views.view_of(*key[:3]), key[3]) for key in keys])
    skeleton, layout = get_skeleton("human36m17"), f"Human3.6M, {layout}, 2D {two_d}"
    notes = tuple(note for table in tables for note in table.notes)
    return by_row(skeleton, rows, pose, keypoints, cameras.cameras, camera, layout, notes)


def _require_subjects(keys: Sequence[Key], poses: Tensor, unit: str, where: Path) -> None:
    """Raise if a subject's poses (N, 17, 3) are not of the unit, or its legs are swapped."""
    subjects = np.array([key[0] for key in keys])
    for subject in dict.fromkeys(subjects.tolist()):
        rows = torch.from_numpy(np.flatnonzero(subjects == subject))
        some = poses[rows[evenly_spaced(len(rows), CHECKED_POSES)]]
        require_body(some, get_skeleton("human36m17"), f"{where}: {subject}", unit)


def mmpose_files(root: Path) -> list[Path]:
    """MMPose's train and test npz in a folder, or in the finest frame rate of annotation_body3d."""
    for folder in (root / name for name in FOLDERS):
        paths = [folder / f"h36m_{split}.npz" for split in ("train", "test")]
        if files := [path for path in paths if path.is_file() and not is_spin(path)]:
            return files
    return []


def open_mmpose(root: Path, two_d: str, verify: bool) -> Recorded:
    """MMPose's npz; pictures are named, not read: frames count from 0, names from 1."""
    files = mmpose_files(root)
    folder, tables = files[0].parent, [_read_table(path) for path in files]
    calibration, layout = _mmpose_cameras(folder), f"MMPose npz ({folder.name})"
    recorded = _recorded_of(tables, two_d, layout, folder, verify, calibration)
    if two_d in ("gt", "exact"):
        return recorded
    shape = (len(recorded), len(recorded.skeleton), 3)
    loaded = load_npy(folder / two_d, "2D is gt, exact or such a file")
    points = float32(as_floats(loaded, shape, str(folder / two_d), "2D joints"))
    return replace(recorded, keypoints=points[..., :2], confidence=points[..., 2].clamp(0, 1))


def _read_table(path: Path) -> _Table:
    content, where = load_npz(path, ("imgname", "part", "S")), str(path)
    keys = [_key_of(str(name), path) for name in np.asarray(content["imgname"]).ravel()]
    poses = as_floats(content["S"], (None, 17, None), where, "3D poses (S)")
    keypoints = as_floats(content["part"], (None, 17, None), where, "2D joints (part)")
    if poses.shape[2] < 3 or keypoints.shape[2] < 2:
        sizes = f"the file has {poses.shape[2]} and {keypoints.shape[2]}"
        raise InputError(f"{path}: S needs x, y, z and part x, y; {sizes}")
    places = ((key[:2], *key[2:]) for key in keys)
    poses, keypoints, notes = with_names(len(keys), places, poses, keypoints, list(CAMERAS), path)
    require_finite(poses, where)
    if (poses[..., 2] <= 0).any():
        raise InputError(f"{path}: 3D lies behind the camera; this layout has absolute camera axes")
    return _Table(keys, poses[..., :3], keypoints[..., :2], notes, "m")


def _key_of(name: str, path: Path) -> Key:
    match = IMAGE_NAME.fullmatch(name.replace("\\", "/").rsplit("/", 1)[-1])
    if match is None:
        expected = "S9_Greeting_1.54138969_000001.jpg; use MMPose's script"
        raise InputError(f"{path}: picture '{name}' is not named like {expected}")
    subject, sequence, camera, number = match.groups()
    return subject, sequence.replace("_", " "), camera, int(number) - 1


def camera_files(folder: Path) -> list[Path]:
    """The camera files in a folder or above it; the first is read."""
    return [path for base in (folder, folder.parent) if (path := base / "cameras.pkl").is_file()]


def _mmpose_cameras(folder: Path) -> Calibration:
    """The cameras of cameras.pkl, in the folder or above it; else the published ones, the same."""
    files = camera_files(folder)
    return _read_cameras(files[0]) if files else published_cameras()


def _read_cameras(path: Path) -> Calibration:
    """MMPose's cameras.pkl: R is camera to world, T the centre in metres, p has y first."""
    content = load_pickle(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: holds no dict of cameras; {SAME_PLACE}")
    keys, rows = list[tuple[str, str]](), list[Array]()
    for key, camera in content.items():
        named = isinstance(key, tuple) and len(key) == 2
        if not named or not isinstance(camera, dict) or not CAMERA_PARTS.keys() <= camera.keys():
            parts = ", ".join(CAMERA_PARTS)
            raise InputError(f"{path}: camera {key!r} is not one of MMPose's, with {parts}")
        where = f"{path}: camera {key}"
        flat = {part: as_array(camera[part]).ravel() for part in CAMERA_PARTS}
        numbers = [as_floats(flat[part], (n,), where, part) for part, n in CAMERA_PARTS.items()]
        keys.append((str(key[0]), str(key[1])))
        rows.append(np.concatenate(numbers).astype(np.float64))
    lens, place, rotation, size = torch.from_numpy(np.stack(rows)).split([9, 3, 9, 2], dim=1)
    rotation = rotation.view(-1, 3, 3).mT
    if bool(((rotation @ rotation.mT - torch.eye(3).double()).abs() > 1e-3).any()):
        raise InputError(f"{path}: a camera's R is no rotation; {SAME_PLACE}")
    cameras = camera_of(size, lens, rotation, place * 1000)
    return Calibration(dict(zip(keys, range(len(keys)), strict=True)), cameras)


def json_files(root: Path) -> list[Path]:
    """MMPose's 2D annotation files, or annotation_body2d/'s: train and test, else the whole one."""
    places = product((root, root / "annotation_body2d"), (PAIR, WHOLE))
    there = ([path for n in names if (path := at / n).is_file()] for at, names in places)
    return next(filter(None, there), [])


def open_json(root: Path, two_d: str, verify: bool) -> Recorded:
    tables, where = [_read_json(path) for path in json_files(root)], json_files(root)[0].parent
    calibration, layout = _mmpose_cameras(root / FOLDERS[1]), "MMPose's COCO-like JSON"
    recorded = _recorded_of(tables, two_d, layout, where, verify, calibration)
    return replace(recorded, in_world=True)


def _read_json(path: Path) -> _Table:
    where = str(path)
    with input_errors(f"{path}: not readable JSON", kinds=(ValueError, RecursionError)):
        content = json.loads(read_text(path, "copy it again"))
    try:
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        notes = content["annotations"]
        pictures = [names[note["image_id"]] for note in notes]
        flat = {key: [note[key] for note in notes] for key in ("keypoints_3d", "keypoints")}
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: lacks {one_line(error, 80)}; use MMPose's script") from error
    poses = as_floats(flat["keypoints_3d"], (None, 68), where, "keypoints_3d").reshape(-1, 17, 4)
    points = as_floats(flat["keypoints"], (None, 51), where, "keypoints").reshape(-1, 17, 3)
    require_finite(poses[..., :3], where)
    seen = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    return _Table([_key_of(name, path) for name in pictures], poses[..., :3], seen, (), "m")


def list_files(root: Path) -> list[Path]:
    """SPIN's lists in a folder or its dataset_extras/: of training, and the larger for testing."""
    for folder in (root, root / "dataset_extras"):
        found = [[path for n in kind if is_spin(path := folder / n)] for kind in ((TRAIN,), VALID)]
        if files := [paths[0] for paths in found if paths]:
            return files
    return []


def open_lists(root: Path, two_d: str, verify: bool, split: str | None = None) -> Recorded:
    """SPIN's lists, or that of one split; one without 2D always gives its projection."""
    splits = {path: "train" if path.name == TRAIN else "test" for path in list_files(root)}
    files = [path for path, part in splits.items() if split in (None, part)]
    if not files:
        remedy = f"give the folder of {TRAIN} or {VALID[0]}"
        raise InputError(f"{root}: none of SPIN's lists here is for {split}; {remedy}")
    parts = [_read_list(path, two_d, verify) for path in files]
    without_2d = all(part.keypoints is None for part in parts)
    kind = PROJECTED if without_2d and two_d != "exact" else f"2D {two_d}"
    return combined(parts, f"Human3.6M, SPIN's lists, {kind}")


def _read_list(path: Path, two_d: str, verify: bool) -> Recorded:
    people = read_spin(path, get_skeleton("human36m17"), WORDS)
    keys = [_key_of(name, path) for name in people.names]
    if verify:
        _require_subjects(keys, people.pose / 1000, "m", path)
    calibration = published_cameras()
    cameras = calibration.cameras.select(calibration.rows_of(keys, path))
    how, points = "it meets their 2D", people.keypoints
    if points is None:
        how, points = "it fills their box, and 2D is its projection", people.pose[..., :2]
        two_d = "exact"
    note = f"{path.name}: 3D is relative in the list; people stand where {how}"
    table = _Table(keys, placed(people, cameras).numpy(), points.numpy(), (note,))
    return _recorded_of([table], two_d, "", path, False, calibration)


def fetch_files(root: Path) -> list[Path]:
    return [*matching(root, "S*/*-[12]/annot.h5"), *matching(root, "processed/S*/*-[12]/annot.h5")]


def open_fetch(root: Path, two_d: str, verify: bool) -> Recorded:
    """h36m-fetch's files; the 32 raw joints are reduced to 17."""
    tables = [_read_fetch(path) for path in fetch_files(root)]
    return _recorded_of(tables, two_d, "h36m-fetch", root, verify, published_cameras())


def _read_fetch(path: Path) -> _Table:
    content = read_hdf5(path, SHAPES, {}, "make it again with h36m-fetch")
    if len(lengths := {len(value) for value in content.values()}) > 1:
        raise InputError(f"{path}: arrays of different length, {sorted(lengths)}; make it again")
    for key in NUMBERS:
        require_numbers(content[key], str(path), key)
    columns = zip(*(content[key].astype(int).tolist() for key in NUMBERS), strict=True)
    keys = [(*_take_named(take, path), str(camera), frame - 1) for frame, camera, *take in columns]
    kept = get_skeleton("human36m17").select_from(views.RAW_SKELETON)
    poses = content["pose/3d"][:, kept]
    require_finite(poses, str(path))
    return _Table(keys, poses, content["pose/2d"][:, kept])


def _take_named(numbers: list[int], where: object) -> tuple[str, str]:
    """The subject and the release's sequence that the numbers of subject, action and take mean."""
    subject, action, take = numbers
    name, known = f"S{subject}", views.FIRST_ID <= action < views.FIRST_ID + len(views.ACTIONS)
    if name not in views.IRREGULAR or not known or take not in (1, 2):
        asked = f"subject {name}, action {action}, take {take}"
        raise InputError(f"{where}: {asked}: the set has no such recording")
    return name, views.sequence_of(name, action, take)


def pickle_files(root: Path) -> list[Path]:
    return [path for name in PICKLES if (path := root / name).is_file()]


def open_pickles(root: Path, two_d: str, verify: bool) -> Recorded:
    read = [_read_pickle(path) for path in pickle_files(root)]
    projects = sorted({project for projects, _ in read for project in projects})
    layout = f"{' and '.join(projects)} pickles"
    tables = [table for _, table in read]
    recorded = _recorded_of(tables, two_d, layout, root, verify, published_cameras())
    if "LCN" in projects:  # its pixels were made without the lens's distortion
        return replace(recorded, cameras=replace(recorded.cameras, distortion=None))
    return recorded


def _read_pickle(path: Path) -> tuple[set[str], _Table]:
    """The projects whose rows a file holds, and its pictures."""
    content = load_pickle(path)
    if not (isinstance(content, list) and content and all(isinstance(r, dict) for r in content)):
        raise InputError(f"{path}: holds no list of dicts; take H36M-Toolbox's or LCN's files")
    projects, keys, poses, points = set[str](), list[Key](), [], []
    for n, row in enumerate(content):
        where = f"{path}: picture {n}"
        project = next((p for p, names in JOINTS.items() if row.keys() >= set(names)), None)
        if project is None:
            expected = " nor ".join(f"{' and '.join(names)} ({p})" for p, names in JOINTS.items())
            raise InputError(f"{where}: neither {expected}")
        pose, pixels = (row[name] for name in JOINTS[project])
        projects.add(project)
        keys.append(_numbered_key(row, where))
        poses.append(as_floats(pose, (17, 3), where, "3D joints"))
        points.append(as_floats(pixels, (17, None), where, "2D joints")[:, :2])
    require_finite(np.stack(poses), str(path))
    return projects, _Table(keys, np.stack(poses), np.stack(points))


def _numbered_key(row: Mapping[str, Any], where: str) -> Key:
    match = PICTURE.search(str(row.get("image", row.get("image_path", ""))))
    if match is None:
        expected = "s_09_act_02_subact_01_ca_01_000001.jpg"
        raise InputError(f"{where}: its picture is not named like {expected}")
    *numbers, camera, frame = (int(text) for text in match.groups())
    if not 1 <= camera <= len(CAMERAS):
        raise InputError(f"{where}: camera {camera}; the set has 1 to {len(CAMERAS)}")
    return *_take_named(numbers, where), CAMERAS[camera - 1], frame - 1
