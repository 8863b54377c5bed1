"""Is all of a set there? Subjects, sequences, cameras and frames of each split, against the copies
that are known to be about.

Frames are people by camera. Sources: the toolkits and papers that quote the figures; 3DPW's are
quoted, not published, and of HumanEva-I there is only a round sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from unihpe.datasets.mpi_inf_3dhp.views import USABLE
from unihpe.datasets.recorded import Recorded
from unihpe.errors import listing

PARTIAL, TOO_MANY, UNKNOWN = "partial", "more than known", "no figure to compare with"
ALIKE = 1e-3  # mm: poses nearer than this are one pose twice


@dataclass(frozen=True)
class Whole:
    """A copy that counts as whole.

    Attributes:
        frames: of all cameras, at the set's full rate.
        name: which copy that is, for people.
        slack: frames that may be missing or too many where figures are quoted roundly.
        per_camera: whether `frames` is what one camera has.
    """

    frames: int
    name: str
    slack: int = 0
    per_camera: bool = False


@dataclass(frozen=True)
class Split:
    """One split of a set: the copies that are about, its subjects and cameras, and how many
    sequences it may have; () is not known.

    `chosen`: its frames are those found valid, so that the gaps between them are no rate.
    """

    wholes: tuple[Whole, ...] = ()
    subjects: tuple[str, ...] = ()
    cameras: int = 1
    sequences: tuple[int, ...] = ()
    chosen: bool = False


KNOWN: Mapping[str, Mapping[str, Split]] = {
    "human36m": {
        "train": Split(
            (Whole(1_559_752, "all five subjects"),), ("S1", "S5", "S6", "S7", "S8"), 4, (150,)
        ),
        "test": Split(
            (
                Whole(566_920, "with S11 Directions, as LCN and MotionBERT"),
                Whole(
                    565_446, "with S11 Directions, short of frames of its broken video", slack=1_474
                ),
                Whole(543_344, "without S11 Directions, as VideoPose3D"),
            ),
            ("S9", "S11"),
            4,
            (59, 60),
        ),
    },
    "humaneva": {
        "train": Split((), ("S1", "S2", "S3"), 3),
        "val": Split((), ("S1", "S2", "S3"), 3),
    },
    "mpi_inf_3dhp": {
        "train": Split(
            (Whole(sum(USABLE.values()), "frames with video", per_camera=True),),
            tuple(f"S{n}" for n in range(1, 9)),
            8,
            (16,),
        ),
        "test": Split(
            (
                Whole(2929, "valid frames, TS6 with 452"),
                Whole(2869, "valid frames, TS6 with 392 (an earlier release)"),
                Whole(2876, "valid frames whose joints lie in the picture (ZeDO)", slack=1),
                Whole(24_888, "all frames, invalid ones too (MMPose's test_all)"),
            ),
            tuple(f"TS{n}" for n in range(1, 7)),
            sequences=(6,),
            chosen=True,
        ),
    },
    "threedpw": {
        "train": Split(sequences=(24,)),
        "val": Split(sequences=(12,)),
        "test": Split(
            (Whole(35_515, "frames with a valid camera, as SMPL papers", slack=24),),
            sequences=(24,),
        ),
    },
}
THINNED = ("h36m-fetch", "SPIN")  # keep frames of training by rules of their own: no figure holds


@dataclass(frozen=True)
class Counts:
    """What was counted.

    Attributes:
        splits: by name: subjects, sequences, cameras, frames, expected (frames, or None) and
            variant.
        partial: what is not there, a line each.
        problems: what cannot be, a line each.
    """

    splits: dict[str, dict[str, Any]]
    partial: tuple[str, ...]
    problems: tuple[str, ...]


def counted(name: str, recorded: Recorded) -> Counts:
    """The counts of a set's splits beside the known ones."""
    splits: dict[str, dict[str, Any]] = {}
    partial, problems = list[str](), list(duplicates(recorded))
    for split in recorded.names("split"):
        part = recorded.select(lambda view, split=split: view.split == split)  # type: ignore[misc]
        known, row = KNOWN[name].get(split, Split()), row_of(part, name)
        if split == "train" and any(packing in recorded.layout for packing in THINNED):
            known = replace(known, wholes=())
        expected, variant = compared(known, part, row)
        splits[split] = {**row, "expected": expected, "variant": variant}
        partial += [f"{split} {line}" for line in lacking(known, part, splits[split])]
        problems += [
            f"{split} {line}: is something twice in it?" for line in excess(known, splits[split])
        ]
    partial += [f"no {split} split" for split in KNOWN[name] if split not in splits]
    return Counts(splits, tuple(partial), tuple(problems))


def row_of(part: Recorded, name: str) -> dict[str, Any]:
    """The counts of one split."""
    used = [part.views[n] for n in part.view.unique().tolist()]
    people = name != "threedpw"  # whose sequences show several people, the other sets' one
    return {
        "subjects": len({view.subject for view in used}),
        "sequences": len({(view.subject if people else "", view.sequence) for view in used}),
        "cameras": len({view.camera for view in used}),
        "frames": len(part),
    }


def lacking(known: Split, part: Recorded, row: dict[str, Any]) -> list[str]:
    """What a split does not have, the largest first: frames are missed only where nothing larger is."""
    if absent := what_is_absent(known, part):
        return absent[:1]
    if known.sequences and row["sequences"] < min(known.sequences):
        return [
            f"has {row['sequences']} of {' or '.join(str(n) for n in known.sequences)} sequences"
        ]
    return (
        [f"has {row['frames']:,} of {row['expected']:,} frames"]
        if row["variant"] == PARTIAL
        else []
    )


def excess(known: Split, row: dict[str, Any]) -> list[str]:
    """What a split has more of than any known copy."""
    found = []
    if known.sequences and row["sequences"] > max(known.sequences):
        found.append(f"has {row['sequences']} sequences, the set {max(known.sequences)}")
    if row["variant"] == TOO_MANY:
        found.append(f"has {row['frames']:,} frames, the largest known copy {row['expected']:,}")
    return found


def compared(known: Split, part: Recorded, row: dict[str, Any]) -> tuple[int | None, str]:
    """How many frames the nearest known copy has, and its name; or `PARTIAL`, `TOO_MANY` or `UNKNOWN`."""
    if not known.wholes:
        return None, UNKNOWN
    step, views = frames_apart(known, part), len(part.view.unique())
    at_rate = "" if step == 1 else f", every {step}th frame"
    most = 0
    for whole in known.wholes:
        frames = whole.frames * (row["cameras"] if whole.per_camera else 1)
        slack = whole.slack // step + (0 if step == 1 else views)  # each view begins somewhere
        most = max(most, frames // step + slack)
        if abs(row["frames"] - frames / step) <= slack:
            return frames // step, whole.name + at_rate
    nearest = known.wholes[0].frames * (row["cameras"] if known.wholes[0].per_camera else 1) // step
    return (most, TOO_MANY) if row["frames"] > most else (nearest, PARTIAL)


def step_of(part: Recorded) -> int:
    """Frames from one to the next, as most of a set has it: 5 at a tenth of 50 Hz."""
    rows = part.view * (int(part.frame.max()) + 1) + part.frame
    steps = rows.sort().values.diff()
    steps = steps[steps > 0]
    return int(steps.mode().values) if len(steps) else 1


def frames_apart(known: Split, part: Recorded) -> int:
    """`step_of` a split; 1 where its gaps say nothing."""
    return 1 if known.chosen else step_of(part)


def what_is_absent(known: Split, part: Recorded, wanted: Sequence[str] = ()) -> list[str]:
    """Subjects and cameras of the split that a copy does not have, in words; of cameras, those `wanted`, () for all."""
    absent = [one for one in known.subjects if one not in part.names("subject")]
    cameras, of = len(part.names("camera")), len(wanted) or known.cameras
    found = [f"lacks {listing(absent, 16)}"] if absent else []
    return [*found, f"has {cameras} of {of} cameras"] if cameras < of else found


def duplicates(recorded: Recorded) -> list[str]:
    """A problem for frames that are in the set twice: the same view, frame and pose. Two people of a picture have two poses."""
    key = recorded.view * (int(recorded.frame.max()) + 1) + recorded.frame
    by_pose = recorded.pose.sum((1, 2))[
        recorded.pose_row
    ].argsort()  # so that the same pose of two people comes together
    order = by_pose[key[by_pose].sort(stable=True).indices]
    twice = (key[order].diff() == 0).nonzero()[:, 0]
    same = alike(
        recorded.pose, recorded.pose_row[order[twice]], recorded.pose_row[order[twice + 1]]
    )
    rows = order[twice[same] + 1]
    if not len(rows):
        return []
    view, frame = recorded.views[int(recorded.view[rows[0]])], int(recorded.frame[rows[0]])
    place = f"{view.subject} {view.sequence}, camera {view.camera}, frame {frame}"
    return [
        f"{len(rows)} of {len(recorded)} frames are in the set twice, the first is {place}: leave one of each out"
    ]


def repeated(recorded: Recorded) -> list[str]:
    """A note about poses that repeat the one before them to the last digit, which people do not do."""
    key = recorded.view * (int(recorded.frame.max()) + 1) + recorded.frame
    order = key.sort(stable=True).indices
    after = (recorded.view[order].diff() == 0) & (key[order].diff() > 0)
    pairs = after.nonzero()[:, 0]
    same = alike(
        recorded.pose, recorded.pose_row[order[pairs]], recorded.pose_row[order[pairs + 1]]
    )
    count = int(same.sum())
    return [f"{count} frames repeat the pose of the frame before them exactly"] if count else []


def alike(pose: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Whether poses of these rows are the same, (N,)."""
    out = torch.ones(len(first), dtype=torch.bool)
    for rows in torch.arange(len(first)).split(100_000):
        out[rows] = (pose[first[rows]] - pose[second[rows]]).abs().amax((1, 2)) < ALIKE
    return out
