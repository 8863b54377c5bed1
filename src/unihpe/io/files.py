"""Files: written whole or not at all, read with a remedy, found by a pattern."""

import contextlib
import errno
import glob
import json
import lzma
import os
import pickle
import re
import secrets
import struct
import tokenize
import tomllib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any, TextIO

from unihpe.errors import InputError, one_line
from unihpe.io.locks import lock

NUMBER = re.compile("([0-9]+)")
Kinds = tuple[type[Exception], ...]
# What a broken pickle, npz or HDF5 file may raise while it is read; numpy reads heads as source.
BROKEN: Kinds = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, zlib.error, lzma.LZMAError),
    *(ArithmeticError, AttributeError, EOFError, ImportError, LookupError, MemoryError),
    *(OSError, RuntimeError, SyntaxError, TypeError, ValueError, tokenize.TokenError),
)
# Inside `all_or_none`: files that are written and wait for their names.
_waiting: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("waiting", default=None)


@contextlib.contextmanager
def input_errors(what: str, remedy: str = "copy it again", kinds: Kinds = BROKEN) -> Iterator[None]:
    """Turns what a broken file raises into an InputError: what is wrong, why, and the remedy."""
    try:
        yield
    except InputError:
        raise
    except kinds as error:
        reason = one_line(getattr(error, "strerror", None) or error, 160)
        raise InputError(f"{what} ({reason}); {remedy}") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, renamed to it at the end or removed; or an InputError.

    What writers left that were killed is removed. Inside `all_or_none` the renaming waits.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    waiting = _waiting.get()
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_remnants(path)
        with temporary.open("xb") as mark:
            with contextlib.suppress(OSError):
                lock(mark)
            yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if waiting is None:
            temporary.replace(path)
        else:
            waiting.append((temporary, path))
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if (temporary, path) not in (waiting or ()):
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """Files written inside get their names together at its end; after an error, none does."""
    written: list[tuple[Path, Path]] = []
    token = _waiting.set(written)
    try:
        yield
        for temporary, path in written:
            try:
                temporary.replace(path)
            except OSError as error:
                raise _unwritable(path, error) from error
    finally:
        _waiting.reset(token)
        for temporary, _ in written:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}")


def _remove_remnants(path: Path) -> None:
    """Remove the temporary files of `path` whose writers are gone, and their locks with them."""
    for remnant in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.tmp"):
        with contextlib.suppress(OSError):
            with remnant.open("rb+") as file:
                lock(file)
            remnant.unlink()


def write_text(path: Path, text: str) -> None:
    """Text as UTF-8; what is no text (in names of files) is escaped, as JSON does."""
    with writing_text(path) as file:
        file.write(text)


@contextlib.contextmanager
def writing_text(path: Path) -> Iterator[TextIO]:
    """`write_text` piece by piece."""
    text: Any = {"encoding": "utf-8", "errors": "backslashreplace"}
    with replacing(path) as temporary, temporary.open("w", **text) as file:
        yield file


def read_text(path: Path, remedy: str) -> str:
    """A text file's content; the message of an InputError ends with the remedy."""
    with input_errors(f"{path}: cannot be read", remedy, (OSError,)):
        return path.read_text(encoding="utf-8", errors="replace")


def read_json(path: Path) -> Any:
    """A JSON file's content; an InputError for one that cannot be read, or is none.

    Names in it may be in any encoding: what is no text becomes lone surrogates (`os.fsdecode`).
    """
    with input_errors(f"{path}: cannot be read", kinds=(OSError,)):
        written = path.read_bytes()
    with input_errors(f"{path}: not whole JSON", "copy or write it again", (ValueError,)):
        return json.loads(written.decode(json.detect_encoding(written), "surrogateescape"))


def packaged_toml(package: str, name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Paths as people count: frame_2 before frame_10."""
    return sorted(paths, key=lambda path: ([*map(_by_number, path.parts)], str(path)))


def _by_number(name: str) -> list[str | int]:
    return [int(part) if n % 2 else part for n, part in enumerate(NUMBER.split(name))]


def matching(root: Path, pattern: str) -> list[Path]:
    """What is there of a pattern such as S*/*/annot.h5 under a folder, sorted.

    `Path.glob` passes over folders that may not be read, and half a set looks whole: these raise
    PermissionError.
    """
    places = [root]
    for part in pattern.split("/"):
        if any(sign in part for sign in "*?["):
            inside = [path for place in places if place.is_dir() for path in place.iterdir()]
            places = [path for path in inside if fnmatchcase(path.name, part)]
        else:
            places = [place / part for place in places]
    return in_order(place for place in places if place.exists())
