"""How people vary beyond what motions hold: cameras, bodies, postures.

Each share is of the people of a batch; all are off by default.
"""

import torch
from pydantic import Field
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.camera import rotation_of
from unihpe.body.conversions import convert
from unihpe.body.postures import KINDS, postures
from unihpe.body.proportions import trunk_axes
from unihpe.body.skeleton import Skeleton, side_of
from unihpe.body.virtual_cameras import uniform
from unihpe.settings import Settings

# Joints that move together when limbs are exchanged, from the trunk outwards.
LIMBS = (
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("left_knee", "left_ankle", "right_knee", "right_ankle"),
)


class Variety(Settings):
    """A table of recipes: [data.variety]."""

    free_cameras: float = Field(0.0, ge=0, le=1)  # share seen by `virtual_cameras.free_cameras`
    bodies: float = Field(0.0, ge=0, le=1)  # share of other proportions (`proportions.Bodies`)
    turned: float = Field(0.0, ge=0, le=1)  # share turned freely in space
    recombined: float = Field(0.0, ge=0, le=1)  # share with limbs of somebody else of the batch
    # Share whose scores say nothing: one number for all of a person's joints, or any for each.
    scores: float = Field(0.0, ge=0, le=1)
    # Share whose 2D a COCO detector made (`motion.coco_detector`), whatever `two_d` says.
    coco: float = Field(0.0, ge=0, le=1)
    # Share known by their limbs alone: trunk and head are made of those, as for COCO's keypoints,
    # or missing.
    limbs: float = Field(0.0, ge=0, le=1)
    # Share of the draws that the rarer kinds of posture get together, as alike as √ of their
    # frames; the others are drawn as they are.
    postures: float = Field(0.0, ge=0, lt=1)


AS_RECORDED = Variety()


def restated(confidence: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Scores (N, J) of which a share of the people has others, not 0, that tell nothing."""
    if not share:
        return confidence
    n, joints = confidence.shape
    constant, drawn = (uniform((n, columns), (0.2, 1.0), rng) for columns in (1, joints))
    alike = torch.rand(n, 1, generator=rng) < 0.5
    chosen = (torch.rand(n, 1, generator=rng) < share) & (confidence > 0)
    return torch.where(chosen, torch.where(alike, constant, drawn), confidence)


def by_limbs(
    keypoints: Tensor, confidence: Tensor, skeleton: Skeleton, share: float, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Keypoints (N, J, 2) and scores (N, J) of which a share of the people is known by the limbs:
    the other joints are made of those, where a rule says how, or missing, half of the people each.
    """
    if not share:
        return keypoints, confidence
    limbs = [n for n, joint in enumerate(skeleton.joints) if side_of(joint) != "centre"]
    made = convert(keypoints[:, limbs], confidence[:, limbs], skeleton.only(limbs), skeleton)
    draws = torch.rand(len(keypoints), 2, generator=rng) < torch.tensor([share, 0.5])
    score = torch.where(draws[:, 1:] & torch.tensor(made.synthesised), 0.0, made.confidence)
    chosen = draws[:, :1] & ((score > 0).sum(1, keepdim=True) >= FEWEST_JOINTS)
    return (
        torch.where(chosen[..., None], made.points, keypoints),
        torch.where(chosen, score, confidence),
    )


def by_posture(weights: Tensor, world: Tensor, skeleton: Skeleton, share: float) -> Tensor:
    """Weights (N,) of poses (N, J, 3) in which the kinds but upright make `share` of the draws."""
    kind = postures(world, skeleton)
    counts = torch.bincount(kind, minlength=len(KINDS)).double()
    wanted = counts.sqrt()
    wanted[0] = 0
    wanted = share * wanted / wanted.sum()
    wanted[0] = 1 - share
    mass = torch.zeros(len(KINDS)).double().index_add(0, kind, weights.double())
    return weights * (wanted / mass.clamp_min(1e-12))[kind]


def recombined(world: Tensor, skeleton: Skeleton, share: float, rng: torch.Generator) -> Tensor:
    """Poses (N, J, 3) of which a share has arms or legs of somebody else.

    A limb keeps its angles to the trunk it came from, which a body can do, and takes the bone
    lengths of the one it comes to (EvoSkeleton, PoseAug).
    """
    if not share:
        return world
    axes, _ = trunk_axes(world, skeleton)
    root = world[:, [skeleton.index("pelvis")]]
    own = (world - root) @ axes.mT  # in the trunk's axes
    result = own.clone()
    for limb in LIMBS:
        partner = torch.randperm(len(world), generator=rng)
        swap = (torch.rand(len(world), generator=rng) < 0.5)[:, None]
        for joint in limb:
            parent, child = skeleton.index(skeleton.parent_of[joint]), skeleton.index(joint)
            bone, other = own[:, child] - own[:, parent], (own[:, child] - own[:, parent])[partner]
            other = other * (bone.norm(dim=-1) / other.norm(dim=-1).clamp_min(1e-6))[:, None]
            result[:, child] = result[:, parent] + torch.where(swap, other, bone)
    chosen = (torch.rand(len(world), generator=rng) < share)[:, None, None]
    return torch.where(chosen, result @ axes + root, world)


def turned(world: Tensor, skeleton: Skeleton, share: float, rng: torch.Generator) -> Tensor:
    """Poses (N, J, 3) of which a share is turned about its pelvis, alike in all directions."""
    if not share:
        return world
    quaternion = torch.randn(len(world), 4, generator=rng)
    root = world[:, [skeleton.index("pelvis")]]
    rotated = (world - root) @ rotation_of(quaternion).mT + root
    chosen = torch.rand(len(world), generator=rng) < share
    return torch.where(chosen[:, None, None], rotated, world)
