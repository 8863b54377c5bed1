"""People's boxes: read from a file, checked, or drawn round their joints."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.boxes import box_from_corners, extent
from unihpe.body.conversions import Converted
from unihpe.errors import InputError
from unihpe.inputs.checks import FARTHEST, Numbers, floats
from unihpe.io.files import input_errors, read_json
from unihpe.io.picture import Picture

SMALLEST_BOX = 0.99  # pixels a side: one, less what float32 rounds away
WHOLE = "whole"  # in place of boxes: the picture as it is
Corners = list[list[float]]  # left, top, right, bottom of each box, pixels


def read_boxes(path: Path) -> dict[str, Corners]:
    """Boxes by the picture's file name: lists of left, top, right, bottom in pixels.

    Understood are {"a.jpg": [[left, top, right, bottom], …]} and COCO's annotation files (x, y,
    width, height there; crowds are left out).

    Raises:
        InputError: for a file that is neither.
    """
    remedy = 'write {"a.jpg": [[left, top, right, bottom]]} or COCO\'s annotations'
    content = read_json(path)
    with input_errors(f"{path}: no boxes as we know them", remedy):
        if "annotations" in content:
            return boxes_in(content)
        boxes = {Path(name).name: np.asarray(own, np.float64) for name, own in content.items()}
        return {name: own.reshape(len(own), 4).tolist() for name, own in boxes.items()}


def boxes_in(content: Any) -> dict[str, Corners]:
    """The boxes in COCO's annotations, by the picture's file name; crowds are left out."""
    names = {image["id"]: Path(str(image["file_name"])).name for image in content["images"]}
    boxes: dict[str, Corners] = {}
    for note in content["annotations"]:
        if not note.get("iscrowd"):
            x, y, width, height = (float(value) for value in note["bbox"])
            boxes.setdefault(names[note["image_id"]], []).append([x, y, x + width, y + height])
    return boxes


def checked_boxes(boxes: Numbers | None, pixels: Picture) -> Tensor:
    """Padded boxes (N, 4), centres and sizes, from corners; without any, or of the word for it, the
    picture as it is."""
    padding = {"padding": 1.0} if means_whole(boxes) else {}
    return box_from_corners(checked_corners(boxes, pixels), **padding)


def checked_corners(boxes: Numbers | None, pixels: Picture) -> Tensor:
    """Corners (N, 4) of boxes (N, 4) or (4,); without any, or of the word for it, the picture's."""
    height, width = (float(side) for side in pixels.shape[:2])
    if boxes is None or means_whole(boxes):
        return torch.tensor([[0.0, 0.0, width, height]])
    corners = floats(boxes, "boxes")
    corners = corners[None] if corners.shape == (4,) else corners
    if (shape := tuple(corners.shape))[1:] != (4,) or not len(corners):
        raise InputError(f"boxes must be (N, 4), left, top, right, bottom; not {shape}")
    box_from_corners(corners)  # raises where they are none
    for n, (left, top, right, bottom) in enumerate(corners.tolist()):
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            raise InputError(f"box {n} lies outside the {width:g} × {height:g} picture")
        if min(right - left, bottom - top) < SMALLEST_BOX:
            size = f"{right - left:.3g} × {bottom - top:.3g} pixels"
            raise InputError(f"box {n} is {size}: boxes are pixels of the picture, at least 1 × 1")
        beyond = max(-left, right - width) / width, max(-top, bottom - height) / height
        if max(beyond) > FARTHEST:
            raise InputError(f"box {n} reaches more than {FARTHEST} pictures away from the picture")
    return corners


def means_whole(boxes: Numbers | None) -> bool:
    return boxes is None or (isinstance(boxes, str) and boxes == WHOLE)


def corners_round(joints: Converted) -> Tensor:
    """Left, top, right, bottom of the seen joints, (N, 4), pixels."""
    low, high = extent(joints.points, joints.confidence > 0)
    # all joints in one row or column still make a box, whatever float32 rounds away
    thin = torch.clamp(2 * SMALLEST_BOX - (high - low), min=0) / 2
    return torch.cat([low - thin, high + thin], dim=1)


def require_a_box_each(boxes: int, people: int) -> None:
    if boxes != people:
        raise InputError(f"{boxes} boxes and keypoints of {people} people: give one box for each")
