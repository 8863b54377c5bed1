"""People's joints as plain numbers: x, y, confidence; and which of them are missing."""

from dataclasses import replace

import numpy as np

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.errors import InputError, one_line
from unihpe.inputs.detections import Detections, Person, Units
from unihpe.io.arrays import Array
from unihpe.io.files import BROKEN

# No scores: third numbers from 1.2 (metres) beside x and y below 10, which are no pixels; and from
# 100 (mm). Beyond a kilometre nobody sees.
METRES, MILLIMETRES, CLOSE = (1.2, 1e3), (1e2, 1e6), 10
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
    """Whether third numbers are no scores: negative beside negative x and y, or m or mm away."""
    x_y, third = rows[:, :2], rows[np.isfinite(rows[:, 2]), 2]
    if not third.size or np.isin(third, FLAGS).all():
        return False
    if len(np.unique(third[third < 0])) > 2 and (x_y < 0).mean() > 0.2:
        return True
    close = float(np.nanmax(np.abs(x_y), initial=0)) < CLOSE
    nearest, farthest = METRES if close else MILLIMETRES
    return nearest < float(np.median(third)) < farthest


def with_missing(
    joints: Array, units: Units, min_confidence: float
) -> tuple[Array, list[str | None], list[str]]:
    """People's joints (N, J, 3), missing ones as NaN with confidence 0.

    Missing are those that a tool marks so, or is too unsure of. Also why somebody has too few left,
    for each person, and what should be said of it all.
    """
    x_y, scores, notes = joints[..., :2], np.nan_to_num(joints[..., 2]), list[str]()
    marked = np.zeros(scores.shape, dtype=bool)
    if units in ("pixels", "shares"):  # elsewhere, (0, 0) and (-1, -1) are places
        marked = np.isin(x_y[..., 0], MISSING) & (x_y[..., 0] == x_y[..., 1])
    if count := int((marked & (scores > 0)).sum()):
        notes.append(f"{count} scored joints at (0, 0) or (-1, -1) are taken as missing")
    odd = (scores > 1) | ((scores < 0) & (scores != -1))
    if odd.any() and not np.isin(scores, FLAGS).all():
        reach = f"scores from {scores.min():.3g} to {scores.max():.3g} are no probabilities"
        notes.append(f"{reach}: above 1 counts as 1, below 0 as missing")
    there = np.where(marked | np.isnan(x_y).any(-1), 0, scores.clip(0, 1))
    sure = np.where(there < min_confidence, 0, there)
    before, after = (np.count_nonzero(own, axis=1) for own in (there, sure))
    few = (after < FEWEST_JOINTS) & (before >= FEWEST_JOINTS)
    limit = f"have confidence {min_confidence:g} or more; --min-confidence lowers the limit"
    reasons = [
        f"only {n} of its joints {limit}" if no else None for n, no in zip(after, few, strict=True)
    ]
    if count := int((before - after)[~few].sum()):
        below = f"joints with confidence below {min_confidence:g} are taken as missing"
        notes.append(f"{below}, {count} in all; --min-confidence changes the limit")
    clean = np.concatenate([np.where(sure[..., None] > 0, x_y, np.nan), sure[..., None]], axis=-1)
    return clean, reasons, notes
