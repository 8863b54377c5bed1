"""3DPW in whichever layout a folder has it."""

from pathlib import Path
from typing import Literal

from unihpe.datasets.recorded import Recorded
from unihpe.datasets.threedpw.posed import has_bodies, list_file, open_list, open_threedpw_smpl
from unihpe.datasets.threedpw.regressed import open_threedpw17, regressed_files
from unihpe.datasets.threedpw.sequences import TwoD, open_threedpw, sequence_files
from unihpe.errors import InputError

Layout = Literal["sequences", "regressed", "smpl", "spin"]


def found_layout(root: Path, joints: str = "") -> Layout:
    """The layout in a folder; human36m17 prefers regressed joints to the set's own."""
    sequences = bool(sequence_files(root))
    if sequences and joints != "human36m17":
        return "sequences"
    if regressed_files(root):
        return "regressed"
    if sequences:
        return "smpl" if has_bodies(root) else "sequences"
    return "spin" if list_file(root) else "sequences"


def open_layout(
    root: Path, layout: Layout, keypoints: str, split: str | None = None, verify: bool = True
) -> Recorded:
    """3DPW in one layout; `keypoints` are gt or exact, the projection, or detected."""
    if keypoints not in ("gt", "exact", "detected"):
        raise InputError(f"3DPW has no 2D '{keypoints}'; there are exact and detected")
    two_d: TwoD = "detected" if keypoints == "detected" else "exact"
    if two_d == "detected" and layout != "sequences":
        raise InputError(f"{root}: has the 2D exact only; sequenceFiles bring detections")
    if layout == "sequences":
        return open_threedpw(root, split, two_d, verify)
    if layout == "spin":
        return open_list(root, verify)
    opened = open_threedpw17 if layout == "regressed" else open_threedpw_smpl
    return opened(root, split, verify)
