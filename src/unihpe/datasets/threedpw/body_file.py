"""SMPL's model files, which users bring: the official pickles, without chumpy and without running
what is in them; or an npz.

The official files are Python 2 pickles in which one array is wrapped by chumpy and one is a sparse
matrix of scipy. Both are read as plain data: two classes more than other pickles may name, and
neither does anything.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.errors import InputError, one_line
from unihpe.io.arrays import Array, as_floats
from unihpe.io.pickles import BROKEN, Restricted, load_npz, load_pickle

JOINTS = 24
SHAPES = 10
POSE_FEATURES = 9 * (JOINTS - 1)
KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
FOLDERS = (
    "",
    "smpl",
    "SMPL",
    "body_models/smpl",
    "body_models",
    "models/smpl",
    "models",
    "data/smpl",
    "data",
)
DEEPEST = 8  # chumpy arrays in one another; the official files have one or two
MOST_CELLS = 1 << 24  # of a sparse matrix, made dense; SMPL's has 24 by 6890
GENDERS = {"m": "male", "f": "female"}
MODEL_NAMES = {
    letter: re.compile(
        rf"(smpl_{word}|basic_?model_{letter}_lbs_10_207_0_v1\.\d\.\d)\.(pkl|npz)", re.IGNORECASE
    )
    for letter, word in GENDERS.items()
}


@dataclass(frozen=True)
class BodyModel:
    """SMPL's arrays for V vertices.

    Attributes:
        template: (V, 3), metres, y up, facing +z.
        shapes: how each of ten numbers moves it, (V, 3, 10).
        poses: how the joints' rotations move it, (V, 3, 207).
        joints: joints out of vertices, (24, V).
        weights: of the joints on each vertex, (V, 24).
        parents: of the joints, -1 for the first.
    """

    template: Array
    shapes: Array
    poses: Array
    joints: Array
    weights: Array
    parents: tuple[int, ...]


class Plain:
    """A foreign object's attributes, and nothing of its code."""

    state: dict[str, Any]

    def __new__(cls, *_: object) -> Plain:
        """An object without attributes, also where a pickle never gives it any."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("an array of chumpy or scipy without attributes")
        self.state = state


class Wrapped(Plain):
    """A chumpy array."""


class Chosen(Plain):
    """Elements of a chumpy array, chosen by index."""


class ByColumn(Plain):
    """A sparse matrix of scipy, column after column."""


class ByRow(Plain):
    """A sparse matrix of scipy, row after row."""


def rebuilt(kind: object, *_: object) -> Plain:
    """What the oldest pickles make objects with (`copy_reg._reconstructor`): ours only."""
    if isinstance(kind, type) and issubclass(kind, Plain):
        return kind()
    raise pickle.UnpicklingError("an object of a foreign class")


def fresh(kind: type[Plain]) -> type[Plain]:
    """A class of its own for one pickle, so that nothing set on it outlives the pickle."""
    return type(kind.__name__, (kind,), {})


class BodyUnpickler(Restricted):
    """The restricted unpickler, which also takes the attributes of chumpy's arrays and scipy's matrices."""

    def find_class(self, module: str, name: str) -> Any:
        """What the names in a pickle stand for: ours, or an InputError."""
        match module, name:
            case "chumpy.ch", "Ch":
                return fresh(Wrapped)
            case "chumpy.reordering", "Select":
                return fresh(Chosen)
            case (("scipy.sparse.csc" | "scipy.sparse._csc"), "csc_matrix"):
                return fresh(ByColumn)
            case (("scipy.sparse.csr" | "scipy.sparse._csr"), "csr_matrix"):
                return fresh(ByRow)
            case (("copy_reg" | "copyreg"), "_reconstructor"):
                return partial(
                    rebuilt
                )  # a copy each time, as for arrays: a pickle may set attributes of what it is given
            case (("__builtin__" | "builtins"), "object"):
                return fresh(Plain)
        return super().find_class(module, name)


def model_files(root: Path) -> dict[str, Path]:
    """The model file of each gender, m and f, in the folders where people keep them."""
    found: dict[str, Path] = {}
    for folder in (root / name for name in FOLDERS):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            for letter, pattern in MODEL_NAMES.items():
                if pattern.fullmatch(path.name):
                    found.setdefault(letter, path)
    return found


def read_body(path: Path) -> BodyModel:
    """A model file.

    Raises:
        InputError: for a file that is no SMPL model, with the reason.
    """
    content = load_npz(path, KEYS) if path.suffix == ".npz" else load_pickle(path, BodyUnpickler)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected SMPL's dict; get it from the model's site"
        )
    if missing := [key for key in KEYS if key not in content]:
        raise InputError(
            f"{path}: lacks {', '.join(missing)}, so it is no SMPL model; get it from the model's site"
        )
    template = numbers(content, "v_template", (None, 3), path)
    count = len(template)
    shapes = numbers(content, "shapedirs", (count, 3, None), path)
    if shapes.shape[2] < SHAPES:
        raise InputError(
            f"{path}: has {shapes.shape[2]} shape directions, expected {SHAPES}; get it from the model's site"
        )
    return BodyModel(
        template,
        shapes[..., :SHAPES],
        numbers(content, "posedirs", (count, 3, POSE_FEATURES), path),
        numbers(content, "J_regressor", (JOINTS, count), path),
        numbers(content, "weights", (count, JOINTS), path),
        parents_of(numbers(content, "kintree_table", (2, JOINTS), path), path),
    )


def numbers(
    content: Mapping[str, Any], key: str, shape: tuple[int | None, ...], path: Path
) -> Array:
    """One of the model's arrays, finite and of the wanted shape (None: any length).

    Raises:
        InputError: for anything else.
    """
    found = as_floats(dense(content[key], path), shape, str(path), key)
    if not np.isfinite(found).all():
        raise InputError(
            f"{path}: {key} has numbers that are not finite; get it from the model's site"
        )
    return found


def parents_of(tree: Array, path: Path) -> tuple[int, ...]:
    """The joints' parents out of `kintree_table` (2, 24): -1 for the first, an earlier joint for each other."""
    parents = [int(parent) for parent in tree[0, 1:]]
    if wrong := [joint for joint, parent in enumerate(parents, 1) if not 0 <= parent < joint]:
        raise InputError(
            f"{path}: kintree_table gives joint {wrong[0]} the parent {parents[wrong[0] - 1]}, which is no earlier joint;"
            " get it from the model's site"
        )
    return (-1, *parents)


def dense(value: object, path: Path, depth: int = 0) -> object:
    """A chumpy array or sparse matrix as an array; anything else as it is."""
    if depth > DEEPEST:
        raise InputError(
            f"{path}: a damaged array (wrapped more than {DEEPEST} times); get the file again"
        )
    try:
        match value:
            case Wrapped():
                return dense(value.state["x"], path, depth + 1)
            case Chosen():
                whole = np.asarray(dense(value.state["a"], path, depth + 1))
                return whole.ravel()[np.asarray(value.state["idxs"])].reshape(
                    value.state["preferred_shape"]
                )
            case ByColumn():
                return np.ascontiguousarray(from_runs(value.state, 1).T)
            case ByRow():
                return from_runs(value.state, 0)
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(
            f"{path}: a damaged array ({one_line(error, 80)}); get the file again"
        ) from error
    return value


def from_runs(state: Mapping[str, Any], axis: int) -> Array:
    """A compressed sparse matrix whose runs lie along `axis`, as (runs, others); sizes are checked before memory is taken."""
    shape = state["_shape"] if "_shape" in state else state["shape"]
    count, others = int(shape[axis]), int(shape[1 - axis])
    if not (
        0 <= count <= MOST_CELLS and 0 <= others <= MOST_CELLS and count * others <= MOST_CELLS
    ):
        raise ValueError(f"a sparse matrix of {count} by {others}")
    indices, ends = np.asarray(state["indices"]), np.asarray(state["indptr"], dtype=np.int64)
    lengths: Array = ends[1:] - ends[:-1]
    if len(lengths) != count or (lengths < 0).any() or lengths.sum() != len(indices):
        raise ValueError("a sparse matrix whose runs do not fit its shape")
    out = np.zeros((count, others))
    out[np.repeat(np.arange(count), lengths), indices] = np.asarray(state["data"])
    return out
