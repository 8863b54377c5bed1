"""SPIN's lists of MPI-INF-3DHP: `mpi_inf_3dhp_train.npz` (every 10th picture, annot3) and
`mpi_inf_3dhp_valid.npz` (univ_annot3)."""

from pathlib import Path

from unihpe.datasets.mpi_inf_3dhp.views import Truth, Wanted, published_lenses, view_named
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.rows import Rows, by_row
from unihpe.datasets.spin_lists import placed, read_spin

WORDS = {"head": "jaw", "head_top": "head"}  # ours → SPIN's


def open_list(path: Path, split: str, wanted: Wanted) -> Recorded:
    """One of SPIN's lists."""
    held: Truth = "annot3" if split == "train" else "univ_annot3"
    wanted.require_truth(held, path)
    people = read_spin(path, wanted.joints, WORDS)
    wanted.require_body(people.pose.numpy() / 1000, wanted.joints, str(path), "m")
    rows = Rows.of([view_named(name, path) for name in people.names])
    lenses = published_lenses(rows.views, path)
    return by_row(
        wanted.joints,
        rows,
        placed(people, lenses.select(rows.view)),
        people.keypoints,
        lenses,
        rows.view,
        f"MPI-INF-3DHP, SPIN's list, {held}",
        (f"{path.name}: 3D is relative in the list; people stand where it meets their 2D",),
    )
