"""3DPW: people outdoors before a moving camera; everything about it that the package asks for."""

from pathlib import Path
from typing import Any, get_args

from unihpe.datasets.counts import Split, Whole
from unihpe.datasets.dataset import DataSet, Reading, Recording
from unihpe.datasets.protocol import packaged_protocols
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.threedpw.posed import list_file
from unihpe.datasets.threedpw.reader import Layout, found_layout, open_layout
from unihpe.datasets.threedpw.regressed import regressed_files
from unihpe.datasets.threedpw.sequences import sequence_files


def _read(root: Path, reading: Reading) -> Recorded:
    layout: Any = reading.layout or found_layout(root, reading.joints)
    return open_layout(root, layout, reading.keypoints, reading.split, reading.verify)


def _best_2d(root: Path, layout: str | None) -> str:
    """The set's own files bring detections."""
    return "detected" if (layout or found_layout(root)) == "sequences" else "exact"


def _split_files(root: Path) -> list[tuple[Path, str]]:
    """The files of the set's own layout, or of the regressed joints, each with its split."""
    return sequence_files(root) or regressed_files(root)


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return []
    found = [file for file, _ in _split_files(root)]
    return found or [file for file in [list_file(root)] if file]


# Figures of 3DPW are quoted, not published.
TEST_COPY = Whole(35_515, "frames with a valid camera, as SMPL papers", slack=24)
KNOWN = {"train": Split(sequences=(24,)), "val": Split(sequences=(12,))}
KNOWN["test"] = Split((TEST_COPY,), sequences=(24,))
RECORDING = Recording(
    _read,
    get_args(Layout),
    median_px=25.0,  # its 2D is detected
    known=KNOWN,
    best_2d=_best_2d,
    thinned=("SPIN",),
    crowded=True,
    pictures=lambda view, frame: [f"imageFiles/{view.sequence}/image_{frame:05d}.jpg"],
    remedy="; put HybrIK's or MMHuman3D's file, or SMPL, beside it (docs/data.md)",
)
DATA_SET = DataSet(
    "threedpw",
    "virtualhumans.mpi-inf.mpg.de/3DPW",
    "research only, by agreement",
    RECORDING.source,
    _files,
    RECORDING,
    has_own_files=lambda root, split: any(part == split for _, part in _split_files(root)),
    protocols=packaged_protocols("threedpw"),
)
