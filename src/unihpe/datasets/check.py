"""Is this folder the data set it should be? Its own numbers and pictures say so."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, Frames, evenly_spaced
from unihpe.body.skeleton import Skeleton, other_side
from unihpe.datasets import DATA_SETS, get_data_set
from unihpe.datasets.counts import counted, repeated
from unihpe.datasets.dataset import Recording
from unihpe.datasets.pictures import Pictures, near_the_beginning
from unihpe.datasets.proofs import CHECKED_POSES, UNIT_MM, first_leg, legs_of, unit_of
from unihpe.datasets.recorded import PROJECTED, Recorded
from unihpe.errors import InputError, listing

MOST = 20_000  # people whose 3D is projected, and pictures that are looked for
OPENED = 24  # pictures, of those that are there
UNIVERSAL = "univ_annot3"  # poses of one height, which do not land on their 2D
FAR = 200.0  # px: as far as they may
DETECTED = 25.0  # px: as far as detectors err
OF_2D = re.compile(r", 2D (\S+)$")  # at the end of a layout that has several


def check(
    name: str, root: Path, layout: str | None = None, rig: Path | None = None
) -> dict[str, Any]:
    """What a data set's folder holds, and what is wrong with it; InputError if it cannot be read.

    Args:
        layout: where a set has several; without it, it is told from the files.
        rig: TOML that names the joints of BVH files, see docs/data.md.

    Returns:
        Plain values: layout, frames (people by camera), splits (of each: subjects, sequences,
        cameras, frames, expected frames or None, and which known variant that is), partial (whether
        something is not there; the notes say what), subjects, cameras, joints, leg_order ("right
        first", "left first" or "unclear", by the geometry of the files), unit (of 3D in the files),
        reprojection_px (median, p99, max; None without 2D), calibration, pictures (looked_for,
        found), notes, problems (one line each; empty is good). Sets that are not recorded give
        those that mean something.
    """
    data_set = get_data_set(name) if name in DATA_SETS or ":" in name else None
    if data_set and (data_set.recording or data_set.check):
        data_set.require_layout(layout)
        if data_set.recording:
            if rig is not None:
                raise InputError(f"--rig names the joints of BVH files; {name} has none")
            return _check_recorded(data_set.recording, root, layout)
        if data_set.check:
            return data_set.check(root, rig)
    known = (name for name, one in DATA_SETS.items() if one.check or one.recording)
    raise InputError(f"no check for '{name}'; there are {', '.join(known)}")


def _check_recorded(recording: Recording, root: Path, layout: str | None) -> dict[str, Any]:
    """The check of a set that has cameras, 2D and 3D to compare."""
    problems = list[str]()
    try:
        recorded = recording.open_best(root, layout)
    except InputError as error:
        problems.append(str(error))
        try:
            recorded = recording.open_best(root, layout, verify=False)
        except InputError:
            raise error from None
    unit, recorded = _checked_unit(recorded, recording.unit(recorded.layout))
    reprojection, far = _reprojected(recorded, recording.median_px)
    leg_order, odd_legs = _leg_order_of(recorded)
    counts = counted(recording, recorded)
    pictures, absent, odd_pictures = _looked_for(recording, root, recorded)
    partial = [*counts.partial, *absent]
    if recorded.keypoints is None and not recorded.layout.endswith(PROJECTED):
        partial.append("no 2D, so 3D is compared with none")
    return {
        "layout": recorded.layout,
        "frames": len(recorded),
        "splits": counts.splits,
        "partial": bool(partial),
        "subjects": list(recorded.names("subject")),
        "cameras": list(recorded.names("camera")),
        "joints": list(recorded.skeleton.joints),
        "leg_order": leg_order,
        "unit": unit,
        "reprojection_px": reprojection,
        "calibration": recording.calibration(recorded.layout),
        "pictures": pictures,
        "notes": [*recorded.notes, *(f"partial: {line}" for line in partial), *repeated(recorded)],
        "problems": [*problems, *odd_legs, *far, *counts.problems, *odd_pictures],
    }


def _checked_unit(recorded: Recorded, documented: str) -> tuple[str, Recorded]:
    """The unit of the files by their bones, and the set in millimetres whatever is documented."""
    some = recorded.pose[evenly_spaced(len(recorded.pose), CHECKED_POSES)]
    found = unit_of(some / UNIT_MM[documented], recorded.skeleton)  # as in the files
    if found in ("unknown", documented):
        return found, recorded
    return found, replace(recorded, pose=recorded.pose * (UNIT_MM[found] / UNIT_MM[documented]))


def _leg_order_of(recorded: Recorded) -> tuple[str, list[str]]:
    """The leg order of the files, and the subjects whose order is another."""
    orders: dict[str, str] = {}
    stored = recorded.stored or recorded.skeleton
    for subject in recorded.names("subject"):
        of_subject = recorded.select(lambda view, subject=subject: view.subject == subject)  # type: ignore[misc]
        pose = of_subject.read(evenly_spaced(len(of_subject), CHECKED_POSES)).pose
        assert pose is not None
        orders[subject] = first_leg(stored, legs_of(pose, recorded.skeleton)[0])
    found = list(orders.values())
    most = max(dict.fromkeys(found), key=found.count)
    others = {subject: order for subject, order in orders.items() if order != most}
    return most, [f"leg order: {one} is {order}, most are {most}" for one, order in others.items()]


def _reprojected(recorded: Recorded, usual: float) -> tuple[dict[str, float] | None, list[str]]:
    """How far 3D lands from 2D (pixels), and what is wrong; `usual`: the median of true 2D."""
    if recorded.layout.endswith(PROJECTED):  # by definition: nothing else is known of their 2D
        return {"median": 0.0, "p99": 0.0, "max": 0.0}, []
    if recorded.keypoints is None:
        return None, []
    skeleton, two_d = recorded.skeleton, OF_2D.search(recorded.layout)
    detected = two_d is not None and two_d[1] not in ("gt", "exact")
    limit = FAR if UNIVERSAL in recorded.layout else max(usual, DETECTED * detected)
    rows = evenly_spaced(len(recorded), MOST)
    frames = recorded.read(rows)
    errors = _distances(frames, list(range(len(skeleton))))
    known = errors[errors.isfinite()].double().numpy()
    if not len(known):
        return None, ["no joint has both 2D and 3D"]
    values = zip(("median", "p99", "max"), np.percentile(known, [50, 99, 100]), strict=True)
    found = {name: round(float(value), 4) for name, value in values}
    problems, median = _two_d_problems(frames), float(np.median(known))
    far = "3D lands {:.3g} px from 2D (median; up to {:g} is usual)"
    if median > limit:
        of_joint = dict(zip(skeleton.joints, errors.nanmedian(0).values.tolist(), strict=True))
        worst = sorted((-px, joint) for joint, px in of_joint.items() if px > limit)
        worst_joints = listing([f"{joint} {-px:.3g} px" for px, joint in worst], 3)
        problems.append(f"{far.format(median, limit)}; worst: {worst_joints}")
    else:  # single cameras may be wrong in a set that otherwise agrees
        names = np.array([recorded.views[view].camera for view in recorded.view[rows].tolist()])
        of_camera = {n: float(errors[names == n].nanmedian()) for n in recorded.names("camera")}
        odd = {name: px for name, px in of_camera.items() if px > limit}
        problems += [f"camera {name}: {far.format(px, limit)}" for name, px in odd.items()]
    if _agrees_better_swapped(frames, skeleton, usual):
        problems.append("left and right legs of the 2D are exchanged against the 3D")
    return found, problems


def _distances(frames: Frames, columns: list[int]) -> Tensor:
    """Pixels between projected 3D and the 2D of `columns`, (N, J); NaN where 2D is missing."""
    assert frames.pose is not None
    apart = (frames.camera.project(frames.pose) - frames.keypoints[:, columns]).norm(dim=-1)
    return torch.where(frames.confidence[:, columns] > 0, apart, torch.nan)


def _agrees_better_swapped(frames: Frames, skeleton: Skeleton, limit: float) -> bool:
    """Whether knees and ankles in 2D fit the 3D of the other leg far better than of their own."""
    own = list(range(len(skeleton)))
    legs = [n for n in own if skeleton.joints[n].endswith(("_knee", "_ankle"))]
    other = [skeleton.index(other_side(skeleton.joints[n])) if n in legs else n for n in own]
    as_named, swapped = (_distances(frames, one)[:, legs].nanmedian() for one in (own, other))
    return bool(as_named > limit) and bool(swapped < as_named / 2)


def _two_d_problems(frames: Frames) -> list[str]:
    """2D that training cannot use: people with too few joints, joints far outside the picture."""
    problems = []
    if few := int(((frames.confidence > 0).sum(1) < FEWEST_JOINTS).sum()):
        people = f"{few} of {len(frames)} people looked at"
        problems.append(f"{people} have fewer than {FEWEST_JOINTS} joints in 2D: leave them out")
    size = frames.camera.size[:, None]
    outside = ((frames.keypoints < -size) | (frames.keypoints > 2 * size)).any(-1)
    if (share := float(outside.double().mean())) > 0.01:
        problems.append(f"{share:.1%} of the 2D joints lie a picture's width outside their picture")
    return problems


def _looked_for(
    recording: Recording, root: Path, recorded: Recorded
) -> tuple[dict[str, int] | None, list[str], list[str]]:
    """The pictures looked for and found, if any, what is not there, and the first odd one."""
    if recording.pictures is None:
        return None, [], []
    pictures, problems = Pictures(recording, root), list[str]()
    rows = sorted(set(evenly_spaced(len(recorded), MOST).tolist()))
    there = [row for row in rows if pictures.find(*recorded.at(row)) is not None]
    missing = [pictures.names(*recorded.at(row))[0] for row in sorted({*rows} - {*there})]
    found = {"looked_for": len(rows), "found": len(there)}
    if not there:
        return found, ["no pictures"], []
    try:
        for row in there[:: max(1, len(there) // OPENED)]:
            first = near_the_beginning(recorded, pictures, row)
            pictures.read_sized(*recorded.at(first), recorded.cameras.size[recorded.camera[first]])
    except InputError as error:
        problems = [str(error)]
    such = f"pictures looked for are not there, such as {listing(missing, 3)}"
    return found, [f"{len(missing)} of {len(rows)} {such}"] if missing else [], problems
