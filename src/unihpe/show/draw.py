"""Pictures of poses: 2D on a canvas, 3D stick figures over a floor, sheets of panels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unihpe.body.skeleton import Skeleton, side_of
from unihpe.io.files import replacing
from unihpe.io.picture import Picture

Floats = NDArray[np.floating[Any]]
Colour = tuple[int, int, int]
Line = tuple[Floats, Floats, Colour, float]  # from, to, colour, width; pixels
Dot = tuple[Floats, Colour, float]  # at, colour, radius; pixels
COLOURS: dict[str, Colour] = {"left": (37, 99, 235), "right": (225, 87, 34), "centre": (75, 85, 99)}
TRUTH: Colour = (160, 168, 178)
PAPER, INK, GRID = (250, 250, 248), (45, 52, 60), (226, 228, 224)
FOURFOLD = 4  # drawn larger and shrunk: smoother lines than OpenCV's own
BITS = 4  # of the fraction in OpenCV's fixed-point coordinates
SQUARE = 500.0  # mm, of the floor's grid
MARGIN, CAPTION, HEADING = 14, 30, 46  # of a sheet, pixels


def blank(width: int, height: int, colour: Colour = PAPER) -> Picture:
    """An empty picture (height, width, 3)."""
    return np.full((height, width, 3), colour, dtype=np.uint8)


def draw_2d(picture: Picture, keypoints: Floats, confidence: Floats, skeleton: Skeleton) -> Picture:
    """Keypoints (J, 2), pixels, over a copy of a picture; joints of confidence (J,) 0 left out."""
    scale, seen = max(picture.shape[:2]) / 500, confidence > 0
    bones = [(a, b, bone_side(skeleton, a, b)) for a, b in skeleton.bones if seen[a] and seen[b]]
    lines = [(keypoints[a], keypoints[b], COLOURS[side], 3.2 * scale) for a, b, side in bones]
    dots = [(keypoints[j], INK, 3.4 * scale) for j in range(len(skeleton)) if seen[j]]
    return _paint(picture, lines, dots)


def bone_side(skeleton: Skeleton, parent: int, child: int) -> str:
    """The side of the body a bone is on: its child's, else its parent's."""
    side = side_of(skeleton.joints[child])
    return side if side != "centre" else side_of(skeleton.joints[parent])


def _paint(picture: Picture, lines: Sequence[Line], dots: Sequence[Dot] = ()) -> Picture:
    """Lines and dots over a copy of a picture."""
    height, width = picture.shape[:2]
    far, enlarge = 4 * max(width, height), FOURFOLD if max(height, width) <= 1200 else 1
    size = (width * enlarge, height * enlarge)
    canvas = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)

    def fixed(point: Floats) -> tuple[int, int]:
        limited = np.clip(np.asarray(point, dtype=np.float64), -far, far)
        x, y = (limited * enlarge * 2**BITS).round().astype(int)
        return int(x), int(y)

    for start, end, colour, thickness in lines:
        whole = max(1, round(thickness * enlarge))
        cv2.line(canvas, fixed(start), fixed(end), colour, whole, cv2.LINE_AA, BITS)
    for at, colour, radius in dots:
        reach = round(radius * enlarge * 2**BITS)
        cv2.circle(canvas, fixed(at), reach, colour, -1, cv2.LINE_AA, BITS)
    shrunk = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, dtype=np.uint8)


@dataclass(frozen=True)
class Figure:
    pose: Floats  # (J, 3), camera axes, mm
    colour: Colour | None = None  # None colours by side
    width: float = 3.4  # of its lines, in a picture of 420 pixels
    opacity: float = 1.0


def draw_3d(
    figures: Sequence[Figure],
    skeleton: Skeleton,
    size: int = 420,
    azimuth: float = 35.0,
    elevation: float = 12.0,
) -> Picture:
    """Stick figures over a floor, (size, size, 3), far bones first.

    Seen from an azimuth and an elevation, degrees; 0, 0 is the camera's own view.
    """
    poses = np.stack([figure.pose for figure in figures])
    centre = 0.5 * (poses.min((0, 1)) + poses.max((0, 1)))
    reach = max(700.0, 0.62 * float(np.ptp(poses, axis=(0, 1)).max()))
    turn, scale = _view_rotation(azimuth, elevation), size / 420

    def place(points: Floats) -> Floats:
        seen = (points - centre) @ turn.T / reach * (size / 2)
        depth = 1 + seen[..., 2:] / (size * 5)  # a mild perspective
        return np.asarray(seen[..., :2] / depth + size / 2)

    count, height = max(2, math.ceil(reach / SQUARE)), float(poses[..., 1].max()) + 30
    ends = [
        [[centre[0] + SQUARE * x, height, centre[2] + SQUARE * z] for x, z in line]
        for n in range(-count, count + 1)
        for line in (((n, -count), (n, count)), ((-count, n), (count, n)))
    ]
    floor = [(start, end, GRID, 1.0) for start, end in place(np.array(ends))]
    picture = _paint(blank(size, size), floor)
    for figure in figures:
        spots, depth, width = place(figure.pose), figure.pose @ turn[2], figure.width * scale
        lines = [
            (spots[a], spots[b], figure.colour or COLOURS[bone_side(skeleton, a, b)], width)
            for a, b in sorted(skeleton.bones, key=lambda bone: -depth[list(bone)].sum())
        ]
        dots = [(spot, figure.colour or INK, 0.95 * width) for spot in spots]
        above, share = _paint(picture, lines, dots), figure.opacity
        picture = np.asarray(cv2.addWeighted(above, share, picture, 1 - share, 0), dtype=np.uint8)
    return picture


def _view_rotation(azimuth: float, elevation: float) -> Floats:
    """Camera axes to the view's, (3, 3)."""
    a, e = math.radians(azimuth), math.radians(elevation)
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(e), -math.sin(e)], [0, math.sin(e), math.cos(e)]])
    return np.asarray(about_x @ about_y)


def sheet(rows: Sequence[Sequence[tuple[Picture, str]]], title: str = "") -> Picture:
    """Rows of (picture, caption) on one page."""
    widths = [sum(picture.shape[1] + MARGIN for picture, _ in row) + MARGIN for row in rows]
    heights = [max(picture.shape[0] for picture, _ in row) + CAPTION + MARGIN for row in rows]
    heading = HEADING if title else 0
    page = blank(max(widths), heading + sum(heights) + MARGIN, (255, 255, 255))
    _write(page, title, MARGIN, 32, 0.62)
    top = heading + MARGIN // 2
    for row, below in zip(rows, heights, strict=True):
        left = MARGIN
        for picture, text in row:
            height, width = picture.shape[:2]
            page[top : top + height, left : left + width] = picture
            _write(page, text, left + 2, top + height + 20, 0.46)
            left += width + MARGIN
        top += below
    return page


def _write(picture: Picture, text: str, left: int, baseline: int, size: float) -> None:
    """Text on a picture, in place. OpenCV's font knows ASCII only."""
    plain = text.translate({ord("×"): "x", ord("→"): ">", ord("°"): " deg", ord("–"): "-"})
    plain, font = plain.encode("ascii", "replace").decode(), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, plain, (left, baseline), font, size, INK, 1, cv2.LINE_AA)


def save_png(path: Path, picture: Picture) -> None:
    """Write a picture as PNG, whole or not at all."""
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
