"""3DPW with 17 joints regressed from SMPL's surface, without SMPL: HybrIK's JSON, or MMHuman3D's
npz of the same.

These are the joints of the standard protocol (14 of them) and of ZeDO's (17). Metres, camera axes;
they come out in mm, absolute. 2D is their projection, which lifting papers call ground truth. The
files keep the root of SMPL, and joints relative to the regressor's own pelvis: a constant of a few
centimetres lies between the two, which moves the person, not the pose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton, get_skeleton, skeleton
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import PROJECTED, Recorded, View
from unihpe.errors import InputError, one_line
from unihpe.io.arrays import Array, as_array, as_floats, require_finite
from unihpe.io.pickles import load_npz

HYBRIK = {
    "3DPW_test_new.json": "test",
    "3DPW_train_new.json": "train",
    "3DPW_validation_new.json": "val",
}
MMHUMAN3D = {"pw3d_test.npz": "test", "pw3d_train.npz": "train", "pw3d_validation.npz": "val"}
# MMHuman3D's HumanData order of Human3.6M's joints.
STORED = skeleton(
    "mmhuman3d17",
    "left_knee right_knee left_ankle right_ankle left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist"
    " right_hip left_hip thorax head pelvis spine nose",
)
NAME = re.compile(r"(?P<sequence>[^/\\]+)[/\\][^/\\]*?(?P<frame>\d+)\.\w+$")
NEAR_ROOT = 0.5  # m: a pelvis nearer to the camera than this is the origin of relative joints


@dataclass(frozen=True)
class People:
    """N people: names of their pictures, joints (N, 17, 3) in metres, camera axes, focal length, centre and size (N, 2)."""

    names: tuple[str, ...]
    joints: Array
    focal: Array
    centre: Array
    size: Array


def regressed_files(root: Path) -> list[tuple[Path, str]]:
    """The files of either kind in a folder, or in json/ or annotations/ under it, and their splits; or one file itself."""
    splits = HYBRIK | MMHUMAN3D
    if root.is_file():
        return [(root, splits.get(root.name, "test"))]
    for names in (HYBRIK, MMHUMAN3D):
        for folder in (root, root / "json", root / "annotations"):
            if found := [
                (folder / name, split) for name, split in names.items() if (folder / name).is_file()
            ]:
                return found
    return []


def open_threedpw17(root: Path, split: str | None = None, verify: bool = True) -> Recorded:
    """3DPW in Human3.6M's 17 joints (`human36m17`); index = file, then the file's order.

    Args:
        root: the folder that holds 3DPW_test_new.json (HybrIK) or pw3d_test.npz (MMHuman3D), or one
            such file.
        split: train, val or test; None is all.
        verify: refuse wrong units and swapped legs.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    files = [(path, part) for path, part in regressed_files(root) if split in (None, part)]
    if not files:
        raise InputError(
            f"{root}: no {' or '.join(name for name, part in (HYBRIK | MMHUMAN3D).items() if part == (split or 'test'))};"
            " get HybrIK's annotations of 3DPW, or MMHuman3D's"
        )
    parts = [
        (read_hybrik if path.suffix == ".json" else read_mmhuman3d)(path, verify)
        for path, _ in files
    ]
    views, view, frame = views_of(
        [(part, kind) for part, (_, kind) in zip(parts, files, strict=True)]
    )
    every = torch.arange(len(view))
    focal, centre, size = (
        torch.from_numpy(np.concatenate([getattr(part, name) for part in parts])).float()
        for name in ("focal", "centre", "size")
    )
    hybrik = files[0][0].suffix == ".json"
    kind = "HybrIK's JSON" if hybrik else "MMHuman3D's npz"
    return Recorded(
        skeleton=get_skeleton("human36m17"),
        views=views,
        view=view,
        frame=frame,
        pose=torch.from_numpy(np.concatenate([part.joints for part in parts])).float() * 1000,
        pose_row=every,
        keypoints=None,
        confidence=None,
        keypoint_row=every,
        cameras=Camera(
            focal, centre, size, torch.eye(3).expand(len(every), 3, 3), torch.zeros(len(every), 3)
        ),
        camera=every,
        in_world=False,
        layout=f"3DPW, 17 joints regressed from SMPL, {kind}, {PROJECTED}",
        stored=get_skeleton("human36m17_left_first") if hybrik else STORED,
    )


def views_of(parts: list[tuple[People, str]]) -> tuple[tuple[View, ...], Tensor, Tensor]:
    """A view for each sequence of each split; the view and the frame of everybody."""
    names: dict[tuple[str, str], int] = {}
    rows: list[int] = []
    frames: list[int] = []
    for people, split in parts:
        for name in people.names:
            found = NAME.search(name)
            sequence, frame = (
                (found["sequence"], int(found["frame"])) if found else ("unknown", len(rows))
            )
            rows.append(names.setdefault((sequence, split), len(names)))
            frames.append(frame)
    views = tuple(
        View(sequence, "unknown", sequence, "camera", split, split) for sequence, split in names
    )
    return views, torch.tensor(rows), torch.tensor(frames)


def read_hybrik(path: Path, verify: bool) -> People:
    """HybrIK's JSON: COCO-like, h36m_joints with the left leg first."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = {image["id"]: image for image in content["images"]}
        rows = [(note, images[note["image_id"]]) for note in content["annotations"]]
        joints, smpl = (
            by_joint([note[key] for note, _ in rows], str(path), key)
            for key in ("h36m_joints", "smpl_joint_cam")
        )
        roots = smpl[:, 0]
        lenses = [image["cam_param"] for _, image in rows]
        focal, centre = ([lens[key] for lens in lenses] for key in ("focal", "princpt"))
        size = [(image["width"], image["height"]) for _, image in rows]
        names = tuple(
            f"{image.get('sequence', 'unknown')}/{Path(image['file_name']).name}"
            for _, image in rows
        )
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); copy it again"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: not HybrIK's annotations of 3DPW ({one_line(error, 100)})"
        ) from error
    return people_of(
        path,
        names,
        joints,
        roots,
        get_skeleton("human36m17_left_first"),
        (focal, centre, size),
        verify,
    )


def by_joint(rows: list[Any], where: str, what: str) -> Array:
    """Joints (N, J, 3), which the file may hold flat; any number of them, as HybrIK's own loader takes 24 or 29."""
    array = as_array(rows)
    if array.ndim == 2 and array.shape[1] and array.shape[1] % 3 == 0:
        array = array.reshape(len(array), -1, 3)
    return as_floats(array, (None, None, 3), where, what)


def read_mmhuman3d(path: Path, verify: bool) -> People:
    """MMHuman3D's HumanData: 17 joints in an order of its own, relative, and their root."""
    keys = (
        "keypoints3d17_relative",
        "root_cam",
        "cam_param",
        "image_width",
        "image_height",
        "image_path",
    )
    content = load_npz(path, keys)
    joints = as_floats(
        content["keypoints3d17_relative"], (None, 17, 4), str(path), "keypoints3d17_relative"
    )[..., :3]
    roots = as_floats(content["root_cam"], (None, 3), str(path), "root_cam")
    lens = content["cam_param"]
    if not isinstance(lens, Mapping) or not {"f", "c"} <= lens.keys():
        raise InputError(f"{path}: cam_param is no dict with f and c; get MMHuman3D's file again")
    size = np.stack(
        [np.asarray(content[key]).reshape(-1) for key in ("image_width", "image_height")], axis=1
    )
    names = tuple(str(name) for name in np.asarray(content["image_path"]).reshape(-1))
    return people_of(path, names, joints, roots, STORED, (lens["f"], lens["c"], size), verify)


def people_of(
    path: Path,
    names: tuple[str, ...],
    joints: Array,
    roots: Array,
    source: Skeleton,
    lens: tuple[Any, Any, Any],
    verify: bool,
) -> People:
    """Checked people, in Human3.6M's order and absolute."""
    joints = as_floats(joints, (None, len(source), 3), str(path), "joints").astype(np.float64)
    require_finite(joints, str(path))
    count = len(joints)
    focal, centre, size = (
        as_floats(value, (None, 2), str(path), what).astype(np.float64)
        for value, what in zip(
            lens, ("focal lengths", "principal points", "picture sizes"), strict=True
        )
    )
    if not count == len(roots) == len(focal) == len(centre) == len(size) == len(names):
        raise InputError(f"{path}: its arrays are of different lengths; get it again")
    seen = torch.ones(count, len(source))
    ordered = convert(torch.from_numpy(joints), seen, source, get_skeleton("human36m17")).points
    if verify:
        require_body(ordered.float(), get_skeleton("human36m17"), str(path), "m")
    if float(ordered[:, 0].norm(dim=-1).median()) < NEAR_ROOT:
        ordered = ordered - ordered[:, :1] + torch.from_numpy(roots.astype(np.float64))[:, None]
    return People(names, ordered.numpy(), focal, centre, size)
