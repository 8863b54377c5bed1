"""Poses in space: figures over a floor, all in one view; y is down."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from unihpe.body.skeleton import Skeleton
from unihpe.export.results import Results
from unihpe.io.picture import Picture
from unihpe.show.colours import GRID, SHADOW, SIDES, Palette
from unihpe.show.draw import FOURFOLD, blank
from unihpe.show.strokes import line, stick_figure

Floats = NDArray[np.floating[Any]]
AZIMUTH, ELEVATION = 35.0, 12.0  # degrees; 0, 0 is the camera's own view
SOLE = 70.0  # mm, from the ankles to the floor
NOBODY = np.array([[[-900.0, -900.0, 3500.0], [900.0, 850.0, 5000.0]]])  # mm
RARE = 0.005  # share of the joints at each end of each axis that may lie outside the view
MANY = 50  # poses; of fewer, all are shown whole
SMALLEST = 700.0  # mm, from the view's centre to its edge
ROOM = 1.15  # of the view against the figures in it
SQUARE, MOST_LINES = 500.0, 40  # of the floor's grid, mm; wider squares where there are more
DISTANCE = 10.0  # of the eye from the centre, in halves of the view: a mild perspective


def levelled(results: Results) -> Results:
    """Results in the axes of everything here: x right, y down to the floor, z away."""
    if results.up == "-y":
        return results
    return results.to_yup().to_world([[1, 0, 0], [0, -1, 0], [0, 0, -1]], up="-y")


@dataclass(frozen=True)
class Extent:
    """The box that figures are in: corners (3,); and the floor, y, on which half of them stand."""

    low: Floats
    high: Floats
    floor: float

    @classmethod
    def of(cls, poses: Floats) -> Self:
        """The extent of poses (N, J, 3), without the few joints that are far from all others."""
        poses = _known(poses)
        points = poses.reshape(-1, 3)
        low, high = _range(points, len(poses))
        feet = np.nanmax(poses[..., 1], axis=-1)
        return cls(low, high, float(np.nanmedian(feet)) + SOLE)


@dataclass(frozen=True)
class Space:
    """How a piece of space is seen: everything is prepared once, for many pictures."""

    extent: Extent
    size: tuple[int, int]  # width and height of its pictures, pixels
    turn: Floats  # camera axes to the view's, (3, 3)
    centre: Floats  # (3,), mm
    scale: float  # pixels a mm, at the centre
    middle: Floats  # where the centre is shown, (2,), pixels
    ground: Picture  # the empty floor

    @classmethod
    def round(
        cls,
        poses: Floats,
        size: tuple[int, int],
        azimuth: float = AZIMUTH,
        elevation: float = ELEVATION,
    ) -> Self:
        """The view that poses (N, J, 3), mm, fit in, from an azimuth and elevation."""
        poses, turn = _known(poses), _turn(azimuth, elevation)
        extent = Extent.of(poses)
        fallen = np.where([False, True, False], extent.floor, poses)  # their shadows
        points = np.concatenate([poses, fallen]).reshape(-1, 3)
        low, high = _range(points @ turn.T, len(poses))
        centre = turn.T @ (0.5 * (low + high))
        halves = np.maximum(SMALLEST, ROOM * 0.5 * (high - low))[:2]
        scale = float((0.5 * np.array(size) / halves).min())
        middle = 0.5 * np.array(size)
        space = cls(extent, size, turn, centre, scale, middle, blank(*size))
        # who is near is drawn larger: fit what is seen
        low, high = _range(space.place(points)[0], len(poses))
        fitting = min(1.0, float((np.array(size) / ROOM / np.maximum(high - low, 1.0)).min()))
        middle = middle + fitting * (middle - 0.5 * (low + high))
        space = replace(space, scale=scale * fitting, middle=middle)
        space._draw_floor()
        return space

    def place(self, points: Floats) -> tuple[Floats, Floats]:
        """Points (..., 3), mm → pixels (..., 2) and depth (...), mm."""
        seen = (points - self.centre) @ self.turn.T
        far = 1 + seen[..., 2:] * self.scale / (DISTANCE * max(self.size) / 2)
        spots = seen[..., :2] * self.scale / np.maximum(far, 0.1)
        return spots + self.middle, seen[..., 2]

    def _draw_floor(self) -> None:
        low, high = self.extent.low[[0, 2]], self.extent.high[[0, 2]]
        square = SQUARE * max(1, math.ceil(float((high - low).max()) / SQUARE / MOST_LINES))
        first, last = np.floor(low / square) - 1, np.ceil(high / square) + 1
        xs, zs = (np.arange(a, b + 1) * square for a, b in zip(first, last, strict=True))
        rows = [((x, zs[0]), (x, zs[-1])) for x in xs] + [((xs[0], z), (xs[-1], z)) for z in zs]
        ends = np.insert(np.array(rows), 1, self.extent.floor, axis=-1)
        for spots in self.place(ends)[0]:
            line(self.ground, spots, GRID, self.size[1] / 420)

    def shadow(self, picture: Picture, pose: Floats, skeleton: Skeleton, width: float) -> None:
        """A pose's (J, 3) shadow on the floor, where a lamp hangs far above it."""
        fallen = np.array(pose)
        fallen[:, 1] = self.extent.floor
        spots, _ = self.place(fallen)
        stick_figure(
            picture, spots, np.isfinite(fallen.sum(-1)), skeleton, Palette.plain(SHADOW), width
        )

    def figure(
        self, picture: Picture, pose: Floats, skeleton: Skeleton, colours: Palette, width: float
    ) -> None:
        """A pose (J, 3), mm; joints that are NaN are left out."""
        spots, depth = self.place(pose)
        stick_figure(picture, spots, np.isfinite(pose.sum(-1)), skeleton, colours, width, depth)


@dataclass(frozen=True)
class Figure:
    pose: Floats  # (J, 3), mm
    colours: Palette = SIDES
    width: float = 3.4  # of its lines, in a picture of 420 pixels
    opacity: float = 1.0
    shadow: bool = False


def draw_3d(
    figures: Sequence[Figure],
    skeleton: Skeleton,
    size: int = 420,
    azimuth: float = AZIMUTH,
    elevation: float = ELEVATION,
) -> Picture:
    """Stick figures over a floor, (size, size, 3), the first ones behind the last."""
    large = size * FOURFOLD
    poses = np.stack([figure.pose for figure in figures])
    space = Space.round(poses, (large, large), azimuth, elevation)
    picture = space.ground.copy()
    for figure in figures:
        width = figure.width * large / 420
        if figure.shadow:
            space.shadow(picture, figure.pose, skeleton, width)
    for figure in figures:
        width = figure.width * large / 420
        above = picture if figure.opacity == 1 else picture.copy()
        space.figure(above, figure.pose, skeleton, figure.colours, width)
        if above is not picture:
            share = figure.opacity
            cv2.addWeighted(above, share, picture, 1 - share, 0, dst=picture)
    shrunk = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, dtype=np.uint8)


def _known(poses: Floats) -> Floats:
    """The poses (N, J, 3) with a joint that is not NaN; where there are none, room for one."""
    known = poses[np.isfinite(poses).all(-1).any(-1)]
    return known if len(known) else NOBODY


def _range(points: Floats, poses: int) -> Floats:
    """The least and the largest (2, C) of points (M, C): of many poses, of all but a few joints."""
    rare = RARE if poses >= MANY else 0.0
    return np.asarray(np.nanquantile(points, [rare, 1 - rare], axis=0))


def _turn(azimuth: float, elevation: float) -> Floats:
    """Camera axes to the view's, (3, 3)."""
    a, e = math.radians(azimuth), math.radians(elevation)
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(e), -math.sin(e)], [0, math.sin(e), math.cos(e)]])
    return np.asarray(about_x @ about_y)
