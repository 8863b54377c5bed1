"""SMPL, as far as joints are regressed from its surface: the model files that users bring, and the
vertices that a regressor uses, shaped and posed.

The equations are those of Loper et al., "SMPL: A Skinned Multi-Person Linear Model" (2015). Our
own, since the usual package reads the official pickles by running them; and only some hundred of
the vertices are needed. The official files are Python 2 pickles in which one array is wrapped by
chumpy and one is a sparse matrix of scipy. Both are read as plain data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_dict, as_floats, require_numbers
from unihpe.io.files import in_order, input_errors
from unihpe.io.pickles import Restricted, load_npz, load_pickle, require

JOINTS, SHAPES = 24, 10
POSE_FEATURES = 9 * (JOINTS - 1)
KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
FOLDERS = [
    *("", "smpl", "SMPL", "body_models/smpl", "body_models", "models/smpl", "models"),
    *("data/smpl", "data"),
]
DEEPEST = 8  # chumpy arrays in one another; the official files have one or two
MOST_CELLS = 1 << 24  # of a sparse matrix, made dense; SMPL's has 24 by 6890
GENDERS = {"m": "male", "f": "female"}
PIECE = 1024  # people at a time
GET_IT = "get it from the model's site"
# Classes of chumpy and scipy that a model file may name, and the modules they have been in.
FOREIGN: Mapping[str, tuple[str, ...]] = {
    "Ch": ("chumpy.ch",),  # an array
    "Select": ("chumpy.reordering",),  # elements of one, chosen by index
    "csc_matrix": ("scipy.sparse.csc", "scipy.sparse._csc"),  # sparse, column after column
    "csr_matrix": ("scipy.sparse.csr", "scipy.sparse._csr"),  # sparse, row after row
    "object": ("__builtin__", "builtins"),
}


@dataclass(frozen=True)
class _BodyModel:
    """SMPL's arrays for V vertices."""

    template: Array  # (V, 3), metres, y up, facing +z
    shapes: Array  # how each of ten numbers moves it, (V, 3, 10)
    poses: Array  # how the joints' rotations move it, (V, 3, 207)
    joints: Array  # joints out of vertices, (24, V)
    weights: Array  # of the joints on each vertex, (V, 24)
    parents: tuple[int, ...]  # of the joints, -1 for the first


class _Plain:
    """A foreign object's attributes, and nothing of its code."""

    kind = "object"  # its class, of FOREIGN
    state: Mapping[str, Any] = MappingProxyType({})  # where a pickle never gives it any

    def __setstate__(self, state: Any) -> None:
        require(isinstance(state, dict), "an array of chumpy or scipy without attributes")
        self.state = state


def _rebuilt(kind: Any, *_: object) -> Any:
    """What the oldest pickles make objects with (`copy_reg._reconstructor`): ours only."""
    require(isinstance(kind, type) and issubclass(kind, _Plain), "an object of a foreign class")
    return kind()


class _BodyUnpickler(Restricted):
    """The restricted unpickler, which also takes attributes of chumpy's and scipy's arrays."""

    def find_class(self, module: str, name: str) -> Any:
        """Ours by the name in a pickle, new each time, so that nothing set on it outlives that."""
        if module in FOREIGN.get(name, ()):
            return type(name, (_Plain,), {"kind": name})
        if module in ("copy_reg", "copyreg") and name == "_reconstructor":
            return partial(_rebuilt)
        return super().find_class(module, name)


def model_files(root: Path) -> dict[str, Path]:
    """The model file of each gender, m and f, in the folders where people keep them."""
    files: dict[str, Path] = {}
    for folder in (root / name for name in FOLDERS):
        for path in in_order(folder.iterdir()) if folder.is_dir() else []:
            for letter, word in GENDERS.items():
                name = rf"(smpl_{word}|basic_?model_{letter}_lbs_10_207_0_v1\.\d\.\d)\.(pkl|npz)"
                if re.fullmatch(name, path.name, re.IGNORECASE):
                    files.setdefault(letter, path)
    return files


def read_body(path: Path) -> _BodyModel:
    """A model file; an InputError for one that is no SMPL model, with the reason."""
    loaded = load_npz(path, KEYS) if path.suffix == ".npz" else load_pickle(path, _BodyUnpickler)
    content = as_dict(loaded, "SMPL's dict", path, GET_IT)
    if missing := [key for key in KEYS if key not in content]:
        raise InputError(f"{path}: lacks {', '.join(missing)}, so it is no SMPL model; {GET_IT}")

    def numbers(key: str, *shape: int | None) -> Array:
        array = as_floats(_dense(content[key], path), shape, str(path), key)
        require_numbers(array, str(path), key)
        return array

    template = numbers("v_template", None, 3)
    count = len(template)
    shapes = numbers("shapedirs", count, 3, None)
    if (directions := shapes.shape[2]) < SHAPES:
        raise InputError(f"{path}: has {directions} shape directions, expected {SHAPES}; {GET_IT}")
    poses = numbers("posedirs", count, 3, POSE_FEATURES)
    joints, weights = numbers("J_regressor", JOINTS, count), numbers("weights", count, JOINTS)
    parents = [int(parent) for parent in numbers("kintree_table", 2, JOINTS)[0, 1:]]
    for joint, parent in enumerate(parents, 1):
        if not 0 <= parent < joint:
            what = f"kintree_table gives joint {joint} the parent {parent}"
            raise InputError(f"{path}: {what}, which is no earlier joint; {GET_IT}")
    return _BodyModel(template, shapes[..., :SHAPES], poses, joints, weights, (-1, *parents))


def _dense(value: object, path: Path, depth: int = 0) -> object:
    """A chumpy array or sparse matrix as an array; anything else as it is."""
    if depth > DEEPEST:
        raise InputError(f"{path}: a damaged array (wrapped more than {DEEPEST} times); {GET_IT}")
    with input_errors(f"{path}: a damaged array", "get the file again"):
        match value:
            case _Plain(kind="Ch", state=state):
                return _dense(state["x"], path, depth + 1)
            case _Plain(kind="Select", state=state):
                whole = np.asarray(_dense(state["a"], path, depth + 1))
                return whole.ravel()[np.asarray(state["idxs"])].reshape(state["preferred_shape"])
            case _Plain(kind="csc_matrix", state=state):
                return np.ascontiguousarray(_from_runs(state, 1).T)
            case _Plain(kind="csr_matrix", state=state):
                return _from_runs(state, 0)
    return value


def _from_runs(state: Mapping[str, Any], axis: int) -> Array:
    """A compressed sparse matrix whose runs lie along `axis`, as (runs, others)."""
    # sizes are checked before memory is taken
    shape = state["_shape"] if "_shape" in state else state["shape"]
    count, others = int(shape[axis]), int(shape[1 - axis])
    if min(count, others) < 0 or max(count, others, count * others) > MOST_CELLS:
        raise ValueError(f"a sparse matrix of {count} by {others}")
    indices, ends = np.asarray(state["indices"]), np.asarray(state["indptr"], dtype=np.int64)
    lengths: Array = ends[1:] - ends[:-1]
    if len(lengths) != count or (lengths < 0).any() or lengths.sum() != len(indices):
        raise ValueError("a sparse matrix whose runs do not fit its shape")
    out = np.zeros((count, others))
    out[np.repeat(np.arange(count), lengths), indices] = np.asarray(state["data"])
    return out


class Surface:
    """Joints that `regressor` (K, V) takes from the surface of a body, and the body's own 24."""

    def __init__(self, body: _BodyModel, regressor: Array) -> None:
        used = np.flatnonzero((regressor != 0).any(0))
        parts = (body.template, body.shapes, body.poses, body.weights)
        self.template, self.shapes, self.poses, self.weights = (as_double(p[used]) for p in parts)
        self.regressor = as_double(regressor[:, used])
        self.rest = as_double(body.joints @ body.template)
        self.rest_shapes = as_double(np.einsum("jv,vck->jck", body.joints, body.shapes))
        self.parents = body.parents

    def joints(self, pose: Tensor, shape: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Regressed joints (N, K, 3) and the body's own (N, 24, 3), metres.

        `pose` (N, 72) is axis times angle of each joint, `shape` (N, 10); `place` (N, 3) is added.
        """
        pieces = zip(*(part.double().split(PIECE) for part in (pose, shape, place)), strict=True)
        regressed, own = zip(*(self.piece(*parts) for parts in pieces), strict=True)
        return torch.cat(regressed), torch.cat(own)

    def piece(self, pose: Tensor, shape: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        turns = _rotations(pose.view(len(pose), -1, 3))  # (N, 24, 3, 3)
        rest = self.rest + torch.einsum("jck,nk->njc", self.rest_shapes, shape)
        turned, moved = self.chain(turns, rest)
        bend = (turns[:, 1:] - torch.eye(3, dtype=turns.dtype)).flatten(1)
        shaped = self.template + torch.einsum("vck,nk->nvc", self.shapes, shape)
        skin = shaped + torch.einsum("vck,nk->nvc", self.poses, bend)
        shift = moved - (turned @ rest[..., None])[..., 0]
        blended = torch.einsum("vj,njab->nvab", self.weights, turned)
        shifted = torch.einsum("vj,njc->nvc", self.weights, shift)
        surface = (blended @ skin[..., None])[..., 0] + shifted
        return self.regressor @ surface + place[:, None], moved + place[:, None]

    def chain(self, turns: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """Each joint's rotation (N, 24, 3, 3) and place (N, 24, 3) after those of its ancestors."""
        turned, moved = [turns[:, 0]], [rest[:, 0]]
        for joint, parent in enumerate(self.parents[1:], 1):
            step = (rest[:, joint] - rest[:, parent])[..., None]
            moved.append(moved[parent] + (turned[parent] @ step)[..., 0])
            turned.append(turned[parent] @ turns[:, joint])
        return torch.stack(turned, 1), torch.stack(moved, 1)


def as_double(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64))


def _rotations(axis_angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of axes times angles (..., 3)."""
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    turned: Tensor = torch.linalg.matrix_exp(cross)
    return turned


def first_leg(regressor: Array, body: _BodyModel, hips: tuple[int, int]) -> str:
    """The leg, left or right, of a regressor's (17, V) rows 1 to 3: files of both kinds exist."""
    first = (regressor @ body.template)[1:4].mean(0)
    left, right = (np.linalg.norm(first - (body.joints @ body.template)[hip]) for hip in hips)
    return "left" if left < right else "right"
