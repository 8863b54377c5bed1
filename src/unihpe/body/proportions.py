"""Bodies as people are: lengths of bones, and where a data set's rules put its joints.

Motion capture knows a few body plans and one rule for each joint. A person here has bones of their
own length, and joints displaced by centimetres as other sets define them; the angles between the
bones stay those of the motion.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from unihpe.body.skeleton import Skeleton, side_of, without_side

# Standard deviations. Of lengths in logarithms: what all bones of a part share, and each bone.
PART, BONE, ASYMMETRY = 0.06, 0.08, 0.01
PARTS = {  # by the joint at a bone's far end, without its side
    "hip": "trunk", "spine": "trunk", "thorax": "trunk", "shoulder": "trunk",
    "knee": "leg", "ankle": "leg", "elbow": "arm", "wrist": "arm", "nose": "head", "head": "head",
}  # fmt: skip
WIDTHS = {"hip": 0.15, "shoulder": 0.15}  # in place of BONE: sets differ most in these
# Of displacements, in trunk lengths: sideways (outwards for joints with a side), along the trunk,
# and forwards. A hip may be the joint's centre or a point of the surface, and so on.
DISPLACED = {
    "pelvis": (0.0, 0.03, 0.02),
    "hip": (0.02, 0.05, 0.03),
    "spine": (0.0, 0.06, 0.05),
    "thorax": (0.0, 0.07, 0.04),
    "nose": (0.0, 0.07, 0.07),
    "head": (0.0, 0.08, 0.05),
    "shoulder": (0.03, 0.05, 0.03),
    "elbow": (0.01, 0.01, 0.01),
    "wrist": (0.01, 0.01, 0.01),
    "knee": (0.01, 0.02, 0.02),
    "ankle": (0.01, 0.02, 0.02),
}


@dataclass(frozen=True)
class Bodies:
    """N people; a clip keeps its person's row for all of its frames."""

    lengths: Tensor  # of the bone that ends in each joint, (N, J), factors
    displaced: Tensor  # of each joint, (N, J, 3), trunk lengths: sideways, along, forwards

    @classmethod
    def draw(
        cls,
        people: int,
        skeleton: Skeleton,
        generator: torch.Generator,
        share: float = 1.0,  # of the people who differ from what was recorded
    ) -> "Bodies":
        """People drawn independently."""

        def normal(columns: int) -> Tensor:
            return torch.randn(people, columns, generator=generator)

        names = [without_side(joint) for joint in skeleton.joints]
        parts = sorted(set(PARTS.values()))
        of_joint = [parts.index(PARTS.get(name, "trunk")) for name in names]
        deviation = torch.tensor([WIDTHS.get(name, BONE) for name in names])
        logs = PART * normal(len(parts))[:, of_joint] + deviation * _alike(normal, skeleton)
        logs = logs + ASYMMETRY * normal(len(skeleton))
        spread = torch.tensor([DISPLACED.get(name, (0.0, 0.0, 0.0)) for name in names])
        places = torch.stack([_alike(normal, skeleton) for _ in range(3)], dim=-1) * spread
        differs = (torch.rand(people, 1, generator=generator) < share).float()
        return cls((differs * logs).exp(), differs[..., None] * places)

    def shape(self, world: Tensor, skeleton: Skeleton) -> Tensor:
        """Poses of the N people, one each, rebuilt: (N, J, 3) → (N, J, 3), any axes and unit.

        The joint that others hang on stays; a skeleton without one keeps its lengths.
        """
        columns = {joint: skeleton.index(joint) for joint in skeleton.joints}
        made: dict[str, Tensor] = {}

        def place(joint: str) -> Tensor:
            if joint not in made:
                own, parent = world[:, columns[joint]], skeleton.parent_of.get(joint)
                made[joint] = own
                if parent is not None:
                    bone = own - world[:, columns[parent]]
                    made[joint] = place(parent) + self.lengths[:, columns[joint], None] * bone
            return made[joint]

        built = torch.stack([place(joint) for joint in skeleton.joints], dim=1)
        return built + _displacement(built, self.displaced, skeleton)


def _displacement(poses: Tensor, shares: Tensor, skeleton: Skeleton) -> Tensor:
    """Shares of the trunk's length (N, J, 3) along its axes, as vectors (N, J, 3)."""
    axes, length = trunk_axes(poses, skeleton)
    outwards = {"left": 1.0, "right": -1.0, "centre": 1.0}
    signs = torch.tensor([[outwards[side_of(joint)], 1.0, 1.0] for joint in skeleton.joints])
    return (shares * signs * length[:, None, None]) @ axes


def trunk_axes(poses: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """The trunk's axes, rows (N, 3, 3): to the person's left, up along it, forwards; and its length
    (N,), hips' to shoulders' mid-points."""
    left_hip, right_hip, left_shoulder, right_shoulder = (
        poses[:, skeleton.index(f"{side}_{name}")]
        for name in ("hip", "shoulder")
        for side in ("left", "right")
    )
    along = (left_shoulder + right_shoulder - left_hip - right_hip) / 2
    up = normalize(along, dim=-1)
    across = left_hip - right_hip + left_shoulder - right_shoulder
    left = normalize(across - (across * up).sum(-1, keepdim=True) * up, dim=-1)
    forwards = torch.linalg.cross(left, up)
    return torch.stack([left, up, forwards], dim=1), along.norm(dim=-1)


def _alike(normal: Callable[[int], Tensor], skeleton: Skeleton) -> Tensor:
    """Numbers (N, J) of `normal`, the same for both sides."""
    drawn = normal(len(skeleton))
    first = [min(n, other) for n, other in enumerate(skeleton.mirror)]
    return drawn[:, first]
