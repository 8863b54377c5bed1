"""A person as a camera aimed at them, and held with their trunk upright, would see them.

The same pose looks different at a picture's edge than in its middle, and to a camera that is not
level. In the *person's frame* it does not: camera axes turned by the smallest rotation that takes
the optical axis to the ray through the middle of the person's 2D joints, then about that ray until
the trunk points up. What is left of the perspective is the person's own (perspective crop layers,
Yu et al., CVPR 2021, turn pictures to the ray, too). Which way up the person is seen goes beside.

Products are sums of float32 numbers: autocast would round a matrix product's to bfloat16.
"""

from functools import reduce
from typing import NamedTuple, Self

import torch
from torch import Tensor

from unihpe.body.camera import turn_axis_to
from unihpe.body.skeleton import Skeleton, without_side

BEHIND = 0.1  # least depth of a ray of depth 1 once it is turned: nothing is seen from behind
SPREAD = 0.5  # the keypoints' standard deviation that encoders get, about that of box units
TINY = 1e-6  # keeps quotients finite
UPPER = {"head", "head_top", "nose", "neck", "thorax", "shoulder"}
LOWER = {"pelvis", "hip"}


class Trunk(NamedTuple):
    """The joints at a trunk's two ends."""

    upper: list[int]  # their columns
    lower: list[int]
    ends: Tensor  # (2, J), 1 for the upper ones, and for the lower ones

    @classmethod
    def of(cls, skeleton: Skeleton) -> Self:
        """Those of a skeleton."""
        names = [without_side(joint) for joint in skeleton.joints]
        upper = [n for n, name in enumerate(names) if name in UPPER]
        lower = [n for n, name in enumerate(names) if name in LOWER]
        ends = torch.zeros(2, len(names))
        ends[0, upper] = ends[1, lower] = 1
        return cls(upper, lower, ends)


class PersonFrame(NamedTuple):
    """Where B people's own axes lie."""

    axes: Tensor  # (B, 3, 3), float32: camera axes = axes · person's frame
    roll: Tensor  # (B, 2), cosine and sine of the turn about the ray; 1 and 0 is upright

    def into(self, points: Tensor) -> Tensor:
        """Points (..., B, J, 3), camera axes, in the people's frames."""
        return _product(points, self.axes)

    def out_of(self, points: Tensor) -> Tensor:
        """Points (..., B, J, 3) of the people's frames, in camera axes."""
        return _product(points, self.axes.mT)

    def upright(self, flat: Tensor) -> Tensor:
        """2D (..., B, J, 2), turned about the origin until the people are upright."""
        return _product(flat, _turn(self.roll))

    def as_seen(self, flat: Tensor) -> Tensor:
        """The inverse of `upright`."""
        return _product(flat, _turn(self.roll).mT)


def person_frame(
    keypoints: Tensor,
    confidence: Tensor,
    box_token: Tensor,
    trunk: Trunk,
    pose: Tensor | None = None,
) -> PersonFrame:
    """The frames of people: keypoints (B, J, 2), box units, confidence (B, J), box token (B, 3).

    Of people without keypoints, the ray is the box's; their trunk is that of the pose (B, J, 3),
    camera axes, NaN where not known, as seen from far away, where there is one. A trunk of which
    one end is missing counts as upright.
    """
    return _frame(*_shown(keypoints, confidence, box_token), box_token, trunk, pose)


def centred(
    keypoints: Tensor, confidence: Tensor, box_token: Tensor, trunk: Trunk
) -> tuple[Tensor, Tensor]:
    """Keypoints (B, J, 2), box units, on the plane of the person's frame, about the mean of the
    seen ones and over their spread; and where that is, (B, 5): the ray, the size, which way up. So
    the box does not matter, nor where in the picture somebody is, but for the numbers that say so.
    """
    spots, shown = _shown(keypoints, confidence, box_token)
    frame = _frame(spots, shown, box_token, trunk)
    plane = _turned(spots, frame.axes)
    offset = (plane - _mean(plane, shown)[:, None]) * shown[..., None]
    square = offset.square().sum((1, 2)) / shown.sum(1).clamp_min(1)
    spread = square.clamp_min(TINY**2).sqrt()[:, None]  # whose slope is finite at 0
    ray = frame.axes[:, :2, 2] / frame.axes[:, 2:, 2].clamp_min(BEHIND)
    place = torch.cat([ray, 2 * spread, frame.roll], dim=1)
    return offset * (SPREAD / spread)[..., None], place


def _frame(
    spots: Tensor, shown: Tensor, box_token: Tensor, trunk: Trunk, pose: Tensor | None = None
) -> PersonFrame:
    """`person_frame` of what `_shown` says."""
    bare = ~shown.any(1, keepdim=True)
    middle = torch.where(bare, box_token[:, :2].float(), _mean(spots, shown))
    to_ray = turn_axis_to(_homogeneous(middle))
    flat = _turned(spots, to_ray)
    if pose is not None:
        flat = torch.where(bare[..., None], pose[..., :2].float().nan_to_num(), flat)
        shown = torch.where(bare, pose.isfinite().all(-1), shown)
    ends = shown[:, None] * trunk.ends.to(shown.device)  # (B, 2, J)
    upper, lower = _mean(flat[:, None], ends).unbind(1)
    up = upper - lower
    known = ends.any(2).all(1, keepdim=True) & (up.norm(dim=1, keepdim=True) > TINY)
    up = torch.where(known, up, up.new_tensor([0.0, -1.0]))
    sine, minus = (up / up.norm(dim=1, keepdim=True)).unbind(1)
    roll = torch.stack([-minus, sine], dim=1)
    across = _product(to_ray[..., :2], _turn(roll))
    return PersonFrame(torch.cat([across, to_ray[..., 2:]], dim=2), roll)


def _shown(keypoints: Tensor, confidence: Tensor, box_token: Tensor) -> tuple[Tensor, Tensor]:
    """Where keypoints (B, J, 2), box units, lie at depth 1 before the camera, 0 where not seen; and
    which are, (B, J), 1 or 0."""
    token, seen = box_token.float()[:, None], confidence > 0
    spots = token[..., :2] + keypoints.float() * (token[..., 2:] / 2)
    return torch.where(seen[..., None], spots, 0.0), seen.float()


def _turned(spots: Tensor, axes: Tensor) -> Tensor:
    """Spots (B, J, 2) at depth 1, as a camera of these axes (B, 3, 3) sees them."""
    rays = _product(_homogeneous(spots), axes)
    return rays[..., :2] / rays[..., 2:].clamp_min(BEHIND)


def _homogeneous(spots: Tensor) -> Tensor:
    """Spots (..., 2) at depth 1, (..., 3)."""
    return torch.nn.functional.pad(spots, (0, 1), value=1.0)


def _mean(points: Tensor, shown: Tensor) -> Tensor:
    """Of those that are shown: (..., J, 2), (..., J), 1 or 0 → (..., 2)."""
    return (points * shown[..., None]).sum(-2) / shown.sum(-1, keepdim=True).clamp_min(1)


def _turn(roll: Tensor) -> Tensor:
    """Cosine and sine (B, 2) → rotations of the plane (B, 2, 2)."""
    cosine, sine = roll.unbind(1)
    return torch.stack([cosine, -sine, sine, cosine], dim=1).view(-1, 2, 2)


def _product(rows: Tensor, matrices: Tensor) -> Tensor:
    """Rows (..., B, J, C) times matrices (B, C, C); a coordinate at a time, as a sum along so short
    an axis takes four times as long."""
    coordinates = rows.float()[..., None, :].unbind(-1)  # (..., B, J, 1) each
    parts = (x * y for x, y in zip(coordinates, matrices[:, None].unbind(-2), strict=True))
    return reduce(torch.add, parts)
