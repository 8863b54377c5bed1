"""3DPW in the joints of its standard protocol, by the user's own SMPL files: sequenceFiles, or
SPIN's list, and a regressor.

Joints are `J_regressor_h36m.npy` times the surface of SMPL of the person's gender, posed as the
files say. 2D is the projection of these joints. SPIN's list of the test pictures, `3dpw_test.npz`,
holds boxes and SMPL's pose and shape, no places and no lenses: so a picture of the set's size, a
focal length of √(W² + H²), and a person that fills the box.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import PROJECTED, Recorded
from unihpe.datasets.rows import Rows, by_row
from unihpe.datasets.spin_lists import PIXELS, place_by_box
from unihpe.datasets.threedpw import smpl
from unihpe.datasets.threedpw.regressed import NAME, row_of
from unihpe.datasets.threedpw.sequences import SIZE, People, open_people
from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_array, as_floats, require_numbers
from unihpe.io.pickles import load_npy, load_npz

REGRESSOR = "J_regressor_h36m.npy"
FILE = "3dpw_test.npz"
REGRESSED = f"17 joints regressed from the user's SMPL, {PROJECTED}"
BOX = 1.2  # times the extent of the 2D that the list was made from
# m: SMPL's own joints may be this far from the files' jointPositions, which are the same.
AGREES = 0.02


@dataclass(frozen=True)
class _Bodies:
    """A surface for each gender, m and f; which leg the regressor's file has first."""

    surfaces: Mapping[str, smpl.Surface]
    first_leg: str

    def of(self, gender: object, where: str) -> smpl.Surface:
        letter = str(np.asarray(gender).item())[:1].lower()
        if letter not in self.surfaces:
            known = f"there are SMPL models of {', '.join(self.surfaces)} only"
            raise InputError(f"{where}: gender '{letter}', and {known}")
        return self.surfaces[letter]


def _regressor_file(root: Path) -> Path | None:
    paths = (root / folder / REGRESSOR for folder in smpl.FOLDERS)
    return next(filter(Path.is_file, paths), None)


def has_bodies(root: Path) -> bool:
    return bool(smpl.model_files(root)) and _regressor_file(root) is not None


def _read_bodies(root: Path) -> _Bodies:
    """SMPL's models and the regressor; an InputError says what is missing or does not fit."""
    files, path = smpl.model_files(root), _regressor_file(root)
    if path is None or not files:
        what = f"no {REGRESSOR}, or no SMPL_MALE.pkl and SMPL_FEMALE.pkl, here or in smpl/"
        remedy = "get SMPL from smpl.is.tue.mpg.de, the regressor from SPIN, VIBE or MMHuman3D"
        raise InputError(f"{root}: {what}: {remedy}")
    target, own = get_skeleton("human36m17"), get_skeleton("smpl24")
    regressor = as_floats(load_npy(path, "get it again"), (len(target), None), str(path), "weights")
    require_numbers(regressor, str(path), "the regressor")
    hips = own.index("left_hip"), own.index("right_hip")
    surfaces, leg = {}, ""
    for letter, file in files.items():
        body = smpl.read_body(file)
        if len(body.template) != regressor.shape[1]:
            counts = f"{regressor.shape[1]} vertices, {file.name} has {len(body.template)}"
            raise InputError(f"{path}: is for {counts}; take both of SMPL")
        leg = smpl.first_leg(regressor, body, hips)
        stored = get_skeleton("human36m17_left_first") if leg == "left" else target
        surfaces[letter] = smpl.Surface(body, regressor[target.select_from(stored)])
    return _Bodies(surfaces, leg)


def open_threedpw_smpl(root: Path, split: str | None = None, verify: bool = True) -> Recorded:
    """sequenceFiles in Human3.6M's 17 joints; `verify` also refuses bodies of another model."""
    bodies = _read_bodies(root)

    def joints(person: Mapping[str, Any], use: Array, where: str) -> Array:
        poses = as_floats(person["poses"], (None, 72), where, "poses")
        places = as_floats(person["trans"], (len(poses), 3), where, "trans")
        betas = as_floats(as_array(person["betas"]).ravel()[:10], (10,), where, "betas")
        pose, place, shape = (smpl.as_double(numbers) for numbers in (poses, places, betas))
        surface = bodies.of(person["genders"], where)
        regressed, own = surface.joints(pose, shape.expand(len(pose), -1), place)
        if verify and use.any() and len(use) == len(own):
            _require_same_body(own.numpy()[use], person["jointPositions"], use, where)
        return regressed.numpy()

    keys = ("poses", "betas", "trans", "genders")
    people = People(get_skeleton("human36m17"), joints, keys, verify=verify)
    recorded = open_people(root, split, people, f"3DPW, sequenceFiles, {REGRESSED}")
    note = f"{REGRESSOR} has the {bodies.first_leg} leg first"
    return replace(recorded, notes=(*recorded.notes, note))


def _require_same_body(own: Array, file_joints: object, use: Array, where: str) -> None:
    """Raise where the body's joints (N, 24, 3), metres, are not the file's: it is another's."""
    shape = (len(use), own.shape[1] * 3)
    stored = as_floats(file_joints, shape, where, "jointPositions")[use].reshape(own.shape)
    if (off := float(np.median(np.linalg.norm(own - stored, axis=-1)))) > AGREES:
        what = f"SMPL's joints lie {1000 * off:.0f} mm (median) from its jointPositions"
        models = " and ".join(smpl.GENDERS.values())
        raise InputError(f"{where}: {what}: the models are others; take SMPL's own, {models}")


def list_file(root: Path) -> Path | None:
    return next(filter(Path.is_file, (root / FILE, root / "dataset_extras" / FILE)), None)


def open_list(root: Path, verify: bool = True) -> Recorded:
    """The list's people in Human3.6M's 17 joints, in a folder that also holds SMPL."""
    path, skeleton = list_file(root), get_skeleton("human36m17")
    if path is None:
        raise InputError(f"{root}: no {FILE} here or in dataset_extras/; get SPIN's list")
    content = load_npz(path, ("imgname", "center", "scale", "pose", "shape", "gender"))
    names = [str(name) for name in np.asarray(content["imgname"]).ravel()]
    numbers = {}
    for key, size in (("center", 2), ("pose", 72), ("shape", 10), ("scale", 1)):
        value = as_array(content[key])
        value = value.reshape(-1, 1) if key == "scale" else value
        checked = as_floats(value, (len(names), size), str(path), key)
        require_numbers(checked, str(path), key)
        numbers[key] = smpl.as_double(checked)
    genders = np.asarray(content["gender"]).ravel()
    if len(genders) != len(names):
        raise InputError(f"{path}: {len(names)} names, {len(genders)} genders; get the list again")
    pose = _joints_of(_read_bodies(root), numbers["pose"], numbers["shape"], genders, str(path))
    if verify:
        require_body(pose / 1000, skeleton, str(path), "m")
    if strange := [n for n, name in enumerate(names) if NAME.search(name) is None]:
        picture = f"picture {strange[0]}, '{names[strange[0]][:80]}'"
        raise InputError(f"{path}: {picture}, is not named like imageFiles/…/image_00000.jpg")
    # nothing tells the two people of a picture apart
    rows = Rows.of([row_of(name, "test", n) for n, name in enumerate(names)])
    upright = torch.zeros(len(rows.views), dtype=torch.bool)
    low = numbers["center"][:, 1] > SIZE[1]  # lower than a lying picture reaches
    upright[rows.view[low]] = True
    sizes = torch.tensor([SIZE, SIZE[::-1]])[upright[rows.view].long()]
    cameras, side = Camera.simple(sizes), (PIXELS * numbers["scale"][:, 0]).float() / BOX
    pose = pose + place_by_box(pose, numbers["center"].float(), side, cameras)[:, None]
    note = "people stand where they fill their box; the lens is not in the list"
    each, layout = torch.arange(len(names)), f"3DPW, SPIN's list, {REGRESSED}"
    return by_row(skeleton, rows, pose, None, cameras, each, layout, (note,))


def _joints_of(bodies: _Bodies, pose: Tensor, shape: Tensor, genders: Array, where: str) -> Tensor:
    """Joints (N, 17, 3), mm, relative to the pelvis, each person by the body of their gender."""
    out = torch.zeros(len(pose), len(get_skeleton("human36m17")), 3)
    for gender in np.unique(genders):
        rows = torch.from_numpy(np.flatnonzero(genders == gender))
        place = torch.zeros(len(rows), 3)
        joints, _ = bodies.of(gender, where).joints(pose[rows], shape[rows], place)
        out[rows] = (1000 * (joints - joints[:, :1])).float()
    return out
