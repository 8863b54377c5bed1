"""A z-buffer rasteriser: triangles on a grid of pixels, the nearest wins.

Works on inverse depth, which is linear over the picture. Pixel (column, row) has its centre at
(column + .5, row + .5). Triangles run anticlockwise as seen from outside the body.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from unihpe.io.extra import extra

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Function = TypeVar("Function", bound=Callable[..., Any])
NOTHING = -1  # the face number of a pixel that no triangle covers


def compiled(function: Function) -> Function:
    """Compile by numba, without fast-math: the same numbers each time; kept on disk."""
    numba = extra("numba", "synthetic", "rendered people need numba")
    made: Function = numba.njit(cache=True)(function)
    return made


@compiled
def rasterise(
    points: Floats, faces: Ints, two_sided: int, width: int, height: int
) -> tuple[Ints, Floats]:
    """Which triangle each pixel shows, or `NOTHING`; its inverse depth or 0; (height, width) each.

    Corners (V, 3) have x and y, pixels, and inverse depth; faces (F, 3) with one behind the camera,
    ≤ 0, are left out. Those from `two_sided` on are drawn from both sides, the others from outside.
    """
    face_at = np.full((height, width), -1, dtype=np.int32)
    nearest = np.zeros((height, width), dtype=np.float32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = float(points[a, 0]), float(points[a, 1]), float(points[a, 2])
        bx, by, bz = float(points[b, 0]), float(points[b, 1]), float(points[b, 2])
        cx, cy, cz = float(points[c, 0]), float(points[c, 1]), float(points[c, 2])
        if az <= 0 or bz <= 0 or cz <= 0:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        # y points down, so what is anticlockwise from outside has a negative area here
        if area == 0 or (area > 0 and f < two_sided):
            continue
        left, right = min(ax, bx, cx), max(ax, bx, cx)
        top, bottom = min(ay, by, cy), max(ay, by, cy)
        if right < 0 or bottom < 0 or left > width or top > height:
            continue
        first, last = max(0, math.ceil(left - 0.5)), min(width - 1, math.floor(right - 0.5))
        over, under = max(0, math.ceil(top - 0.5)), min(height - 1, math.floor(bottom - 0.5))
        for row in range(over, under + 1):
            y = row + 0.5
            for column in range(first, last + 1):
                x = column + 0.5
                u = ((cx - bx) * (y - by) - (cy - by) * (x - bx)) / area
                v = ((ax - cx) * (y - cy) - (ay - cy) * (x - cx)) / area
                w = 1.0 - u - v
                if u < 0 or v < 0 or w < 0:
                    continue
                inverse = u * az + v * bz + w * cz
                if inverse > nearest[row, column]:
                    nearest[row, column] = inverse
                    face_at[row, column] = f
    return face_at, nearest


@compiled
def barycentric(points: Floats, corners: Ints, x: float, y: float) -> tuple[float, float, float]:
    """Perspective-correct weights of a face's corners (3,) at the pixel position (x, y)."""
    a, b, c = corners[0], corners[1], corners[2]
    ax, ay = float(points[a, 0]), float(points[a, 1])
    bx, by = float(points[b, 0]), float(points[b, 1])
    cx, cy = float(points[c, 0]), float(points[c, 1])
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    u = ((cx - bx) * (y - by) - (cy - by) * (x - bx)) / area * points[a, 2]
    v = ((ax - cx) * (y - cy) - (ay - cy) * (x - cx)) / area * points[b, 2]
    w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area * points[c, 2]
    total = u + v + w
    return u / total, v / total, w / total


@compiled
def normals_of(points: Floats, faces: Ints) -> Floats:
    """Outward unit normals at the corners (V, 3) of the faces (F, 3)."""
    p, sums = points, np.zeros(points.shape, dtype=np.float32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = p[b, 0] - p[a, 0], p[b, 1] - p[a, 1], p[b, 2] - p[a, 2]
        vx, vy, vz = p[c, 0] - p[a, 0], p[c, 1] - p[a, 1], p[c, 2] - p[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            sums[corner, 0] += nx
            sums[corner, 1] += ny
            sums[corner, 2] += nz
    for n in range(len(sums)):
        length = math.sqrt(sums[n, 0] ** 2 + sums[n, 1] ** 2 + sums[n, 2] ** 2)
        if length > 0:
            sums[n] /= np.float32(length)
    return sums
