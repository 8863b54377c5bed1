"""A clip's results made a motion: short gaps filled, noise smoothed, bones of one length a person.

All people are in the axes of the one camera: depth follows a person's size, so who has steady bones
stands steadily in space, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.errors import InputError, listing
from unihpe.export.results import BY_PERSON, Results
from unihpe.io.large import empty
from unihpe.people.smooth import (
    SMOOTHERS,
    Floats,
    Smoother,
    one_euro,
    savgol,
    steady_bones,
    without_spikes,
)

SMOOTH = (*SMOOTHERS, "off")
PEOPLE = ("all", "largest", "first")
GAP = 0.5  # seconds: longer ones are not filled, and smoothed apart on both sides
BRIEF, FEW = 0.2, 3  # seconds, and frames: who is seen for less is nobody, in clips of FEW_FRAMES
FEW_FRAMES = 15
# One camera tells depth less well: seconds, of Savitzky–Golay, and Hz, of One-Euro.
DEPTH_WINDOW, DEPTH_CUTOFF = 1.0, 0.5


def _persons(results: Results) -> dict[str, list[int]]:
    """The rows of each person, in the order of frames; people in the order in which they come."""
    rows: dict[str, list[int]] = {}
    for n, person in enumerate(results.person):
        rows.setdefault(person, []).append(n)
    return rows


def without_brief(results: Results) -> Results:
    """Without those who flash up for a moment, and the others numbered from 1."""
    assert results.time is not None
    rows, kept = _persons(results), dict[str, list[int]]()
    long = len(results.time.unique()) >= FEW_FRAMES
    for person, own in rows.items():
        lasts = float(results.time[own[-1]] - results.time[own[0]])
        if not long or (len(own) >= FEW and lasts >= BRIEF):
            kept[person] = own
    number = {person: str(n) for n, person in enumerate(kept, 1)}
    chosen = sorted(row for own in kept.values() for row in own)
    left = results.rows(chosen)
    return replace(left, person=tuple(number[person] for person in left.person))


def chosen_people(results: Results, who: str) -> Results:
    """The rows of some people: `all`, the `largest` in the picture, the `first` to come, or one
    by number. InputError for a number that nobody has."""
    rows = _persons(results)
    if who == "all" or not rows:
        return results
    if who == "first":
        return results.rows(next(iter(rows.values())))
    if who == "largest":
        assert results.boxes is not None
        size = (results.boxes[:, 2:] - results.boxes[:, :2]).prod(1)
        return results.rows(max(rows.values(), key=lambda own: float(size[own].sum())))
    if who not in rows:
        raise InputError(f"--people {who}: there are {listing([*PEOPLE, *rows], 20)}")
    return results.rows(rows[who])


def filled(results: Results, every: int = 1) -> Results:
    """With rows for frames in which somebody was not seen, but shortly before and after: straight
    between both, `filled`, with keypoints of confidence 0.

    `every` is the step from one frame to the next.
    """
    assert results.frame is not None and results.time is not None
    parts, clock = [results], dict(zip(results.frame.tolist(), results.time.tolist(), strict=True))
    for own in _persons(results).values():
        frames, times = results.frame[own].tolist(), results.time[own].tolist()
        for n, (a, b) in enumerate(pairwise(frames)):
            if b - a > every and times[n + 1] - times[n] <= GAP:
                missing = torch.arange(a + every, b, every)
                parts.append(_between(results, own[n], own[n + 1], missing, clock))
    if len(parts) == 1:
        return results
    whole = Results.join(parts)
    assert whole.frame is not None
    keys = zip(whole.frame.tolist(), map(_as_number, whole.person), strict=True)
    order = [n for n, _ in sorted(enumerate(keys), key=lambda row: row[1])]
    return whole.rows(order)


def _as_number(person: str) -> tuple[int, str]:
    return (int(person), "") if person.isdigit() else (0, person)


def _between(
    results: Results, before: int, after: int, frames: Tensor, clock: Mapping[int, float]
) -> Results:
    """Rows for frames between two rows of one person.

    `clock` has the times of the frames in which somebody is; others are taken for even.
    """
    assert results.frame is not None and results.time is not None
    numbers, times = (column[[before, after]].tolist() for column in (results.frame, results.time))
    times_of = [clock.get(n, np.interp(n, numbers, times)) for n in frames.tolist()]
    time = torch.tensor(times_of, dtype=torch.float64)
    share: Tensor = (time - times[0]) / (times[1] - times[0])
    made = results.rows([before] * len(frames))

    def mixed(column: Tensor) -> Tensor:
        weight = share.view(-1, *(1,) * (column.dim() - 1))
        return (column[before] * (1 - weight) + column[after] * weight).to(column.dtype)

    columns = {name: getattr(results, name) for name in BY_PERSON}
    smooth: dict[str, Any] = {
        name: mixed(column)
        for name, column in columns.items()
        if column is not None and column.is_floating_point() and name != "time"
    }
    smooth["confidence"] = torch.zeros_like(made.confidence)
    paths = {way: mixed(pose) for way, pose in results.paths.items()}
    seen = torch.ones(len(frames), dtype=torch.bool)
    pose = smooth.pop("pose")
    return _with_pose(made, pose, **smooth, frame=frames, time=time, filled=seen, paths=paths)


def steadied(results: Results, smooth: str = "savgol", bones: bool = True) -> Results:
    """A clip's poses smoothed, and with bones as long in all frames, each person on their own.

    Args:
        smooth: "savgol", "one-euro", which looks back only, or "off".
        bones: whether each person's bones get their median lengths; places in space move with the
            size, so that the picture stays.
    """
    if smooth not in SMOOTH:
        raise InputError(f"smoothing is {', '.join(SMOOTH)}, not {smooth!r}")
    pose, translation = results.pose.double().numpy(), results.translation.double().numpy()
    pose, translation = pose.copy(), translation.copy()
    for own in _persons(results).values():
        before = pose[own]
        for run in _runs(results, own):
            if smooth != "off":
                pose[run] = _smoothed(pose[run], _times(results, run), SMOOTHERS[smooth])
        if bones:
            pose[own] = steady_bones(pose[own], results.skeleton.bones)
            translation[own] *= (_sizes(pose[own]) / _sizes(before))[:, None]
        for run in _runs(results, own):
            if smooth != "off":
                translation[run] = _placed(translation[run], _times(results, run), smooth)
    moved = (torch.from_numpy(x).to(results.pose.dtype) for x in (pose, translation))
    how = [f"smoothed ({smooth})"] * (smooth != "off") + ["bones of one length"] * bones
    pose_now, translation_now = moved
    estimate = "; ".join([results.estimate, *how])
    return _with_pose(results, pose_now, translation=translation_now, estimate=estimate)


def _with_pose(results: Results, pose: Tensor, **others: Any) -> Results:
    """Rows with other poses (N, J, 3) and `others` of their fields; hypotheses move, too."""
    samples = results.samples
    if samples is not None:
        moved = empty(tuple(samples.shape))
        for to, sample in zip(moved, samples, strict=True):
            torch.add(sample, pose - results.pose, out=to)
        samples = moved
    return replace(results, pose=pose, samples=samples, **others)


def _smoothed(pose: Floats, times: Floats, smoother: Smoother) -> Floats:
    calm = without_spikes(pose, times) if smoother is savgol else pose
    return smoother(calm, times)


def _placed(translation: Floats, times: Floats, smooth: str) -> Floats:
    """Roots (T, 3), mm, smoothed: where they are in the picture as poses are, depth more.

    Who could not be placed, or only behind the camera, is put between where they were and will be.
    """
    good = np.isfinite(translation).all(1) & (translation[:, 2] > 0)
    if not good.any():
        return translation
    seen = translation[good]
    known = np.concatenate([seen[:, :2] / seen[:, 2:], np.log(seen[:, 2:])], axis=1)
    whole = np.stack([np.interp(times, times[good], column) for column in known.T], axis=1)
    ray, size = whole[:, :2], whole[:, 2:]
    if smooth == "savgol":
        depth = np.exp(savgol(size, times, DEPTH_WINDOW, 2))
        return np.concatenate([savgol(ray, times) * depth, depth], axis=1)
    depth = np.exp(one_euro(size, times, DEPTH_CUTOFF, 0.0))
    return np.concatenate([one_euro(ray * depth, times), depth], axis=1)


def _runs(results: Results, rows: Sequence[int]) -> Iterator[list[int]]:
    """The rows of one person, parted at long gaps."""
    times = _times(results, rows)
    ends = (np.flatnonzero(np.diff(times) > GAP) + 1).tolist()
    for first, last in zip([0, *ends], [*ends, len(rows)], strict=True):
        yield list(rows[first:last])


def _times(results: Results, rows: Sequence[int]) -> Floats:
    assert results.time is not None
    return results.time[list(rows)].double().numpy()


def _sizes(pose: Floats) -> Floats:
    """Root mean square of the joints' distances from the root, (T,)."""
    return np.asarray(np.sqrt((pose * pose).sum(-1).mean(-1)))
