"""3DPW in the joints of its standard protocol, by the user's own SMPL files: sequenceFiles, or
SPIN's list, and a regressor.

Joints are `J_regressor_h36m.npy` times the surface of SMPL of the person's gender, posed as the
files say. Which leg a regressor names first is told from the body. 2D is the projection of these
joints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.recorded import PROJECTED, Recorded
from unihpe.datasets.threedpw.sequences import People, open_people
from unihpe.datasets.threedpw.smpl import (
    FOLDERS,
    GENDERS,
    LEFT_FIRST,
    Surface,
    leg_order_of,
    model_files,
    read_body,
)
from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_array, as_floats, require_numbers
from unihpe.io.pickles import load_npy

REGRESSOR = "J_regressor_h36m.npy"
# m: SMPL's own joints may be this far from the files' jointPositions, which are the same.
AGREES = 0.02


@dataclass(frozen=True)
class Bodies:
    """A surface for each gender, m and f; which leg the regressor's file has first."""

    surfaces: Mapping[str, Surface]
    leg_order: str

    def of(self, gender: object, where: str) -> Surface:
        """The surface of a person; an InputError for a gender without a model."""
        letter = str(np.asarray(gender).item())[:1].lower()
        if letter not in self.surfaces:
            present = ", ".join(self.surfaces)
            raise InputError(
                f"{where}: gender '{letter}', and there are SMPL models of {present} only"
            )
        return self.surfaces[letter]


def regressor_file(root: Path) -> Path | None:
    """The regressor in one of the folders where people keep SMPL."""
    paths = (root / folder / REGRESSOR for folder in FOLDERS)
    return next((path for path in paths if path.is_file()), None)


def has_bodies(root: Path) -> bool:
    """Whether a folder holds SMPL's models and the regressor."""
    return bool(model_files(root)) and regressor_file(root) is not None


def read_bodies(root: Path) -> Bodies:
    """SMPL's models and the regressor.

    Raises:
        InputError: naming what is missing or does not fit together.
    """
    files, path = model_files(root), regressor_file(root)
    if path is None or not files:
        raise InputError(
            f"{root}: no {REGRESSOR}, or no SMPL_MALE.pkl and SMPL_FEMALE.pkl, here or in smpl/:"
            " get SMPL from smpl.is.tue.mpg.de and the regressor from SPIN, VIBE or MMHuman3D"
        )
    target, smpl = get_skeleton("human36m17"), get_skeleton("smpl24")
    loaded = load_npy(path, "get it again")
    regressor = as_floats(loaded, (len(target), None), str(path), "weights")
    require_numbers(regressor, str(path))
    hips = smpl.index("left_hip"), smpl.index("right_hip")
    surfaces, order = {}, ""
    for letter, file in files.items():
        body = read_body(file)
        if len(body.template) != regressor.shape[1]:
            raise InputError(
                f"{path}: is for {regressor.shape[1]} vertices,"
                f" {file.name} has {len(body.template)}"
            )
        order = leg_order_of(regressor, body, hips)
        stored = get_skeleton("human36m17_left_first") if order == LEFT_FIRST else target
        surfaces[letter] = Surface(body, regressor[target.select_from(stored)])
    return Bodies(surfaces, order)


def open_threedpw_smpl(root: Path, split: str | None = None, verify: bool = True) -> Recorded:
    """3DPW's sequenceFiles in Human3.6M's 17 joints (`human36m17`).

    Args:
        root: the folder that holds sequenceFiles, SMPL's models (in it or in smpl/) and
            J_regressor_h36m.npy.
        split: train, val or test; None is all.
        verify: refuse wrong units and swapped legs, and bodies that are not those of the files.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    bodies = read_bodies(root)

    def joints(person: Mapping[str, Any], use: Array, where: str) -> Array:
        regressed, own = posed(person, bodies, where)
        if verify and use.any() and len(use) == len(own):
            require_same_body(own[use], person["jointPositions"], use, where)
        return regressed

    keys = ("poses", "betas", "trans", "genders")
    people = People(get_skeleton("human36m17"), joints, keys, verify=verify)
    layout = f"3DPW, sequenceFiles, 17 joints regressed from the user's SMPL, {PROJECTED}"
    recorded = open_people(root, split, people, layout)
    note = f"{REGRESSOR} has the {bodies.leg_order.removesuffix(' first')} leg first"
    return replace(recorded, notes=(*recorded.notes, note))


def posed(person: Mapping[str, Any], bodies: Bodies, where: str) -> tuple[Array, Array]:
    """One person's regressed joints (N, 17, 3), and the body's own 24; metres, world axes."""
    poses = as_floats(person["poses"], (None, 72), where, "poses")
    places = as_floats(person["trans"], (len(poses), 3), where, "trans")
    betas = as_floats(as_array(person["betas"]).ravel()[:10], (10,), where, "betas")
    pose, place, shape = (
        torch.from_numpy(numbers.astype(np.float64)) for numbers in (poses, places, betas)
    )
    surface = bodies.of(person["genders"], where)
    regressed, own = surface.joints(pose, shape.expand(len(pose), -1), place)
    return regressed.numpy(), own.numpy()


def require_same_body(own: Array, file_joints: object, use: Array, where: str) -> None:
    """Raise where the body's joints (N, 24, 3), metres, are not the file's: it is another's."""
    shape = (len(use), own.shape[1] * 3)
    stored = as_floats(file_joints, shape, where, "jointPositions")[use].reshape(own.shape)
    off = float(np.median(np.linalg.norm(own - stored, axis=-1)))
    if off > AGREES:
        raise InputError(
            f"{where}: SMPL's joints lie {1000 * off:.0f} mm (median) from its jointPositions, so"
            f" the models are other ones; take SMPL's own, {' and '.join(GENDERS.values())}"
        )
