"""Speed of joints, and the centre of mass."""

import torch
from torch import Tensor

from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton, get_skeleton

LONGEST_STEP = 0.25  # seconds; rows further apart are not of one movement
JOINTS = get_skeleton("human36m17")
# Winter, Biomechanics and Motor Control of Human Movement (4th ed., 2009), table 4.1: a segment's
# mass as a share of the body's, and where its centre lies between its two ends. Hands and feet are
# part of forearms and shanks. The head's centre is at the ears, 0.6 of the way from the shoulders'
# middle to the top of the head.
LIMBS = {
    ("hip", "knee"): (0.100, 0.433),
    ("knee", "ankle"): (0.061, 0.606),
    ("shoulder", "elbow"): (0.028, 0.436),
    ("elbow", "wrist"): (0.022, 0.682),
}
TRUNK, HEAD = (0.497, 0.5), (0.081, 0.6)  # from the shoulders' middle: to the hips', to the head


def _velocities(places: Tensor, time: Tensor) -> Tensor:
    """Of places (T, ..., 3), mm, at increasing times (T,), seconds: m/s, (T, ..., 3).

    The derivative of the parabola through each row and its neighbours, whatever their distance in
    time; at the ends of a movement, the slope to the one neighbour. Rows more than a quarter of a
    second apart are not of one movement; a row on its own has NaN.
    """
    steps = time.double().diff().view(-1, *(1,) * (places.dim() - 1))
    slopes = places.double().diff(dim=0) / 1000 / steps
    fits = (steps > 0) & (steps <= LONGEST_STEP) & slopes.isfinite().all(-1, keepdim=True)
    slopes = torch.where(fits, slopes, 0.0)
    weights = torch.where(fits, 1 / steps, 0.0)  # the nearer neighbour's slope counts more
    none = slopes.new_zeros(1, *places.shape[1:])
    flow = torch.cat([none, weights * slopes]) + torch.cat([weights * slopes, none])
    return flow / (torch.cat([none[..., :1], weights]) + torch.cat([weights, none[..., :1]]))


def speeds(places: Tensor, time: Tensor) -> Tensor:
    """How fast places (T, ..., 3), mm, move at times (T,), seconds: m/s, (T, ...)."""
    speed: Tensor = _velocities(places, time).norm(dim=-1)
    return speed


def centre_of_mass(places: Tensor, skeleton: Skeleton) -> Tensor:
    """The body's centre of mass, (..., 3), of poses (..., J, 3), in their unit and axes.

    By Winter's segments. NaN where a joint of one is missing.
    """
    seen = places.isfinite().all(-1).double()
    made = convert(places.double(), seen, skeleton, JOINTS).points.unbind(-2)
    joint = dict(zip(JOINTS.joints, made, strict=True))
    shoulders = (joint["left_shoulder"] + joint["right_shoulder"]) / 2
    hips = (joint["left_hip"] + joint["right_hip"]) / 2
    parts = [(TRUNK, shoulders, hips), (HEAD, shoulders, joint["head"])]
    for (start, end), segment in LIMBS.items():
        for side in ("left", "right"):
            parts.append((segment, joint[f"{side}_{start}"], joint[f"{side}_{end}"]))
    centres = [mass * torch.lerp(start, end, share) for (mass, share), start, end in parts]
    return torch.stack(centres).sum(0)
