"""Large recorded sets open at once: the first opening leaves an index, a file that the next ones
map into memory.

An index holds what a reader made of a set's files, array after array, ready to be mapped. It lies
in the set's folder, in `.unihpe/`, or, where that cannot be written, in `$UNIHPE_CACHE` or
`~/.cache/unihpe`. Its name holds the size and times of each of these files, the package's version
and the readers' (`READERS`): when one changes, a new index is made, and the old one removed. It may
be deleted any time. Checksums of all that it holds are compared when it is opened; a damaged one is
made again.
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
from unihpe.io.files import replacing
from unihpe.io.mapped import Mapped

# Whoever changes what a reader makes of the same files adds 1, so that indices of before are made
# again.
READERS = 3
MAGIC = b"unihpe index 2\n".ljust(64)
FOOTER = struct.Struct("<QQI")  # the description's place, length and CRC-32
WORTH = 1 << 26  # bytes of all files; smaller sets open fast enough
ARRAYS = (*COLUMNS, "pose", "keypoints", "confidence")
LENS = ("focal", "centre", "size", "rotation", "translation", "distortion")
TYPES = {"float32": torch.float32, "int64": torch.int64}
ALIGNED = 64  # bytes
BLOCK = 1 << 16  # rows written or checked at a time
STAMP = 16  # letters of a name that say which files it is of
STALE = 600  # seconds without a byte, after which whoever wrote an index is taken for dead
DAMAGED = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, struct.error,
)  # fmt: skip


def indexed(
    root: Path,
    files: Sequence[Path],
    name: str,
    build: Callable[[], Recorded],
    lens: type[Camera] = Camera,
) -> Recorded:
    """What `build` makes of a set's files, from its index where there is one; large sets get one.

    Args:
        root: the set's folder.
        files: under it, that `build` reads; none, and it is called without more ado.
        name: of the set and of everything else that the result depends on.
        lens: the kind of its cameras, where they are not plain ones.
    """
    if not files or sum(file.stat().st_size for file in files) < WORTH:
        return build()
    # Beside the data, the name holds no path: a folder that is moved keeps its index. In the cache,
    # folders must not meet.
    stems = (
        root / ".unihpe" / name,
        cache_folder() / "index" / f"{name}-{digest(str(root.resolve()))[:8]}",
    )
    made_of = stamp(root, files)
    places = [stem.with_name(f"{stem.name}-{made_of}.index") for stem in stems]
    for place in places:
        remove_leftovers(place)
        if (found := load(place, lens)) is not None:
            return found
    recorded = build()
    for place in places:
        with contextlib.suppress(InputError):
            save(recorded, place)
            remove_others(place)
            return load(place, lens) or recorded
    return recorded


def stamp(root: Path, files: Sequence[Path]) -> str:
    """Changes with any of the files, with the package and with its readers."""
    states = [(os.path.relpath(file, root), file.stat()) for file in files]
    found = [(name, state.st_size, state.st_mtime_ns, state.st_ctime_ns) for name, state in states]
    return digest(json.dumps([metadata.version("unihpe"), READERS, found]))[:STAMP]


def digest(text: str) -> str:
    """A short name for a long one."""
    return hashlib.sha256(text.encode()).hexdigest()


def remove_others(place: Path) -> None:
    """Remove the indices of older versions of the same files."""
    for other in place.parent.glob(versions_of(place)):
        if other != place:
            with contextlib.suppress(OSError):
                other.unlink()


def remove_leftovers(place: Path) -> None:
    """Remove what processes that were killed while they saved an index of these files left."""
    with contextlib.suppress(OSError):
        for left in place.parent.glob(f".{versions_of(place)}.*.tmp"):  # see `files.replacing`
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()


def versions_of(place: Path) -> str:
    """The pattern of the names of all versions of an index."""
    stem = place.stem[: -STAMP - 1]
    return f"{glob.escape(stem)}-{'[0-9a-f]' * STAMP}.index"


def save(recorded: Recorded, place: Path) -> None:
    """Write an index, whole or not at all; InputError if it cannot be written."""
    arrays: dict[str, Any] = {}
    with replacing(place) as temporary, temporary.open("wb") as file:
        file.write(MAGIC)
        for name in ARRAYS:
            if (tensor := getattr(recorded, name)) is not None:
                arrays[name] = write_array(file, tensor, recorded)
        parts = {part: getattr(recorded.cameras, part) for part in LENS}
        described = {
            "arrays": arrays,
            "lens": type(recorded.cameras).__name__,
            "cameras": {part: None if row is None else row.tolist() for part, row in parts.items()},
            "views": [list(asdict(view).values()) for view in recorded.views],
            "skeleton": recorded.skeleton.name,
            "in_world": recorded.in_world,
            "layout": recorded.layout,
            "notes": recorded.notes,
        }
        text, start = json.dumps(described).encode(), file.tell()
        file.write(text + FOOTER.pack(start, len(text), zlib.crc32(text)))


def write_array(file: IO[bytes], tensor: Tensor, recorded: Recorded) -> dict[str, Any]:
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


def read_array(mapped: Mapped, place: dict[str, Any]) -> Tensor:
    """One array of an index; ValueError where it is not what was written."""
    tensor, crc = mapped.tensor(place["offset"], tuple(place["shape"]), TYPES[place["type"]]), 0
    for block in tensor.split(BLOCK):
        crc = zlib.crc32(block.numpy().data, crc)
        mapped.release()
    if crc != place["crc"]:
        raise ValueError("damaged")
    return tensor


def load(place: Path, lens: type[Camera] = Camera) -> Recorded | None:
    """The set of an index; None where it is absent or damaged."""
    try:
        with place.open("rb") as file:
            return recorded_of(Mapped(file), lens)
    except DAMAGED:
        return None


def recorded_of(mapped: Mapped, lens: type[Camera]) -> Recorded:
    """A set out of its index; one of `DAMAGED` where it is that."""
    if mapped.map[: len(MAGIC)] != MAGIC:
        raise ValueError("no index")
    start, length, crc = FOOTER.unpack(mapped.map[-FOOTER.size :])
    text = mapped.map[start : start + length]
    if start + length + FOOTER.size != len(mapped) or zlib.crc32(text) != crc:
        raise ValueError("not whole")
    described = json.loads(text)
    arrays = {name: read_array(mapped, place) for name, place in described["arrays"].items()}
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
