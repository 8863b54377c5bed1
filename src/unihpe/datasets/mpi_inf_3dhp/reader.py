"""MPI-INF-3DHP as people have it: as released, and as MMPose, P-STMO and SPIN pack it.

The raw training files and MMPose's hold metric poses (annot3), P-STMO's poses of one height
(univ_annot3), SPIN's lists annot3 for training and univ_annot3 for the test. `layout` says which
was read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.mpi_inf_3dhp.lists import open_list
from unihpe.datasets.mpi_inf_3dhp.mmpose import open_mmpose
from unihpe.datasets.mpi_inf_3dhp.pstmo import open_pstmo
from unihpe.datasets.mpi_inf_3dhp.raw import open_test, open_train, test_folders, train_folders
from unihpe.datasets.mpi_inf_3dhp.views import CAMERAS, Truth, Wanted
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import combined
from unihpe.datasets.spin_lists import is_spin
from unihpe.errors import InputError

Layout = Literal["raw", "train", "test", "mmpose", "pstmo", "spin"]


@dataclass(frozen=True)
class Packing:
    """One project's files of the set."""

    open: Callable[[Path, str, Wanted], Recorded]  # of one split
    names: Mapping[str, tuple[str, ...]]  # of each split's file, the best first
    folders: tuple[str, ...]
    holds: Callable[[Path], bool] = Path.is_file  # whether a file is in this layout

    def files(self, root: Path, split: str | None = None) -> dict[str, Path]:
        """The file of each split, or of one, in a folder."""
        files = {}
        for part, names in self.names.items():
            paths = [root / folder / name for name in names for folder in self.folders]
            present = [path for path in paths if split in (None, part) and self.holds(path)]
            if present:
                files[part] = present[0]
        return files


def is_mmpose(path: Path) -> bool:
    """Whether a file is MMPose's; SPIN's list for training has the same name."""
    return path.is_file() and not is_spin(path)


PACKINGS: Mapping[str, Packing] = {
    "mmpose": Packing(
        open_mmpose,
        {
            "train": ("mpi_inf_3dhp_train.npz",),
            "test": ("mpi_inf_3dhp_test_valid.npz", "mpi_inf_3dhp_test_all.npz"),
        },
        ("", "annotations"),
        is_mmpose,
    ),
    "pstmo": Packing(
        open_pstmo,
        {"train": ("data_train_3dhp.npz",), "test": ("data_test_3dhp.npz",)},
        ("",),
    ),
    "spin": Packing(
        open_list,
        {
            "train": ("mpi_inf_3dhp_train.npz",),
            "test": ("mpi_inf_3dhp_valid.npz", "mpi_inf_3dhp_test.npz"),
        },
        ("", "dataset_extras"),
        is_spin,
    ),
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
    wanted = Wanted(get_skeleton(joints), truth, cameras, verify)
    layout = layout or found_layout(root)
    if layout in PACKINGS:
        recorded = open_packed(root, layout, split, wanted)
    else:
        recorded = open_raw(root, split or (layout if layout != "raw" else None), wanted)
    if two_d == "gt":
        return recorded
    return replace(recorded, keypoints=None, confidence=None, layout=f"{recorded.layout}, 2D exact")


def open_packed(root: Path, layout: str, split: str | None, wanted: Wanted) -> Recorded:
    """The files of one project."""
    packing = PACKINGS[layout]
    files = packing.files(root, split)
    if not files:
        half = f" for {split}" if split else ""
        raise InputError(f"{root}: no files of the layout {layout}{half} here")
    parts = [packing.open(path, part, wanted) for part, path in files.items()]
    return combined(parts, " and ".join(dict.fromkeys(part.layout for part in parts)))


def open_raw(root: Path, split: str | None, wanted: Wanted) -> Recorded:
    """The raw files of one split, or of both."""
    train, test = train_folders(root), test_folders(root)
    parts = []
    if split == "train" or (split is None and (train or not test)):
        parts.append(open_train(root, train, wanted))
    if split not in ("train", None) or (split is None and test):
        parts.append(open_test(root, test, wanted))
    halves = " and ".join(part.layout for part in parts)
    return combined(parts, f"MPI-INF-3DHP, {halves}, {wanted.truth or 'annot3'}")


def found_layout(root: Path) -> Layout:
    """The layout of the files in a folder; raw where there is none."""
    if train_folders(root) or test_folders(root):
        return "raw"
    layouts: tuple[Layout, ...] = ("mmpose", "pstmo", "spin")
    return next((layout for layout in layouts if PACKINGS[layout].files(root)), "raw")


def files_of_3dhp(root: Path, split: str | None) -> list[Path]:
    """Every file that a copy is read from, of one split or of both: an index can stand for them."""
    layout = found_layout(root)
    if layout in PACKINGS:
        files = list(PACKINGS[layout].files(root, split).values())
        cameras = [path for file in files for path in sorted(file.parent.glob("cameras_*.pkl"))]
        return [*files, *cameras]
    train = train_folders(root).values() if split in (None, "train") else ()
    test = test_folders(root).values() if split in (None, "test") else ()
    of_train = [folder / name for folder in train for name in ("annot.mat", "camera.calibration")]
    of_test = [folder / "annot_data.mat" for folder in test]
    return [*(path for path in of_train if path.is_file()), *of_test]
