"""HDF5 files of data sets: arrays whose shape, type and size are checked before they are read."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.errors import InputError
from unihpe.io.arrays import Array, Shape, as_floats, require_keys
from unihpe.io.extra import extra
from unihpe.io.files import input_errors
from unihpe.io.pickles import require_no_bomb


def read_hdf5(
    path: Path, shapes: Mapping[str, Shape], optional: Mapping[str, Shape], remedy: str
) -> dict[str, Array]:
    """Arrays of an HDF5 file by name, of the wanted shapes; those of `optional` may be absent."""
    h5py = extra("h5py", "data", f"{path}: reading it needs h5py")
    with input_errors(f"{path}: not a readable HDF5 file"), h5py.File(path, "r") as file:
        require_keys(file, sorted(shapes), path, remedy)
        wanted = {**shapes, **{key: shape for key, shape in optional.items() if key in file}}
        return {key: _checked(file[key], shape, path, key) for key, shape in wanted.items()}


def _checked(stored: Any, shape: Shape, path: Path, key: str) -> Array:
    """One array, read if its head and its size in the file say that it is what is wanted."""
    if getattr(stored, "shape", None) is None:
        raise InputError(f"{path}: {key} is a group or empty; use the set's own files")
    head = np.broadcast_to(np.empty((), stored.dtype), stored.shape)  # shape and type, no memory
    as_floats(head, shape, str(path), key)
    size = prod(stored.shape) * stored.dtype.itemsize
    require_no_bomb(size, stored.id.get_storage_size(), f"{path}: {key} has")
    return as_floats(stored[()], shape, str(path), key)
