"""What people hand in as files: pictures, and boxes or keypoints of the people in them."""

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeGuard

from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError, listing
from unihpe.inputs.boxes import WHOLE, Corners, read_boxes, require_a_box_each
from unihpe.inputs.detections import Detections, Hints, Person, Size
from unihpe.inputs.keypoint_files import read_detections
from unihpe.inputs.keypoints import Keypoints, liftable_rows
from unihpe.inputs.names import pictures_by_name
from unihpe.inputs.pixels import in_pixels
from unihpe.io.picture import Picture, pictures_in, read_picture


@dataclass(frozen=True)
class Files:
    picture: Path | None  # or a folder of them
    boxes: Path | None  # a file, or `WHOLE`
    keypoints: Path | None
    how: Hints = field(default_factory=Hints)  # the keypoints are to be read
    several: tuple[Path, ...] = ()  # the pictures, where they are not all those of `picture`

    @property
    def seeks(self) -> bool:
        """Whether nobody says where the people are."""
        return self.picture is not None and self.boxes is None and self.keypoints is None

    @property
    def source(self) -> Path | None:
        """What results are named after."""
        return self.picture or self.keypoints


class _Given(NamedTuple):
    """A picture, its people who can be lifted, if they are to be; who cannot; what to say."""

    pixels: Picture
    boxes: Corners | None  # None: round the keypoints, or the picture as it is
    people: Keypoints | None
    left_out: list[str]
    notes: list[str]


@dataclass(frozen=True)
class _Pictures:
    """Pictures, and what other files say of the people in them, by the picture's name."""

    files: Files
    paths: list[Path]
    boxes: dict[str, Corners]
    detections: dict[str, Detections]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def people(self) -> int:
        """How many people the files speak of; a picture they do not name shows one."""
        known: Mapping[str, Sized] = self.boxes
        if self.files.keypoints is not None:
            known = {name: own.people for name, own in self.detections.items()}
        return sum(len(known.get(path.name, [path])) for path in self.paths)

    def given(self, path: Path, skeleton: Skeleton) -> _Given:
        """What there is of a picture.

        Raises:
            InputError: for a picture that cannot be used, or that the files say nothing of.
        """
        boxes, marked = self.boxes.get(path.name), self.detections.get(path.name)
        if _holds_boxes(self.files.boxes) and not boxes:  # a detector that saw nobody writes []
            raise InputError(f"no box for it in {self.files.boxes}")
        if self.files.keypoints is not None and marked is None:
            raise InputError("no keypoints for it in the keypoint file")
        pixels, name = read_picture(path), path.name
        size = float(pixels.shape[1]), float(pixels.shape[0])
        notes = _size_notes(self.files.how.size, size, name)
        if marked is None:
            return _Given(pixels, boxes, None, [], notes)
        _require_same_size(marked, size)
        people = in_pixels(marked, "", size)
        if boxes is not None:
            require_a_box_each(len(boxes), len(marked.people))
            boxes = [boxes[n] for n in people.rows]
        rows, left_out = liftable_rows(people, skeleton)
        boxes = [boxes[n] for n in rows] if boxes else None
        return _Given(pixels, boxes, people.select(rows), left_out, notes)


def _size_notes(said: Size | None, size: Size, name: str) -> list[str]:
    if said in (None, size):
        return []
    return [f"--image-size is not that of {name}, {size[0]:g} × {size[1]:g}, which is used"]


def _require_same_size(marked: Detections, size: Size) -> None:
    """Raise where the keypoints are of a picture of another size."""
    for person in marked.people:
        if person.size and max(abs(a - b) for a, b in zip(person.size, size, strict=True)) > 1:
            own, said = (f"{width:g} × {height:g}" for width, height in (size, person.size))
            other = f"it is {own}, its keypoints are of {said}: resized, turned, or another"
            raise InputError(f"{other} picture")


def _holds_boxes(path: Path | None) -> TypeGuard[Path]:
    return path is not None and str(path) != WHOLE


def open_pictures(files: Files, path: Path) -> _Pictures:
    """The pictures at a path, with what the other files say of them."""
    paths = [*files.several] or pictures_in(path)
    boxes = read_boxes(files.boxes) if _holds_boxes(files.boxes) else {}
    if files.keypoints is None:
        return _Pictures(files, paths, boxes, {})
    found = read_detections(files.keypoints, files.how)
    names = list(dict.fromkeys(person.image for person in found.people))
    meant, doubts = pictures_by_name(names, paths, numbered=found.named_by in ("pictures", "file"))
    rows = found.named_by == "rows"
    if path.is_file() and found.named_by != "pictures" and (rows or len(names) == 1):
        meant = dict.fromkeys(names, path)  # a file that names no picture is about the one
    people: dict[str, list[Person]] = {}
    for person in found.people:
        if person.image in meant:
            name = meant[person.image].name
            own = person.image if rows else person.person
            people.setdefault(name, []).append(replace(person, image=name, person=own))
    by_picture = {
        name: replace(found, people=own, left_out=(), notes=()) for name, own in people.items()
    }
    left_out, notes = (*found.left_out, *doubts), found.notes
    if path.is_dir() and (absent := [name for name in names if name not in meant]):
        notes = (*notes, f"keypoints of pictures that are not there: {listing(absent)}")
    return _Pictures(files, paths, boxes, by_picture, left_out, notes)
