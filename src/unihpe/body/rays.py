"""A person as a camera aimed at them, and held with their trunk upright, would see them.

The same pose looks different at a picture's edge than in its middle, and to a camera that is not
level. In the *person's frame* it does not: camera axes turned by the smallest rotation that takes
the optical axis to the ray through the middle of the person's 2D joints, then about that ray until
the trunk points up. What is left of the perspective is the person's own (perspective crop layers,
Yu et al., CVPR 2021, turn pictures to the ray, too). Which way up the person is seen goes beside.

Products are sums of float32 numbers: autocast would round a matrix product's to bfloat16.
"""

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
    """The columns of the joints at a trunk's two ends."""

    upper: list[int]
    lower: list[int]

    @classmethod
    def of(cls, skeleton: Skeleton) -> Self:
        """Those of a skeleton."""
        names = [without_side(joint) for joint in skeleton.joints]
        ends = ([n for n, name in enumerate(names) if name in end] for end in (UPPER, LOWER))
        return cls(*ends)


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
    seen = confidence > 0
    spots = _on_plane(keypoints, box_token)
    middle = torch.where(seen.any(1)[:, None], _mean(spots, seen), box_token[:, :2].float())
    ray = torch.cat([middle, torch.ones_like(middle[:, :1])], dim=1)
    to_ray = turn_axis_to(ray)
    flat = _turned(spots, to_ray)
    if pose is not None:
        bare = ~seen.any(1, keepdim=True)
        flat = torch.where(bare[..., None], pose[..., :2].float().nan_to_num(), flat)
        seen = torch.where(bare, pose.isfinite().all(-1), seen)
    ends = [(flat[:, columns], seen[:, columns]) for columns in trunk]
    up = _mean(*ends[0]) - _mean(*ends[1])
    known = ends[0][1].any(1) & ends[1][1].any(1) & (up.norm(dim=1) > TINY)
    up = torch.where(known[:, None], up, up.new_tensor([0.0, -1.0]))
    sine, minus = (up / up.norm(dim=1, keepdim=True)).unbind(1)
    roll = torch.stack([-minus, sine], dim=1)
    about = torch.zeros_like(to_ray)
    about[:, :2, :2], about[:, 2, 2] = _turn(roll), 1.0
    return PersonFrame((to_ray[..., None] * about[:, None]).sum(2), roll)


def centred(
    keypoints: Tensor, confidence: Tensor, box_token: Tensor, trunk: Trunk
) -> tuple[Tensor, Tensor]:
    """Keypoints (B, J, 2), box units, on the plane of the person's frame, about the mean of the
    seen ones and over their spread; and where that is, (B, 5): the ray, the size, which way up. So
    the box does not matter, nor where in the picture somebody is, but for the numbers that say so.
    """
    frame = person_frame(keypoints, confidence, box_token, trunk)
    plane = _turned(_on_plane(keypoints, box_token), frame.axes)
    seen = confidence > 0
    middle = _mean(plane, seen)[:, None]
    offset = torch.where(seen[..., None], plane - middle, 0.0)
    count = seen.sum(1).clamp_min(1)[:, None, None]
    spread = (offset.square().sum((1, 2), keepdim=True) / count).sqrt().clamp_min(TINY)
    ray = frame.axes[:, :2, 2] / frame.axes[:, 2:, 2].clamp_min(BEHIND)
    return offset * (SPREAD / spread), torch.cat([ray, 2 * spread[:, 0], frame.roll], dim=1)


def _on_plane(keypoints: Tensor, box_token: Tensor) -> Tensor:
    """Where keypoints (B, J, 2), box units, lie at depth 1 before the camera."""
    token = box_token.float()[:, None]
    return token[..., :2] + keypoints.float() * token[..., 2:] / 2


def _turned(spots: Tensor, axes: Tensor) -> Tensor:
    """Spots (B, J, 2) at depth 1, as a camera of these axes (B, 3, 3) sees them."""
    rays = _product(torch.cat([spots, torch.ones_like(spots[..., :1])], dim=-1), axes)
    return rays[..., :2] / rays[..., 2:].clamp_min(BEHIND)


def _mean(points: Tensor, seen: Tensor) -> Tensor:
    """Of those that are seen: (B, J, 2), (B, J) → (B, 2)."""
    total = torch.where(seen[..., None], points, 0.0).sum(1)
    return total / seen.sum(1).clamp_min(1)[:, None]


def _turn(roll: Tensor) -> Tensor:
    """Cosine and sine (B, 2) → rotations of the plane (B, 2, 2)."""
    cosine, sine = roll.unbind(1)
    return torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], dim=1)


def _product(rows: Tensor, matrices: Tensor) -> Tensor:
    """Rows (..., B, J, C) times matrices (B, C, C)."""
    return (rows.float()[..., None] * matrices[:, None]).sum(-2)
