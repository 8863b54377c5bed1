"""3DPW in the joints of its standard protocol, by the user's own SMPL files: sequenceFiles, or
SPIN's list, and a regressor.

Joints are `J_regressor_h36m.npy` times the surface of SMPL of the person's gender, posed as the
files say. Which leg a regressor names first is told from the body. 2D is the projection of these
joints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import PROJECTED, Recorded, View
from unihpe.datasets.threedpw.body import LEFT_FIRST, Surface, leg_order_of
from unihpe.datasets.threedpw.body_file import FOLDERS, GENDERS, model_files, read_body
from unihpe.datasets.threedpw.sequences import (
    Actor,
    actor_of,
    cameras_of,
    joined,
    listed,
    sequence_content,
    sequence_files,
)
from unihpe.errors import InputError, listing
from unihpe.io.arrays import Array, as_array, as_flags, as_floats, require_finite, require_numbers
from unihpe.io.pickles import load_npy

REGRESSOR = "J_regressor_h36m.npy"
KEYS = ("poses", "betas", "trans", "genders")
AGREES = (
    0.02  # m: SMPL's own joints may be this far from the files' jointPositions, which are the same
)


@dataclass(frozen=True)
class Bodies:
    """A surface for each gender, m and f; which leg the regressor's file has first."""

    surfaces: Mapping[str, Surface]
    leg_order: str

    def of(self, gender: object, where: str) -> Surface:
        """The surface of a person.

        Raises:
            InputError: for a gender whose model is not there.
        """
        letter = str(np.asarray(gender).item())[:1].lower()
        if letter not in self.surfaces:
            raise InputError(
                f"{where}: gender '{letter}', and there are SMPL models of {', '.join(self.surfaces)} only"
            )
        return self.surfaces[letter]


def regressor_file(root: Path) -> Path | None:
    """The regressor in one of the folders where people keep SMPL."""
    found = (root / folder / REGRESSOR for folder in FOLDERS)
    return next((path for path in found if path.is_file()), None)


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
            f"{root}: no {REGRESSOR}, or no SMPL_MALE.pkl and SMPL_FEMALE.pkl, here or in smpl/: get SMPL from smpl.is.tue.mpg.de"
            " and the regressor from SPIN, VIBE or MMHuman3D"
        )
    loaded = load_npy(path, "get it again")
    target, smpl = get_skeleton("human36m17"), get_skeleton("smpl24")
    regressor = as_floats(loaded, (len(target), None), str(path), "weights")
    require_numbers(regressor, str(path))
    hips = smpl.index("left_hip"), smpl.index("right_hip")
    surfaces, order = {}, ""
    for letter, file in files.items():
        body = read_body(file)
        if len(body.template) != regressor.shape[1]:
            raise InputError(
                f"{path}: is for {regressor.shape[1]} vertices, {file.name} has {len(body.template)}"
            )
        order = leg_order_of(regressor, body, hips)
        stored = get_skeleton("human36m17_left_first") if order == LEFT_FIRST else target
        surfaces[letter] = Surface(body, regressor[target.select_from(stored)])
    return Bodies(surfaces, order)


def open_threedpw_smpl(root: Path, split: str | None = None, verify: bool = True) -> Recorded:
    """3DPW's sequenceFiles in Human3.6M's 17 joints (`human36m17`), as `open_threedpw` gives SMPL's
    own.

    Args:
        root: the folder that holds sequenceFiles, SMPL's models (in it or in smpl/) and
            J_regressor_h36m.npy.
        split: train, val or test; None is all.
        verify: refuse wrong units and swapped legs, and bodies that are not those of the files.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    bodies, files = read_bodies(root), sequence_files(root, split)
    actors = [actor for path, part in files for actor in read_sequence(path, part, bodies, verify)]
    kept = [actor for actor in actors if len(actor.frame)]
    if not kept:
        raise InputError(
            f"{root}: no frame of {len(files)} sequences has a valid camera; get the files again"
        )
    layout = f"3DPW, sequenceFiles, 17 joints regressed from the user's SMPL, {PROJECTED}"
    found = joined(
        kept, sum(actor.dropped for actor in actors), "exact", get_skeleton("human36m17"), layout
    )
    note = f"{REGRESSOR} has the {bodies.leg_order.removesuffix(' first')} leg first"
    return replace(found, notes=(*found.notes, note))


def read_sequence(path: Path, split: str, bodies: Bodies, verify: bool) -> list[Actor]:
    """The people of one sequence file."""
    content = sequence_content(path)
    if missing := [key for key in KEYS if key not in content]:
        raise InputError(
            f"{path}: lacks {listing(missing)}; get the file again from the set's site"
        )
    people = {key: listed(content, key, path) for key in (*KEYS, "campose_valid", "jointPositions")}
    if len({len(value) for value in people.values()}) > 1:
        raise InputError(
            f"{path}: its lists are about different numbers of people; get the file again"
        )
    cameras, name = cameras_of(content, path), str(np.asarray(content.get("sequence", path.stem)))
    actors = []
    for number in range(len(people["poses"])):
        where = f"{path}: person {number}"
        of_person = {key: value[number] for key, value in people.items()}
        use = as_flags(of_person["campose_valid"], where, "campose_valid")
        regressed, own = posed(of_person, bodies, len(cameras.focal), where)
        if len(use) != len(regressed):
            raise InputError(
                f"{where}: campose_valid of {len(use)} frames, cameras of {len(regressed)}; get it again"
            )
        require_finite(regressed[use], where)
        if verify and use.any():
            require_body(
                torch.from_numpy(regressed[use]).float(), get_skeleton("human36m17"), where, "m"
            )
            require_same_body(own[use], of_person["jointPositions"], use, where)
        view = View(f"{name} {number}", "unknown", name, "camera", split, split)
        actors.append(actor_of(view, regressed, use, None, cameras, "exact", where))
    return actors


def posed(
    person: Mapping[str, Any], bodies: Bodies, frames: int, where: str
) -> tuple[Array, Array]:
    """Regressed joints (N, 17, 3) and the body's own (N, 24, 3) of one person, metres, world axes."""
    pose = torch.from_numpy(
        as_floats(person["poses"], (frames, 72), where, "poses").astype(np.float64)
    )
    place = torch.from_numpy(
        as_floats(person["trans"], (frames, 3), where, "trans").astype(np.float64)
    )
    shape = shape_of(as_array(person["betas"]).ravel(), where).expand(frames, -1)
    regressed, own = bodies.of(person["genders"], where).joints(pose, shape, place)
    return regressed.numpy(), own.numpy()


def shape_of(numbers: Array, where: str) -> Tensor:
    """The first ten shape numbers (10,)."""
    return torch.from_numpy(as_floats(numbers[:10], (10,), where, "betas").astype(np.float64))


def require_same_body(own: Array, file_joints: object, use: Array, where: str) -> None:
    """Raise where the body's joints (N, 24, 3), metres, are not the file's: another model, or another gender."""
    stored = as_floats(file_joints, (len(use), own.shape[1] * 3), where, "jointPositions")[
        use
    ].reshape(own.shape)
    off = float(np.median(np.linalg.norm(own - stored, axis=-1)))
    if off > AGREES:
        raise InputError(
            f"{where}: SMPL's joints lie {1000 * off:.0f} mm (median) from its jointPositions, so the models are other ones;"
            f" take SMPL's own, {' and '.join(GENDERS.values())}"
        )
