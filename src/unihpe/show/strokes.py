"""Lines and dots of skeletons, drawn in place on a picture."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unihpe.body.skeleton import Skeleton, side_of
from unihpe.io.picture import Picture
from unihpe.show.colours import INK, Colour, Palette

Points = NDArray[np.floating[Any]]
Place = tuple[int, int]  # in OpenCV's fixed-point coordinates
BITS = 4  # of the fraction in OpenCV's fixed-point coordinates
FAR = 30_000  # pixels; OpenCV's coordinates end soon after, with the fraction
JOINT = 0.95  # radius of a joint, in widths of a bone
CASING = 1.0  # pixels at each side of a bone over photographs, so that it shows on any ground


def bone_side(skeleton: Skeleton, parent: int, child: int) -> str:
    """The side of the body a bone is on: its child's, else its parent's."""
    side = side_of(skeleton.joints[child])
    return side if side != "centre" else side_of(skeleton.joints[parent])


def line(picture: Picture, ends: Points, colour: Colour, width: float) -> None:
    """A line between two points (2, 2), pixels."""
    start, end = _fixed(ends)
    _line(picture, start, end, colour, width)


def stick_figure(
    picture: Picture,
    spots: Points,
    seen: NDArray[np.bool_],
    skeleton: Skeleton,
    colours: Palette,
    width: float,
    depth: Points | None = None,
    casing: bool = False,
) -> None:
    """A skeleton whose joints lie at (J, 2), pixels, of those that are `seen` (J,).

    Bones are drawn from the farthest to the nearest where the joints' `depth` (J,) is given;
    `casing` draws a dark rim.
    """
    places = _fixed(np.where(seen[:, None], spots, 0))
    bones = [(a, b) for a, b in skeleton.bones if seen[a] and seen[b]]
    if depth is not None:
        far = depth.tolist()
        bones.sort(key=lambda bone: -(far[bone[0]] + far[bone[1]]))
    if casing:
        for a, b in bones:
            _line(picture, places[a], places[b], INK, width + 2 * CASING)
    for a, b in bones:
        colour = colours.of(bone_side(skeleton, a, b))
        _line(picture, places[a], places[b], colour, width)
    radius = round(JOINT * width * 2**BITS)
    for place, shown in zip(places, seen, strict=True):
        if shown:
            cv2.circle(picture, place, radius, colours.joint, -1, cv2.LINE_AA, BITS)


def _line(picture: Picture, start: Place, end: Place, colour: Colour, width: float) -> None:
    cv2.line(picture, start, end, colour, max(1, round(width)), cv2.LINE_AA, BITS)


def _fixed(points: Points) -> list[Place]:
    """Pixels as OpenCV takes them, shifted by BITS: its pixel centres are at integers."""
    limited = np.clip(np.asarray(points, dtype=np.float64) - 0.5, -FAR, FAR)
    return [(x, y) for x, y in np.rint(limited * 2**BITS).astype(int).tolist()]
