"""The camera that sees somebody, and the picture's edge that may cut them."""

from dataclasses import replace

import numpy as np
import torch
from numpy.random import Generator

from unihpe.body.camera import Camera
from unihpe.body.virtual_cameras import (
    FIXED_POSITIONS,
    STAGE_RADIUS,
    fixed_cameras,
    near_cameras,
    random_cameras,
)
from unihpe.rendering.body import COLUMN, Body
from unihpe.rendering.raster import Doubles

INSIDE = 0.46  # a joint of an untruncated person lies this near the centre, as a share of the size
FEWEST_LEFT = 6  # joints that a cut off person keeps
# Which edge of the picture cuts a person, as (axis, the far one), and how often.
EDGES, EDGE_RATES = ((1, True), (0, True), (0, False), (1, False)), (0.6, 0.15, 0.15, 0.1)


def staged(asked: Doubles, fixed: bool) -> Doubles:
    """The pose (17, 3), moved over the floor to where the fixed cameras look, if they are used."""
    path = asked[COLUMN["pelvis"]] * [1.0, 0.0, 1.0]
    away = float(np.linalg.norm(path))
    return asked - path * (1 - STAGE_RADIUS / away) if fixed and away > STAGE_RADIUS else asked


def draw_camera(body: Body, fixed: bool, near: bool, rng: Generator) -> Camera:
    """A camera, double precision, that sees the whole person."""
    if fixed:
        cameras = fixed_cameras(torch.tensor([int(rng.integers(len(FIXED_POSITIONS)))]))
    else:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pelvis = torch.from_numpy(body.joints[COLUMN["pelvis"]]).float()
        joints = torch.from_numpy(body.joints).float()
        close_up = near_cameras(joints[None], pelvis[None], generator) if near else None
        cameras = close_up or random_cameras(pelvis[None], generator)
    parts = ("focal", "centre", "size", "rotation", "translation")
    camera = Camera(*(getattr(cameras, name)[0].double() for name in parts))
    keypoints = camera.project(camera.to_camera(torch.from_numpy(body.joints)))
    room = INSIDE * camera.size / (keypoints - camera.centre).abs().amax(0)
    return replace(camera, focal=camera.focal * room.amin().clamp(max=1.0))


def cut_picture(camera: Camera, joints: Doubles, rng: Generator) -> Camera:
    """The camera of a smaller picture, whose edge cuts 10 to 45 % of the person off.

    A cut that would leave too few joints is not made: an arm held out may be half of the width.
    """
    keypoints = camera.project(camera.to_camera(torch.from_numpy(joints)))
    low, high = keypoints.amin(0), keypoints.amax(0)
    axis, far = EDGES[rng.choice(len(EDGES), p=EDGE_RATES)]
    part = rng.uniform(0.1, 0.45) * (high - low)[axis]
    edge = torch.floor(high[axis] - part if far else low[axis] + part)
    size, centre = camera.size.clone(), camera.centre.clone()
    size[axis] = edge if far else size[axis] - edge
    if not far:
        centre[axis] -= edge
    left = (keypoints[:, axis] < edge) == far
    return replace(camera, size=size, centre=centre) if int(left.sum()) >= FEWEST_LEFT else camera
