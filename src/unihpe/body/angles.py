"""Joint angles in degrees, with ISB's signs where places of joints are enough for them.

The person's axes are to their left, up along a part of the trunk, and forwards. The pelvis' are
the line of the hips and the line from pelvis to spine; the trunk's, the line from pelvis to
thorax and the line of the shoulders. Turns about a limb's own length (hip, shoulder and forearm
rotation), the ankle, the wrist and what needs three points of a segment are left out: joints alone
do not give them. docs/measures.md defines each angle.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton, get_skeleton

JOINTS = get_skeleton("human36m17")
SIDES = ("left", "right")
# In a plane, an angle is blank where the limb lies so near to the plane's normal (sine of 15°).
LEAST_SHARE = 0.26
UPWARDS = (0.0, 1.0, 0.0)


def angles(places: Tensor, skeleton: Skeleton) -> dict[str, Tensor]:
    """Angles of poses (..., J, 3), y up and of any unit and origin, by name: degrees, (...).

    An angle of which a joint is missing, or that is not defined for a pose, is NaN.
    """
    body = _Body.of(places, skeleton)
    found = body.trunk_angles()
    for side in SIDES:
        found |= {f"{side}_{name}": angle for name, angle in body.limb_angles(side).items()}
    return {name: torch.rad2deg(angle) for name, angle in found.items()}


@dataclass(frozen=True)
class _Axes:
    """Unit directions (..., 3) of a part of the body."""

    left: Tensor
    up: Tensor
    forwards: Tensor

    def seen(self, line: Tensor, side: str = "left") -> tuple[Tensor, Tensor, Tensor]:
        """A direction's shares outwards to a side, up and forwards."""
        line, sign = normalize(line, dim=-1), 1.0 if side == "left" else -1.0
        shares = ((line * way).sum(-1) for way in (self.left, self.up, self.forwards))
        left, up, forwards = shares
        return sign * left, up, forwards


@dataclass(frozen=True)
class _Body:
    joint: dict[str, Tensor]  # (..., 3)

    @classmethod
    def of(cls, places: Tensor, skeleton: Skeleton) -> "_Body":
        seen = places.isfinite().all(-1).double()
        made = convert(places.double(), seen, skeleton, JOINTS).points
        return cls(dict(zip(JOINTS.joints, made.unbind(-2), strict=True)))

    def line(self, start: str, end: str) -> Tensor:
        return self.joint[end] - self.joint[start]

    def across(self, joint: str) -> Tensor:
        """From the right joint to the left one."""
        return self.line(f"right_{joint}", f"left_{joint}")

    def pelvis(self) -> _Axes:
        """The line of the hips leads."""
        left = normalize(self.across("hip"), dim=-1)
        up = _square_to(self.line("pelvis", "spine"), left)
        return _Axes(left, up, torch.linalg.cross(left, up))

    def trunk(self) -> _Axes:
        """The line from pelvis to thorax leads."""
        up = normalize(self.line("pelvis", "thorax"), dim=-1)
        left = _square_to(self.across("shoulder"), up)
        return _Axes(left, up, torch.linalg.cross(left, up))

    def level(self) -> _Axes:
        """The vertical leads, and the line of the hips says where left is."""
        up = self.joint["pelvis"].new_tensor(UPWARDS).expand_as(self.joint["pelvis"])
        left = _square_to(self.across("hip"), up)
        return _Axes(left, up, torch.linalg.cross(left, up))

    def limb_angles(self, side: str) -> dict[str, Tensor]:
        hip, knee, ankle, shoulder, elbow, wrist = (
            f"{side}_{name}" for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        )
        thigh, upper_arm = self.line(hip, knee), self.line(shoulder, elbow)
        out, up, ahead = self.pelvis().seen(thigh, side)
        arm_out, arm_up, arm_ahead = self.trunk().seen(upper_arm, side)
        return {
            "knee_flexion": _between(thigh, self.line(knee, ankle)),
            "hip_flexion": _in_plane(ahead, -up),
            "hip_abduction": out.clamp(-1, 1).asin(),
            "elbow_flexion": _between(upper_arm, self.line(elbow, wrist)),
            "shoulder_elevation": _between(upper_arm, -self.trunk().up),
            "shoulder_flexion": _in_plane(arm_ahead, -arm_up),
            "shoulder_abduction": _in_plane(arm_out, -arm_up),
        }

    def trunk_angles(self) -> dict[str, Tensor]:
        level, trunk = self.level(), self.trunk()
        line = self.line("pelvis", "thorax")
        left, up, ahead = level.seen(line)
        head_left, head_up, head_ahead = trunk.seen(self.line("thorax", "head"))
        hips = _square_to(self.across("hip"), trunk.up)
        turned = torch.linalg.cross(hips, trunk.left)
        return {
            "trunk_flexion": _in_plane(ahead, up),
            "trunk_lateral_flexion": _in_plane(-left, up),
            "trunk_inclination": _between(line, level.up),
            "trunk_rotation": torch.atan2((turned * trunk.up).sum(-1), (hips * trunk.left).sum(-1)),
            "pelvis_obliquity": _rise(self.across("hip")),
            "shoulder_obliquity": _rise(self.across("shoulder")),
            "neck_flexion": _in_plane(head_ahead, head_up),
            "neck_lateral_flexion": _in_plane(-head_left, head_up),
        }


def _square_to(line: Tensor, axis: Tensor) -> Tensor:
    """A direction's part that is square to a unit axis, as a unit vector."""
    return normalize(line - (line * axis).sum(-1, keepdim=True) * axis, dim=-1)


def _between(a: Tensor, b: Tensor) -> Tensor:
    """The angle between two directions, from 0 to π."""
    cross = torch.linalg.cross(*torch.broadcast_tensors(a, b)).norm(dim=-1)
    return torch.atan2(cross, (a * b).sum(-1))


def _in_plane(sine: Tensor, cosine: Tensor) -> Tensor:
    """The angle of a unit vector's shadow in a plane; NaN where it has next to none."""
    share = torch.hypot(sine, cosine)
    return torch.where(share > LEAST_SHARE, torch.atan2(sine, cosine), torch.nan)


def _rise(line: Tensor) -> Tensor:
    """How far a line points above the horizontal."""
    return normalize(line, dim=-1)[..., 1].clamp(-1, 1).asin()
