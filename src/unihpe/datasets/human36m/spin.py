"""SPIN's lists of Human3.6M: `h36m_train.npz`, and `h36m_valid_protocol1.npz` and `2`, which have no 2D."""

from __future__ import annotations

from pathlib import Path

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import published_cameras, rows_of_cameras
from unihpe.datasets.human36m.mmpose import parsed
from unihpe.datasets.human36m.rows import require_subjects
from unihpe.datasets.human36m.views import view_of
from unihpe.datasets.recorded import PROJECTED, Recorded
from unihpe.datasets.rows import by_row, combined
from unihpe.datasets.spin import HUMAN36M_WORDS, is_spin, placed, read_spin
from unihpe.errors import InputError

TRAIN = "h36m_train.npz"
VALID = (
    "h36m_valid_protocol1.npz",
    "h36m_valid_protocol2.npz",
)  # the second holds the frontal camera of the first


def spin_files(root: Path) -> list[Path]:
    """SPIN's lists in a folder, or in dataset_extras/ under it: of training, and the larger of the two for testing."""
    for folder in (root, root / "dataset_extras"):
        train = [path for path in (folder / TRAIN,) if is_spin(path)]
        if (
            found := train
            + [path for path in (folder / name for name in VALID) if is_spin(path)][:1]
        ):
            return found
    return []


def open_spin(root: Path, two_d: str, verify: bool, split: str | None = None) -> Recorded:
    """SPIN's lists, or that of one split; see `open_human36m`. A list without 2D gives its projection, whatever is asked for."""
    if two_d not in ("gt", "exact"):
        raise InputError(f"{root}: this layout has the 2D gt and exact, not '{two_d}'")
    files = [
        path
        for path in spin_files(root)
        if split in (None, "train" if path.name == TRAIN else "test")
    ]
    if not files:
        raise InputError(
            f"{root}: none of SPIN's lists here is for {split}; give the folder of {TRAIN} or {VALID[0]}"
        )
    parts = [read_list(path, two_d, verify) for path in files]
    said = (
        PROJECTED
        if all(part.keypoints is None for part in parts) and two_d != "exact"
        else f"2D {two_d}"
    )
    return combined(parts, f"Human3.6M, SPIN's lists, {said}")


def read_list(path: Path, two_d: str, verify: bool) -> Recorded:
    """One list."""
    people = read_spin(path, get_skeleton("human36m17"), HUMAN36M_WORDS)
    keys = [parsed(name, path) for name in people.names]
    if verify:
        require_subjects(keys, people.pose / 1000, "m", str(path))
    rows, cameras = published_cameras()
    camera = rows_of_cameras(rows, keys, path)
    how = (
        "it meets their 2D"
        if people.keypoints is not None
        else "it fills their box, and 2D is its projection"
    )
    return by_row(
        get_skeleton("human36m17"),
        [(view_of(*key[:3]), key[3]) for key in keys],
        placed(people, cameras.select(camera)),
        None if two_d == "exact" else people.keypoints,
        cameras,
        camera,
        "",
        (f"{path.name}: 3D is relative in the list; people stand where {how}",),
    )
