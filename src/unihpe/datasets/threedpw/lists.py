"""SPIN's list of 3DPW's test pictures, `3dpw_test.npz`: boxes and SMPL's pose and shape, no joints,
no cameras.

Joints come from the user's own SMPL (see `posed`). The list says neither where people are nor with
what lens they were seen: so a picture of the set's size, a focal length of √(W² + H²), and a person
that fills the box.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.recorded import PROJECTED, Recorded, View, require_body
from unihpe.datasets.rows import Rows, by_row
from unihpe.datasets.spin_lists import PIXELS, place_by_box
from unihpe.datasets.threedpw.posed import Bodies, read_bodies
from unihpe.datasets.threedpw.regressed import NAME
from unihpe.datasets.threedpw.sequences import SIZE
from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_floats, require_numbers
from unihpe.io.pickles import load_npz

FILE = "3dpw_test.npz"
BOX = 1.2  # times the extent of the 2D that the list was made from


def list_file(root: Path) -> Path | None:
    """SPIN's list in a folder, or in dataset_extras/ under it."""
    paths = (root / FILE, root / "dataset_extras" / FILE)
    return next((path for path in paths if path.is_file()), None)


def open_list(root: Path, verify: bool = True) -> Recorded:
    """The list's people in Human3.6M's 17 joints (`human36m17`).

    Args:
        root: the folder that holds 3dpw_test.npz, SMPL's models (in it or in smpl/) and
            J_regressor_h36m.npy.
        verify: refuse wrong units and swapped legs.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    path, skeleton = list_file(root), get_skeleton("human36m17")
    if path is None:
        raise InputError(f"{root}: no {FILE} here or in dataset_extras/; get SPIN's list")
    content = load_npz(path, ("imgname", "center", "scale", "pose", "shape", "gender"))
    names = [str(name) for name in np.asarray(content["imgname"]).ravel()]
    numbers = {}
    for key, size in (("center", 2), ("pose", 72), ("shape", 10), ("scale", 1)):
        value = np.asarray(content[key])
        value = value.reshape(-1, 1) if key == "scale" else value
        checked = as_floats(value, (len(names), size), str(path), key).astype(np.float64)
        require_numbers(checked, f"{path} [{key}]")
        numbers[key] = torch.from_numpy(checked)
    genders = np.asarray(content["gender"]).ravel()
    if len(genders) != len(names):
        raise InputError(f"{path}: {len(names)} names, {len(genders)} genders; get the list again")
    pose = joints_of(read_bodies(root), numbers["pose"], numbers["shape"], genders, str(path))
    if verify:
        require_body(pose / 1000, skeleton, str(path), "m")
    rows = Rows.of([row_of(name, n, path) for n, name in enumerate(names)])
    upright = torch.zeros(len(rows.views), dtype=torch.bool)
    low = numbers["center"][:, 1] > SIZE[1]  # lower than a lying picture reaches
    upright[rows.view[low]] = True
    sizes = torch.tensor([SIZE, SIZE[::-1]])[upright[rows.view].long()]
    cameras, side = Camera.simple(sizes), PIXELS * numbers["scale"][:, 0].float() / BOX
    pose = pose + place_by_box(pose, numbers["center"].float(), side, cameras)[:, None]
    note = "people stand where they fill their box; the lens is not in the list"
    layout = f"3DPW, SPIN's list, 17 joints regressed from the user's SMPL, {PROJECTED}"
    each = torch.arange(len(names))
    return by_row(skeleton, rows, pose, None, cameras, each, layout, (note,))


def row_of(name: str, number: int, path: Path) -> tuple[View, int]:
    """The view and frame of a picture; nothing tells the two people of a picture apart."""
    match = NAME.search(name)
    if match is None:
        raise InputError(
            f"{path}: picture {number}, '{name[:80]}', is not named like"
            " imageFiles/…/image_00000.jpg"
        )
    sequence = match["sequence"]
    return View(sequence, "unknown", sequence, "camera", "test", "test"), int(match["frame"])


def joints_of(bodies: Bodies, pose: Tensor, shape: Tensor, genders: Array, where: str) -> Tensor:
    """Joints (N, 17, 3), mm, relative to the pelvis, each person by the body of their gender."""
    out = torch.zeros(len(pose), len(get_skeleton("human36m17")), 3)
    for gender in np.unique(genders):
        rows = torch.from_numpy(np.flatnonzero(genders == gender))
        place = torch.zeros(len(rows), 3)
        joints, _ = bodies.of(gender, where).joints(pose[rows], shape[rows], place)
        out[rows] = (1000 * (joints - joints[:, :1])).float()
    return out
