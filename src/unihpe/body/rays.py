"""A person as a camera aimed at the box would see it.

The same pose looks different at a picture's edge than in its middle. In the *ray frame*, camera
axes turned by the smallest rotation that takes the optical axis to the ray through the box's
centre, it does not: what is left of the perspective is the person's own. The box token says all
that is needed (perspective crop layers, Yu et al., CVPR 2021, do the same with pictures).

Products are sums of float32 numbers: autocast would round a matrix product's to bfloat16.
"""

import torch
from torch import Tensor

from unihpe.body.camera import turn_axis_to

BEHIND = 0.1  # least depth of a ray of depth 1 once it is turned: nothing is seen from behind
SPREAD = 0.5  # the keypoints' standard deviation that encoders get, about that of box units


def _ray_frame(box_token: Tensor) -> Tensor:
    """Rotations R (B, 3, 3) of box tokens (B, 3), float32: camera axes = R · ray frame."""
    aim = torch.cat([box_token[:, :2], torch.ones_like(box_token[:, :1])], dim=1)
    return turn_axis_to(aim.float())


def into_ray(points: Tensor, box_token: Tensor) -> Tensor:
    """Points (..., B, J, 3), camera axes, in the ray frames of boxes (B, 3)."""
    return _product(points, _ray_frame(box_token))


def out_of_ray(points: Tensor, box_token: Tensor) -> Tensor:
    """Points (..., B, J, 3) of the ray frames of boxes (B, 3), in camera axes."""
    return _product(points, _ray_frame(box_token).mT)


def _product(rows: Tensor, matrices: Tensor) -> Tensor:
    """Rows (..., B, J, 3) times matrices (B, 3, 3)."""
    return (rows.float()[..., None] * matrices[:, None]).sum(-2)


def centred(keypoints: Tensor, confidence: Tensor, box_token: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints (B, J, 2), box units, on the plane of the ray frame, about the mean of the seen
    ones and over their spread; and the box token (B, 3) of that place and size. So the size of a
    box does not matter, and its place as much as it moves the ray.
    """
    aim, side = box_token[:, None, :2], box_token[:, None, 2:]
    rays = torch.cat([aim + keypoints * side / 2, torch.ones_like(keypoints[..., :1])], dim=-1)
    turned = into_ray(rays, box_token)
    plane = turned[..., :2] / turned[..., 2:].clamp_min(BEHIND)
    seen = (confidence > 0)[..., None]
    count = seen.sum(1, keepdim=True).clamp_min(1)
    middle = torch.where(seen, plane, 0.0).sum(1, keepdim=True) / count
    offset = torch.where(seen, plane - middle, 0.0)
    spread = (offset.square().sum((1, 2), keepdim=True) / count).sqrt().clamp_min(1e-6)
    token = torch.cat([box_token[:, :2] + middle[:, 0], 2 * spread[:, 0]], dim=1)
    return offset * (SPREAD / spread), token
