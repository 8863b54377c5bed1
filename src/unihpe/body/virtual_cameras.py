"""Cameras for people whom no camera saw: four placed like Human3.6M's, and random ones.

World axes: x and z on the floor, y up; millimetres.
"""

import math

import torch
from torch import Tensor

from unihpe.body.camera import Camera, axis_rotation, look_at

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
    n = len(pelvis)
    yaw = uniform((n,), (0, 2 * math.pi), generator)
    elevation = uniform((n,), ELEVATION, generator).deg2rad()
    level = elevation.cos()
    away = torch.stack([level * yaw.cos(), elevation.sin(), level * yaw.sin()], dim=1)
    position = pelvis + away * uniform((n, 1), DISTANCE, generator)
    size = torch.tensor(SIZES)[torch.randint(len(SIZES), (n,), generator=generator)]
    focal = (uniform((n, 1), FOCAL, generator) * size.amax(1, keepdim=True)).expand(n, 2)
    aim = uniform((n, 2), OFF_CENTRE, generator) * size / focal
    rotation, _ = look_at(position, pelvis, torch.tensor(UP))
    aside = _turn_axis_to(torch.cat([aim, torch.ones(n, 1)], dim=1))
    roll = axis_rotation(2, uniform((n,), ROLL, generator).deg2rad())
    rotation = aside @ roll @ rotation
    return Camera(focal, size / 2, size, rotation, -(rotation @ position[..., None])[..., 0])


def _turn_axis_to(ray: Tensor) -> Tensor:
    """The smallest rotations that take the optical axis (0, 0, 1) to the rays (N, 3): (N, 3, 3)."""
    x, y, z = torch.nn.functional.normalize(ray, dim=1).unbind(1)
    k = 1 / (1 + z)
    rows = (1 - k * x * x, -k * x * y, x, -k * x * y, 1 - k * y * y, y, -x, -y, z)
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def uniform(shape: tuple[int, ...], limits: Limits, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [low, high); limits may be tensors that broadcast to the shape."""
    low, high = limits
    return low + (high - low) * torch.rand(shape, generator=generator)
