"""People with pictures on disk: one file of JPEG crops and their labels, read at random.

Layout: the eight bytes `MAGIC`; the JPEG files one after the other; the label arrays; a JSON
description, which says where the arrays lie; and the last 16 bytes of the file: where the
description begins and how long it is (little-endian, unsigned, 8 bytes each).
"""

import hashlib
import json
import mmap
import shutil
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, RENDERED, Frames, LabelledCrop
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_keypoints, crop
from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.augment import Augmentation, Crop, varied
from unihpe.datasets.pictures import Pictures
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.source import Source, in_joints
from unihpe.errors import InputError, listing
from unihpe.io.files import input_errors, replacing
from unihpe.io.mapped import Mapped

MAGIC = b"unihpe1\n"
MAKE_AGAIN = "pack it again"
QUALITY = 92
FOOTER = struct.Struct("<QQ")
BLOCK = 1 << 24  # bytes copied at a time
PIECE = 2000  # people of a recorded set that are packed at a time
SEEN = 2
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
    settings: Mapping[str, Any],  # what the people were made or read with; kept as text
    quality: int = QUALITY,
    done: Callable[[int], None] = lambda count: None,  # told how many are written, after each
) -> None:
    """Write people into one file; it gets its name only when it is whole."""
    rows: dict[str, list[Any]] = {name: [] for name in LABELS}
    groups: dict[str, int] = {}
    # colour at full resolution, since a crop is small
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling]
    with replacing(file) as temporary, temporary.open("wb") as stream:
        stream.write(MAGIC)
        for person in people:
            picture = np.ascontiguousarray(person.picture[..., ::-1])
            data = cv2.imencode(".jpg", picture, options)[1].tobytes()
            values = vars(person) | {
                "offset": stream.tell(),
                "length": len(data),
                "camera": _lens(person.camera),
                "checksum": zlib.crc32(data),
                "group": groups.setdefault(person.group, len(groups)),
            }
            for name in LABELS:
                rows[name].append(values[name])
            stream.write(data)
            done(len(rows["index"]))
        if not rows["index"]:
            raise InputError(f"{file}: nobody to pack")
        _write_labels(stream, rows, list(groups), settings)


def _write_labels(
    stream: BinaryIO, rows: Mapping[str, Any], groups: Sequence[str], settings: Mapping[str, Any]
) -> None:
    """Everything after the JPEG files."""
    places, checks = {}, {}
    for name, (shape, kind) in LABELS.items():
        data = np.asarray(rows[name], dtype=kind).reshape(-1, *shape).tobytes()
        places[name], checks[name] = stream.tell(), zlib.crc32(data)
        stream.write(data)
    description = {"people": len(rows["index"]), "arrays": places, "checks": checks}
    description |= {"groups": groups, "settings": dict(settings)}
    text, start = json.dumps(description, default=str).encode(), stream.tell()
    stream.write(text + FOOTER.pack(start, len(text)))


def _join(files: Sequence[Path], file: Path) -> None:
    """Packed sets one after the other as one, with the settings of the first."""
    parts = [PackedPeople(part) for part in files]
    names = dict.fromkeys(name for part in parts for name in part.groups)
    numbers = {name: n for n, name in enumerate(names)}
    rows: dict[str, list[NDArray[Any]]] = {name: [] for name in LABELS}
    with replacing(file) as temporary, temporary.open("wb") as stream:
        stream.write(MAGIC)
        for path, part in zip(files, parts, strict=True):
            numbered = np.array([numbers[name] for name in part.groups], dtype=np.uint32)
            offset = part.arrays["offset"] + np.uint64(stream.tell() - len(MAGIC))
            moved = {"offset": offset, "group": numbered[part.arrays["group"]]}
            for name in LABELS:
                rows[name].append(moved.get(name, part.arrays[name]))
            with path.open("rb") as pictures:
                pictures.seek(len(MAGIC))
                for start in range(len(MAGIC), part.pictures_end, BLOCK):
                    stream.write(pictures.read(min(BLOCK, part.pictures_end - start)))
        arrays = {name: np.concatenate(value) for name, value in rows.items()}
        _write_labels(stream, arrays, list(numbers), parts[0].settings)


def _lens(camera: Camera) -> NDArray[np.float64]:
    """A camera of leading shape () as 18 numbers; a lens's distortion is not kept."""
    rotation = camera.rotation.reshape(-1)
    parts = (camera.focal, camera.centre, camera.size, rotation, camera.translation)
    return torch.cat(parts).double().numpy()


class PackedPeople:
    """A packed set: `packed[n]` is its n-th person.

    `keypoints`, `pose`, `visibility`, `box` and `index` are the labels of all people, leading axis
    N (see `LabelledCrop`); `groups` the names that `arrays["group"]` numbers; `settings` what the
    set was made with, as text. Processes each open it themselves.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        with input_errors(f"{file}: cannot be read", MAKE_AGAIN), file.open("rb") as stream:
            self.mapped = Mapped(stream, mmap.ACCESS_READ)
        self.data = np.frombuffer(self.mapped.map, dtype=np.uint8)
        with input_errors(f"{file}: not a packed set, or not whole", MAKE_AGAIN):
            start, length = FOOTER.unpack(bytes(self.data[-FOOTER.size :]))
            whole = start + length + FOOTER.size == len(self.data)
            if bytes(self.data[: len(MAGIC)]) != MAGIC or not whole:
                raise ValueError("no packed set")
            description = json.loads(bytes(self.data[start : start + length]))
            self.arrays = {name: self.array(name, description) for name in LABELS}
            self.pictures_end = min(int(place) for place in description["arrays"].values())
            self.settings: dict[str, Any] = dict(description["settings"])
            self.groups = [str(name) for name in description.get("groups", [RENDERED])]
            if self.arrays["group"].max(initial=0) >= len(self.groups):
                raise ValueError("a group without a name")
        self.description: dict[str, Any] = description
        self.checked = "checksum" in description["arrays"]
        labels = (self.arrays[name] for name in ("index", "keypoints", "pose", "visibility", "box"))
        self.index, self.keypoints, self.pose, self.visibility, self.box = labels
        self.mapped.release()

    def array(self, name: str, description: dict[str, Any]) -> NDArray[Any]:
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

    def __getitem__(self, n: int) -> LabelledCrop:
        if not -len(self) <= n < len(self):
            raise IndexError(f"{n}: the set holds {len(self)} people")
        labels = self.keypoints, self.pose, self.visibility, self.box
        keypoints, pose, visibility, box = (label[n].copy() for label in labels)
        lens, index, group = self.camera(n), int(self.index[n]), self.group(n)
        return LabelledCrop(self.picture(n), keypoints, pose, visibility, box, lens, index, group)

    def group(self, n: int) -> str:
        """The part of the data that person n belongs to."""
        return self.groups[int(self.arrays["group"][n])]

    def camera(self, which: int | list[int], kind: torch.dtype = torch.float64) -> Camera:
        """The cameras, (...,), that saw these people, (...,)."""
        rows = torch.tensor(self.arrays["camera"][which], dtype=kind)
        focal, centre, size, rotation, translation = rows.split((2, 2, 2, 9, 3), dim=-1)
        return Camera(focal, centre, size, rotation.unflatten(-1, (3, 3)), translation)

    def picture(self, n: int) -> NDArray[np.uint8]:
        """The crop of person n, (256, 192, 3), RGB."""
        offset, length = int(self.arrays["offset"][n]), int(self.arrays["length"][n])
        data = np.asarray(self.data[offset : offset + length])
        whole = not self.checked or zlib.crc32(data.tobytes()) == int(self.arrays["checksum"][n])
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if whole else None
        if picture is None or picture.shape != (CROP_HEIGHT, CROP_WIDTH, 3):
            raise InputError(f"{self.file}: the picture of person {n} is damaged: {MAKE_AGAIN}")
        return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)


class PeopleSource(Source):
    """The people of a packed set: crops with their 2D and 3D, augmented for training.

    Args:
        augmentation: None gives the crops as they were packed.
        with_pose: False withholds the 3D: pictures that have 2D only.
    """

    skeleton = get_skeleton("human36m17")
    layout = "rendered people"
    notes: tuple[str, ...] = ()
    has_pictures = has_pose = True

    def __init__(
        self, file: Path, augmentation: Augmentation | None = None, with_pose: bool = True
    ) -> None:
        self.packed, self.augmentation, self.has_pose = PackedPeople(file), augmentation, with_pose
        made = self.packed.settings
        if "layout" in made:  # of a recorded set
            self.layout = f"people of {made['layout']}, packed with their pictures"
            self.notes = tuple(str(note) for note in made.get("notes", ()))

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def shared(self) -> tuple[str, ...]:
        """The joints that some person has: recorded sets lack a few."""
        labels = self.packed.pose if self.has_pose else self.packed.keypoints
        there = np.isfinite(labels).all(-1).any(0)
        return tuple(name for name, own in zip(self.skeleton.joints, there, strict=True) if own)

    def without_pictures(self) -> "PeopleSource":
        """The same people, their 2D and 3D only, as they were packed."""
        bare = copy(self)
        bare.has_pictures = False
        return bare

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,); a person's augmentation is drawn from `generator`."""
        rows, image = indices.tolist(), None
        if self.has_pictures:
            crops = [self.crop(n) for n in rows]
            image, keypoints, pose, box = varied(crops, self.augmentation, generator)
        else:
            arrays = self.packed.keypoints, self.packed.pose, self.packed.box
            keypoints, pose, box = (torch.from_numpy(array[rows]).float() for array in arrays)
        groups = tuple(self.packed.group(n) for n in rows)
        camera = self.packed.camera(rows, torch.float32)
        self.packed.mapped.release()
        seen = keypoints.isfinite().all(-1).float()
        pose = pose if self.has_pose else torch.full_like(pose, torch.nan)
        return Frames(keypoints, seen, pose, camera, groups, indices, image=image, box=box)

    def crop(self, n: int) -> Crop:
        person = self.packed[n]
        labels = person.keypoints, person.pose, person.box, person.camera.size.numpy()
        return Crop(person.picture, *(part.astype(np.float64) for part in labels))


@dataclass(frozen=True)
class _Done:
    people: int
    kept: int  # of them, from pieces that an earlier run left
    notes: tuple[str, ...]  # who was left out, with counts


def pack_recorded(
    recorded: Recorded,  # the frames that are wanted
    pictures: Pictures,
    file: Path,
    *,
    skip_missing: bool = False,  # leave out people whose picture is not there
    done: Callable[[int], None] = lambda count: None,  # told how many people are ready
    piece: int = PIECE,
) -> _Done:
    """Pack the people of a recorded set, in human36m17's joints by name (NaN where it lacks one).

    Pieces lie in a folder beside the file until all are done: those that are whole are kept when
    packing stops, and the next run continues after them. Boxes hold all joints of the set. Pictures
    keep their lens's distortion, and so does the 2D of sets that have it.
    """
    indices, notes = _packable(recorded, pictures, skip_missing)
    notes = (*recorded.notes, *notes)
    place = str(pictures.root.resolve()).encode()  # the digest tells places, and names none
    settings = {
        "layout": recorded.layout,
        "people": len(indices),
        "first": int(indices[0]),
        "last": int(indices[-1]),
        "notes": list(notes),
        "pictures": hashlib.sha256(place).hexdigest()[:16],
    }
    folder, kept, ready = file.with_name(f"{file.name}.pieces"), 0, 0
    pieces = {folder / f"{n:05d}": chosen for n, chosen in enumerate(indices.split(piece))}
    for number, (part, chosen) in enumerate(pieces.items()):
        wanted, people = settings | {"piece": number, "of": piece}, _labelled(recorded, chosen)
        if _holds(part, wanted, people):
            kept += len(chosen)
            done(ready + len(chosen))
        else:
            crops = _cut_out(recorded, pictures, people)
            pack(crops, part, wanted, done=lambda count, before=ready: done(before + count))  # type: ignore[misc]
        ready += len(chosen)
    _join(list(pieces), file)
    if (written := len(PackedPeople(file))) != len(indices):
        raise InputError(f"{file}: holds {written} people, not {len(indices)}: {MAKE_AGAIN}")
    shutil.rmtree(folder)
    return _Done(len(indices), kept, notes)


def _packable(recorded: Recorded, pictures: Pictures, skip: bool) -> tuple[Tensor, tuple[str, ...]]:
    """The indices that can be packed, and notes on those that cannot, which `skip` allows."""
    found = (pictures.find(*recorded.at(n)) for n in range(len(recorded)))
    there = torch.tensor([file is not None for file in found])
    lost = (~there).nonzero()[:, 0].tolist()
    if lost and not (skip and bool(there.any())):
        such = listing([pictures.names(*recorded.at(n))[0] for n in lost[:3]])
        lacks = f"{len(lost)} of {len(there)} pictures are not there, nor in a whole video"
        remedy = "extract them, name their folder (--pictures) or leave them out (--skip-missing)"
        raise InputError(f"{pictures.root}: {lacks}, such as {such}; {remedy}")
    enough = there.clone()
    for some in torch.arange(len(recorded)).split(100_000):
        enough[some] &= (recorded.read(some).confidence > 0).sum(1) >= FEWEST_JOINTS
    notes = [f"{len(lost)} people without picture left out"] if lost else []
    if few := int((there & ~enough).sum()):
        notes.append(f"{few} people with fewer than {FEWEST_JOINTS} joints left out")
    if not bool(enough.any()):
        raise InputError(f"{pictures.root}: nobody to pack ({', '.join(notes)})")
    return enough.nonzero()[:, 0], tuple(notes)


def _holds(part: Path, settings: dict[str, Any], people: Frames) -> bool:
    """Whether a piece is there already: of the same pictures, with these labels, and undamaged."""
    try:
        packed = PackedPeople(part)
        for n in range(len(packed)):
            packed.picture(n)
    except InputError:
        return False
    return packed.settings == settings and all(
        np.array_equal(getattr(packed, name), label, equal_nan=True)
        for name, label in _labels_of(people).items()
    )


def _labelled(recorded: Recorded, indices: Tensor) -> Frames:
    """Some people in human36m17's joints; 2D that is missing is NaN, boxes are of the set's own."""
    own = recorded.read(indices)
    box = box_from_keypoints(own.keypoints, own.confidence > 0).double()
    frames = in_joints(recorded, get_skeleton("human36m17")).read(indices, torch.Generator())
    keypoints = torch.where(frames.confidence[..., None] > 0, frames.keypoints, torch.nan)
    return replace(frames, keypoints=keypoints, box=box)


def _labels_of(people: Frames) -> dict[str, NDArray[Any]]:
    """The labels of people as a packed set has them; visible is what lies in the picture."""
    inside = (people.keypoints >= 0) & (people.keypoints < people.camera.size[:, None])
    visibility = np.where(inside.all(-1), SEEN, 0).astype(np.uint8)
    names = ("index", "keypoints", "pose", "box")
    return {name: getattr(people, name).numpy() for name in names} | {"visibility": visibility}


def _cut_out(recorded: Recorded, pictures: Pictures, people: Frames) -> Iterator[LabelledCrop]:
    labels = _labels_of(people)
    for n, index in enumerate(people.index.tolist()):
        whole = pictures.read_sized(*recorded.at(index), people.camera.size[n])
        of_one = {name: label[n] for name, label in labels.items()} | {"index": index}
        picture = crop(whole, of_one["box"], CROP_WIDTH, CROP_HEIGHT)
        size = torch.tensor([whole.shape[1], whole.shape[0]]).float()  # that the picture has
        camera = replace(people.camera.select(torch.tensor(n)), size=size)
        yield LabelledCrop(picture, camera=camera, group=people.group[n], **of_one)
