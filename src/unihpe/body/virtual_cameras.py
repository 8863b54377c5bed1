"""Cameras for people whom no camera saw: four placed like Human3.6M's, and random ones.

World axes: x and z on the floor, y up; millimetres.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from unihpe.body.camera import Camera, axis_rotation, look_at, turn_axis_to

Limits = tuple[float | Tensor, float | Tensor]
UP = (0.0, 1.0, 0.0)
STAGE_RADIUS = 1200.0  # mm, the disc about the origin that the fixed cameras look at
# Human3.6M's four cameras (subject 1, rounded; its z up becomes our y up): places, what they look
# at, focal length and picture size.
FIXED_POSITIONS = (
    (1841.0, 1563.0, -4955.0),
    (1761.0, 1606.0, 5078.0),
    (-1847.0, 1491.0, -5215.0),
    (-1794.0, 1574.0, 3723.0),
)
FIXED_TARGET = (0.0, 900.0, 0.0)
FIXED_FOCAL = 1145.0
FIXED_SIZE = (1000.0, 1000.0)
# Random cameras, for training; uniform between the limits.
DISTANCE = (2500.0, 7500.0)  # mm, from the pelvis
ELEVATION = (-10.0, 30.0)  # degrees; positive looks down
ROLL = (-5.0, 5.0)  # degrees
FOCAL = (0.8, 1.7)  # of the picture's larger side
OFF_CENTRE = (-0.3, 0.3)  # of the pelvis from the picture's centre, as a share of its size
# Cameras as people hold them, through lenses from a phone's wide one to a long one.
FREE_ELEVATION = (-40.0, 60.0)  # degrees
FREE_ROLL = 30.0  # degrees, at most; half of the cameras are as level as above
FREE_FOCAL = (0.6, 4.0)  # of the picture's larger side, uniform in its logarithm
FREE_EXTENT = (0.2, 1.3)  # of the person, as a share of the picture's smaller side; likewise
NEAREST, FARTHEST = 1.8, 50.0  # from the pelvis, in lengths of the farthest reach from there
FREE_ASIDE = (-0.42, 0.42)  # as OFF_CENTRE
# Phones held close to somebody: wide lenses, strong perspective.
NEAR_FOCAL = (0.35, 0.8)  # of the picture's larger side
NEAR_DISTANCE = (1.25, 2.4)  # from the pelvis, in lengths of the farthest reach from there
NEAR_ELEVATION = (-25.0, 40.0)  # degrees
NEAR_ROLL = (-12.0, 12.0)  # degrees
CENTRE = 0.1  # how far, as a share, a third have the principal point off the middle, at most
SIZES = ((1000.0, 1000.0), (1920.0, 1080.0), (1080.0, 1920.0), (640.0, 480.0))


def fixed_cameras(which: Tensor) -> Camera:
    """The four fixed cameras, by number: (N,) → N cameras."""
    position = torch.tensor(FIXED_POSITIONS)[which]
    target = torch.tensor(FIXED_TARGET).expand_as(position)
    rotation, translation = look_at(position, target, torch.tensor(UP))
    size = torch.tensor(FIXED_SIZE).expand(len(which), 2)
    return Camera(torch.full_like(size, FIXED_FOCAL), size / 2, size, rotation, translation)


def random_cameras(pelvis: Tensor, generator: torch.Generator) -> Camera:
    """One camera for each pelvis (N, 3), within the limits at the top of this file."""

    def distance(n: int) -> Tensor:
        return uniform((n, 1), DISTANCE, generator)

    return _aimed_cameras(pelvis, distance, ELEVATION, FOCAL, ROLL, generator)


def near_cameras(pose: Tensor, pelvis: Tensor, generator: torch.Generator) -> Camera:
    """One close camera with a wide lens for each pose (N, J, 3), world axes, with its pelvis."""
    reach: Tensor = (pose - pelvis[:, None]).norm(dim=-1).amax(-1, keepdim=True)

    def distance(n: int) -> Tensor:
        return uniform((n, 1), NEAR_DISTANCE, generator) * reach

    return _aimed_cameras(pelvis, distance, NEAR_ELEVATION, NEAR_FOCAL, NEAR_ROLL, generator)


def _aimed_cameras(
    pelvis: Tensor,
    distance: Callable[[int], Tensor],  # draws (n, 1), mm
    elevation: Limits,
    focal: Limits,
    roll: Limits,
    generator: torch.Generator,
) -> Camera:
    """Cameras all round that look about at each pelvis (N, 3)."""
    n = len(pelvis)
    yaw = uniform((n,), (0, 2 * math.pi), generator)
    above = uniform((n,), elevation, generator).deg2rad()
    level = above.cos()
    away = torch.stack([level * yaw.cos(), above.sin(), level * yaw.sin()], dim=1)
    position = pelvis + away * distance(n)
    size = torch.tensor(SIZES)[torch.randint(len(SIZES), (n,), generator=generator)]
    lens = (uniform((n, 1), focal, generator) * size.amax(1, keepdim=True)).expand(n, 2)
    aim = uniform((n, 2), OFF_CENTRE, generator) * size / lens
    rotation, _ = look_at(position, pelvis, torch.tensor(UP))
    aside = turn_axis_to(torch.cat([aim, torch.ones(n, 1)], dim=1))
    turned = axis_rotation(2, uniform((n,), roll, generator).deg2rad())
    rotation = aside @ turned @ rotation
    return Camera(lens, size / 2, size, rotation, -(rotation @ position[..., None])[..., 0])


def free_cameras(pose: Tensor, pelvis: Tensor, generator: torch.Generator) -> Camera:
    """One hand-held camera for each pose (N, J, 3), world axes, with its pelvis (N, 3)."""
    n = len(pose)
    yaw = uniform((n,), (0, 2 * math.pi), generator)
    elevation = uniform((n,), FREE_ELEVATION, generator).deg2rad()
    level = elevation.cos()
    away = torch.stack([level * yaw.cos(), elevation.sin(), level * yaw.sin()], dim=1)
    size = torch.tensor(SIZES)[torch.randint(len(SIZES), (n,), generator=generator)]
    focal = _log_uniform((n, 1), FREE_FOCAL, generator) * size.amax(1, keepdim=True)
    extent = (pose.amax(1) - pose.amin(1)).amax(-1, keepdim=True)
    wanted = _log_uniform((n, 1), FREE_EXTENT, generator) * size.amin(1, keepdim=True)
    reach = (pose - pelvis[:, None]).norm(dim=-1).amax(-1, keepdim=True)
    distance = (extent * focal / wanted).clamp(NEAREST * reach, FARTHEST * reach)
    position = pelvis + away * distance
    aim = uniform((n, 2), FREE_ASIDE, generator) * size / focal
    rotation, _ = look_at(position, pelvis, torch.tensor(UP))
    roll = uniform((n,), (-1, 1), generator)
    most = torch.where(torch.rand(n, generator=generator) < 0.5, ROLL[1], FREE_ROLL)
    turned = axis_rotation(2, (roll * most).deg2rad())
    rotation = turn_axis_to(torch.cat([aim, torch.ones(n, 1)], dim=1)) @ turned @ rotation
    off = uniform((n, 2), (-CENTRE, CENTRE), generator)
    off = off * (torch.rand(n, 1, generator=generator) < 1 / 3) * size
    shift = -(rotation @ position[..., None])[..., 0]
    return Camera(focal.expand(n, 2), size / 2 + off, size, rotation, shift)


def _log_uniform(shape: tuple[int, ...], limits: Limits, generator: torch.Generator) -> Tensor:
    low, high = limits
    return uniform(shape, (math.log(low), math.log(high)), generator).exp()


def uniform(shape: tuple[int, ...], limits: Limits, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [low, high); limits may be tensors that broadcast to the shape."""
    low, high = limits
    return low + (high - low) * torch.rand(shape, generator=generator)
