"""A person as a camera aimed at the box would see it.

The same pose looks different at a picture's edge than in its middle. In the *ray frame*, camera
axes turned by the smallest rotation that takes the optical axis to the ray through the box's
centre, it does not: what is left of the perspective is the person's own. The box token says all
that is needed (perspective crop layers, Yu et al., CVPR 2021, do the same with pictures).
"""

import torch
from torch import Tensor

from unihpe.body.camera import turn_axis_to

BEHIND = 0.1  # least cosine-like depth of a ray: nothing is seen behind a camera
SPREAD = 0.5  # the keypoints' standard deviation that encoders get, about that of box units


def ray_frame(box_token: Tensor) -> Tensor:
    """Rotations R (B, 3, 3) of box tokens (B, 3): camera = R · ray frame; of rows, ray = x @ R."""
    return turn_axis_to(torch.cat([box_token[:, :2], torch.ones_like(box_token[:, :1])], dim=1))


def centred(keypoints: Tensor, confidence: Tensor, box_token: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints (B, J, 2), box units, on the plane of the ray frame, about the mean of the seen
    ones and over their spread; and the box token (B, 3) of that place and size. However a box was
    drawn, the same people give the same numbers.
    """
    aim, side = box_token[:, None, :2], box_token[:, None, 2:]
    rays = torch.cat([aim + keypoints * side / 2, torch.ones_like(keypoints[..., :1])], dim=-1)
    turned = rays @ ray_frame(box_token)
    plane = turned[..., :2] / turned[..., 2:].clamp_min(BEHIND)
    seen = (confidence > 0)[..., None]
    count = seen.sum(1, keepdim=True).clamp_min(1)
    middle = torch.where(seen, plane, 0.0).sum(1, keepdim=True) / count
    offset = torch.where(seen, plane - middle, 0.0)
    spread = (offset.square().sum((1, 2), keepdim=True) / count).sqrt().clamp_min(1e-6)
    token = torch.cat([box_token[:, :2] + middle[:, 0], 2 * spread[:, 0]], dim=1)
    return offset * (SPREAD / spread), token
