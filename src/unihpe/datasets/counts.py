"""Is all of a set there? Counts of each split against the copies that its record knows.

Frames are people by camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unihpe.datasets.recorded import Recorded
from unihpe.errors import listing

if TYPE_CHECKING:
    from unihpe.datasets.dataset import Recording

PARTIAL, TOO_MANY, UNKNOWN = "partial", "more than known", "no figure to compare with"
Row = dict[str, Any]  # the counts of one split, by name
ALIKE = 1e-3  # mm: poses nearer than this are one pose twice


@dataclass(frozen=True)
class Whole:
    """A copy that counts as whole."""

    frames: int  # of all cameras, at the set's full rate
    name: str  # which copy that is, for people
    slack: int = 0  # frames that may be missing or too many where figures are quoted roundly
    per_camera: bool = False  # whether `frames` is what one camera has

    def of(self, cameras: int) -> int:
        return self.frames * (cameras if self.per_camera else 1)


@dataclass(frozen=True)
class Split:
    """What is known of one split of a set; () is not known."""

    wholes: tuple[Whole, ...] = ()  # the copies that are about
    subjects: tuple[str, ...] = ()
    cameras: int = 1
    sequences: tuple[int, ...] = ()  # how many it may have
    chosen: bool = False  # its frames are those found valid: the gaps between them are no rate


@dataclass(frozen=True)
class _Counts:
    # by name: subjects, sequences, cameras, frames, expected (frames, or None) and variant
    splits: dict[str, Row]
    partial: tuple[str, ...]  # what is not there, a line each
    problems: tuple[str, ...]  # what cannot be, a line each


def counted(recording: "Recording", recorded: Recorded) -> _Counts:
    """The counts of a set's splits beside the known ones."""
    splits: dict[str, Row] = {}
    partial, problems = list[str](), _duplicates(recorded)
    for split in recorded.names("split"):
        part = recorded.select(lambda view, split=split: view.split == split)  # type: ignore[misc]
        known, row = recording.known.get(split, Split()), _row_of(part, recording.crowded)
        if split == "train" and any(name in recorded.layout for name in recording.thinned):
            known = replace(known, wholes=())
        row["expected"], row["variant"] = _compared(known, part, row)
        splits[split] = row
        lacks, excess = _lacks_and_excess(known, part, row)
        partial += [f"{split} {line}" for line in lacks]
        problems += [f"{split} {line}: is something twice in it?" for line in excess]
    partial += [f"no {split} split" for split in recording.known if split not in splits]
    return _Counts(splits, tuple(partial), tuple(problems))


def _row_of(part: Recorded, crowded: bool) -> Row:
    """The counts of one split; the people of a crowded set share its sequences."""
    used = [part.views[n] for n in part.view.unique().tolist()]
    sequences = {("" if crowded else view.subject, view.sequence) for view in used}
    subjects, cameras = ({getattr(view, of) for view in used} for of in ("subject", "camera"))
    counted = {"subjects": len(subjects), "sequences": len(sequences), "cameras": len(cameras)}
    return counted | {"frames": len(part)}


def _lacks_and_excess(known: Split, part: Recorded, row: Row) -> tuple[list[str], list[str]]:
    """What a split does not have, the largest alone, and what it has more of than any copy."""
    lacks, excess, sequences = what_is_absent(known, part), list[str](), row["sequences"]
    if known.sequences and sequences < min(known.sequences):
        lacks.append(f"has {sequences} of {' or '.join(map(str, known.sequences))} sequences")
    if known.sequences and sequences > max(known.sequences):
        excess.append(f"has {sequences} sequences, the set {max(known.sequences)}")
    if row["variant"] == PARTIAL:
        lacks.append(f"has {row['frames']:,} of {row['expected']:,} frames")
    if row["variant"] == TOO_MANY:
        excess.append(f"has {row['frames']:,} frames, the largest known copy {row['expected']:,}")
    return lacks[:1], excess


def _compared(known: Split, part: Recorded, row: Row) -> tuple[int | None, str]:
    """How many frames the nearest known copy has, and its name, `PARTIAL` or another of those."""
    if not known.wholes:
        return None, UNKNOWN
    step, views = frames_apart(known, part), len(part.view.unique())
    at_rate = "" if step == 1 else f", every {step}th frame"
    most, cameras = 0, row["cameras"]
    for whole in known.wholes:
        frames = whole.of(cameras)
        slack = whole.slack // step + (0 if step == 1 else views)  # each view begins somewhere
        most = max(most, frames // step + slack)
        if abs(row["frames"] - frames / step) <= slack:
            return frames // step, whole.name + at_rate
    if row["frames"] > most:
        return most, TOO_MANY
    return known.wholes[0].of(cameras) // step, PARTIAL


def step_of(part: Recorded) -> int:
    """Frames from one to the next, as most of a set has it: 5 at a tenth of 50 Hz."""
    steps = part.moments().unique().diff()  # all above 0
    return int(steps.mode().values) if len(steps) else 1


def frames_apart(known: Split, part: Recorded) -> int:
    """`step_of` a split; 1 where its gaps say nothing."""
    return 1 if known.chosen else step_of(part)


def what_is_absent(known: Split, part: Recorded, wanted: Sequence[str] = ()) -> list[str]:
    """Subjects and cameras that a copy lacks, in words; of cameras, those `wanted`, () for all."""
    absent = [one for one in known.subjects if one not in part.names("subject")]
    cameras, of = len(part.names("camera")), len(wanted) or known.cameras
    found = [f"lacks {listing(absent, 16)}"] if absent else []
    return [*found, f"has {cameras} of {of} cameras"] if cameras < of else found


def _duplicates(recorded: Recorded) -> list[str]:
    """A problem for frames that are there twice; two people of a picture have two poses."""
    key, row = recorded.moments(), recorded.pose_row
    # by pose first, so that the same pose of two people comes together
    by_pose = recorded.pose.sum((1, 2))[row].argsort()
    order = by_pose[key[by_pose].argsort(stable=True)]
    twice = (key[order].diff() == 0).nonzero()[:, 0]
    same = _alike(recorded.pose, row[order[twice]], row[order[twice + 1]])
    if not len(rows := order[twice[same] + 1]):
        return []
    view, frame = recorded.at(int(rows[0]))
    place = f"{view.subject} {view.sequence}, camera {view.camera}, frame {frame}"
    twice_in = f"{len(rows)} of {len(recorded)} frames are in the set twice"
    return [f"{twice_in}, the first is {place}: leave one of each out"]


def repeated(recorded: Recorded) -> list[str]:
    """A note about poses that repeat the one before them exactly, which people do not do."""
    key, row, order = recorded.moments(), recorded.pose_row, recorded.in_time()
    pairs = ((recorded.view[order].diff() == 0) & (key[order].diff() > 0)).nonzero()[:, 0]
    count = int(_alike(recorded.pose, row[order[pairs]], row[order[pairs + 1]]).sum())
    return [f"{count} frames repeat the pose of the frame before them exactly"] if count else []


def _alike(pose: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Whether poses of these rows are the same, (N,)."""
    out = torch.ones(len(first), dtype=torch.bool)
    for rows in torch.arange(len(first)).split(100_000):
        out[rows] = (pose[first[rows]] - pose[second[rows]]).abs().amax((1, 2)) < ALIKE
    return out
