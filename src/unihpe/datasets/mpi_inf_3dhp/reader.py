"""MPI-INF-3DHP as people have it: as released, and as MMPose, P-STMO and SPIN pack it.

The raw training files and MMPose's hold metric poses (annot3), P-STMO's poses of one height
(univ_annot3), SPIN's lists annot3 for training and univ_annot3 for the test. `layout` says which
was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.mpi_inf_3dhp.mmpose import mmpose_3dhp_files, open_mmpose_3dhp
from unihpe.datasets.mpi_inf_3dhp.parts import CAMERAS, Truth
from unihpe.datasets.mpi_inf_3dhp.pstmo import open_pstmo, pstmo_files
from unihpe.datasets.mpi_inf_3dhp.raw import open_test, open_train, test_folders, train_folders
from unihpe.datasets.mpi_inf_3dhp.spin import open_spin_3dhp, spin_3dhp_files
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import combined
from unihpe.errors import InputError

Layout = Literal["raw", "train", "test", "mmpose", "pstmo", "spin"]
Open = Callable[[Path, str, Skeleton, Truth | None, bool], Recorded]
PACKED: Mapping[Layout, tuple[Callable[[Path], dict[str, Path]], Open]] = {
    "mmpose": (mmpose_3dhp_files, open_mmpose_3dhp),
    "pstmo": (pstmo_files, open_pstmo),
    "spin": (spin_3dhp_files, open_spin_3dhp),
}


def open_mpi_inf_3dhp(
    root: Path,
    layout: Layout | None = None,
    joints: str = "mpi_inf_3dhp17",
    truth: Truth | None = None,
    cameras: Sequence[int] = CAMERAS,
    verify: bool = True,
    split: str | None = None,
    two_d: str = "gt",
) -> Recorded:
    """MPI-INF-3DHP's training set, its test set (valid frames only), or both, in a folder.

    Args:
        root: the folder that holds S1 … S8, or TS1 … TS6 (or mpi_inf_3dhp_test_set), or the packed
            files.
        layout: without it, it is told from the files; train and test are one half of the raw files.
        joints: mpi_inf_3dhp17, which everything has, or mpi_inf_3dhp28, raw training files only.
        truth: annot3, metric, which the cameras project onto the 2D; or univ_annot3, the same
            rescaled to one height, which the official test code scores against. None takes what the
            files have, annot3 where both.
        cameras: of the raw training set, by the set's own numbers.
        verify: refuse wrong units and swapped legs.
        split: train or test; None takes all there is.
        two_d: "gt", or "exact", the projection of the 3D.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    if truth not in (None, "annot3", "univ_annot3"):
        raise InputError(f"MPI-INF-3DHP has no truth '{truth}'; there are annot3 and univ_annot3")
    if two_d not in ("gt", "exact"):
        raise InputError(f"{root}: MPI-INF-3DHP has the 2D gt and exact, not '{two_d}'")
    found = read_layout(
        root, layout or found_layout(root), get_skeleton(joints), truth, cameras, verify, split
    )
    if two_d == "exact":
        return replace(found, keypoints=None, confidence=None, layout=f"{found.layout}, 2D exact")
    return found


def read_layout(
    root: Path,
    layout: Layout,
    target: Skeleton,
    truth: Truth | None,
    cameras: Sequence[int],
    verify: bool,
    split: str | None,
) -> Recorded:
    """The set in one layout; see `open_mpi_inf_3dhp`."""
    if layout in PACKED:
        find, open_file = PACKED[layout]
        files = {part: path for part, path in find(root).items() if split in (None, part)}
        if not files:
            raise InputError(
                f"{root}: no files of the layout {layout}{f' for {split}' if split else ''} here"
            )
        parts = [open_file(path, part, target, truth, verify) for part, path in files.items()]
        return combined(parts, " and ".join(dict.fromkeys(part.layout for part in parts)))
    return open_raw(
        root,
        split or (layout if layout != "raw" else None),
        target,
        truth or "annot3",
        cameras,
        verify,
    )


def found_layout(root: Path) -> Layout:
    """The layout of the files in a folder; raw where there is none."""
    if train_folders(root) or test_folders(root):
        return "raw"
    return next((layout for layout, (find, _) in PACKED.items() if find(root)), "raw")


def files_of_3dhp(root: Path, split: str | None) -> list[Path]:
    """Every file that a copy is read from, of one split or of both: an index can stand for them."""
    layout = found_layout(root)
    if layout in PACKED:
        files = [path for part, path in PACKED[layout][0](root).items() if split in (None, part)]
        return [
            *files,
            *(path for file in files for path in sorted(file.parent.glob("cameras_*.pkl"))),
        ]
    train = train_folders(root) if split in (None, "train") else {}
    test = test_folders(root) if split in (None, "test") else {}
    of_train = [
        folder / name for folder in train.values() for name in ("annot.mat", "camera.calibration")
    ]
    return [
        *(path for path in of_train if path.is_file()),
        *(folder / "annot_data.mat" for folder in test.values()),
    ]


def open_raw(
    root: Path,
    split: str | None,
    target: Skeleton,
    truth: Truth,
    cameras: Sequence[int],
    verify: bool,
) -> Recorded:
    """The raw files of one split, or of both."""
    train, test = train_folders(root), test_folders(root)
    parts = []
    if split == "train" or (split is None and (train or not test)):
        parts.append(open_train(root, train, target, truth, cameras, verify))
    if split not in ("train", None) or (split is None and test):
        parts.append(open_test(root, test, target, truth, verify))
    return combined(parts, f"MPI-INF-3DHP, {' and '.join(part.layout for part in parts)}, {truth}")
