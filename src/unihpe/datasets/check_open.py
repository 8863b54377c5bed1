"""How `data check` opens each set: its readers with the best 2D that a folder has, and what its numbers should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from unihpe.datasets.human36m.reader import Layout, found_layout, open_human36m
from unihpe.datasets.humaneva.reader import open_humaneva
from unihpe.datasets.matching import matching
from unihpe.datasets.mpi_inf_3dhp.reader import Layout as HpLayout
from unihpe.datasets.mpi_inf_3dhp.reader import open_mpi_inf_3dhp
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.threedpw import reader as threedpw
from unihpe.errors import InputError


@dataclass(frozen=True)
class Expected:
    """What a set should show.

    Attributes:
        open: its reader; arguments are the folder, the layout and whether to verify.
        unit: of 3D in the files of a layout.
        median_px: a larger median re-projection error is a problem.
        calibration: where the cameras of a layout come from, for the report.
    """

    open: Callable[[Path, str | None, bool], Recorded]
    unit: Callable[[str], str]
    median_px: float
    calibration: Callable[[str], str]


def open_first_2d(
    open_set: Callable[[str], Recorded], root: Path, pattern: str, prefix: str
) -> Recorded:
    """A set with its true 2D, else with whichever 2D file there is, else with none (projected 3D)."""
    present = [path.stem.removeprefix(prefix) for path in matching(root, pattern)]
    return open_set("gt" if "gt" in present else next(iter(present), "exact"))


def read_human36m(root: Path, layout: str | None, verify: bool) -> Recorded:
    """Human3.6M with the best 2D that the folder has."""
    require_layout("human36m", layout, get_args(Layout))
    chosen: Any = layout or found_layout(root)
    if chosen == "raw" and not matching(root, "S*/MyPoseFeatures/D2_Positions"):
        return open_human36m(root, "exact", chosen, verify)
    if chosen != "videopose3d":
        return open_human36m(root, "gt", chosen, verify)
    return open_first_2d(
        lambda two_d: open_human36m(root, two_d, chosen, verify),
        root,
        "data_2d_h36m_*.npz",
        "data_2d_h36m_",
    )


def read_humaneva(root: Path, layout: str | None, verify: bool) -> Recorded:
    """HumanEva-I with the best 2D that the folder has."""
    require_layout("humaneva", layout, ("videopose3d",))
    prefix = "data_2d_humaneva15_"
    return open_first_2d(
        lambda two_d: open_humaneva(root, two_d, verify), root, f"{prefix}*.npz", prefix
    )


def read_mpi_inf_3dhp(root: Path, layout: str | None, verify: bool) -> Recorded:
    """MPI-INF-3DHP, all that the folder has of it."""
    require_layout("mpi_inf_3dhp", layout, get_args(HpLayout))
    chosen: Any = layout
    return open_mpi_inf_3dhp(root, chosen, verify=verify)


def read_threedpw(root: Path, layout: str | None, verify: bool) -> Recorded:
    """3DPW with its detected 2D, or its regressed joints, or those of the user's SMPL."""
    require_layout("threedpw", layout, get_args(threedpw.Layout))
    chosen: Any = layout or threedpw.found_layout(root)
    return threedpw.open_layout(
        root, chosen, "detected" if chosen == "sequences" else "exact", verify=verify
    )


def require_layout(name: str, layout: str | None, known: tuple[str, ...]) -> None:
    """Raise for a layout that a set does not have."""
    if layout is not None and layout not in known:
        raise InputError(
            f"{name} has no layout '{layout}'; there is {', '.join(known) or 'one only: leave the option out'}"
        )


def the_sets_own(layout: str) -> str:
    """Cameras as the set publishes them."""
    return "the set's own"


def unit_of_human36m(layout: str) -> str:
    """The release and what keeps its numbers is in mm; VideoPose3D's, MMPose's and SPIN's files are in metres."""
    return "mm" if any(word in layout for word in ("raw release", "h36m-fetch", "pickles")) else "m"


def unit_of_3dhp(layout: str) -> str:
    """The release and P-STMO's files are in mm, MMPose's and SPIN's in metres."""
    return "m" if "MMPose" in layout or "SPIN" in layout else "mm"


def calibration_of_3dhp(layout: str) -> str:
    """Where the lenses of MPI-INF-3DHP's layouts come from."""
    if "MMPose" in layout:
        return "the packing's own"
    if "P-STMO" in layout or "SPIN" in layout:
        return "published lenses"
    halves = {"training set": "the set's own (training)", "test set": "pinholes fitted (test)"}
    return ", ".join(words for half, words in halves.items() if half in layout)


EXPECTED: dict[str, Expected] = {
    "human36m": Expected(read_human36m, unit_of_human36m, 0.5, the_sets_own),
    "humaneva": Expected(
        read_humaneva,
        lambda layout: "m",
        3.0,
        lambda layout: "places the set's own, pinholes fitted",
    ),
    "mpi_inf_3dhp": Expected(read_mpi_inf_3dhp, unit_of_3dhp, 4.0, calibration_of_3dhp),
    "threedpw": Expected(
        read_threedpw, lambda layout: "m", 25.0, the_sets_own
    ),  # its 2D is detected
}
