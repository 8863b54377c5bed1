"""What training does to a crop, its 2D, its 3D and its box, so that all four still agree exactly.

Everything is about the principal point, taken at the picture's centre: a picture turned or mirrored
about it is what the same camera would see, turned or mirrored, so the 3D turns with it about the
optical axis. The box then moves and resizes on its own, as a detector's would; the box token is
made from the new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.boxes import box_from_keypoints, crop_matrix, for_opencv
from unihpe.body.prepare import LEGS, LOWER_BODY, is_in
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.settings import Settings

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]
LEGS_ALONE = 0.25  # of the half bodies
FROM_BELOW = 0.75  # of those cut off; the others from a side
CUT = (0.1, 0.6)  # of the person's extent
HIPS, ABOVE = ("hip",), ("shoulder", "head", "nose")  # the ends of a trunk, in 2D
NO_EDGES: Floats = np.array([[-np.inf, -np.inf], [np.inf, np.inf]])


class Augmentation(Settings):
    """How much a crop may change; everything uniform within the limits unless said.

    A table of recipes: [data.augmentation].
    """

    flip: float = Field(0.5, ge=0, le=1)  # share of people mirrored
    rotation: float = Field(30.0, ge=0, le=180)  # largest turn, degrees
    turned: float = Field(0.6, ge=0, le=1)  # share of people turned
    # Share of people turned by quarter turns before, until the trunk points up: so a model sees
    # them in the end (`model.turned`).
    upright: float = Field(0.0, ge=0, le=1)
    scale: float = Field(0.25, ge=0, lt=1)  # largest change of the box's size, as a share of it
    # Share of people whose box holds the upper body alone, or, a quarter of them, the legs.
    half_body: float = Field(0.2, ge=0, le=1)
    # Share of the other people whom a new edge of the picture cuts, mostly from below; the box is
    # drawn round what is left. Joints beyond the edge keep their labels: those within the crop are
    # to be guessed, as those of rendered people are whom their picture cuts.
    cut_off: float = Field(0.2, ge=0, le=1)
    shift: float = Field(0.08, ge=0)  # largest move of the box, as a share of its size
    # Largest change of brightness, contrast and each channel's strength, as a share.
    colour: float = Field(0.3, ge=0, le=1)
    grey: float = Field(0.1, ge=0, le=1)  # share of crops without colour
    blurred: float = Field(0.15, ge=0, le=1)  # share of crops blurred
    compressed: float = Field(0.2, ge=0, le=1)  # share of crops that went through a poor JPEG
    cut_out: float = Field(0.2, ge=0, le=1)  # share of crops with a rectangle missing


@dataclass(frozen=True)
class Crop:
    """A person cut out of a picture."""

    picture: Picture  # (H, W, 3), RGB
    keypoints: Floats  # (J, 2), pixels of the full picture, NaN where unknown
    pose: Floats  # (J, 3), mm, camera axes, absolute; NaN where unknown
    box: Floats  # (4,), pixels of the full picture
    size: Floats  # of the full picture, (2,)


def varied(
    crops: Sequence[Crop], how: Augmentation | None, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Crops in human36m17's joints, augmented or, with None, as they are.

    Pictures (N, 3, H, W) are uint8; keypoints, poses and boxes float32.
    """
    seeds = torch.randint(2**62, (len(crops),), generator=generator).tolist()
    people, skeleton = crops, get_skeleton("human36m17")
    if how is not None:
        drawn = zip(crops, map(np.random.default_rng, seeds), strict=True)
        people = [_augment(crop, skeleton, how, rng) for crop, rng in drawn]
    pictures = torch.from_numpy(np.stack([crop.picture for crop in people]))
    labels = zip(*((crop.keypoints, crop.pose, crop.box) for crop in people), strict=True)
    keypoints, pose, box = (torch.from_numpy(np.stack(part)).float() for part in labels)
    return pictures.permute(0, 3, 1, 2).contiguous(), keypoints, pose, box


def _augment(crop: Crop, skeleton: Skeleton, how: Augmentation, rng: np.random.Generator) -> Crop:
    """Another view of the same person; what lies outside the given crop has one colour."""
    mirrored = bool(rng.random() < how.flip)
    turns = rng.random() < how.turned
    turn = np.deg2rad(rng.uniform(-how.rotation, how.rotation)) if turns else 0.0
    if how.upright and rng.random() < how.upright:
        quarters = _quarters_from_upright(crop.keypoints, skeleton)
        turn += (quarters if mirrored else -quarters) * np.pi / 2
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ np.diag([1 - 2.0 * mirrored, 1])
    centre = crop.size / 2
    keypoints = (crop.keypoints - centre) @ linear.T + centre
    pose = crop.pose.copy()
    pose[:, :2] = crop.pose[:, :2] @ linear.T
    if mirrored:
        keypoints, pose = keypoints[list(skeleton.mirror)], pose[list(skeleton.mirror)]
    box = np.concatenate([linear @ (crop.box[:2] - centre) + centre, crop.box[2:]])
    edges = NO_EDGES
    if rng.random() < how.half_body:
        box = _half_body_box(keypoints, skeleton, legs=rng.random() < LEGS_ALONE, box=box)
    elif rng.random() < how.cut_off:
        box, edges = _cut_off(keypoints, box, rng)
    box[:2] += rng.uniform(-how.shift, how.shift, 2) * box[2:]
    box[2:] *= rng.uniform(1 - how.scale, 1 + how.scale)
    height, width = crop.picture.shape[:2]
    whole = _homogeneous(np.column_stack([linear, centre - linear @ centre]))  # of its pixels
    before, to_crop = (crop_matrix(one, width, height) for one in (crop.box, box))
    matrix = _homogeneous(to_crop) @ whole @ np.linalg.inv(_homogeneous(before))
    fill = [int(level) for level in rng.integers(0, 256, 3)]
    place, linearly = for_opencv(matrix[:2]), cv2.INTER_LINEAR
    picture = cv2.warpAffine(crop.picture, place, (width, height), flags=linearly, borderValue=fill)
    picture = _change_pixels(np.asarray(picture, dtype=np.uint8), how, rng)
    return Crop(_blackened(picture, edges, to_crop), keypoints, pose, box, crop.size)


def _quarters_from_upright(keypoints: Floats, skeleton: Skeleton) -> int:
    """By how many quarter turns with the clock somebody's trunk is turned from upright, -2 to 2; 0
    where too little is known."""
    ends = []
    for names in (HIPS, ABOVE):
        columns = skeleton.columns_of(names)
        known = keypoints[columns][np.isfinite(keypoints[columns]).all(1)]
        if not len(known):
            return 0
        ends.append(known.mean(0))
    x, y = ends[1] - ends[0]
    return round(float(np.arctan2(x, -y)) / (np.pi / 2))


def _half_body_box(keypoints: Floats, skeleton: Skeleton, legs: bool, box: Floats) -> Floats:
    """The box (4,) of the upper body or the legs, as HRNet's; `box` where too little is known."""
    hidden = LOWER_BODY if legs else LEGS
    half = np.array([is_in(joint, "both", hidden) == legs for joint in skeleton.joints])
    chosen = half & _within(keypoints, box)
    return box if chosen.sum() < FEWEST_JOINTS else _box_round(keypoints[chosen], box)


def _within(keypoints: Floats, box: Floats) -> NDArray[np.bool_]:
    """Which joints (J,) lie in the box; unknown ones, NaN, are nowhere."""
    return np.asarray((np.abs(keypoints - box[:2]) <= box[2:] / 2).all(1))


def _box_round(points: Floats, otherwise: Floats) -> Floats:
    """The padded box (4,) of points (N, 2); `otherwise` where all lie on one spot."""
    if not np.ptp(points, axis=0).any():
        return otherwise
    seen = torch.ones(len(points), dtype=torch.bool)
    return box_from_keypoints(torch.from_numpy(points), seen).numpy()


def _cut_off(keypoints: Floats, box: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The box (4,) of what an edge leaves, and the edges (2, 2): left, top, then right, bottom."""
    inside = _within(keypoints, box)
    below, share = rng.random() < FROM_BELOW, rng.uniform(*CUT)
    axis, end = (1, 1) if below else (0, int(rng.integers(2)))
    if inside.sum() < FEWEST_JOINTS:
        return box, NO_EDGES
    along = keypoints[:, axis]
    low, high = along[inside].min(), along[inside].max()
    line = low + share * (high - low) if end == 0 else high - share * (high - low)
    left = inside & ((along >= line) if end == 0 else (along <= line))
    if left.sum() < FEWEST_JOINTS:
        return box, NO_EDGES
    edge = keypoints[left].mean(0)  # somebody cut off reaches to the edge, and so does the box
    edge[axis] = line
    edges = NO_EDGES.copy()
    edges[end, axis] = line
    return _box_round(np.vstack([keypoints[left], edge]), box), edges


def _blackened(picture: Picture, edges: Floats, matrix: Floats) -> Picture:
    """The crop, black beyond the edges (2, 2) of the full picture, as beyond any picture's end."""
    height, width = picture.shape[:2]
    places = (edges * matrix[[0, 1], [0, 1]] + matrix[:, 2]).clip(0, [width, height])
    (left, top), (right, bottom) = places.round().astype(int)
    result = np.zeros_like(picture)
    result[top:bottom, left:right] = picture[top:bottom, left:right]
    return result


def _homogeneous(matrix: Floats) -> Floats:
    """A 2 × 3 affine map as 3 × 3."""
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


def _change_pixels(picture: Picture, how: Augmentation, rng: np.random.Generator) -> Picture:
    """Colour or none, blur, a poor JPEG and cut-out, in this order."""
    change = how.colour
    gain = 1 + rng.uniform(-change, change, 3) / 2 + rng.uniform(-change, change) / 2
    contrast = np.float32(1 + rng.uniform(-change, change))
    offset = np.float32(255 * rng.uniform(-change, change) / 2)
    levels = np.arange(256, dtype=np.float32)[:, None]
    table = (levels - 128) * contrast * gain.astype(np.float32) + 128 + offset
    result = cv2.LUT(picture, table.clip(0, 255).astype(np.uint8)[None])
    if rng.random() < how.grey:
        result = np.repeat(cv2.cvtColor(result, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if rng.random() < how.blurred:
        result = cv2.GaussianBlur(result, (0, 0), float(rng.uniform(0.5, 2.0)))
    if rng.random() < how.compressed:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 70))]
        data = cv2.imencode(".jpg", result, quality)[1]
        result = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    if rng.random() < how.cut_out:
        height, width = result.shape[:2]
        h, w = int(height * rng.uniform(0.1, 0.4)), int(width * rng.uniform(0.1, 0.4))
        top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
        result = result.copy()
        result[top : top + h, left : left + w] = rng.integers(0, 256, 3)
    return np.asarray(result, dtype=np.uint8)
