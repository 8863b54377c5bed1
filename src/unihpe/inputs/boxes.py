"""People's boxes: read from a file, checked, or drawn round their joints."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.boxes import box_from_corners, extent
from unihpe.body.conversions import Converted
from unihpe.errors import InputError
from unihpe.inputs.checks import FARTHEST, Numbers, floats
from unihpe.io.files import input_errors, read_json
from unihpe.io.picture import Picture

SMALLEST_BOX = 0.99  # pixels a side: one, less what float32 rounds away
BEYOND = 0.05  # of the picture: boxes that reach farther out of it may be meant otherwise
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
    images = {image["id"]: image for image in content["images"]}
    rows = [note for note in content["annotations"] if not note.get("iscrowd")]
    given = np.array([note["bbox"] for note in rows], np.float64).reshape(-1, 4)
    own = [images[note["image_id"]] for note in rows]
    sides = [(image.get("width") or np.inf, image.get("height") or np.inf) for image in own]
    refuse_corners(given, np.array(sides, np.float64).reshape(-1, 2))
    boxes: dict[str, Corners] = {}
    for image, (x, y, width, height) in zip(own, given.tolist(), strict=True):
        name = Path(str(image["file_name"])).name
        boxes.setdefault(name, []).append([x, y, x + width, y + height])
    return boxes


def refuse_corners(boxes: NDArray[np.float64], sizes: NDArray[np.float64]) -> None:
    """InputError for boxes (N, 4), said to be x, y, width, height in pictures of `sizes` (N, 2),
    that are plainly left, top, right, bottom: all fit as these, and not as those."""
    low, high = boxes[:, :2], boxes[:, 2:]
    outside = (low + high > sizes * (1 + BEYOND)).any()
    if outside and (high > low).all() and (high <= sizes * (1 + BEYOND)).all():
        remedy = "its boxes are x, y, width, height: write them so"
        raise InputError(f"boxes look like left, top, right, bottom; {remedy}")


def look_like_sides(corners: NDArray[np.float64], width: float, height: float) -> bool:
    """Whether boxes (N, 4) that are no corners all fit a picture as x, y, width, height."""
    low, high = corners[:, :2], corners[:, 2:]
    within = low + high <= np.array([width, height]) * (1 + BEYOND)
    return bool((high <= low).any() and (high > 0).all() and (low >= 0).all() and within.all())


def checked_boxes(boxes: Numbers | None, pixels: Picture) -> tuple[Tensor, Tensor]:
    """Corners (N, 4), see `checked_corners`, and padded boxes (N, 4), centres and sizes, of them;
    without any, or of the word for it, the picture as it is."""
    corners = checked_corners(boxes, pixels)
    padding = {"padding": 1.0} if means_whole(boxes) else {}
    return corners, box_from_corners(corners, **padding)


def checked_corners(boxes: Numbers | None, pixels: Picture) -> Tensor:
    """Corners (N, 4) of boxes (N, 4) or (4,); without any, or of the word for it, the picture's."""
    height, width = (float(side) for side in pixels.shape[:2])
    if boxes is None or means_whole(boxes):
        return torch.tensor([[0.0, 0.0, width, height]])
    corners = floats(boxes, "boxes")
    corners = corners[None] if corners.shape == (4,) else corners
    if (shape := tuple(corners.shape))[1:] != (4,) or not len(corners):
        raise InputError(f"boxes must be (N, 4), left, top, right, bottom; not {shape}")
    try:
        box_from_corners(corners)
    except InputError as error:
        if look_like_sides(corners.double().numpy(), width, height):
            raise InputError(f"{error}; these look like x, y, width, height") from error
        raise
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
