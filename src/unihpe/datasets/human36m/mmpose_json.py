"""Human3.6M as MMPose gives it to 2D networks: `annotation_body2d/h36m_coco_{train,test}.json`.

COCO's layout, with 3D in world axes, metres, beside the 2D. The file's own category calls joints 1
to 3 left; they are the right leg, as everywhere in MMPose's Human3.6M, so these names are not read.
"""

import json
from pathlib import Path

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.mmpose import key_of, mmpose_cameras
from unihpe.datasets.human36m.tables import Table, recorded_of
from unihpe.datasets.recorded import Recorded
from unihpe.errors import InputError, one_line
from unihpe.io.arrays import as_floats, require_finite
from unihpe.io.files import read_text

PAIR = ("h36m_coco_train.json", "h36m_coco_test.json")
WHOLE = ("h36m_coco.json",)


def json_files(root: Path) -> list[Path]:
    """MMPose's 2D annotation files, or annotation_body2d/'s: train and test, else the whole one."""
    for folder in (root, root / "annotation_body2d"):
        for names in (PAIR, WHOLE):
            if files := [folder / name for name in names if (folder / name).is_file()]:
                return files
    return []


def open_json(root: Path, two_d: str, verify: bool) -> Recorded:
    """MMPose's 2D annotation files."""
    files = json_files(root)
    tables = [read_table(path) for path in files]
    calibration = mmpose_cameras(root / "annotation_body3d" / "fps50")
    layout, where = "MMPose's COCO-like JSON", files[0].parent
    return recorded_of(tables, two_d, layout, where, "m", verify, calibration, in_world=True)


def read_table(path: Path) -> Table:
    """The pictures of one file.

    Raises:
        InputError: for a file of another layout.
    """
    text = read_text(path, "copy it again")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = one_line(error, 100)
        raise InputError(f"{path}: not readable JSON ({reason}); copy it again") from error
    try:
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        notes = content["annotations"]
        pictures = [names[note["image_id"]] for note in notes]
        flat = {key: [note[key] for note in notes] for key in ("keypoints_3d", "keypoints")}
    except (KeyError, TypeError) as error:
        reason = one_line(error, 80)
        raise InputError(f"{path}: lacks {reason}; make it with MMPose's script") from error
    joints = len(get_skeleton("human36m17"))
    poses, points = (
        as_floats(flat[key], (None, joints * size), str(path), key).reshape(-1, joints, size)
        for key, size in (("keypoints_3d", 4), ("keypoints", 3))
    )
    require_finite(poses[..., :3], str(path))
    seen = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    return Table([key_of(name, path) for name in pictures], poses[..., :3], seen)
