"""People with pictures on disk: one file of JPEG crops and their labels, read at random.

Layout: the eight bytes `MAGIC`; the JPEG files one after the other; the label arrays; a JSON
description, which says where the arrays lie; and the last 16 bytes of the file: where the
description begins and how long it is (little-endian, unsigned, 8 bytes each).
"""

import json
import mmap
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.batch import RENDERED, Frames, LabelledCrop
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.augment import Augmentation, Crop, augment, stacked
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.io.files import replacing
from unihpe.io.mapped import Mapped

MAGIC = b"unihpe1\n"
QUALITY = 92
FOOTER = struct.Struct("<QQ")
BLOCK = 1 << 24  # bytes copied at a time
# Label arrays, in this order: shape of one person's, and type. Cameras: focal, centre, size (2
# each), rotation (9), translation (3). Files written before `checksum` and `group` were added do
# without them. The description holds a CRC-32 of each array; files written before that are not
# checked.
LABELS: dict[str, tuple[tuple[int, ...], str]] = {
    "index": ((), "<i8"),
    "offset": ((), "<u8"),
    "length": ((), "<u4"),
    "keypoints": ((17, 2), "<f4"),
    "pose": ((17, 3), "<f4"),
    "visibility": ((17,), "|u1"),
    "box": ((4,), "<f8"),
    "camera": ((18,), "<f8"),
    "checksum": ((), "<u4"),
    "group": ((), "<u4"),
}
LATER = ("checksum", "group")


def pack(
    people: Iterable[LabelledCrop],
    file: Path,
    settings: Mapping[str, Any],
    quality: int = QUALITY,
    done: Callable[[int], None] = lambda count: None,
) -> None:
    """Write people into one file; it gets its name only when it is whole.

    Args:
        settings: what the people were made or read with; kept as text.
        done: told how many are written, after each.
    """
    rows: dict[str, list[Any]] = {name: [] for name in LABELS}
    groups: dict[str, int] = {}
    with replacing(file) as temporary, temporary.open("wb") as stream:
        stream.write(MAGIC)
        for person in people:
            data = encoded(person.picture, quality)
            values = {
                "index": person.index,
                "offset": stream.tell(),
                "length": len(data),
                "keypoints": person.keypoints,
                "pose": person.pose,
                "visibility": person.visibility,
                "box": person.box,
                "camera": lens(person.camera),
                "checksum": zlib.crc32(data),
                "group": groups.setdefault(person.group, len(groups)),
            }
            for name, value in values.items():
                rows[name].append(value)
            stream.write(data)
            done(len(rows["index"]))
        if not rows["index"]:
            raise InputError(f"{file}: nobody to pack")
        write_labels(stream, rows, list(groups), settings)


def write_labels(
    stream: BinaryIO, rows: Mapping[str, Any], groups: Sequence[str], settings: Mapping[str, Any]
) -> None:
    """Everything after the JPEG files."""
    places, checks = {}, {}
    for name, (shape, kind) in LABELS.items():
        data = np.asarray(rows[name], dtype=kind).reshape(-1, *shape).tobytes()
        places[name], checks[name] = stream.tell(), zlib.crc32(data)
        stream.write(data)
    description = {
        "people": len(rows["index"]),
        "arrays": places,
        "checks": checks,
        "groups": groups,
        "settings": dict(settings),
    }
    text, start = json.dumps(description, default=str).encode(), stream.tell()
    stream.write(text + FOOTER.pack(start, len(text)))


def join(files: Sequence[Path], file: Path) -> None:
    """Packed sets one after the other as one, with the settings of the first."""
    parts = [PackedPeople(part) for part in files]
    names = dict.fromkeys(name for part in parts for name in part.groups)
    numbers = {name: n for n, name in enumerate(names)}
    rows: dict[str, list[NDArray[Any]]] = {name: [] for name in LABELS}
    with replacing(file) as temporary, temporary.open("wb") as stream:
        stream.write(MAGIC)
        for path, part in zip(files, parts, strict=True):
            numbered = np.array([numbers[name] for name in part.groups], dtype=np.uint32)
            moved = {
                "offset": part.arrays["offset"] + np.uint64(stream.tell() - len(MAGIC)),
                "group": numbered[part.arrays["group"]],
            }
            for name in LABELS:
                rows[name].append(moved.get(name, part.arrays[name]))
            with path.open("rb") as pictures:
                pictures.seek(len(MAGIC))
                for start in range(len(MAGIC), part.pictures_end, BLOCK):
                    stream.write(pictures.read(min(BLOCK, part.pictures_end - start)))
        arrays = {name: np.concatenate(value) for name, value in rows.items()}
        write_labels(stream, arrays, list(numbers), parts[0].settings)


def lens(camera: Camera) -> NDArray[np.float64]:
    """A camera of leading shape () as 18 numbers; a lens's distortion is not kept."""
    rotation = camera.rotation.reshape(-1)
    parts = (camera.focal, camera.centre, camera.size, rotation, camera.translation)
    return torch.cat(parts).double().numpy()


def encoded(picture: NDArray[np.uint8], quality: int) -> bytes:
    """An RGB picture as JPEG; colour at full resolution, since a crop is small."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling]
    return cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)[1].tobytes()


class PackedPeople:
    """A packed set: `packed[n]` is its n-th person.

    `keypoints`, `pose`, `visibility`, `box` and `index` are the labels of all people, leading axis
    N (see `LabelledCrop`); `groups` the names that `arrays["group"]` numbers; `settings` what the
    set was made with, as text. Processes each open it themselves.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            with file.open("rb") as stream:
                self.mapped = Mapped(stream, mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: cannot be read ({error})") from error
        try:
            self.data = np.frombuffer(self.mapped.map, dtype=np.uint8)
            description = self.described()
            self.arrays = {name: self.array(name, description) for name in LABELS}
            self.pictures_end = min(int(place) for place in description["arrays"].values())
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise InputError(f"{file}: not a packed set, or not whole: pack it again") from error
        self.settings: dict[str, Any] = description["settings"]
        self.groups: list[str] = description.get("groups", [RENDERED])
        self.index, self.keypoints = self.arrays["index"], self.arrays["keypoints"]
        self.pose, self.visibility = self.arrays["pose"], self.arrays["visibility"]
        self.box = self.arrays["box"]
        self.checked = "checksum" in description["arrays"]
        self.release()

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
        (shape, kind), count = LABELS[name], int(description["people"])
        if name in LATER and name not in description["arrays"]:
            return np.zeros(count, dtype=kind)
        start = int(description["arrays"][name])
        size = count * int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        numbers = self.data[start : start + size]
        check = description.get("checks", {}).get(name)
        if check is not None and zlib.crc32(numbers.data) != check:
            raise ValueError("damaged")
        return np.asarray(numbers.view(kind).reshape(count, *shape))

    def __len__(self) -> int:
        return len(self.index)

    def release(self) -> None:
        """Give the memory of people that were read back to the system."""
        self.mapped.release()

    def __getitem__(self, n: int) -> LabelledCrop:
        if not -len(self) <= n < len(self):
            raise IndexError(f"{n}: the set holds {len(self)} people")
        labels = self.keypoints, self.pose, self.visibility, self.box
        keypoints, pose, visibility, box = (label[n].copy() for label in labels)
        group = self.groups[int(self.arrays["group"][n])]
        camera, index = self.camera(n), int(self.index[n])
        picture = self.picture(n)
        return LabelledCrop(picture, keypoints, pose, visibility, box, camera, index, group)

    def camera(self, n: int) -> Camera:
        """The camera that saw person n."""
        row = torch.from_numpy(self.arrays["camera"][n].copy())
        return Camera(row[:2], row[2:4], row[4:6], row[6:15].view(3, 3), row[15:])

    def picture(self, n: int) -> NDArray[np.uint8]:
        """The crop of person n, (256, 192, 3), RGB."""
        offset, length = int(self.arrays["offset"][n]), int(self.arrays["length"][n])
        data = np.asarray(self.data[offset : offset + length])
        whole = not self.checked or zlib.crc32(data.tobytes()) == int(self.arrays["checksum"][n])
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if whole else None
        if picture is None or picture.shape != (CROP_HEIGHT, CROP_WIDTH, 3):
            raise InputError(
                f"{self.file}: the picture of person {n} is damaged: pack the set again"
            )
        return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)


class PeopleSource(Source):
    """The people of a packed set: crops with their 2D and 3D, augmented for training.

    Args:
        file: the packed set.
        augmentation: None gives the crops as they were packed.
        with_pose: False withholds the 3D: pictures that have 2D only.
        with_picture: False leaves the pictures on the disk; nothing is augmented then.
    """

    def __init__(
        self,
        file: Path | PackedPeople,
        augmentation: Augmentation | None = None,
        with_pose: bool = True,
        with_picture: bool = True,
    ) -> None:
        self.packed = PackedPeople(file) if isinstance(file, Path) else file
        self.augmentation, self.with_pose, self.with_picture = augmentation, with_pose, with_picture

    @property
    def skeleton(self) -> Skeleton:
        return get_skeleton("human36m17")

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def layout(self) -> str:
        return "packed people"

    @property
    def has_pictures(self) -> bool:
        return self.with_picture

    @property
    def has_pose(self) -> bool:
        return self.with_pose

    def without_pictures(self) -> "PeopleSource":
        """The same people, their 2D and 3D only."""
        return PeopleSource(self.packed, None, self.with_pose, with_picture=False)

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,); a person's augmentation is drawn from `generator`."""
        if not self.with_picture:
            rows = indices.numpy()
            labels = self.packed.keypoints[rows], self.packed.pose[rows], self.packed.box[rows]
            return self.frames(indices, *(torch.from_numpy(part).float() for part in labels))
        seeds = torch.randint(2**62, (len(indices),), generator=generator).tolist()
        people = (self.packed[n] for n in indices.tolist())
        crops = [self.varied(person, seed) for person, seed in zip(people, seeds, strict=True)]
        image, keypoints, pose, box = stacked(crops)
        return self.frames(indices, keypoints, pose, box, image)

    def frames(
        self,
        which: Tensor,
        keypoints: Tensor,
        pose: Tensor,
        box: Tensor,
        image: Tensor | None = None,
    ) -> Frames:
        """People with their cameras and groups."""
        rows = which.tolist()
        groups = tuple(self.packed.groups[int(self.packed.arrays["group"][n])] for n in rows)
        lenses = (self.packed.camera(n) for n in rows)
        parts = ((c.focal, c.centre, c.size, c.rotation, c.translation) for c in lenses)
        camera = Camera(*(torch.stack(part).float() for part in zip(*parts, strict=True)))
        self.packed.release()
        seen = keypoints.isfinite().all(-1).float()
        pose = pose if self.with_pose else torch.full_like(pose, torch.nan)
        return Frames(keypoints, seen, pose, camera, groups, which, image=image, box=box)

    def varied(self, person: LabelledCrop, seed: int) -> Crop:
        """A person's crop, augmented if this source does that."""
        labels = person.keypoints, person.pose, person.box, person.camera.size.numpy()
        crop = Crop(person.picture, *(part.astype(np.float64) for part in labels))
        if self.augmentation is None:
            return crop
        return augment(crop, self.skeleton, self.augmentation, np.random.default_rng(seed))
