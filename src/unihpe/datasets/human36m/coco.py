"""Human3.6M as MMPose gives it to 2D networks: `annotation_body2d/h36m_coco_{train,test}.json`.

COCO's layout, with 3D in world axes, metres, beside the 2D. The file's own category calls joints 1
to 3 left; they are the right leg, as everywhere in MMPose's Human3.6M, so these names are not read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import rows_of_cameras
from unihpe.datasets.human36m.mmpose import mmpose_cameras, parsed
from unihpe.datasets.human36m.rows import require_subjects
from unihpe.datasets.human36m.views import view_of
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import by_row
from unihpe.errors import InputError, one_line
from unihpe.io.arrays import Array, as_floats, require_finite

PAIR = ("h36m_coco_train.json", "h36m_coco_test.json")
WHOLE = ("h36m_coco.json",)


def coco_files(root: Path) -> list[Path]:
    """MMPose's 2D annotation files in a folder, or in annotation_body2d/ under it: train and test, else the one of both."""
    for folder in (root, root / "annotation_body2d"):
        for names in (PAIR, WHOLE):
            if found := [folder / name for name in names if (folder / name).is_file()]:
                return found
    return []


def open_coco(root: Path, two_d: str, verify: bool) -> Recorded:
    """MMPose's 2D annotation files; see `open_human36m`."""
    if two_d not in ("gt", "exact"):
        raise InputError(f"{root}: this layout has the 2D gt and exact, not '{two_d}'")
    files = coco_files(root)
    tables = [read_annotations(path) for path in files]
    keys = [
        parsed(name, path) for path, table in zip(files, tables, strict=True) for name in table[0]
    ]
    pose, points = (
        torch.from_numpy(np.concatenate([table[n] for table in tables])) for n in (1, 2)
    )
    if verify:
        require_subjects(keys, pose, "m", str(files[0].parent))
    rows, cameras = mmpose_cameras(root / "annotation_body3d" / "fps50")
    return by_row(
        get_skeleton("human36m17"),
        [(view_of(*key[:3]), key[3]) for key in keys],
        pose * 1000,
        None if two_d == "exact" else points,
        cameras,
        rows_of_cameras(rows, keys, files[0]),
        f"Human3.6M, MMPose's COCO-like JSON, 2D {two_d}",
        in_world=True,
    )


def read_annotations(path: Path) -> tuple[list[str], Array, Array]:
    """Names of N pictures, 3D (N, 17, 3), metres, world axes, and 2D (N, 17, 2), pixels, NaN where
    missing.

    Raises:
        InputError: for a file of another layout.
    """
    content = load_json(path)
    try:
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        notes = content["annotations"]
        joints = len(get_skeleton("human36m17"))
        flat = [note["keypoints_3d"] for note in notes], [note["keypoints"] for note in notes]
        pictures = [names[note["image_id"]] for note in notes]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: lacks {one_line(error, 80)}; make it with MMPose's script"
        ) from error
    poses, points = (
        as_floats(rows, (None, joints * size), str(path), what).reshape(-1, joints, size)
        for rows, size, what in zip(flat, (4, 3), ("keypoints_3d", "keypoints"), strict=True)
    )
    require_finite(poses[..., :3], str(path))
    seen = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    return pictures, poses[..., :3].astype(np.float32), seen.astype(np.float32)


def load_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an InputError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); copy it again"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not readable JSON ({one_line(error, 100)}); copy it again"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected COCO's dict; make it with MMPose's script"
        )
    return content
