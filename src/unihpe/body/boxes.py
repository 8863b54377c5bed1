"""A person's box: crop, keypoint normalisation and the box token (§3.1, appendix B, CLIFF).

A box is (centre x, centre y, width, height) in pixels of the full picture, on a tensor's last axis.
Its *side* is the larger of width and height; keypoints in box units are (x − c) / (side / 2), the
same scale in x and y.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.errors import InputError

PADDING = 1.25
ASPECT = 3 / 4  # width : height
CROP_WIDTH, CROP_HEIGHT = 192, 256  # of the crop that image encoders see, pixels
LONGEST = 32_000  # pixels a side: OpenCV 4's warp counts in 16 bits and fails from 32,767 on
MARGIN = 2  # pixels beside what a crop shows, for interpolation

Picture = NDArray[np.uint8]  # (height, width, 3)
Floats = NDArray[np.float64]


def box_from_keypoints(
    keypoints: Tensor, seen: Tensor, padding: float = PADDING, aspect: float | None = ASPECT
) -> Tensor:
    """Padded boxes (..., 4) round the keypoints (..., J, 2) that are `seen`, (..., J) bool."""
    if not bool(seen.any(-1).all()):
        raise InputError("a person without a single seen joint has no box: give one, or drop them")
    low, high = extent(keypoints, seen)
    if not bool(((high - low).amax(-1) > 0).all()):
        raise InputError("a person with all joints on one spot has no box: check the keypoints")
    return _padded(low, high, padding, aspect)


def extent(keypoints: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest x and y of the seen joints: (..., J, 2) → (..., 2) each."""
    inside = seen[..., None]
    low = torch.where(inside, keypoints, torch.inf).amin(-2)
    return low, torch.where(inside, keypoints, -torch.inf).amax(-2)


def box_from_corners(
    corners: Tensor, padding: float = PADDING, aspect: float | None = ASPECT
) -> Tensor:
    """Padded boxes of (left, top, right, bottom), pixels, (..., 4) → (..., 4)."""
    low, high = corners[..., :2], corners[..., 2:]
    if not bool((torch.isfinite(corners).all(-1) & ((high - low) > 0).all(-1)).all()):
        raise InputError("a box must be finite with right > left and bottom > top")
    return _padded(low, high, padding, aspect)


def _padded(low: Tensor, high: Tensor, padding: float, aspect: float | None) -> Tensor:
    """The box between two corners grown to `aspect` (None keeps it), then by `padding`."""
    width, height = (high - low).unbind(-1)
    if aspect is not None:
        width, height = torch.maximum(width, height * aspect), torch.maximum(height, width / aspect)
    return torch.cat([(low + high) / 2, torch.stack([width, height], dim=-1) * padding], dim=-1)


def side(box: Tensor) -> Tensor:
    """The larger of width and height, (..., 4) → (...,), pixels."""
    return box[..., 2:].amax(-1)


def to_box(pixels: Tensor, box: Tensor) -> Tensor:
    """Pixels (..., J, 2) → box units (..., J, 2), box (..., 4)."""
    return (pixels - box[..., None, :2]) / (side(box)[..., None, None] / 2)


def from_box(points: Tensor, box: Tensor) -> Tensor:
    """Box units (..., J, 2) → pixels (..., J, 2), box (..., 4): the inverse of `to_box`."""
    return points * (side(box)[..., None, None] / 2) + box[..., None, :2]


def box_token(box: Tensor, size: Tensor, focal: Tensor) -> Tensor:
    """CLIFF's three numbers (..., 3), over f: the box's offset from the picture's centre, its side.

    Of boxes (..., 4), picture width and height (..., 2) and focal lengths (...,), all in pixels.
    """
    offset = box[..., :2] - size / 2
    return torch.cat([offset, side(box)[..., None]], dim=-1) / focal[..., None]


def crop_matrix(box: Floats, width: int, height: int) -> Floats:
    """The 2 × 3 affine map from full-picture pixels to those of a `width` × `height` crop of `box`.

    Corner-origin pixels on both sides; `crop` shifts it to OpenCV's centre-origin pixels.
    """
    scale = min(width / box[2], height / box[3])
    x, y = width / 2 - scale * box[0], height / 2 - scale * box[1]
    return np.array([[scale, 0.0, x], [0.0, scale, y]])


def for_opencv(matrix: Floats) -> Floats:
    """A 2 × 3 map for `warpAffine`, whose pixel centres are at integers: T(−.5)·M·T(+.5)."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return shifted


def crop(picture: Picture, box: Floats, width: int, height: int) -> Picture:
    """Cut `box` (4,) out of a picture, resized to (height, width, 3); black outside the picture."""
    matrix = for_opencv(crop_matrix(box, width, height))
    if max(picture.shape[:2]) > LONGEST:
        picture, matrix = _shortened(picture, matrix, width, height)
    warped = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.uint8)


def _shortened(picture: Picture, matrix: Floats, width: int, height: int) -> tuple[Picture, Floats]:
    """The part of a long picture that a crop shows, and OpenCV's 2 × 3 map of that part.

    Where it is too long still, every n-th pixel of it: in a crop, pixels so close fall together.
    Other pictures are warped whole: OpenCV rounds places to 1/32 of a pixel, and the cut would
    round a few of them the other way.
    """
    size = np.array([picture.shape[1], picture.shape[0]])
    scale, shift = matrix[0, 0], matrix[:, 2]
    low = (np.floor(-shift / scale) - MARGIN).clip(0, size - 1).astype(int)
    end = np.ceil((np.array([width, height]) - shift) / scale) + MARGIN
    high = end.clip(low + 1, size).astype(int)
    step = int(np.ceil((high - low).max() / LONGEST))
    part = picture[low[1] : high[1] : step, low[0] : high[0] : step]
    return np.ascontiguousarray(part), np.column_stack([matrix[:, :2] * step, shift + scale * low])
