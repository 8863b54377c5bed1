"""HDF5 files of data sets: arrays of numbers, whose shape, type and size are looked at before they are read."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_floats
from unihpe.io.extra import extra
from unihpe.io.pickles import BOMB_BYTES, BOMB_RATIO, BROKEN, reason

Shape = tuple[int | None, ...]


def read_hdf5(
    path: Path, shapes: Mapping[str, Shape], optional: Mapping[str, Shape], remedy: str
) -> dict[str, Array]:
    """Arrays of an HDF5 file by name, of the wanted shapes (None: any length).

    Args:
        optional: arrays that may be absent.
        remedy: said where an array is missing.

    Raises:
        InputError: for a file that cannot be read, or holds something else under these names.
    """
    h5py = extra("h5py", "h5py", path)
    try:
        with h5py.File(path, "r") as file:
            if missing := [key for key in shapes if key not in file]:
                raise InputError(f"{path}: lacks {', '.join(sorted(missing))}; {remedy}")
            wanted = {**shapes, **{key: shape for key, shape in optional.items() if key in file}}
            return {key: numbers(file[key], shape, str(path), key) for key, shape in wanted.items()}
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(
            f"{path}: not a readable HDF5 file ({reason(error)}); copy it again"
        ) from error


def numbers(found: Any, shape: Shape, where: str, key: str) -> Array:
    """One array, read if a look at its head and at its size in the file says that it is what is wanted."""
    if getattr(found, "shape", None) is None:
        raise InputError(
            f"{where}: {key} is a group or empty, expected an array; use the set's own files"
        )
    head = np.broadcast_to(np.empty((), found.dtype), found.shape)  # shape and type, and no memory
    as_floats(head, shape, where, key)
    size, stored = prod(found.shape) * found.dtype.itemsize, found.id.get_storage_size()
    if size > BOMB_BYTES and size > BOMB_RATIO * stored:
        raise InputError(
            f"{where}: {key} has {stored:,} bytes that unpack to {size:,}: no data set is so alike, so it was not unpacked;"
            " get the file from the data set's own site"
        )
    return as_floats(found[()], shape, where, key)
