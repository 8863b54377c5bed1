"""Joints of one set as those of another, by name.

What a target set needs and a source set lacks is made where a rule below says how, and marked as
such; what has no rule stays missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from unihpe.body.skeleton import TABLES, Skeleton
from unihpe.errors import InputError

Rule = Mapping[str, float]
Made = tuple[Tensor, Tensor]  # a joint's place (..., C) and confidence (...)
# How a joint is made from others, with the reasons, is in skeletons.toml.
RULES: Mapping[str, list[Rule]] = TABLES["rules"]
# Sets in which `head` is a joint inside the skull, not its top.
INNER_HEAD = ("smpl24", "mpi_inf_3dhp28", "mpi_inf_3dhp17")


@dataclass(frozen=True)
class Converted:
    """Joints in another set's order."""

    points: Tensor  # (..., J, C); NaN where a joint is missing
    confidence: Tensor  # (..., J); 0 is missing; a synthesised joint has the least of its sources'
    synthesised: tuple[bool, ...]  # whether a rule made the joint, length J


def convert(points: Tensor, confidence: Tensor, source: Skeleton, target: Skeleton) -> Converted:
    """Joints of `source` as those of `target`: points (..., J, C), confidence (..., J).

    InputError for what is no skeleton, or shapes that do not fit the source's joints.
    """
    if odd := [one for one in (source, target) if not isinstance(one, Skeleton)]:
        raise InputError(f"convert takes skeletons (see get_skeleton), not {odd[0]!r}")
    shapes = [tuple(getattr(one, "shape", ())) for one in (points, confidence)]
    if not (isinstance(points, Tensor) and isinstance(confidence, Tensor)) or (
        shapes[0][-2:-1] != (len(source),) or shapes[0][:-1] != shapes[1]
    ):
        wanted = f"tensors (..., {len(source)}, C) and (..., {len(source)}) for {source.name}"
        raise InputError(f"points and confidence must be {wanted}, not {shapes[0]}, {shapes[1]}")
    made = {joint: (points[..., n, :], confidence[..., n]) for n, joint in enumerate(source.joints)}
    if source.name in INNER_HEAD and target.name not in INNER_HEAD:
        made.pop("head")
    own = set(made)
    absent = torch.full_like(points[..., 0, :], torch.nan), torch.zeros_like(confidence[..., 0])
    columns = [_make(joint, made, ()) or absent for joint in target.joints]
    scores = torch.stack([score for _, score in columns], dim=-1)
    places = torch.stack([place for place, _ in columns], dim=-2)
    synthesised = tuple(j not in own and j in made for j in target.joints)
    return Converted(places.masked_fill((scores <= 0)[..., None], torch.nan), scores, synthesised)


def _make(joint: str, made: dict[str, Made], asked: tuple[str, ...]) -> Made | None:
    """A joint's own place, or each person's by the first rule that has sources.

    `made` remembers it; `asked` are the joints that wait for this one.
    """
    if joint in made:
        return made[joint]
    if joint in asked:
        return None
    best: Made | None = None
    for rule in RULES.get(joint, ()):
        parts = [_make(name, made, (*asked, joint)) for name in rule]
        known = [part for part in parts if part is not None]
        if len(known) < len(rule):
            continue
        weighted = [w * place for w, (place, _) in zip(rule.values(), known, strict=True)]
        place, score = torch.stack(weighted).sum(0), torch.stack([s for _, s in known]).amin(0)
        if best is not None:
            better = (best[1] <= 0) & (score > 0)
            place = torch.where(better[..., None], place, best[0])
            score = torch.where(better, score, best[1])
        best = place, score
    if best is not None:
        made[joint] = best
    return best
