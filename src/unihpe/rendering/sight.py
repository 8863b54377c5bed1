"""What of a person is in sight: something flat before them, and the visibility of their joints."""

import cv2
import numpy as np
from numpy.random import Generator

from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.body.skeleton import without_side
from unihpe.rendering.body import SKELETON
from unihpe.rendering.raster import Bytes, Doubles, Flags, Floats

CROP = (CROP_WIDTH, CROP_HEIGHT)
ENLARGE = 2  # drawn larger and averaged: smooth outlines
MOST_OCCLUDED = 0.45  # share of a person that what is before them may cover
OUTSIDE, HIDDEN, SEEN = 0, 1, 2  # visibility
# A joint lies inside its limb: it is hidden when the surface before it is nearer than this, mm.
DEEP = {"hip": 190.0, "pelvis": 230.0, "spine": 230.0, "thorax": 220.0}
DEEP |= {"nose": 150.0, "head": 150.0, "shoulder": 140.0}
DEEP_LIMB = 100.0


def draw_occluder(cover: Floats, hidden: float, rate: float, rng: Generator) -> Floats:
    """What stands before a share `rate` of people, (H, W) in [0, 1]; mostly nothing.

    Nothing either if each of four shapes hides too much of the person's `cover` (H, W), a share
    `hidden` of which is hidden already.
    """
    if rng.random() < rate:
        for _ in range(4):
            shape = _draw_shape_before(rng)
            if (shape * cover).sum() < (MOST_OCCLUDED - hidden) * cover.sum():
                return shape
    return np.zeros_like(cover)


def _draw_shape_before(rng: Generator) -> Floats:
    """A bar, a slab at the bottom, a polygon or an ellipse, (H, W) in [0, 1]."""
    kind, centre = rng.integers(4), rng.uniform(0.1, 0.9, 2) * CROP
    right, bottom = CROP_WIDTH + 5, CROP_HEIGHT + 5
    if kind == 0:
        (x, _), half, lean = centre, rng.uniform(5, 18), rng.uniform(-25, 25)
        across = [x - half + lean, x + half + lean, x + half - lean, x - half - lean]
        corners = np.stack([across, [-5, -5, bottom, bottom]], axis=1)
    elif kind == 1:
        top, lean = rng.uniform(0.6, 0.85) * CROP_HEIGHT, rng.uniform(-20, 20)
        corners = np.array([[-5, top + lean], [right, top - lean], [right, bottom], [-5, bottom]])
    else:
        angle = np.sort(rng.uniform(0, 2 * np.pi, 5 if kind == 2 else 24))
        reach = rng.uniform(18, 60, 2)
        uneven = rng.uniform(0.7, 1.0, (len(angle), 1)) if kind == 2 else 1.0
        corners = centre + reach * uneven * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    mask = np.zeros((CROP_HEIGHT, CROP_WIDTH), np.float32)
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.6), dtype=np.float32)


def visible(
    crop: Doubles, depth: Doubles, own: Floats, others: Floats, before: Floats, inside: Flags
) -> Bytes:
    """Visibility of the joints, (17,), which lie at `crop` (17, 2), pixels, and `depth` (17,), mm.

    `own` is the inverse depth of the person's surface and `others` that of all else that stands
    about, as large as `DRAWN`; `before` (H, W) what is drawn in front.
    """
    out = np.zeros(len(SKELETON), np.uint8)
    for n, joint in enumerate(SKELETON.joints):
        x, y = crop[n]
        if not (inside[n] and 0 <= x < CROP_WIDTH and 0 <= y < CROP_HEIGHT):
            continue
        at = int(y * ENLARGE), int(x * ENLARGE)
        surface = float(own[at])
        deep = DEEP.get(without_side(joint), DEEP_LIMB)
        covered = surface > 0 and depth[n] - 1 / surface > deep
        covered |= float(others[at]) > max(surface, 1 / depth[n])
        out[n] = HIDDEN if covered or before[int(y), int(x)] > 0.5 else SEEN
    return out
