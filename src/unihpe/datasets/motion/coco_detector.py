"""2D as a COCO detector gives it: limbs and nose with the errors of MoveNet Thunder.

Measured on 1,500 rendered people, whose joints are known exactly (docs/notebook/lifting.md): how
far each joint is off, seen or hidden, its score, how both go together within a person, and how
often sides are exchanged. Who hides a joint is not modelled, and the detector's far tails at wrists
and ankles are longer. Trunk and head follow from the limbs by the rules of `conversions`.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from unihpe.body.boxes import extent
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton, without_side
from unihpe.body.virtual_cameras import uniform

Quantiles = tuple[float, float, float, float, float]  # at `AT`


class _Joint(NamedTuple):
    """Of a joint that is seen, and of one that is hidden."""

    seen: float  # the median error, over the root of the area of the person's extent
    hidden: float
    score_seen: Quantiles
    score_hidden: Quantiles


JOINTS = {
    "nose": _Joint(0.037, 0.053, (0.22, 0.47, 0.58, 0.68, 0.80), (0.08, 0.17, 0.36, 0.50, 0.62)),
    "shoulder": _Joint(
        0.045, 0.057, (0.45, 0.64, 0.75, 0.84, 0.91), (0.38, 0.56, 0.69, 0.78, 0.88)
    ),
    "elbow": _Joint(0.030, 0.086, (0.22, 0.46, 0.61, 0.75, 0.88), (0.13, 0.27, 0.41, 0.56, 0.77)),
    "wrist": _Joint(0.022, 0.109, (0.18, 0.42, 0.59, 0.73, 0.85), (0.08, 0.15, 0.24, 0.37, 0.62)),
    "hip": _Joint(0.038, 0.054, (0.42, 0.62, 0.74, 0.83, 0.90), (0.36, 0.56, 0.70, 0.80, 0.88)),
    "knee": _Joint(0.025, 0.050, (0.32, 0.57, 0.72, 0.82, 0.90), (0.17, 0.38, 0.57, 0.72, 0.85)),
    "ankle": _Joint(0.023, 0.086, (0.26, 0.53, 0.68, 0.80, 0.90), (0.06, 0.20, 0.37, 0.57, 0.78)),
}  # fmt: skip
AT = (0.05, 0.25, 0.5, 0.75, 0.95)
HIDDEN = 0.235  # share of the joints
DEVIATION = 0.75  # of the logarithm of an error
TOGETHER = 0.27  # correlation of the errors of one person's joints
TOLD = -0.45  # correlation of a joint's score with its error
# Chances that sides are exchanged: of all limbs, of the legs, of the arms, of a single joint.
EXCHANGED, LEGS, ARMS, SINGLE = 0.009, 0.026, 0.019, 0.02
LIMBS = {"arms": ("shoulder", "elbow", "wrist"), "legs": ("hip", "knee", "ankle")}


def coco_detect(
    keypoints: Tensor, confidence: Tensor, joints: Skeleton, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Exact 2D (N, J, 2), pixels, with scores (N, J), 0 where nothing is known, as the detector
    would report it, in the same joints; what it does not have and no rule makes is missing."""
    own = joints.columns_of(JOINTS)
    found = joints.only(own)
    known = confidence[:, own] > 0
    least, most = extent(keypoints, confidence > 0)
    unit = (most - least).prod(-1).sqrt()
    places = _exchanged(keypoints[:, own], known, found, generator)
    n, count = known.shape
    rows = [JOINTS[without_side(joint)] for joint in found.joints]
    hidden = torch.rand(n, count, generator=generator) < HIDDEN
    person = torch.randn(n, 1, generator=generator)
    alone, other = torch.randn(2, n, count, generator=generator)
    level = TOGETHER**0.5 * person + (1 - TOGETHER) ** 0.5 * alone
    medians = torch.tensor([[row.seen, row.hidden] for row in rows])
    median = torch.where(hidden, medians[:, 1], medians[:, 0])
    angle = uniform((n, count), (0, 2 * torch.pi), generator)
    reach = unit[:, None] * median * (DEVIATION * level).exp()
    spots = places + reach[..., None] * torch.stack([angle.cos(), angle.sin()], dim=-1)
    odds = torch.special.ndtr(TOLD * level + (1 - TOLD**2) ** 0.5 * other)
    quantiles = torch.tensor([[row.score_seen, row.score_hidden] for row in rows])
    score = _quantile(torch.where(hidden[..., None], quantiles[:, 1], quantiles[:, 0]), odds)
    made = convert(spots, torch.where(known, score, 0.0), found, joints)
    return made.points, made.confidence


def _exchanged(places: Tensor, known: Tensor, found: Skeleton, generator: Generator) -> Tensor:
    """Places (N, J, 2) of which some are the other side's."""
    n = len(places)
    draws = torch.rand(n, 3, generator=generator) < torch.tensor([EXCHANGED, ARMS, LEGS])
    names = [without_side(joint) for joint in found.joints]
    parts = torch.tensor([[name in limb for name in names] for limb in LIMBS.values()])
    swap = draws[:, :1] | (draws[:, 1:, None] & parts).any(1)
    single = torch.rand(n, len(found), generator=generator) < SINGLE
    other = list(found.mirror)
    return torch.where(((swap | single) & known[:, other])[..., None], places[:, other], places)


def _quantile(values: Tensor, odds: Tensor) -> Tensor:
    """Where a distribution with `values` (..., 5) at `AT` reaches the odds (...), linearly."""
    at = torch.tensor(AT)
    cell = torch.searchsorted(at, odds.clamp(0.001, 0.999).contiguous()).clamp(1, len(AT) - 1)
    low, high = (values.gather(-1, (cell + k)[..., None])[..., 0] for k in (-1, 0))
    share = (odds - at[cell - 1]) / (at[cell] - at[cell - 1])
    return (low + share * (high - low)).clamp(0.02, 1.0)
