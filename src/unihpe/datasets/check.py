"""Is this folder the data set it should be? What its own numbers say: unit, left and right, 2D
against 3D.

Nothing here trusts a name: the unit follows from the length of thighs, the leg order from the way
knees bend, and the cameras from how far 3D lands from 2D.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, Frames, evenly_spaced
from unihpe.body.skeleton import Skeleton, other_side
from unihpe.datasets.check_counts import counted, repeated
from unihpe.datasets.check_open import EXPECTED, require_layout
from unihpe.datasets.check_pictures import looked_for
from unihpe.datasets.coco.check import check_coco
from unihpe.datasets.motion.source import open_motion
from unihpe.datasets.recorded import (
    CHECKED_POSES,
    PROJECTED,
    Recorded,
    first_leg,
    legs_of,
    thigh_length,
    unit_of,
)
from unihpe.datasets.sets import SetName
from unihpe.errors import InputError, listing

MOST = 20_000  # people whose 3D is projected
UNIT_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
UNIVERSAL = "univ_annot3"  # poses of one height, which do not land on their 2D
FAR = 200.0  # px: as far as they may
DETECTED = 25.0  # px: as far as detectors err
OF_2D = re.compile(r", 2D (\S+)$")  # at the end of a layout that has several


def check(name: str, root: Path, layout: str | None = None) -> dict[str, Any]:
    """What a data set's folder holds, and what is wrong with it.

    Args:
        name: of the set: motion, coco, human36m, humaneva, mpi_inf_3dhp or threedpw.
        root: its folder.
        layout: where a set has several; without it, it is told from the files.

    Returns:
        A dict of plain values: layout, frames (people by camera), splits (of each: subjects,
            sequences, cameras, frames,
        expected frames or None, and which known variant that is), partial (whether something of the
        set is not there; the notes say what), subjects, cameras, joints, leg_order ("right first",
        "left first" or "unclear": what the geometry says of the files), unit (of 3D in the files),
        reprojection_px (median, p99, max; None without 2D), calibration, pictures (looked_for,
        found), notes, problems (one line each; empty is good). Of motion and coco, those that mean
        something.

    Raises:
        InputError: if the files cannot be read at all.
    """
    if name == "motion":
        require_layout("motion", layout, ())
        return check_motion(root)
    if name == "coco":
        require_layout("coco", layout, ())
        return check_coco(root)
    if name not in get_args(SetName):
        raise InputError(
            f"no check for '{name}'; there are motion, coco, {', '.join(get_args(SetName))}"
        )
    expected, problems = EXPECTED[name], list[str]()
    try:
        recorded = expected.open(root, layout, True)
    except InputError as error:
        problems.append(str(error))
        try:
            recorded = expected.open(root, layout, False)
        except InputError:
            raise error from None
    unit, recorded = checked_unit(recorded, expected.unit(recorded.layout))
    limit = limit_px(recorded.layout, expected.median_px)
    reprojection, found = reprojected(recorded, limit, expected.median_px)
    leg_order, odd = leg_order_of(recorded)
    counts, (pictures, of_pictures, odd_pictures) = (
        counted(name, recorded),
        looked_for(name, root, recorded),
    )
    no_2d = recorded.keypoints is None and not recorded.layout.endswith(PROJECTED)
    partial = [
        *counts.partial,
        *of_pictures,
        *(["no 2D, so 3D is compared with none"] if no_2d else []),
    ]
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
        "calibration": expected.calibration(recorded.layout),
        "pictures": pictures,
        "notes": [*recorded.notes, *(f"partial: {line}" for line in partial), *repeated(recorded)],
        "problems": [*problems, *odd, *found, *counts.problems, *odd_pictures],
    }


def limit_px(layout: str, usual: float) -> float:
    """The largest median re-projection error, pixels, that is no problem in a layout whose true 2D errs by less than `usual`."""
    if UNIVERSAL in layout:
        return FAR
    two_d = OF_2D.search(layout)
    return max(usual, DETECTED) if two_d and two_d[1] not in ("gt", "exact") else usual


def check_motion(root: Path) -> dict[str, Any]:
    """The same of motion capture, which has neither cameras nor 2D: those are virtual."""
    motion = open_motion(root)
    some = motion.poses[evenly_spaced(len(motion), CHECKED_POSES)]
    legs, unit = legs_of(some, motion.skeleton)[0], unit_of(some, motion.skeleton)
    wrong = {
        "swapped": "left and right legs are exchanged",
        "mirrored": "everything is seen in a mirror",
    }
    problems = [f"{wrong[legs]}: knees bend backwards"] if legs in wrong else []
    if unit != "mm":
        thigh = thigh_length(some, motion.skeleton)
        problems.append(
            f"a thigh is {thigh:.4g} mm long: poses must be in millimetres; of BVH, correct unit_mm of the rig"
        )
    return {
        "layout": "motion npz" if root.suffix == ".npz" else "BVH",
        "frames": len(motion),
        "subjects": sorted(set(motion.groups)),
        "cameras": [],
        "joints": list(motion.skeleton.joints),
        "leg_order": first_leg(motion.skeleton, legs),
        "unit": unit,
        "reprojection_px": None,
        "calibration": "virtual cameras",
        "notes": [f"{len(motion.names)} motions; splits: {', '.join(sorted(set(motion.splits)))}"],
        "problems": problems,
    }


def checked_unit(recorded: Recorded, documented: str) -> tuple[str, Recorded]:
    """The unit of the files by their bones, and the set in millimetres also where it is not the documented one."""
    some = (
        recorded.pose[evenly_spaced(len(recorded.pose), CHECKED_POSES)] / UNIT_MM[documented]
    )  # as in the files
    found = unit_of(some, recorded.skeleton)
    if found in ("unknown", documented):
        return found, recorded
    return found, replace(recorded, pose=recorded.pose * (UNIT_MM[found] / UNIT_MM[documented]))


def leg_order_of(recorded: Recorded) -> tuple[str, list[str]]:
    """The leg order of the files, and the subjects whose order is another."""
    orders: dict[str, str] = {}
    for subject in recorded.names("subject"):
        of_subject = recorded.select(lambda view, subject=subject: view.subject == subject)  # type: ignore[misc]
        frames = of_subject.read(evenly_spaced(len(of_subject), CHECKED_POSES))
        assert frames.pose is not None
        orders[subject] = first_leg(
            recorded.stored or recorded.skeleton, legs_of(frames.pose, recorded.skeleton)[0]
        )
    found = list(orders.values())
    most = max(dict.fromkeys(found), key=found.count)
    problems = [
        f"leg order: {subject} is {order}, most are {most}"
        for subject, order in orders.items()
        if order != most
    ]
    return most, problems


def reprojected(
    recorded: Recorded, limit: float, usual: float
) -> tuple[dict[str, float] | None, list[str]]:
    """How far 3D lands from 2D (median, p99, max; pixels), and what is wrong with it.

    Args:
        limit: a larger median is a problem.
        usual: legs that fit within this are not asked whose they are.
    """
    if recorded.layout.endswith(PROJECTED):
        return {
            "median": 0.0,
            "p99": 0.0,
            "max": 0.0,
        }, []  # by definition: nothing else is known of these sets' 2D
    if recorded.keypoints is None:
        return None, []
    rows = evenly_spaced(len(recorded), MOST)
    frames = recorded.read(rows)
    errors = distances(frames, list(range(len(recorded.skeleton))))
    known = errors[errors.isfinite()].double().numpy()
    if not len(known):
        return None, ["no joint has both 2D and 3D"]
    median, p99 = np.percentile(known, [50, 99])
    found = {
        "median": round(float(median), 4),
        "p99": round(float(p99), 4),
        "max": round(float(known.max()), 4),
    }
    problems = two_d_problems(frames)
    if median > limit:
        of_joint = {
            joint: float(errors[:, n].nanmedian())
            for n, joint in enumerate(recorded.skeleton.joints)
        }
        worst = sorted(
            (joint for joint in of_joint if of_joint[joint] > limit),
            key=lambda joint: -of_joint[joint],
        )
        listed = listing([f"{joint} {of_joint[joint]:.3g} px" for joint in worst], 3)
        problems.append(
            f"3D lands {median:.3g} px from 2D (median; up to {limit:g} is usual); worst: {listed}"
        )
    else:
        problems += odd_cameras(recorded, rows, errors, limit)
    if agrees_better_swapped(frames, recorded.skeleton, usual):
        problems.append(
            "left and right legs of the 2D are exchanged against the 3D: 3D lands on the other leg's 2D"
        )
    return found, problems


def odd_cameras(recorded: Recorded, rows: Tensor, errors: Tensor, limit: float) -> list[str]:
    """Cameras whose 3D lands far from 2D in a set that otherwise agrees; errors (N, J), pixels, are those of `rows` (N,)."""
    names = [recorded.views[view].camera for view in recorded.view[rows].tolist()]
    found = []
    for name in recorded.names("camera"):
        median = float(errors[torch.tensor([one == name for one in names])].nanmedian())
        if median > limit:
            found.append(
                f"camera {name}: 3D lands {median:.3g} px from 2D (median; up to {limit:g} is usual)"
            )
    return found


def distances(frames: Frames, columns: list[int]) -> Tensor:
    """Pixels between projected 3D and the 2D of `columns`, (N, J); NaN where 2D is missing."""
    assert frames.pose is not None
    seen = frames.confidence[:, columns] > 0
    return torch.where(
        seen,
        (frames.camera.project(frames.pose) - frames.keypoints[:, columns]).norm(dim=-1),
        torch.nan,
    )


def agrees_better_swapped(frames: Frames, skeleton: Skeleton, limit: float) -> bool:
    """Whether knees and ankles in 2D fit the 3D of the other leg far better than that of their own."""
    legs = [n for n, joint in enumerate(skeleton.joints) if joint.endswith(("_knee", "_ankle"))]
    swapped = [
        skeleton.index(other_side(joint)) if n in legs else n
        for n, joint in enumerate(skeleton.joints)
    ]
    own, other = (
        distances(frames, columns)[:, legs].nanmedian()
        for columns in (list(range(len(skeleton))), swapped)
    )
    return bool(own > limit) and bool(other < own / 2)


def two_d_problems(frames: Frames) -> list[str]:
    """2D that training cannot use: people with too few joints, joints far outside the picture."""
    problems = []
    if few := int(((frames.confidence > 0).sum(1) < FEWEST_JOINTS).sum()):
        problems.append(
            f"{few} of {len(frames)} people looked at have fewer than {FEWEST_JOINTS} joints in 2D: leave them out"
        )
    size = frames.camera.size[:, None]
    outside = ((frames.keypoints < -size) | (frames.keypoints > 2 * size)).any(-1)
    if float(outside.double().mean()) > 0.01:
        problems.append(
            f"{float(outside.double().mean()):.1%} of the 2D joints lie a picture's width outside their picture"
        )
    return problems
