"""SPIN's lists of MPI-INF-3DHP: `mpi_inf_3dhp_train.npz` (every 10th picture, annot3), `mpi_inf_3dhp_valid.npz` (univ_annot3)."""

from __future__ import annotations

from pathlib import Path

from unihpe.body.skeleton import Skeleton
from unihpe.datasets.mpi_inf_3dhp.parts import Truth, published_lenses, require_truth, view_named
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import by_row, camera_rows
from unihpe.datasets.spin import MPI_INF_3DHP_WORDS, is_spin, placed, read_spin

FILES = {
    "train": ("mpi_inf_3dhp_train.npz",),
    "test": ("mpi_inf_3dhp_valid.npz", "mpi_inf_3dhp_test.npz"),
}


def spin_3dhp_files(root: Path) -> dict[str, Path]:
    """SPIN's list of each split in a folder, or in dataset_extras/ under it."""
    found = {}
    for split, names in FILES.items():
        paths = [folder / name for name in names for folder in (root, root / "dataset_extras")]
        if lists := [path for path in paths if is_spin(path)]:
            found[split] = lists[0]
    return found


def open_spin_3dhp(
    path: Path, split: str, target: Skeleton, truth: Truth | None, verify: bool
) -> Recorded:
    """One of SPIN's lists; see `open_mpi_inf_3dhp`."""
    held: Truth = "annot3" if split == "train" else "univ_annot3"
    require_truth(truth, held, path)
    people = read_spin(path, target, MPI_INF_3DHP_WORDS)
    if verify:
        require_body(people.pose / 1000, target, str(path), "m")
    rows = [view_named(name, path) for name in people.names]
    views, camera = camera_rows(rows)
    lenses = published_lenses(views, path)
    pose = placed(people, lenses.select(camera))
    note = f"{path.name}: 3D is relative in the list; people stand where it meets their 2D"
    return by_row(
        target,
        rows,
        pose,
        people.keypoints,
        lenses,
        camera,
        f"MPI-INF-3DHP, SPIN's list, {held}",
        (note,),
    )
