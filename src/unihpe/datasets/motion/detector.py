"""A detector's errors on exact 2D joints: the noise model behind the *detected* 2D of motion data.

After the taxonomy of Ronchi & Perona (ICCV 2017) and its use in PoseFix (CVPR 2019): each joint is
*good*, *jittered*, *inverted* (on its left/right partner), *swapped* (on somebody else) or
*missed*; how far it lands is set by the keypoint similarity KS = exp(−d² / (2·area·(2σ)²)), with
COCO's σ of the joint. Every figure stands in the tables below.
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.boxes import extent
from unihpe.body.skeleton import Skeleton, without_side
from unihpe.body.virtual_cameras import uniform


class _JointErrors(NamedTuple):
    sigma: float  # COCO's σ of the joint
    jitter: float  # a probability, like those below; the rest is good
    inversion: float
    miss: float


# PoseFix's rates for a person seen whole: σ, jitter, inversion, miss. Joints that COCO lacks take
# those of the nearest joint it has.
ERRORS = {
    "nose": _JointErrors(0.026, 0.10, 0.00, 0.02),
    "head": _JointErrors(0.079, 0.10, 0.00, 0.02),
    "thorax": _JointErrors(0.079, 0.15, 0.00, 0.05),
    "spine": _JointErrors(0.107, 0.20, 0.00, 0.05),
    "pelvis": _JointErrors(0.107, 0.20, 0.00, 0.05),
    "shoulder": _JointErrors(0.079, 0.15, 0.03, 0.05),
    "elbow": _JointErrors(0.072, 0.15, 0.03, 0.10),
    "wrist": _JointErrors(0.062, 0.15, 0.03, 0.10),
    "hip": _JointErrors(0.107, 0.20, 0.06, 0.10),
    "knee": _JointErrors(0.087, 0.10, 0.06, 0.10),
    "ankle": _JointErrors(0.089, 0.10, 0.06, 0.05),
}
OTHER = _JointErrors(0.079, 0.15, 0.03, 0.05)  # a joint of another skeleton
SWAP = 0.02  # probability, every joint
UNDETECTED = 0.02  # probability that a joint is not reported at all: confidence 0
AREA = 0.53  # a person's silhouette as a share of the joints' box, PoseFix
SWAP_DISTANCE = (0.3, 0.8)  # how far the other person stands, in box sides
# Of each outcome, drawn uniformly: keypoint similarity (of inverted and swapped joints to the wrong
# spot), and the stated confidence: sure of what is right, unsure of what is wrong, never reliably.
OUTCOMES = {
    "jitter": ((0.5, 0.85), (0.35, 0.95)),
    "inversion": ((0.5, 1.0), (0.3, 0.9)),
    "swap": ((0.5, 1.0), (0.3, 0.9)),
    "miss": ((0.1, 0.5), (0.1, 0.6)),
    "good": ((0.85, 1.0), (0.6, 1.0)),
}


def _errors_of(joint: str) -> _JointErrors:
    return ERRORS.get(without_side(joint), OTHER)


def detect(
    keypoints: Tensor, known: Tensor, skeleton: Skeleton, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Exact 2D joints (N, J, 2), pixels, as a detector would report them; and confidence (N, J).

    A joint that it misses, or that is not `known`, (N, J) above 0, has confidence 0.
    """
    n, joints = keypoints.shape[:2]
    rows = [_errors_of(joint) for joint in skeleton.joints]
    rates = torch.tensor([[row.jitter, row.inversion, SWAP, row.miss] for row in rows])
    edges = rates.cumsum(-1).expand(n, joints, 4).contiguous()
    drawn = uniform((n, joints, 1), (0, 1), generator)
    outcome = torch.searchsorted(edges, drawn)[..., 0]  # as in `OUTCOMES`: 0 jitter … 4 good
    least, most = extent(keypoints, keypoints.isfinite().all(-1))
    size = most - least  # of each person, (N, 2)
    centre = torch.where((outcome == 1)[..., None], keypoints[:, list(skeleton.mirror)], keypoints)
    aside = uniform((n, 1, 1), SWAP_DISTANCE, generator) * size.amax(-1)[:, None, None]
    side = torch.where(uniform((n, 1, 1), (0, 1), generator) < 0.5, -1.0, 1.0)
    other = centre + torch.cat([side * aside, torch.zeros_like(aside)], dim=-1)
    centre = torch.where((outcome == 2)[..., None], other, centre)
    similarity, stated = torch.tensor(list(OUTCOMES.values())).unbind(1)  # (5, 2) each
    sigma = torch.tensor([row.sigma for row in rows])
    scale = 2 * sigma * (AREA * size.prod(-1, keepdim=True)).sqrt()  # (N, J)
    far, near = (scale[..., None] * (-2 * similarity.log()).sqrt()[outcome]).unbind(-1)
    reach = uniform((n, joints), (near, far), generator)
    angle = uniform((n, joints), (0, 2 * math.pi), generator)
    spots = centre + reach[..., None] * torch.stack([angle.cos(), angle.sin()], dim=-1)
    lost = uniform((n, joints), (0, 1), generator) < UNDETECTED
    lost &= lost.sum(1, keepdim=True) <= joints - FEWEST_JOINTS
    low, high = stated[outcome].unbind(-1)
    confidence = torch.where(lost, 0.0, uniform((n, joints), (low, high), generator))
    return torch.where(lost[..., None], torch.nan, spots), torch.where(known > 0, confidence, 0.0)
