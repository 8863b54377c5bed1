"""MPI-INF-3DHP as people have it: as released, and as MMPose, P-STMO and SPIN pack it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.mpi_inf_3dhp.packings import PACKINGS
from unihpe.datasets.mpi_inf_3dhp.raw import open_test, open_train, test_folders, train_folders
from unihpe.datasets.mpi_inf_3dhp.views import CAMERAS, Truth, Wanted
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import combined
from unihpe.errors import InputError
from unihpe.io.files import in_order

Layout = Literal["raw", "train", "test", "mmpose", "pstmo", "spin"]


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
        root: holds S1 … S8, or TS1 … TS6 (or mpi_inf_3dhp_test_set), or the packed files.
        layout: without it, it is told from the files; train and test are one half of the raw files.
        joints: mpi_inf_3dhp17, which everything has, or mpi_inf_3dhp28, raw training files only.
        truth: annot3, metric, which the cameras project onto the 2D; or univ_annot3, the same
            rescaled to one height, which the official test code scores against. None takes what the
            files have, annot3 where both.
        cameras: of the raw training set, by the set's own numbers.
        two_d: "gt", or "exact", the projection of the 3D.
    """
    if truth not in (None, "annot3", "univ_annot3"):
        raise InputError(f"MPI-INF-3DHP has no truth '{truth}'; there are annot3 and univ_annot3")
    if two_d not in ("gt", "exact"):
        raise InputError(f"{root}: MPI-INF-3DHP has the 2D gt and exact, not '{two_d}'")
    wanted = Wanted(get_skeleton(joints), truth, cameras, verify)
    layout = layout or _found_layout(root)
    if layout in PACKINGS:
        recorded = _open_packed(root, layout, split, wanted)
    else:
        recorded = _open_raw(root, split or (layout if layout != "raw" else None), wanted)
    if two_d == "gt":
        return recorded
    return replace(recorded, keypoints=None, confidence=None, layout=f"{recorded.layout}, 2D exact")


def _open_packed(root: Path, layout: str, split: str | None, wanted: Wanted) -> Recorded:
    packing = PACKINGS[layout]
    if not (files := packing.files(root, split)):
        half = f" for {split}" if split else ""
        raise InputError(f"{root}: no files of the layout {layout}{half} here")
    parts = [packing.open(path, part, wanted) for part, path in files.items()]
    return combined(parts, " and ".join(dict.fromkeys(part.layout for part in parts)))


def _open_raw(root: Path, split: str | None, wanted: Wanted) -> Recorded:
    train, test = train_folders(root), test_folders(root)
    parts = []
    if split == "train" or (split is None and (train or not test)):
        parts.append(open_train(root, train, wanted))
    if split not in ("train", None) or (split is None and test):
        parts.append(open_test(root, test, wanted))
    halves = " and ".join(part.layout for part in parts)
    return combined(parts, f"MPI-INF-3DHP, {halves}, {wanted.truth or 'annot3'}")


def _found_layout(root: Path) -> Layout:
    """The layout of the files in a folder; raw where there is none."""
    if train_folders(root) or test_folders(root):
        return "raw"
    layouts: tuple[Layout, ...] = ("mmpose", "pstmo", "spin")
    return next((layout for layout in layouts if PACKINGS[layout].files(root)), "raw")


def files_of_3dhp(root: Path, split: str | None) -> list[Path]:
    """Every file that a copy is read from, of one split or of both: an index can stand for them."""
    if (layout := _found_layout(root)) in PACKINGS:
        files = list(PACKINGS[layout].files(root, split).values())
        cameras = [path for file in files for path in in_order(file.parent.glob("cameras_*.pkl"))]
        return [*files, *cameras]
    train = train_folders(root).values() if split in (None, "train") else ()
    test = test_folders(root).values() if split in (None, "test") else ()
    of_train = [folder / name for folder in train for name in ("annot.mat", "camera.calibration")]
    of_test = [folder / "annot_data.mat" for folder in test]
    return [*(path for path in of_train if path.is_file()), *of_test]
