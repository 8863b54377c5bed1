"""SPIN's lists of Human3.6M: `h36m_train.npz`, and `h36m_valid_protocol1.npz` and `2`, which have
no 2D."""

from pathlib import Path

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import published_cameras
from unihpe.datasets.human36m.mmpose import key_of
from unihpe.datasets.human36m.tables import Table, recorded_of, require_subjects
from unihpe.datasets.recorded import PROJECTED, Recorded
from unihpe.datasets.rows import combined
from unihpe.datasets.spin_lists import is_spin, placed, read_spin
from unihpe.errors import InputError

TRAIN = "h36m_train.npz"
# The second holds the frontal camera of the first.
VALID = ("h36m_valid_protocol1.npz", "h36m_valid_protocol2.npz")
WORDS = {"thorax": "neck", "nose": "jaw"}  # ours → SPIN's


def list_files(root: Path) -> list[Path]:
    """SPIN's lists in a folder or its dataset_extras/: of training, and the larger for testing."""
    for folder in (root, root / "dataset_extras"):
        train, *valid = (is_spin(folder / name) for name in (TRAIN, *VALID))
        names = [TRAIN] * train + [name for name, has in zip(VALID, valid, strict=True) if has][:1]
        if names:
            return [folder / name for name in names]
    return []


def open_lists(root: Path, two_d: str, verify: bool, split: str | None = None) -> Recorded:
    """SPIN's lists, or that of one split; one without 2D always gives its projection."""
    splits = {path: "train" if path.name == TRAIN else "test" for path in list_files(root)}
    files = [path for path, part in splits.items() if split in (None, part)]
    if not files:
        remedy = f"give the folder of {TRAIN} or {VALID[0]}"
        raise InputError(f"{root}: none of SPIN's lists here is for {split}; {remedy}")
    parts = [read_list(path, two_d, verify) for path in files]
    without_2d = all(part.keypoints is None for part in parts)
    kind = PROJECTED if without_2d and two_d != "exact" else f"2D {two_d}"
    return combined(parts, f"Human3.6M, SPIN's lists, {kind}")


def read_list(path: Path, two_d: str, verify: bool) -> Recorded:
    """One list."""
    people = read_spin(path, get_skeleton("human36m17"), WORDS)
    keys = [key_of(name, path) for name in people.names]
    if verify:
        require_subjects(keys, people.pose / 1000, "m", str(path))
    calibration = published_cameras()
    cameras = calibration.cameras.select(calibration.rows_of(keys, path))
    how, points = "it meets their 2D", people.keypoints
    if points is None:
        how, points = "it fills their box, and 2D is its projection", people.pose[..., :2]
    note = f"{path.name}: 3D is relative in the list; people stand where {how}"
    table = Table(keys, placed(people, cameras).numpy(), points.numpy(), (note,))
    projected = people.keypoints is None
    return recorded_of([table], "exact" if projected else two_d, "", path, "mm", verify=False)
