"""What people hand in, checked: keypoints, boxes, pictures, focal lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, Frames
from unihpe.body.boxes import box_from_corners
from unihpe.body.conversions import Converted
from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError, one_line
from unihpe.io.picture import read_picture

FARTHEST = 20  # pictures from the middle of the picture; beyond lies nobody
FOCAL_RANGE = 1e-2, 1e3  # of the picture's larger side; no lens lies outside
SMALLEST_BOX = 0.99  # pixels a side: one, less what float32 rounds away
SMALLEST_EXTENT = 1e-4  # of the picture's larger side; keypoints as near as that lie on one spot


def require_focal(focal: float | None, size: Tensor) -> None:
    """Raise for a focal length that no lens has, for pictures of sizes (N, 2)."""
    if focal is None:
        return
    shortest, longest = FOCAL_RANGE
    for side in size.amax(-1).unique().tolist():
        if not shortest * side <= focal <= longest * side:
            raise InputError(
                f"the focal length must be {shortest * side:g} to {longest * side:g} pixels for a picture whose larger side"
                f" is {side:g}, not {focal:g}; leave it out if it is not known"
            )


def floats(values: Any, what: str) -> Tensor:
    """Somebody's numbers as a tensor.

    Raises:
        InputError: for text, or rows of different lengths.
    """
    try:
        return torch.as_tensor(values, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"{what} must be an array of numbers ({one_line(error, 80)})") from error


def checked_picture(picture: Any) -> NDArray[np.uint8]:
    """A picture as RGB (H, W, 3)."""
    if isinstance(picture, str | Path):
        return read_picture(Path(picture))
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InputError(
            f"a picture must be uint8 RGB (H, W, 3), not {pixels.dtype} {pixels.shape}"
        )
    return pixels


def corners_of(frames: Frames) -> Tensor:
    """Left, top, right, bottom of the seen joints, (N, 4), pixels."""
    seen = (frames.confidence > 0)[..., None]
    low = torch.where(seen, frames.keypoints, torch.inf).amin(1)
    high = torch.where(seen, frames.keypoints, -torch.inf).amax(1)
    least = (
        2 * SMALLEST_BOX
    )  # all joints in one row or column still make a box, whatever float32 rounds away
    thin = torch.clamp(least - (high - low), min=0) / 2
    return torch.cat([low - thin, high + thin], dim=1)


def checked_boxes(boxes: Any, picture: NDArray[np.uint8]) -> Tensor:
    """Padded boxes (N, 4) round the people, from corners (N, 4) or (4,); without any, the whole picture as it is."""
    height, width = picture.shape[:2]
    if boxes is None:
        return box_from_corners(
            torch.tensor([[0.0, 0.0, float(width), float(height)]]), padding=1.0
        )
    corners = floats(boxes, "boxes")
    corners = corners[None] if corners.shape == (4,) else corners
    if corners.ndim != 2 or corners.shape[1] != 4 or not len(corners):
        raise InputError(
            f"boxes must be (N, 4), left, top, right, bottom; not {tuple(corners.shape)}"
        )
    box = box_from_corners(corners)
    for n, (left, top, right, bottom) in enumerate(corners.tolist()):
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            raise InputError(f"box {n} lies outside the {width} × {height} picture")
        if min(right - left, bottom - top) < SMALLEST_BOX:
            raise InputError(
                f"box {n} is {right - left:.3g} × {bottom - top:.3g} pixels: boxes are pixels of the picture, at least 1 × 1"
            )
        if (
            max(-left, right - width) > FARTHEST * width
            or max(-top, bottom - height) > FARTHEST * height
        ):
            raise InputError(f"box {n} reaches more than {FARTHEST} pictures away from the picture")
    return box


def reasons_against(converted: Converted, size: Tensor) -> list[str]:
    """Why each person cannot be lifted, in words; empty for those who can. Picture sizes (N, 2)."""
    seen = converted.confidence > 0
    points = torch.where(seen[..., None], converted.points, torch.nan)
    far = ((points - size[:, None] / 2).abs() > FARTHEST * size[:, None]).any(-1).any(-1)
    spread = points.nan_to_num(-torch.inf).amax(1) - points.nan_to_num(torch.inf).amin(1)
    extents = spread.amax(1) / size.amax(1)
    reasons = []
    for count, is_far, extent in zip(
        seen.sum(1).tolist(), far.tolist(), extents.tolist(), strict=True
    ):
        if count < FEWEST_JOINTS:
            reasons.append(f"{count} joints seen, at least {FEWEST_JOINTS} are needed")
        elif is_far:
            reasons.append(f"a joint lies more than {FARTHEST} pictures away from the picture")
        else:
            reasons.append("" if extent > SMALLEST_EXTENT else "all joints lie on one spot")
    return reasons


def checked(keypoints: Any, skeleton: Skeleton, confidence: Any) -> tuple[Tensor, Tensor]:
    """Keypoints (N, J, 2) and confidence (N, J) as tensors; NaN joints get confidence 0."""
    points = floats(keypoints, "keypoints")
    points = points[None] if points.ndim == 2 else points
    if points.ndim != 3 or points.shape[1:] != (len(skeleton), 2):
        raise InputError(
            f"keypoints must be (N, {len(skeleton)}, 2) for {skeleton.name}, not {tuple(points.shape)}"
        )
    if not len(points):
        raise InputError("nobody to lift: keypoints are empty")
    if bool(torch.isinf(points).any()):
        raise InputError(
            "keypoints hold an infinite coordinate; a missing joint is NaN or has confidence 0"
        )
    seen = torch.ones(points.shape[:2]) if confidence is None else floats(confidence, "confidence")
    seen = seen[None] if seen.ndim == 1 else seen
    if seen.shape != points.shape[:2]:
        raise InputError(
            f"confidence is {tuple(seen.shape)}, keypoints want {tuple(points.shape[:2])}"
        )
    seen = torch.where(torch.isnan(points).any(-1), 0.0, seen.nan_to_num(0.0).clamp(0, 1))
    return torch.where(seen[..., None] > 0, points, torch.nan), seen


def checked_size(image_size: Any, people: int) -> Tensor:
    """Picture sizes (N, 2)."""
    size = floats(image_size, "image_size")
    if size.shape not in ((2,), (people, 2)) or not bool((torch.isfinite(size) & (size > 0)).all()):
        raise InputError(
            "image_size must be (width, height) in pixels, both above 0, once or for each person"
        )
    return size.expand(people, 2)
