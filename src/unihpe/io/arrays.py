"""What a file holds, checked: dicts with the wanted keys, numbers of the wanted shape."""

from collections.abc import Container, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.errors import InputError, listing

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int | None, ...]  # None: any length


def as_array(value: object) -> Array:
    """A value as an array; ragged lists become one object, which no check lets pass."""
    try:
        return np.asarray(value)
    except ValueError:
        out = np.empty(1, dtype=object)
        out[0] = value
        return out


def as_flags(value: object, where: str, what: str) -> Array:
    """Flags (N,) as booleans, whatever their shape; an InputError unless numbers or booleans."""
    array = as_array(value)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{where}: {what} is of type {array.dtype}, not flags; get the file again")
    return array.ravel() > 0


def as_floats(value: object, shape: Shape, where: str, what: str) -> Array:
    """Numbers of the wanted shape; an InputError names the place and both shapes otherwise."""
    array = as_array(value)
    if array.dtype.kind not in "fiu":
        kind = f"of type {array.dtype}, not numbers"
        raise InputError(f"{where}: {what} are {kind}; write the file again")
    sizes = zip(shape, array.shape, strict=False)
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in sizes):
        wanted = ", ".join("N" if n is None else str(n) for n in shape)
        has = f"have the shape {array.shape}, expected ({wanted})"
        raise InputError(f"{where}: {what} {has}; use the set's own files")
    return array.view(np.ndarray)


def float32(*parts: Array) -> Tensor:
    """Arrays one after the other in single precision."""
    return torch.from_numpy(np.concatenate(parts).astype(np.float32))


def require_finite(poses: Array, where: str) -> None:
    """Raise for poses (N, J, 3) that are not finite, naming the first frame."""
    if len(frames := np.flatnonzero(~np.isfinite(poses).all(axis=(1, 2)))):
        what = f"3D of {len(frames)} of {len(poses)} frames is not finite, first frame {frames[0]}"
        raise InputError(f"{where}: {what}; leave them out")


def require_numbers(values: Array, where: str, what: str) -> None:
    """Raise for numbers, of any shape, that are not all finite."""
    if not np.isfinite(values).all():
        raise InputError(f"{where}: {what} has numbers that are not finite; get the file again")


def require_keys(content: Container[str], keys: Iterable[str], where: object, remedy: str) -> None:
    if missing := [key for key in keys if key not in content]:
        raise InputError(f"{where}: lacks {listing(missing)}; {remedy}")


def as_dict(content: object, what: str, where: object, remedy: str) -> dict[Any, Any]:
    """A dict; an InputError for anything else, with words for `what` was expected."""
    if not isinstance(content, dict):
        raise InputError(f"{where}: holds a {type(content).__name__}, expected {what}; {remedy}")
    return content
