"""People's joints as plain numbers: x, y, confidence; and which of them are missing."""

from dataclasses import replace

import numpy as np

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.errors import InputError, one_line
from unihpe.inputs.detections import Detections, Person, Units
from unihpe.io.arrays import Array
from unihpe.io.files import BROKEN

DEPTHS = 1e2, 1e6  # mm: no score is as large, and no camera sees as far
MISSING = (0.0, -1.0)  # x and y of joints that a tool did not find, whatever score it gives them
FLAGS = (0.0, 1.0, 2.0)  # COCO's visibility; to be seen or hidden is to be there


def in_numbers(detections: Detections) -> Detections:
    """People's joints as (J, 3), x, y and score; whose cannot be read is left out."""
    people, left_out = [], [*detections.left_out]
    for person in detections.people:
        try:
            people.append(replace(person, joints=_rows(person), scores=None))
        except BROKEN as error:
            layout = f"not as its layout says ({type(error).__name__}: {one_line(error, 80)})"
            why = error if isinstance(error, InputError) else layout
            left_out.append(f"{called(person)}: {why}")
    return replace(detections, people=people, left_out=tuple(left_out))


def called(person: Person) -> str:
    return f"{person.image}, person {person.person}"


def _rows(person: Person) -> Array:
    values = np.asarray([] if person.joints is None else person.joints, dtype=np.float64)
    if not values.size:
        raise InputError("no keypoints")
    if values.ndim == 1 and person.scores is None:
        values = values.reshape(-1, 3)
    if values.ndim != 2 or values.shape[1] not in (2, 3):
        raise InputError(f"keypoints are {values.shape}, not x and y of each joint and a score")
    if np.isinf(values[:, :2]).any():
        remedy = "a missing joint is NaN or has confidence 0"
        raise InputError(f"it holds an infinite coordinate; {remedy}")
    three = values.shape[1] == 3
    if three and (person.scores is not None or _has_depth(values)):
        raise InputError("three coordinates a joint: a 3D pose; 2D keypoints are lifted")
    if three:
        return values
    scores = np.ones(len(values)) if person.scores is None else np.asarray(person.scores, float)
    if scores.shape != (len(values),):
        raise InputError(f"{scores.size} scores for {len(values)} joints")
    return np.column_stack([values, scores])


def _has_depth(rows: Array) -> bool:
    """Whether third numbers are no scores: negative ones beside negative x and y, or mm."""
    x_y, third = rows[:, :2], rows[np.isfinite(rows[:, 2]), 2]
    relative = len(np.unique(third[third < 0])) > 2 and (x_y < 0).mean() > 0.2
    return relative or (third.size > 0 and DEPTHS[0] < float(np.median(third)) < DEPTHS[1])


def with_missing(detections: Detections, units: Units, min_confidence: float) -> Detections:
    """Joints that a tool marks as missing, or is too unsure of, as NaN with confidence 0."""
    notes, people, left_out = [*detections.notes], [], [*detections.left_out]
    rows = np.concatenate([person.joints for person in detections.people])
    marked, scores = _marked(rows, units), np.nan_to_num(rows[:, 2])
    if count := int((marked & (scores > 0)).sum()):
        notes.append(f"{count} scored joints at (0, 0) or (-1, -1) are taken as missing")
    odd = (scores > 1) | ((scores < 0) & (scores != -1))
    if odd.any() and not np.isin(scores, FLAGS).all():
        reach = f"scores from {scores.min():.3g} to {scores.max():.3g} are no probabilities"
        notes.append(f"{reach}: above 1 counts as 1, below 0 as missing")
    unsure = 0
    for person in detections.people:
        x_y, scores = person.joints[:, :2], np.nan_to_num(person.joints[:, 2]).clip(0, 1)
        scores[_marked(person.joints, units) | np.isnan(x_y).any(1)] = 0
        kept = np.where(scores < min_confidence, 0, scores)
        there, sure = int(np.count_nonzero(scores)), int(np.count_nonzero(kept))
        if sure < FEWEST_JOINTS <= there:
            few = f"only {sure} joints have confidence {min_confidence:g} or more"
            left_out.append(f"{called(person)}: {few}; --min-confidence lowers the limit")
            continue
        unsure += there - sure
        joints = np.column_stack([np.where(kept[:, None] > 0, x_y, np.nan), kept])
        people.append(replace(person, joints=joints))
    if unsure:
        few = f"joints with confidence below {min_confidence:g} are taken as missing, {unsure}"
        notes.append(f"{few} in all; --min-confidence changes the limit")
    return replace(detections, people=people, left_out=tuple(left_out), notes=tuple(notes))


def _marked(rows: Array, units: Units) -> Array:
    """Which joints lie where tools put those that they did not find, (J,)."""
    if units not in ("pixels", "shares"):  # there, (0, 0) and (-1, -1) are places
        return np.zeros(len(rows), dtype=bool)
    marked: Array = np.isin(rows[:, 0], MISSING) & (rows[:, 0] == rows[:, 1])
    return marked
