"""Whose joints a keypoint file holds: told, counted, or seen by their looks; and who has others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError, listing
from unihpe.inputs.detections import Detections, Hints
from unihpe.inputs.joints import called, with_missing
from unihpe.inputs.plausible import doubts_of, sets_of, sides_reason, units_reasons
from unihpe.io.arrays import Array


def recognised(found: Detections, path: Path, how: Hints) -> Detections:
    """The people with the joints of their set, in their units, who look like it."""
    units, sets = how.units or found.units, _joint_sets(found, path, how.skeleton)
    told = bool(how.skeleton or found.skeleton)
    found = replace(_of_set(found, path, sets[0]), units=units, believed=how.units is not None)
    joints = np.stack([person.joints for person in found.people])
    joints, unsure, notes = with_missing(joints, units, how.min_confidence)
    strange = units_reasons(joints, units, get_skeleton(sets[0]))
    reasons = [a or b for a, b in zip(unsure, strange, strict=True)]
    people = [replace(own, joints=row) for own, row in zip(found.people, joints, strict=True)]
    found = _without(replace(found, people=people), path, reasons)
    joints = joints[[reason is None for reason in reasons]]
    name, doubts = _look_alike(joints, sets, path, told=told)
    notes = [*found.notes, *notes, *doubts]
    found, skeleton = replace(found, skeleton=name, notes=tuple(notes)), get_skeleton(name)
    if how.sides is None and (wrong := sides_reason(joints, skeleton)):
        raise InputError(f"{path}: {wrong}")
    if how.sides == "swapped":
        columns = list(skeleton.mirror)
        own = [replace(person, joints=person.joints[columns]) for person in found.people]
        found = replace(found, people=own)
    return found


def _joint_sets(found: Detections, path: Path, given: str | None) -> list[str]:
    """The joint sets that the people may have, by what is said or else by their number."""
    if told := given or found.skeleton:
        return [told]
    counts = Counter(len(person.joints) for person in found.people)
    for count, _ in counts.most_common():
        if own := [name for name in sets_of(count) if name in found.sets]:
            return sorted(own, key=list(found.sets).index)
    candidates = listing([own for count in counts for own in sets_of(count)])
    what = found.what or f"does not say which joints its {', '.join(map(str, counts))} are"
    remedy = f"name them with --skeleton: {candidates}" if candidates else "no set has so many"
    raise InputError(f"{path}: {what}; {remedy}")


def _look_alike(joints: Array, sets: list[str], path: Path, told: bool) -> tuple[str, list[str]]:
    """The set of several of one size that people (N, J, 3) look like, and what to say of it."""
    name = sets[0]
    if not (doubts := doubts_of(joints, name)):
        return name, []
    looks = f"{joints.shape[1]} joints that do not look like {name}'s"
    if told:
        return name, [looks]
    if doubts[0] in sets and not doubts_of(joints, doubts[0]):
        return doubts[0], [f"{looks}, but like {doubts[0]}'s"]
    raise InputError(f"{path}: {looks}; name theirs with --skeleton: {', '.join(doubts)}")


def _of_set(found: Detections, path: Path, name: str) -> Detections:
    """The people who have a set's joints, alone or, as whole-body sets do, among others."""
    skeleton, reasons, people = get_skeleton(name), [], []
    for person in found.people:
        count = len(person.joints)
        told = [found.skeleton] if found.skeleton else [*{*sets_of(count)} & {*found.sets}]
        larger = get_skeleton(told[0]) if len(told) == 1 else skeleton
        if count == len(larger) > len(skeleton) and {*skeleton.joints} <= {*larger.joints}:
            columns = skeleton.select_from(larger)
            person = replace(person, joints=person.joints[columns])
        right = len(person.joints) == len(skeleton)
        counts = f"has {count} joints, {name} has {len(skeleton)}; name the right --skeleton"
        reasons.append(None if right else counts)
        people.append(person)
    return _without(replace(found, people=people, skeleton=name), path, reasons)


def _without(found: Detections, path: Path, reasons: Iterable[str | None]) -> Detections:
    """The people without a reason against them; the others are left out, unless all are."""
    judged = list(zip(found.people, reasons, strict=True))
    people = [person for person, reason in judged if reason is None]
    left_out = [f"{called(person)}: {reason}" for person, reason in judged if reason]
    if not people:
        raise InputError(f"{path}: {listing(left_out, 1)}")
    return replace(found, people=people, left_out=(*found.left_out, *left_out))
