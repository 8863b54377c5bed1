"""Joints of one set as those of another, by name.

What a target set needs and a source set lacks is made where a rule below says how, and marked as
such; what has no rule stays missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton

# How a joint is made from others: weighted sums, tried in order; for each person the first whose
# sources are seen (or can be made) is used. Weights were fitted to nothing: they are what the sets'
# own definitions imply, for a person of common proportions.
Rule = Mapping[str, float]
RULES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "pelvis": ({"left_hip": 0.5, "right_hip": 0.5},),
        # Human3.6M's thorax lies a tenth of the torso above the mid-shoulder line
        "thorax": (
            {"left_shoulder": 0.55, "right_shoulder": 0.55, "left_hip": -0.05, "right_hip": -0.05},
            {"neck": 1.0},
            {"left_shoulder": 0.5, "right_shoulder": 0.5},
        ),
        "neck": (
            {"left_shoulder": 0.55, "right_shoulder": 0.55, "left_hip": -0.05, "right_hip": -0.05},
            {"thorax": 1.0},
        ),
        "spine": ({"pelvis": 0.5, "thorax": 0.5}, {"spine2": 1.0}, {"spine1": 1.0}),
        # the nose lies midway between the eyes and the mouth, a little before the ears
        "nose": (
            {"left_eye": 0.5, "right_eye": 0.5},
            {"left_ear": 0.5, "right_ear": 0.5},
            {"jaw": 0.5, "head": 0.5},
            {"head": 0.5, "neck": 0.5},
            {"head_top": 0.55, "neck": 0.45},
        ),
        # Human3.6M's head is the top of the head
        "head": (
            {"head_top": 1.0},
            {"left_ear": 0.95, "right_ear": 0.95, "left_shoulder": -0.45, "right_shoulder": -0.45},
            {"left_eye": 0.85, "right_eye": 0.85, "left_shoulder": -0.35, "right_shoulder": -0.35},
            {"nose": 1.6, "left_shoulder": -0.3, "right_shoulder": -0.3},
        ),
        "head_top": (
            {"head": 1.0},
            {"left_ear": 0.95, "right_ear": 0.95, "left_shoulder": -0.45, "right_shoulder": -0.45},
        ),
    }
)
# Sets in which `head` is a joint inside the skull, not its top.
INNER_HEAD = ("smpl24", "mpi_inf_3dhp28", "mpi_inf_3dhp17")


@dataclass(frozen=True)
class Converted:
    """Joints in another set's order."""

    points: Tensor  # (..., J, C); NaN where a joint is missing
    confidence: Tensor  # (..., J); 0 is missing; a synthesised joint has the least of its sources'
    synthesised: tuple[bool, ...]  # whether a rule made the joint, length J


def convert(points: Tensor, confidence: Tensor, source: Skeleton, target: Skeleton) -> Converted:
    """Joints of `source` as those of `target`: points (..., J, C), confidence (..., J)."""
    made = {joint: (points[..., n, :], confidence[..., n]) for n, joint in enumerate(source.joints)}
    if source.name in INNER_HEAD and target.name not in INNER_HEAD:
        made.pop("head")
    own = set(made)
    absent = torch.full_like(points[..., 0, :], torch.nan), torch.zeros_like(confidence[..., 0])
    columns = [make(joint, made, ()) or absent for joint in target.joints]
    stacked = torch.stack([score for _, score in columns], dim=-1)
    places = torch.stack([place for place, _ in columns], dim=-2)
    missing = (stacked <= 0)[..., None]
    return Converted(
        torch.where(missing, torch.nan, places),
        stacked,
        tuple(j not in own and j in made for j in target.joints),
    )


def make(
    joint: str, made: dict[str, tuple[Tensor, Tensor]], asked: tuple[str, ...]
) -> tuple[Tensor, Tensor] | None:
    """A joint's place and confidence: its own, or each person's by the first rule that has sources.

    `made` remembers it; `asked` are the joints that wait for this one.
    """
    if joint in made:
        return made[joint]
    if joint in asked:
        return None
    best: tuple[Tensor, Tensor] | None = None
    for rule in RULES.get(joint, ()):
        parts = {name: make(name, made, (*asked, joint)) for name in rule}
        found = {name: part for name, part in parts.items() if part is not None}
        if len(found) < len(rule):
            continue
        place = torch.stack([weight * found[name][0] for name, weight in rule.items()]).sum(0)
        score = torch.stack([score for _, score in found.values()]).amin(0)
        if best is None:
            best = place, score
        else:
            better = (best[1] <= 0) & (score > 0)
            place = torch.where(better[..., None], place, best[0])
            best = place, torch.where(better, score, best[1])
    if best is not None:
        made[joint] = best
    return best
