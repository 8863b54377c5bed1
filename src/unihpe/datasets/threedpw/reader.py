"""3DPW in whichever layout a folder has it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from unihpe.datasets.recorded import Recorded
from unihpe.datasets.threedpw.posed import has_bodies, open_threedpw_smpl
from unihpe.datasets.threedpw.regressed import open_threedpw17, regressed_files
from unihpe.datasets.threedpw.sequences import has_sequences, open_threedpw
from unihpe.datasets.threedpw.spin import open_threedpw_spin, spin_threedpw_file
from unihpe.errors import InputError

Layout = Literal["sequences", "regressed", "smpl", "spin"]


def found_layout(root: Path, joints: str = "") -> Layout:
    """The layout of 3DPW in a folder; the set's own where there is none.

    Args:
        joints: human36m17 prefers what gives the regressed joints; else SMPL's own come first.
    """
    sequences = has_sequences(root)
    if sequences and joints != "human36m17":
        return "sequences"
    if regressed_files(root):
        return "regressed"
    if sequences:
        return "smpl" if has_bodies(root) else "sequences"
    return "spin" if spin_threedpw_file(root) else "sequences"


def open_layout(
    root: Path, layout: Layout, keypoints: str, split: str | None = None, verify: bool = True
) -> Recorded:
    """3DPW in one layout; see the reader of each. Only the set's own files have other 2D than
    projections.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    two_d = two_d_named(keypoints)
    if two_d == "detected" and layout != "sequences":
        raise InputError(
            f"{root}: this layout has the 2D exact only, not '{keypoints}'; sequenceFiles bring detections"
        )
    match layout:
        case "sequences":
            return open_threedpw(root, split, two_d, verify)
        case "regressed":
            return open_threedpw17(root, split, verify)
        case "smpl":
            return open_threedpw_smpl(root, split, verify)
        case "spin":
            return open_threedpw_spin(root, verify)


def two_d_named(keypoints: str) -> Literal["exact", "detected"]:
    """3DPW has detections and projections, no annotated 2D."""
    if keypoints in ("gt", "exact"):
        return "exact"
    if keypoints == "detected":
        return "detected"
    raise InputError(f"3DPW has no 2D '{keypoints}'; there are exact and detected")
