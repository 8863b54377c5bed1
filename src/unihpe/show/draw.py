"""Pictures of poses: 2D on a canvas, 3D stick figures over a floor, sheets of panels, and a page to turn them by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unihpe.body.skeleton import Skeleton, side_of
from unihpe.errors import InputError
from unihpe.io.files import replacing, write_text

Picture = NDArray[np.uint8]  # (H, W, 3), RGB
Floats = NDArray[np.floating[Any]]
Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {"left": (37, 99, 235), "right": (225, 87, 34), "centre": (75, 85, 99)}
TRUTH: Colour = (160, 168, 178)
PAPER, INK, GRID = (250, 250, 248), (45, 52, 60), (226, 228, 224)
FOURFOLD = 4  # drawn larger and shrunk: smoother lines than OpenCV's own
FONT = cv2.FONT_HERSHEY_SIMPLEX


def blank(width: int, height: int, colour: Colour = PAPER) -> Picture:
    """An empty picture (height, width, 3)."""
    return np.full((height, width, 3), colour, dtype=np.uint8)


def draw_2d(picture: Picture, keypoints: Floats, confidence: Floats, skeleton: Skeleton) -> Picture:
    """Keypoints (J, 2), pixels, over a copy of a picture (H, W, 3); joints of confidence (J,) 0 are left out."""
    scale = max(picture.shape[:2]) / 500
    lines = []
    for a, b in skeleton.bones:
        if confidence[a] > 0 and confidence[b] > 0:
            lines.append(
                (keypoints[a], keypoints[b], COLOURS[bone_side(skeleton, a, b)], 3.2 * scale)
            )
    dots = [(keypoints[j], INK, 3.4 * scale) for j in range(len(skeleton)) if confidence[j] > 0]
    return paint(picture, lines, dots)


def bone_side(skeleton: Skeleton, parent: int, child: int) -> str:
    """The side of the body a bone is on: its child's, else its parent's."""
    side = side_of(skeleton.joints[child])
    return side if side != "centre" else side_of(skeleton.joints[parent])


def paint(
    picture: Picture,
    lines: Sequence[tuple[Floats, Floats, Colour, float]],
    dots: Sequence[tuple[Floats, Colour, float]] = (),
) -> Picture:
    """Lines (from, to, colour, width) and dots (at, colour, radius) over a copy of a picture; pixels."""
    height, width = picture.shape[:2]
    bits = 4  # OpenCV takes fixed-point coordinates
    enlarge = FOURFOLD if max(height, width) <= 1200 else 1
    canvas = cv2.resize(
        picture, (width * enlarge, height * enlarge), interpolation=cv2.INTER_NEAREST
    )

    def fixed(point: Floats) -> tuple[int, int]:
        limited = np.clip(
            np.asarray(point, dtype=np.float64), -4 * max(width, height), 4 * max(width, height)
        )
        x, y = (limited * enlarge * 2**bits).round().astype(int)
        return int(x), int(y)

    for start, end, colour, thickness in lines:
        whole = max(1, round(thickness * enlarge))
        cv2.line(canvas, fixed(start), fixed(end), colour, whole, cv2.LINE_AA, bits)
    for at, colour, radius in dots:
        cv2.circle(
            canvas, fixed(at), round(radius * enlarge * 2**bits), colour, -1, cv2.LINE_AA, bits
        )
    return np.asarray(
        cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


@dataclass(frozen=True)
class Figure:
    """A 3D pose to draw: (J, 3), camera axes, mm; `colour` None colours by side."""

    pose: Floats
    colour: Colour | None = None
    width: float = 3.4
    opacity: float = 1.0


def draw_3d(
    figures: Sequence[Figure],
    skeleton: Skeleton,
    *,
    size: int = 420,
    azimuth: float = 35.0,
    elevation: float = 12.0,
    reach: float | None = None,
) -> Picture:
    """Stick figures over a floor, (size, size, 3).

    Args:
        azimuth, elevation: where they are seen from, degrees; 0, 0 is the camera's own view.
        reach: half the picture's side in mm; None fits the figures.
    """
    poses = np.stack([figure.pose for figure in figures])
    centre = 0.5 * (poses.min((0, 1)) + poses.max((0, 1)))
    reach = reach or max(700.0, 0.62 * float(np.ptp(poses, axis=(0, 1)).max()))
    turn = view_rotation(azimuth, elevation)

    def place(points: Floats) -> Floats:
        seen = (points - centre) @ turn.T / reach * (size / 2)
        depth = 1 + seen[..., 2:] / (size * 5)  # a mild perspective
        return np.asarray(seen[..., :2] / depth + size / 2)

    floor = float(poses[..., 1].max()) + 30
    picture = paint(blank(size, size), floor_lines(centre, floor, reach, place))
    for figure in figures:
        picture = blend(
            picture, figure_over(picture, figure, skeleton, place, turn, size / 420), figure.opacity
        )
    return picture


def view_rotation(azimuth: float, elevation: float) -> Floats:
    """Camera axes to the view's."""
    a, e = math.radians(azimuth), math.radians(elevation)
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(e), -math.sin(e)], [0, math.sin(e), math.cos(e)]])
    return np.asarray(about_x @ about_y)


def floor_lines(
    centre: Floats, floor: float, reach: float, place: Any
) -> list[tuple[Floats, Floats, Colour, float]]:
    """A grid of half-metre squares under the figures."""
    step, count = 500.0, max(2, math.ceil(reach / 500.0))
    ends = []
    for n in range(-count, count + 1):
        for a, b in (((n, -count), (n, count)), ((-count, n), (count, n))):
            ends.append(
                [
                    [centre[0] + step * a[0], floor, centre[2] + step * a[1]],
                    [centre[0] + step * b[0], floor, centre[2] + step * b[1]],
                ]
            )
    return [(start, end, GRID, 1.0) for start, end in place(np.array(ends))]


def figure_over(
    picture: Picture, figure: Figure, skeleton: Skeleton, place: Any, turn: Floats, scale: float
) -> Picture:
    """One figure over the picture, far bones first."""
    spots = place(figure.pose)
    depth = figure.pose @ turn[2]
    order = sorted(skeleton.bones, key=lambda bone: -(depth[bone[0]] + depth[bone[1]]))
    lines = [
        (
            spots[a],
            spots[b],
            figure.colour or COLOURS[bone_side(skeleton, a, b)],
            figure.width * scale,
        )
        for a, b in order
    ]
    colour = figure.colour or INK
    dots = [(spot, colour, 0.95 * figure.width * scale) for spot in spots]
    return paint(picture, lines, dots)


def blend(below: Picture, above: Picture, opacity: float) -> Picture:
    """`above` over `below`."""
    if opacity >= 1:
        return above
    return np.asarray(cv2.addWeighted(above, opacity, below, 1 - opacity, 0), dtype=np.uint8)


def fit(picture: Picture, size: int) -> Picture:
    """The picture shrunk or grown into a square of `size`, paper round it."""
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(
        picture, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=method
    )
    square = blank(size, size)
    top, left = (size - small.shape[0]) // 2, (size - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def sheet(
    rows: Sequence[Sequence[tuple[Picture, str]]], title: str = "", margin: int = 14
) -> Picture:
    """Rows of (picture, caption) on one page."""
    caption, heading = 30, 46 if title else 0
    width = max(sum(picture.shape[1] + margin for picture, _ in row) for row in rows) + margin
    height = (
        heading
        + sum(max(picture.shape[0] for picture, _ in row) + caption + margin for row in rows)
        + margin
    )
    page = blank(width, height, (255, 255, 255))
    if title:
        write(page, title, margin, 32, 0.62)
    top = heading + margin // 2
    for row in rows:
        left = margin
        for picture, text in row:
            page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            write(page, text, left + 2, top + picture.shape[0] + 20, 0.46)
            left += picture.shape[1] + margin
        top += max(picture.shape[0] for picture, _ in row) + caption + margin
    return page


def write(picture: Picture, text: str, left: int, baseline: int, size: float) -> None:
    """Text on a picture, in place. OpenCV's font knows ASCII only."""
    plain = (
        text.translate({0xD7: "x", 0x2192: ">", 0xB0: " deg", 0x2013: "-"})
        .encode("ascii", "replace")
        .decode()
    )
    cv2.putText(picture, plain, (left, baseline), FONT, size, INK, 1, cv2.LINE_AA)


def save_png(path: Path, picture: Picture) -> None:
    """Write a picture as PNG, whole or not at all."""
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise InputError(f"cannot encode {path} as PNG")
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())


@dataclass(frozen=True)
class Scene:
    """One person for the viewer page.

    Attributes:
        name: shown in the list.
        pose: (J, 3), mm, camera axes.
        keypoints: (J, 2), pixels, NaN where missing; None without 2D.
        size: the picture's width and height, pixels.
        samples: hypotheses (S, J, 3), mm, or None.
        truth: (J, 3), mm, or None.
    """

    name: str
    pose: Floats
    keypoints: Floats | None = None
    size: tuple[float, float] = (1000.0, 1000.0)
    samples: Floats | None = None
    truth: Floats | None = None


def plain(values: Floats | None) -> Any:
    """Numbers for JSON, one decimal, NaN as null."""
    if values is None:
        return None
    rounded = np.round(np.asarray(values, dtype=np.float64), 1)
    objects = rounded.astype(object)
    objects[~np.isfinite(rounded)] = None
    return objects.tolist()


def write_viewer(path: Path, scenes: Sequence[Scene], skeleton: Skeleton, title: str) -> None:
    """Write one self-contained HTML page: 2D beside 3D, the 3D turned with mouse, touch or arrow keys; a slider over scenes."""
    content = {
        "title": title,
        "bones": [[a, b, bone_side(skeleton, a, b)] for a, b in skeleton.bones],
        "scenes": [
            {
                "name": scene.name,
                "pose": plain(scene.pose),
                "keypoints": plain(scene.keypoints),
                "size": list(scene.size),
                "samples": plain(scene.samples),
                "truth": plain(scene.truth),
            }
            for scene in scenes
        ],
    }
    data = (
        json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        .replace("</", "<\\/")
        .replace("<!--", "<\\!--")
    )
    page = resources.files("unihpe.show").joinpath("viewer.html").read_text(encoding="utf-8")
    write_text(path, page.replace("/*DATA*/null", data))
