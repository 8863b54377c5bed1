"""Large recorded sets open at once: the first opening leaves an index, a file that the next ones map into memory.

An index holds what a reader made of a set's files, array after array, ready to be mapped. It lies beside the set's files, in
`.unihpe/`, or, where that cannot be written, in `$UNIHPE_CACHE` or `~/.cache/unihpe`. Its name holds the size and time of each
of these files and the package's version: when one changes, a new index is made, and the old one removed. It may be deleted any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from unihpe.camera import Camera
from unihpe.data.human36m_cameras import Human36mCamera
from unihpe.data.mapped import Mapped
from unihpe.data.recorded import COLUMNS, Recorded, View
from unihpe.errors import InputError
from unihpe.files import replacing
from unihpe.skeleton import get_skeleton
from unihpe.weights import cache_folder

MAGIC, FOOTER = b"unihpe index 1\n".ljust(64), struct.Struct("<QQ")
WORTH = 1 << 26  # bytes of all files; smaller sets open fast enough
ARRAYS = (*COLUMNS, "pose", "keypoints", "confidence")
LENS = ("focal", "centre", "size", "rotation", "translation", "distortion")
CAMERAS: dict[str, type[Camera]] = {"pinhole": Camera, "human36m": Human36mCamera}
TYPES = {"float32": torch.float32, "int64": torch.int64}
ALIGNED = 64  # bytes
BLOCK = 1 << 16  # rows written at a time


def indexed(files: Sequence[Path], name: str, build: Callable[[], Recorded]) -> Recorded:
    """What `build` makes of a set's files, from its index where there is one; large sets get one.

    Args:
        files: that `build` reads; none, and it is called without more ado.
        name: of the set and of everything else that the result depends on.

    Raises:
        InputError: as `build`.
    """
    if not files or sum(file.stat().st_size for file in files) < WORTH:
        return build()
    stem = f"{name}-{digest(str(files[0].parent.resolve()))[:8]}"
    places = [folder / f"{stem}-{stamp(files)}.index" for folder in folders(files[0].parent)]
    for place in places:
        if (found := load(place)) is not None:
            return found
    recorded = build()
    for place in places:
        with contextlib.suppress(InputError):
            save(recorded, place)
            remove_others(place, stem)
            return load(place) or recorded
    return recorded


def folders(data: Path) -> tuple[Path, Path]:
    """Where the index of a data folder may lie, the better place first."""
    return data / ".unihpe", cache_folder() / "index"


def stamp(files: Sequence[Path]) -> str:
    """Changes with any of the files and with the package."""
    found = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return digest(json.dumps([metadata.version("unihpe"), found]))[:16]


def digest(text: str) -> str:
    """A short name for a long one."""
    return hashlib.sha256(text.encode()).hexdigest()


def remove_others(place: Path, stem: str) -> None:
    """Remove the indices of older versions of the same files."""
    for other in place.parent.glob(f"{stem}-*.index"):
        if other != place:
            with contextlib.suppress(OSError):
                other.unlink()


def save(recorded: Recorded, place: Path) -> None:
    """Write an index, whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    arrays: dict[str, Any] = {}
    with replacing(place) as temporary, temporary.open("wb") as file:
        file.write(MAGIC)
        for name in ARRAYS:
            if (tensor := getattr(recorded, name)) is not None:
                arrays[name] = write_array(file, tensor, recorded)
        cameras = {part: getattr(recorded.cameras, part) for part in LENS}
        described = {
            "arrays": arrays,
            "lens": next(name for name, kind in CAMERAS.items() if type(recorded.cameras) is kind),
            "cameras": {part: None if value is None else value.tolist() for part, value in cameras.items()},
            "views": [list(asdict(view).values()) for view in recorded.views],
            "skeleton": recorded.skeleton.name,
            "in_world": recorded.in_world,
            "layout": recorded.layout,
            "notes": recorded.notes,
        }
        text, start = json.dumps(described).encode(), file.tell()
        file.write(text + FOOTER.pack(start, len(text)))


def write_array(file: IO[bytes], tensor: Tensor, recorded: Recorded) -> dict[str, Any]:
    """One array after what is there, block by block; its place."""
    file.write(bytes(-file.tell() % ALIGNED))
    place = {"offset": file.tell(), "shape": list(tensor.shape), "type": str(tensor.dtype).removeprefix("torch.")}
    for block in tensor.split(BLOCK):
        file.write(block.contiguous().numpy().data)
        recorded.release()
    return place


def load(place: Path) -> Recorded | None:
    """The set of an index; None where it is absent or not whole."""
    try:
        with place.open("rb") as file:
            mapped = Mapped(file)
        return recorded_of(mapped)
    except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error, InputError):
        return None


def recorded_of(mapped: Mapped) -> Recorded:
    """A set out of its index; ValueError and the like where it is damaged."""
    if mapped.map[: len(MAGIC)] != MAGIC:
        raise ValueError("no index")
    start, length = FOOTER.unpack(mapped.map[-FOOTER.size :])
    if start + length + FOOTER.size != len(mapped):
        raise ValueError("not whole")
    described = json.loads(mapped.map[start : start + length])
    arrays = {
        name: mapped.tensor(place["offset"], tuple(place["shape"]), TYPES[place["type"]])
        for name, place in described["arrays"].items()
    }
    lens = [None if value is None else torch.tensor(value) for value in (described["cameras"][part] for part in LENS)]
    return Recorded(
        skeleton=get_skeleton(described["skeleton"]),
        views=tuple(View(*words) for words in described["views"]),
        cameras=CAMERAS[described["lens"]](*lens),  # type: ignore[arg-type]
        in_world=described["in_world"],
        layout=described["layout"],
        notes=tuple(described["notes"]),
        maps=(mapped,),
        **{name: arrays.get(name) for name in ARRAYS},  # type: ignore[arg-type]
    )
