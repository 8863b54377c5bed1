"""A detector's errors on exact 2D joints: the noise model behind the *detected* 2D of motion data.

After the taxonomy of Ronchi & Perona (ICCV 2017) and its use in PoseFix (CVPR 2019): each joint is
*good*, *jittered*, *inverted* (on its left/right partner), *swapped* (on somebody else) or
*missed*; how far it lands is set by the keypoint similarity KS = exp(−d² / (2·area·(2σ)²)), with
COCO's σ of the joint. Every figure stands in the tables below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.skeleton import Skeleton
from unihpe.body.virtual_cameras import uniform


@dataclass(frozen=True)
class JointErrors:
    """How one joint fails: COCO's σ and the probabilities of each error (the rest is good)."""

    sigma: float
    jitter: float
    inversion: float
    miss: float


# PoseFix's rates for a person seen whole; joints that COCO lacks take those of the nearest joint it
# has.
ERRORS = {
    "nose": JointErrors(sigma=0.026, jitter=0.10, inversion=0.00, miss=0.02),
    "head": JointErrors(sigma=0.079, jitter=0.10, inversion=0.00, miss=0.02),
    "thorax": JointErrors(sigma=0.079, jitter=0.15, inversion=0.00, miss=0.05),
    "spine": JointErrors(sigma=0.107, jitter=0.20, inversion=0.00, miss=0.05),
    "pelvis": JointErrors(sigma=0.107, jitter=0.20, inversion=0.00, miss=0.05),
    "shoulder": JointErrors(sigma=0.079, jitter=0.15, inversion=0.03, miss=0.05),
    "elbow": JointErrors(sigma=0.072, jitter=0.15, inversion=0.03, miss=0.10),
    "wrist": JointErrors(sigma=0.062, jitter=0.15, inversion=0.03, miss=0.10),
    "hip": JointErrors(sigma=0.107, jitter=0.20, inversion=0.06, miss=0.10),
    "knee": JointErrors(sigma=0.087, jitter=0.10, inversion=0.06, miss=0.10),
    "ankle": JointErrors(sigma=0.089, jitter=0.10, inversion=0.06, miss=0.05),
}
OTHER = JointErrors(
    sigma=0.079, jitter=0.15, inversion=0.03, miss=0.05
)  # a joint of another skeleton
SWAP = 0.02  # probability, every joint
UNDETECTED = 0.02  # probability that a joint is not reported at all: confidence 0
GOOD_KS, JITTER_KS, MISS_KS = (
    (0.85, 1.0),
    (0.5, 0.85),
    (0.1, 0.5),
)  # keypoint similarity of each outcome
AREA = 0.53  # a person's silhouette as a share of the joints' box, PoseFix
SWAP_DISTANCE = (0.3, 0.8)  # how far the other person stands, in box sides
# What a detector says of itself, drawn uniformly: sure of what is right, unsure of what is wrong,
# never reliably so.
CONFIDENCE = {
    "good": (0.6, 1.0),
    "jitter": (0.35, 0.95),
    "inversion": (0.3, 0.9),
    "swap": (0.3, 0.9),
    "miss": (0.1, 0.6),
}


def errors_of(joint: str) -> JointErrors:
    """The row of a joint's table, by its name without the side."""
    return ERRORS.get(joint.removeprefix("left_").removeprefix("right_"), OTHER)


def detect(
    keypoints: Tensor, skeleton: Skeleton, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Exact 2D joints as a detector would report them.

    Args:
        keypoints: exact, pixels, (N, J, 2).
        skeleton: names the J joints.
        generator: the randomness.

    Returns:
        keypoints (N, J, 2), pixels, and confidence (N, J); an undetected joint has confidence 0 and
        NaN coordinates.
    """
    n, joints = keypoints.shape[:2]
    rows = [errors_of(joint) for joint in skeleton.joints]
    rates = torch.tensor([[row.jitter, row.inversion, SWAP, row.miss] for row in rows])
    outcome = torch.searchsorted(
        rates.cumsum(-1).expand(n, joints, 4).contiguous(),
        uniform((n, joints, 1), (0, 1), generator),
    )[..., 0]  # 0 jitter, 1 inversion, 2 swap, 3 miss, 4 good
    extent = keypoints.amax(1) - keypoints.amin(1)  # (N, 2)
    centre = torch.where((outcome == 1)[..., None], keypoints[:, list(skeleton.mirror)], keypoints)
    aside = uniform((n, 1, 1), SWAP_DISTANCE, generator) * extent.amax(-1)[:, None, None]
    side = torch.where(uniform((n, 1, 1), (0, 1), generator) < 0.5, -1.0, 1.0)
    other = centre + torch.cat([side * aside, torch.zeros_like(aside)], dim=-1)
    centre = torch.where((outcome == 2)[..., None], other, centre)
    reach = error_radius(outcome, torch.tensor([row.sigma for row in rows]), extent, generator)
    angle = uniform((n, joints), (0, 2 * math.pi), generator)
    found = centre + reach[..., None] * torch.stack([angle.cos(), angle.sin()], dim=-1)
    lost = uniform((n, joints), (0, 1), generator) < UNDETECTED
    lost &= lost.sum(1, keepdim=True) <= joints - FEWEST_JOINTS
    confidence = torch.where(lost, 0.0, stated_confidence(outcome, generator))
    return torch.where(lost[..., None], torch.nan, found), confidence


def error_radius(
    outcome: Tensor, sigma: Tensor, extent: Tensor, generator: torch.Generator
) -> Tensor:
    """How far from its centre each joint lands, (N, J) pixels: outcome (N, J), sigma (J,), extent (N, 2) pixels."""
    ks = torch.tensor([JITTER_KS, (JITTER_KS[0], 1.0), (JITTER_KS[0], 1.0), MISS_KS, GOOD_KS])
    scale = 2 * sigma * (AREA * extent.prod(-1, keepdim=True)).sqrt()  # (N, J)
    far, near = (scale[..., None] * (-2 * ks.log()).sqrt()[outcome]).unbind(-1)
    return near + (far - near) * uniform(outcome.shape, (0, 1), generator)


def stated_confidence(outcome: Tensor, generator: torch.Generator) -> Tensor:
    """The score a detector gives each joint, (N, J) in [0, 1]."""
    low, high = torch.tensor(
        [CONFIDENCE[name] for name in ("jitter", "inversion", "swap", "miss", "good")]
    ).T
    confidence: Tensor = low[outcome] + (high - low)[outcome] * uniform(
        outcome.shape, (0, 1), generator
    )
    return confidence
