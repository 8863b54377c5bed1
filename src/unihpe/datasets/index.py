"""Large recorded sets open at once: the first opening leaves an index that the next ones map.

An index holds what a reader made of a set's files, array after array. It lies in the set's folder,
in `.unihpe/`, or, where that cannot be written, in `$UNIHPE_CACHE` or `~/.cache/unihpe`. Its name
holds the size and times of each of these files, the package's version and the readers' (`READERS`):
when one changes, a new index is made, and the old one removed. It may be deleted any time.
Checksums of all that it holds are compared when it is opened; a damaged one is made again.
"""

import contextlib
import glob
import hashlib
import json
import os
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.recorded import COLUMNS, Recorded, View
from unihpe.errors import InputError
from unihpe.io.downloads import cache_folder
from unihpe.io.files import BROKEN, replacing
from unihpe.io.mapped import Mapped

# Whoever changes what a reader makes of the same files adds 1: old indices are made again.
READERS = 3
MAGIC = b"unihpe index 2\n".ljust(64)
FOOTER = struct.Struct("<QQI")  # the description's place, length and CRC-32
WORTH = 1 << 26  # bytes of all files; smaller sets open fast enough
ARRAYS = (*COLUMNS, "pose", "keypoints", "confidence")
LENS = ("focal", "centre", "size", "rotation", "translation", "distortion")
TYPES = {"float32": torch.float32, "int64": torch.int64}
PLAIN = ("in_world", "layout", "notes")
ALIGNED = 64  # bytes
BLOCK = 1 << 16  # rows written or checked at a time
STAMP = 16  # letters of a name that say which files it is of
PATTERN = f"{{}}-{'[0-9a-f]' * STAMP}.index"  # of the names of all versions of an index
STALE = 600  # seconds without a byte, after which whoever wrote an index is taken for dead


def indexed(
    root: Path, files: Sequence[Path], name: str, build: Callable[[], Recorded], lens: type[Camera]
) -> Recorded:
    """What `build` makes of a set's files, from its index where there is one; large sets get one.

    Args:
        files: under `root`, that `build` reads; none, and it is called without more ado.
        name: of the set and of everything else that the result depends on.
        lens: the kind of its cameras.
    """
    if not files or sum(file.stat().st_size for file in files) < WORTH:
        return build()
    # Beside the data, the name holds no path: a folder that is moved keeps its index. In the cache,
    # folders must not meet.
    in_cache = cache_folder() / "index" / f"{name}-{_digest(str(root.resolve()))[:8]}"
    stamp, places = _stamp_of(root, files), (root / ".unihpe" / name, in_cache)
    for stem in places:
        # what processes that were killed while they saved left behind (see `files.replacing`)
        _remove(stem, f".{PATTERN}.*.tmp", lambda file: time.time() - file.stat().st_mtime > STALE)
        if (found := _load(stem.with_name(f"{stem.name}-{stamp}.index"), lens)) is not None:
            return found
    recorded = build()
    for stem in places:
        place = stem.with_name(f"{stem.name}-{stamp}.index")
        with contextlib.suppress(InputError):
            _save(recorded, place)
            _remove(stem, PATTERN, lambda file, kept=place: file != kept)  # type: ignore[misc]
            return _load(place, lens) or recorded
    return recorded


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp_of(root: Path, files: Sequence[Path]) -> str:
    """Changes with any of the files, with the package and with its readers."""
    states = [(os.path.relpath(file, root), file.stat()) for file in files]
    found = [(name, state.st_size, state.st_mtime_ns, state.st_ctime_ns) for name, state in states]
    return _digest(json.dumps([metadata.version("unihpe"), READERS, found]))[:STAMP]


def _remove(stem: Path, pattern: str, stale: Callable[[Path], bool]) -> None:
    """Remove the stale ones of the files that are named like an index of this stem."""
    for file in stem.parent.glob(pattern.format(glob.escape(stem.name))):
        with contextlib.suppress(OSError):
            if stale(file):
                file.unlink()


def _save(recorded: Recorded, place: Path) -> None:
    """Write an index, whole or not at all; InputError if it cannot be written."""
    tensors = {name: part for name in ARRAYS if (part := getattr(recorded, name)) is not None}
    with replacing(place) as temporary, temporary.open("wb") as file:
        file.write(MAGIC)
        arrays = {name: _write_array(file, part, recorded) for name, part in tensors.items()}
        parts = {part: getattr(recorded.cameras, part) for part in LENS}
        described = {
            "arrays": arrays,
            "lens": type(recorded.cameras).__name__,
            "cameras": {part: None if row is None else row.tolist() for part, row in parts.items()},
            "views": [list(asdict(view).values()) for view in recorded.views],
            "skeleton": recorded.skeleton.name,
            **{name: getattr(recorded, name) for name in PLAIN},
        }
        text, start = json.dumps(described).encode(), file.tell()
        file.write(text + FOOTER.pack(start, len(text), zlib.crc32(text)))


def _write_array(file: IO[bytes], tensor: Tensor, recorded: Recorded) -> dict[str, Any]:
    """One array after what is there, block by block; its place."""
    file.write(bytes(-file.tell() % ALIGNED))
    offset, crc = file.tell(), 0
    for block in tensor.split(BLOCK):
        numbers = block.contiguous().numpy().data
        crc = zlib.crc32(numbers, crc)
        file.write(numbers)
        recorded.release()
    kind = str(tensor.dtype).removeprefix("torch.")
    return {"offset": offset, "shape": list(tensor.shape), "type": kind, "crc": crc}


def _read_array(mapped: Mapped, place: dict[str, Any]) -> Tensor:
    """One array of an index; ValueError where it is not what was written."""
    tensor, crc = mapped.tensor(place["offset"], tuple(place["shape"]), TYPES[place["type"]]), 0
    for block in tensor.split(BLOCK):
        crc = zlib.crc32(block.numpy().data, crc)
        mapped.release()
    if crc != place["crc"]:
        raise ValueError("damaged")
    return tensor


def _load(place: Path, lens: type[Camera]) -> Recorded | None:
    """The set of an index; None where it is absent or damaged."""
    try:
        with place.open("rb") as file:
            mapped = Mapped(file)
        start, length, crc = FOOTER.unpack(mapped.map[-FOOTER.size :])
        text = mapped.map[start : start + length]
        whole = start + length + FOOTER.size == len(mapped) and zlib.crc32(text) == crc
        if mapped.map[: len(MAGIC)] != MAGIC or not whole:
            return None
        described = json.loads(text)
        arrays = {name: _read_array(mapped, place) for name, place in described["arrays"].items()}
        parts = (described["cameras"][part] for part in LENS)
        kind = {known.__name__: known for known in (Camera, lens)}[described["lens"]]
        return Recorded(
            skeleton=get_skeleton(described["skeleton"]),
            views=tuple(View(*words) for words in described["views"]),
            cameras=kind(*(None if part is None else torch.tensor(part) for part in parts)),  # type: ignore[arg-type]
            in_world=described["in_world"],
            layout=described["layout"],
            notes=tuple(described["notes"]),
            maps=(mapped,),
            **{name: arrays.get(name) for name in ARRAYS},  # type: ignore[arg-type]
        )
    except BROKEN:
        return None
