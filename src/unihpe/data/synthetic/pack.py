"""Rendered people on disk: one file, JPEG crops and their labels, read at random.

Layout: the eight bytes `MAGIC`; the JPEG files one after the other; a JSON description; and the last 16 bytes of the
file: where the description begins and how long it is (little-endian, unsigned, 8 bytes each). The label arrays lie just
before the description, which says where.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from unihpe.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.camera import Camera
from unihpe.errors import InputError
from unihpe.files import replacing

if TYPE_CHECKING:  # reading a packed set needs no renderer
    from unihpe.data.synthetic.scene import Person, Settings

MAGIC = b"unihpe1\n"
QUALITY = 92
FOOTER = struct.Struct("<QQ")
# Label arrays, in this order: shape of one person's, and type. Cameras: focal, centre, size (2 each), rotation (9),
# translation (3).
LABELS: dict[str, tuple[tuple[int, ...], str]] = {
    "index": ((), "<i8"),
    "offset": ((), "<u8"),
    "length": ((), "<u4"),
    "keypoints": ((17, 2), "<f4"),
    "pose": ((17, 3), "<f4"),
    "visibility": ((17,), "|u1"),
    "box": ((4,), "<f8"),
    "camera": ((18,), "<f8"),
}


class Rendered(Protocol):
    """People by index, as `scene.People`."""

    @property
    def settings(self) -> Settings: ...

    def __getitem__(self, index: int) -> Person: ...


@dataclass(frozen=True)
class Packed:
    """One person out of a packed set: as `scene.Person`, without `cover`; keypoints and pose as float32.

    Attributes:
        picture: (256, 192, 3), RGB.
        keypoints: (17, 2), pixels of the full picture; pose: (17, 3), mm, camera axes, absolute.
        visibility: (17,): 0 outside, 1 hidden, 2 seen.
        box: (4,), pixels of the full picture.
        camera: of leading shape ().
        index: in the set that was packed.
    """

    picture: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    pose: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    box: NDArray[np.float64]
    camera: Camera
    index: int


def pack(source: Rendered, indices: Iterable[int], file: Path, quality: int = QUALITY) -> None:
    """Render the people at `indices` into one file; it gets its name only when it is whole.

    Raises:
        InputError: if the file cannot be written, or no index is given.
    """
    rows: dict[str, list[Any]] = {name: [] for name in LABELS}
    with replacing(file) as temporary, temporary.open("wb") as stream:
        stream.write(MAGIC)
        for index in indices:
            person = source[index]
            data = encoded(person.picture, quality)
            camera = person.camera
            lens = (camera.focal, camera.centre, camera.size, camera.rotation.reshape(-1), camera.translation)
            values = (index, stream.tell(), len(data), person.keypoints, person.pose, person.visibility, person.box)
            for name, value in zip(LABELS, (*values, torch.cat(lens).numpy()), strict=True):
                rows[name].append(value)
            stream.write(data)
        if not rows["index"]:
            raise InputError(f"{file}: nothing to pack: no index was given")
        places = {}
        for name, (shape, kind) in LABELS.items():
            places[name] = stream.tell()
            stream.write(np.asarray(rows[name], dtype=kind).reshape(-1, *shape).tobytes())
        description = {"people": len(rows["index"]), "arrays": places, "settings": asdict(source.settings)}
        text, start = json.dumps(description, default=str).encode(), stream.tell()
        stream.write(text + FOOTER.pack(start, len(text)))


def encoded(picture: NDArray[np.uint8], quality: int) -> bytes:
    """An RGB picture as JPEG; colour at full resolution, since a crop is small."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)[1].tobytes()


class PackedPeople:
    """A packed set: `packed[n]` is its n-th person; safe to share between processes that open it themselves.

    Attributes:
        keypoints, pose, visibility, box, index: the labels of all people, leading axis N (see `Packed`).
        settings: what the set was rendered with, as text.

    Raises:
        InputError: if the file is not a packed set, or not whole.
    """

    def __init__(self, file: Path) -> None:
        try:
            self.data = np.memmap(file, dtype=np.uint8, mode="r")
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: cannot be read ({error})") from error
        try:
            description = self.described()
            self.arrays = {name: self.array(name, description) for name in LABELS}
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise InputError(f"{file}: not a packed set, or not whole: pack it again") from error
        self.settings: dict[str, Any] = description["settings"]
        self.index, self.keypoints, self.pose = (self.arrays[name] for name in ("index", "keypoints", "pose"))
        self.visibility, self.box = self.arrays["visibility"], self.arrays["box"]

    def described(self) -> dict[str, Any]:
        """The description at the end of the file."""
        if bytes(self.data[: len(MAGIC)]) != MAGIC:
            raise ValueError("no packed set")
        start, length = FOOTER.unpack(bytes(self.data[-FOOTER.size :]))
        if start + length + FOOTER.size != len(self.data):
            raise ValueError("not whole")
        found: dict[str, Any] = json.loads(bytes(self.data[start : start + length]))
        return found

    def array(self, name: str, description: dict[str, Any]) -> NDArray[Any]:
        """One label array, a view of the file."""
        (shape, kind), count, start = LABELS[name], int(description["people"]), int(description["arrays"][name])
        size = count * int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        return np.asarray(self.data[start : start + size].view(kind).reshape(count, *shape))

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, n: int) -> Packed:
        if not -len(self) <= n < len(self):
            raise IndexError(f"{n}: the set holds {len(self)} people")
        offset, length = int(self.arrays["offset"][n]), int(self.arrays["length"][n])
        picture = cv2.imdecode(np.asarray(self.data[offset : offset + length]), cv2.IMREAD_COLOR)
        if picture is None or picture.shape != (CROP_HEIGHT, CROP_WIDTH, 3):
            raise InputError(f"person {n} of the packed set cannot be decoded: pack it again")
        lens = torch.from_numpy(self.arrays["camera"][n].copy())
        camera = Camera(lens[:2], lens[2:4], lens[4:6], lens[6:15].view(3, 3), lens[15:])
        return Packed(
            np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8),
            self.keypoints[n].copy(),
            self.pose[n].copy(),
            self.visibility[n].copy(),
            self.box[n].copy(),
            camera,
            int(self.index[n]),
        )
