"""Pickles of data sets, read without running what is in them.

A pickle is a program. This reader knows numpy's arrays, scalars and types (of `numpy.core` and of
numpy 2's `numpy._core`) and plain containers, and refuses every other name a file asks for. Arrays
and types are rebuilt by the functions below and not by numpy's own, because a crafted numpy type
can claim that raw bytes are objects. Pickles of Python 2 (text as latin-1) are read too.
"""

import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from unihpe.errors import InputError
from unihpe.io.arrays import Array, require_keys
from unihpe.io.files import BROKEN, input_errors

GET_IT = "get the file from the data set's own site"
BOMB_BYTES, BOMB_RATIO = 1 << 29, 100  # larger, and better compressed, than any array of poses is
ARRAY_CLASS = object()  # stands for `numpy.ndarray`: can be neither called nor changed
PLAIN_TYPE = re.compile(r"[<>|=]?(O|[?bBSU]|[biufcSUV]\d{1,9})\d{0,2}")
NUMPY_MODULES = re.compile(r"numpy(\._?core(\.(multiarray|_multiarray_umath|numeric))?)?")


def require(condition: object, otherwise: str) -> None:
    """Raise what a broken pickle raises unless the condition holds."""
    if not condition:
        raise pickle.UnpicklingError(otherwise)


class _Type:
    """A numpy type as a pickle describes it; only plain ones are accepted."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        text = code.decode("latin1") if isinstance(code, bytes) else str(code)
        plain = PLAIN_TYPE.fullmatch(text)
        require(plain, f"an array of type {text[:40]!r}, not a plain number, text or object")
        self.dtype: np.dtype[Any] = np.dtype(text)

    def __setstate__(self, state: Sequence[Any]) -> None:
        """(version, byte order, sub-array, names, fields, …): only the order is taken."""
        order = state[1]
        plain = all(part is None for part in state[2:5])
        require(plain, "a structured array, which no data set of ours has")
        if order in ("<", ">", b"<", b">"):
            self.dtype = self.dtype.newbyteorder("<" if order in ("<", b"<") else ">")


class _Rebuilt(np.ndarray):
    """A numpy array whose pickled state is checked before numpy sees it."""

    def __setstate__(self, state: Sequence[Any], /) -> None:
        """(version, shape, type, Fortran order, data), the version may be left out."""
        # filled again, numpy would free memory that rows taken meanwhile still point to
        require(self.shape == (0,), "an array that is filled twice")
        shape, kind, fortran, data = state[-4:]
        dtype = _checked_type(kind)
        require(dtype.hasobject == isinstance(data, list), "an array whose data misfits its type")
        data = data if isinstance(data, list) else _as_bytes(data)
        whole = all(isinstance(n, int) and n >= 0 for n in shape)
        require(whole, "an array of an impossible shape")
        # numpy itself does not check a list's length, and would read past its end
        size = math.prod(shape) * (1 if dtype.hasobject else dtype.itemsize)
        require(len(data) == size, "an array that holds more or less than its shape says")
        clean: Any = (1, tuple(shape), dtype, bool(fortran), data)
        super().__setstate__(clean)


def _checked_type(kind: object) -> np.dtype[Any]:
    if not isinstance(kind, _Type):
        raise pickle.UnpicklingError("an array without a type")
    return kind.dtype


def _as_bytes(data: Any) -> bytes:
    """Raw bytes, also where Python 2 stored them as text."""
    data = data.encode("latin1") if isinstance(data, str) else data
    require(isinstance(data, bytes | bytearray | memoryview), "an array whose data is no bytes")
    return bytes(data)


def _rebuild_array(subtype: object, *_: object) -> _Rebuilt:
    """An empty array that waits for its state (numpy's `_reconstruct`)."""
    require(subtype is ARRAY_CLASS, "an array of a foreign class")
    return _Rebuilt((0,), np.int8)


def _rebuild_from_buffer(data: object, kind: object, shape: Sequence[int], order: str) -> Array:
    """An array out of its bytes (numpy's `_frombuffer`, pickle protocol 5)."""
    flat = np.frombuffer(_as_bytes(data), _checked_type(kind))
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _rebuild_scalar(kind: object, data: object = b"") -> Any:
    dtype = _checked_type(kind)
    require(not dtype.hasobject, "a number that is an object")
    return np.frombuffer(_as_bytes(data), dtype, 1)[0] if dtype.itemsize else dtype.type()


def _encode_latin(text: str, codec: str) -> bytes:
    """Bytes that Python 3 wrote into an old-style pickle as text."""
    require(codec in ("latin1", "latin-1"), f"bytes in the codec {codec[:20]!r}")
    return text.encode("latin1")


FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "_reconstruct"): _rebuild_array,
    ("numpy", "_frombuffer"): _rebuild_from_buffer,
    ("numpy", "scalar"): _rebuild_scalar,
    ("numpy", "dtype"): _Type,
    ("builtins", "bytes"): lambda: b"",  # the one call that old pickles make: for no bytes at all
    ("_codecs", "encode"): _encode_latin,
}
PLAIN = (set, frozenset, list, dict, tuple, complex, OrderedDict)  # no pickle can alter these
CONTAINERS: dict[str, type] = {kind.__name__: kind for kind in PLAIN}


class Restricted(pickle.Unpickler):
    """An unpickler that finds nothing but arrays and containers."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        super().__init__(file, encoding="latin1")
        self.where = where

    def find_class(self, module: str, name: str) -> Any:
        """Ours by the name in a pickle, or an InputError."""
        family = "numpy" if NUMPY_MODULES.fullmatch(module) else module
        family = "builtins" if module in ("__builtin__", "collections") else family
        if (family, name) == ("numpy", "ndarray"):
            return ARRAY_CLASS
        if (family, name) in FUNCTIONS:  # a copy each: a pickle may set attributes of what it gets
            return partial(FUNCTIONS[family, name])
        if family == "builtins" and name in CONTAINERS:
            return CONTAINERS[name]
        refused = f"asks for {module}.{name}, which is neither an array nor a plain container"
        raise InputError(f"{self.where}: {refused}, so nothing of it was run; {GET_IT}")


def _load_stream(file: IO[bytes], where: str, reader: type[Restricted] = Restricted) -> Any:
    """The one object pickled in a stream; `where` names it in messages."""
    with input_errors(f"{where}: not a readable pickle"):
        return reader(file, where).load()


def load_pickle(path: Path, reader: type[Restricted] = Restricted) -> Any:
    """The object in a pickle file: arrays, numbers, text, containers, and what `reader` adds."""
    unopened = input_errors(f"{path}: cannot be read", "give the right folder", (OSError,))
    with unopened, path.open("rb") as file:
        return _load_stream(file, str(path), reader)


def load_npz(path: Path, keys: Sequence[str], objects: bool = True) -> dict[str, Any]:
    """Arrays of an npz by name, a single object (a dict) as that; refused without `objects`."""
    if not path.is_file():
        remedy = "give the folder that holds it, or make it as docs/data.md describes"
        raise InputError(f"{path}: no such file; {remedy}")
    with input_errors(f"{path}: not a readable npz"), zipfile.ZipFile(path) as archive:
        present = [name.removesuffix(".npy") for name in archive.namelist()]
        require_keys(present, keys, path, f"it holds {', '.join(present) or 'nothing'}")
        return {key: _member(archive, key, f"{path} [{key}]", objects) for key in keys}


def npz_keys(path: Path) -> list[str]:
    """The names of an npz's arrays; none for a file that `load_npz` will complain about."""
    with suppress(*BROKEN), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]
    return []


def npz_shape(path: Path, key: str) -> tuple[int, ...] | None:
    """The shape of an npz's array by its header alone; None without such a file or array."""
    with suppress(*BROKEN), zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
        return _header_of(file)[0]
    return None


def _header_of(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    form = np.lib.format
    first = form.read_magic(file) == (1, 0)
    read = form.read_array_header_1_0 if first else form.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _read_numbers(file: IO[bytes], size: int) -> Array:
    """The array of an npy file of `size` bytes; a ValueError for objects, or if it does not fit."""
    shape, dtype = _header_of(file)
    if (wanted := math.prod(shape) * dtype.itemsize) > size or min(shape, default=0) < 0:
        raise ValueError(f"its header promises {wanted:,} bytes, of {size:,}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def load_npy(path: Path, remedy: str) -> Array:
    """The numbers of an npy file; the InputError for a broken one, or objects, ends in `remedy`."""
    with input_errors(f"{path}: no readable npy", remedy), path.open("rb") as file:
        return _read_numbers(file, path.stat().st_size)


def require_no_bomb(size: int, stored: int, what: str) -> None:
    """Raise for a small array that would fill the memory: no numbers of people are that alike."""
    if size > BOMB_BYTES and size > BOMB_RATIO * stored:
        sizes = f"{stored:,} bytes that unpack to {size:,}: no data set is so alike"
        raise InputError(f"{what} {sizes}, so it was not unpacked; {GET_IT}")


def _member(archive: zipfile.ZipFile, key: str, where: str, objects: bool) -> Any:
    """One array of an npz, as a stream, so that it is in memory once; objects are restricted."""
    entry = archive.getinfo(f"{key}.npy")
    require_no_bomb(entry.file_size, entry.compress_size, f"{where}:")
    with archive.open(entry) as file:
        shape, dtype = _header_of(file)
        if dtype.hasobject and not objects:
            raise InputError(f"{where}: holds objects; save it as plain numbers or text")
        if dtype.hasobject:
            loaded = _load_stream(file, where)
        else:
            file.seek(0)
            loaded = _read_numbers(file, entry.file_size)
        if file.read(1):  # the end must be reached, for there the check sum is compared
            raise ValueError(f"{key} goes on behind its last value")
    single = dtype.hasobject and isinstance(loaded, np.ndarray) and shape == ()
    return loaded.item() if single else loaded
