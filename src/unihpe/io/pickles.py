"""Pickles of data sets, read without running what is in them.

A pickle is a program. This reader knows numpy arrays, numpy scalars, numpy types and plain
containers, and refuses every other name a file asks for, whatever it is. Arrays and types are
rebuilt by the functions below and not by numpy's own, because a crafted numpy type can claim that
raw bytes are objects. Pickles of Python 2 (text as latin-1) are read too, and so are arrays of
objects inside an npz. numpy 1 writes `numpy.core`, numpy 2 `numpy._core`: both are known.
"""

from __future__ import annotations

import lzma
import math
import pickle
import re
import struct
import tokenize
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from unihpe.errors import InputError, one_line
from unihpe.io.arrays import Array

# What a broken pickle or npz may raise while it is read.
BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
BOMB_BYTES, BOMB_RATIO = 1 << 29, 100  # larger, and better compressed, than any array of poses is
ARRAY_CLASS = (
    object()
)  # what a pickle gets for `numpy.ndarray`: a mark that can be neither called nor changed
PLAIN_TYPE = re.compile(r"[<>|=]?(O|[?bBSU]|[biufcSUV]\d{1,9})\d{0,2}")


class Type:
    """A numpy type as a pickle describes it; only plain ones are accepted."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        text = code.decode("latin1") if isinstance(code, bytes) else str(code)
        if not PLAIN_TYPE.fullmatch(text):
            raise pickle.UnpicklingError(
                f"an array of type {text[:40]!r}, which is not a plain number, text or object"
            )
        self.dtype: np.dtype[Any] = np.dtype(text)

    def __setstate__(self, state: Sequence[Any]) -> None:
        """(version, byte order, sub-array, names, fields, size, alignment, flags, …): only the order is taken."""
        order, structured = state[1], [part for part in state[2:5] if part is not None]
        if structured:
            raise pickle.UnpicklingError("a structured array, which no data set of ours has")
        order = order.decode("latin1") if isinstance(order, bytes) else str(order)
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder("<" if order == "<" else ">")


class Rebuilt(np.ndarray):
    """A numpy array whose pickled state is checked before numpy sees it."""

    def __setstate__(self, state: Sequence[Any], /) -> None:
        """(version, shape, type, Fortran order, data), the version may be left out."""
        if self.shape != (
            0,
        ):  # numpy would free memory that the array's rows, taken meanwhile, still show
            raise pickle.UnpicklingError("an array that is filled twice")
        shape, kind, fortran, data = state[-4:]
        dtype = checked_type(kind)
        if dtype.hasobject != isinstance(data, list):
            raise pickle.UnpicklingError("an array whose data does not fit its type")
        data = data if isinstance(data, list) else as_bytes(data)
        if not all(isinstance(n, int) and n >= 0 for n in shape):
            raise pickle.UnpicklingError("an array of an impossible shape")
        if len(data) != math.prod(shape) * (1 if dtype.hasobject else dtype.itemsize):
            # numpy itself does not look at a list's length, and would read past its end
            raise pickle.UnpicklingError("an array that holds more or less than its shape says")
        clean: Any = (1, tuple(shape), dtype, bool(fortran), data)
        super().__setstate__(clean)


def checked_type(kind: object) -> np.dtype[Any]:
    """The numpy type that a `Type` stands for; anything else in its place is refused."""
    if not isinstance(kind, Type):
        raise pickle.UnpicklingError("an array without a type")
    return kind.dtype


def as_bytes(data: object) -> bytes:
    """Raw bytes, also where Python 2 stored them as text."""
    if isinstance(data, str):
        return data.encode("latin1")
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise pickle.UnpicklingError("an array whose data is no bytes")


def rebuild_array(subtype: object, *_: object) -> Rebuilt:
    """An empty array that waits for its state (numpy's `_reconstruct`)."""
    if subtype is not ARRAY_CLASS:
        raise pickle.UnpicklingError("an array of a foreign class")
    return Rebuilt((0,), np.int8)


def rebuild_from_buffer(data: object, kind: object, shape: Sequence[int], order: str) -> Array:
    """An array out of its bytes (numpy's `_frombuffer`, pickle protocol 5)."""
    return np.frombuffer(as_bytes(data), checked_type(kind)).reshape(
        shape, order="F" if order == "F" else "C"
    )


def rebuild_scalar(kind: object, data: object = b"") -> Any:
    """One number (numpy's `scalar`)."""
    dtype = checked_type(kind)
    if dtype.hasobject:
        raise pickle.UnpicklingError("a number that is an object")
    return np.frombuffer(as_bytes(data), dtype, 1)[0] if dtype.itemsize else dtype.type()


def encode_latin(text: str, codec: str) -> bytes:
    """Bytes that Python 3 wrote into an old-style pickle as text."""
    if codec not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the codec {codec[:20]!r}")
    return text.encode("latin1")


def no_bytes() -> bytes:
    """The one `bytes` call that old pickles make: for no bytes at all."""
    return b""


ARRAYS: dict[str, Callable[..., Any]] = {
    "_reconstruct": rebuild_array,
    "_frombuffer": rebuild_from_buffer,
    "scalar": rebuild_scalar,
    "dtype": Type,
}
CONTAINERS: dict[str, Callable[..., Any]] = {
    "set": set,
    "frozenset": frozenset,
    "list": list,
    "dict": dict,
    "tuple": tuple,
    "bytes": no_bytes,
    "complex": complex,
    "OrderedDict": OrderedDict,
}
NUMPY_MODULES = re.compile(r"numpy(\._?core(\.(multiarray|_multiarray_umath|numeric))?)?")


class Restricted(pickle.Unpickler):
    """An unpickler that finds nothing but arrays and containers."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        super().__init__(file, encoding="latin1")
        self.where = where

    def find_class(self, module: str, name: str) -> Any:
        """What the names in a pickle stand for: ours, or an InputError."""
        if NUMPY_MODULES.fullmatch(module) and name == "ndarray":
            return ARRAY_CLASS
        if NUMPY_MODULES.fullmatch(module) and name in ARRAYS:
            return partial(
                ARRAYS[name]
            )  # a copy each time: a pickle may set attributes of what it is given
        if module in ("builtins", "__builtin__", "collections") and name in CONTAINERS:
            return (
                CONTAINERS[name]
                if isinstance(CONTAINERS[name], type)
                else partial(CONTAINERS[name])
            )
        if (module, name) == ("_codecs", "encode"):
            return partial(encode_latin)
        raise InputError(
            f"{self.where}: asks for {module}.{name}, which is neither an array nor a plain container; a data set has no"
            " need of it, so nothing of it was run: get the file from the data set's own site"
        )


def load_stream(file: IO[bytes], where: str, reader: type[Restricted] = Restricted) -> Any:
    """The one object pickled in a stream; `where` names it in messages."""
    try:
        return reader(file, where).load()
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(
            f"{where}: not a readable pickle ({reason(error)}); copy it again"
        ) from error


def load_pickle(path: Path, reader: type[Restricted] = Restricted) -> Any:
    """The object in a pickle file: arrays, numbers, text and containers of them, and what `reader`
    knows besides.

    Raises:
        InputError: for a file that is missing, broken, or asks for anything else.
    """
    try:
        with path.open("rb") as file:
            return load_stream(file, str(path), reader)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); give the right folder"
        ) from error


def load_npz(path: Path, keys: Sequence[str], objects: bool = True) -> dict[str, Any]:
    """Some arrays of an npz by name; an array that holds one object (a dict, in practice) comes out
    as that object.

    Args:
        objects: whether there may be such; without, all that comes out is arrays of numbers or
            text.

    Raises:
        InputError: for a file that is missing, broken or lacks a key.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; give the folder that holds it, or make it as docs/data.md describes"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            present = [name.removesuffix(".npy") for name in archive.namelist()]
            if missing := [key for key in keys if key not in present]:
                raise InputError(
                    f"{path}: lacks {', '.join(missing)}; it holds {', '.join(present) or 'nothing'}"
                )
            for key in keys:
                require_no_bomb(archive, key, path)
            return {key: member(archive, key, f"{path} [{key}]", objects) for key in keys}
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"{path}: not a readable npz ({reason(error)}); copy it again") from error


def npz_keys(path: Path) -> list[str]:
    """The names of an npz's arrays; none for a file that is missing or broken, about which `load_npz` complains."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except BROKEN:
        return []


def npz_shape(path: Path, key: str) -> tuple[int, ...] | None:
    """The shape of an npz's array by its header alone; None where there is no such file or array."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
            return header_of(file)[0]
    except BROKEN:
        return None


def header_of(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type at the head of an npy file; a ValueError, whatever is wrong with it."""
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    try:
        shape, _, dtype = read(file)
    except (
        SyntaxError,
        tokenize.TokenError,
        MemoryError,
        RecursionError,
    ) as error:  # numpy reads it as Python
        raise ValueError(f"its header is damaged: {reason(error)}") from error
    return shape, dtype


def require_room(shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> None:
    """Raise a ValueError for an array of numbers larger than the `size` bytes of the file that is to hold it."""
    if (wanted := math.prod(shape) * dtype.itemsize) > size or min(shape, default=0) < 0:
        raise ValueError(f"its header promises {wanted:,} bytes, of {size:,}")


def load_npy(path: Path, remedy: str) -> Array:
    """The numbers of an npy file; the message of an error ends with the remedy.

    Raises:
        InputError: for a file that is missing or broken, or holds objects.
    """
    try:
        with path.open("rb") as file:
            require_room(*header_of(file), path.stat().st_size)
            file.seek(0)
            loaded: Array = np.lib.format.read_array(file, allow_pickle=False)
    except BROKEN as error:
        raise InputError(f"{path}: no readable npy ({reason(error)}); {remedy}") from error
    return loaded


def require_no_bomb(archive: zipfile.ZipFile, key: str, path: Path) -> None:
    """Raise for an array that a small file would blow up to fill the memory: numbers of people are never that alike."""
    entry = archive.getinfo(f"{key}.npy")
    if entry.file_size > BOMB_BYTES and entry.file_size > BOMB_RATIO * entry.compress_size:
        raise InputError(
            f"{path} [{key}]: {entry.compress_size:,} bytes that unpack to {entry.file_size:,}: no data set is so alike, so it was"
            " not unpacked; get the file from the data set's own site"
        )


def member(archive: zipfile.ZipFile, key: str, where: str, objects: bool) -> Any:
    """One array of an npz, read as a stream, so that it is in memory once; objects go through the restricted unpickler."""
    with archive.open(f"{key}.npy") as file:
        shape, dtype = header_of(file)
        if dtype.hasobject and not objects:
            raise InputError(
                f"{where}: holds objects; save it as an array of plain numbers or text"
            )
        if dtype.hasobject:
            loaded = load_stream(file, where)
        else:
            require_room(shape, dtype, archive.getinfo(f"{key}.npy").file_size)
            file.seek(0)
            loaded = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # the end must be reached, for there the check sum is compared
            raise ValueError(f"{key} goes on behind its last value")
    return (
        loaded.item()
        if dtype.hasobject and isinstance(loaded, np.ndarray) and shape == ()
        else loaded
    )


def reason(error: BaseException, most: int = 160) -> str:
    """An error in one line of at most so many characters."""
    return (one_line(error) or type(error).__name__)[:most]
