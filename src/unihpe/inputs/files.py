"""What people hand in as files: pictures, and boxes or keypoints of the people in them."""

from collections.abc import Mapping, Sized
from dataclasses import dataclass, replace
from pathlib import Path

from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError
from unihpe.inputs.boxes import Corners, read_boxes, require_a_box_each
from unihpe.inputs.detections import Detections, Person, Size
from unihpe.inputs.evidence import Evidence, from_picture
from unihpe.inputs.keypoint_files import in_pixels, read_detections
from unihpe.inputs.keypoints import liftable_rows
from unihpe.io.picture import pictures_in, read_picture


@dataclass(frozen=True)
class Files:
    picture: Path | None  # or a folder of them
    boxes: Path | None
    keypoints: Path | None
    skeleton: str | None  # of the keypoints, where their layout does not tell
    size: Size | None  # of the pictures, where the keypoint file does not tell

    @property
    def source(self) -> Path | None:
        """What results are named after."""
        return self.picture or self.keypoints


@dataclass(frozen=True)
class _Pictures:
    """Pictures, and what other files say of the people in them, by the picture's name."""

    files: Files
    paths: list[Path]
    boxes: dict[str, Corners]
    detections: dict[str, Detections]

    @property
    def people(self) -> int:
        """How many people the files speak of; a picture they do not name shows one."""
        known: Mapping[str, Sized] = self.boxes
        if self.files.keypoints is not None:
            known = {name: own.people for name, own in self.detections.items()}
        return sum(len(known.get(path.name, [path])) for path in self.paths)

    def evidence(
        self, path: Path, skeleton: Skeleton, focal: float | None
    ) -> tuple[Evidence, list[str]]:
        """The people in a picture who can be lifted, if they are to be; and who cannot, in words.

        Raises:
            InputError: for a picture that cannot be used, or that the files say nothing of.
        """
        boxes, marked = self.boxes.get(path.name), self.detections.get(path.name)
        if self.files.boxes is not None and not boxes:  # a detector that saw nobody writes []
            raise InputError(f"no box for it in {self.files.boxes}")
        if self.files.keypoints is None:
            return from_picture(path, boxes, None, skeleton, focal, path.name), []
        if marked is None:
            raise InputError("no keypoints for it in the keypoint file")
        pixels = read_picture(path)
        size = self.files.size or (float(pixels.shape[1]), float(pixels.shape[0]))
        people = in_pixels(marked, self.files.keypoints, size)
        if boxes is not None:
            require_a_box_each(len(boxes), len(people))
        rows, skipped = liftable_rows(people, skeleton)
        people, boxes = people.select(rows), [boxes[n] for n in rows] if boxes else None
        name, person = path.name, people.person
        return from_picture(pixels, boxes, people, skeleton, focal, name, person), skipped


def open_pictures(files: Files, path: Path) -> _Pictures:
    """The pictures at a path, with what the other files say of them."""
    boxes = {} if files.boxes is None else read_boxes(files.boxes)
    if files.keypoints is None:
        return _Pictures(files, pictures_in(path), boxes, {})
    detections = read_detections(files.keypoints, files.skeleton)
    names = [Path(person.image).name for person in detections.people]
    if path.is_file() and path.name not in names and len(set(names)) == 1:
        names = [path.name] * len(names)  # a file that names no picture is about the one
    people: dict[str, list[Person]] = {}
    for name, person in zip(names, detections.people, strict=True):
        people.setdefault(name, []).append(person)
    by_picture = {name: replace(detections, people=own) for name, own in people.items()}
    return _Pictures(files, pictures_in(path), boxes, by_picture)
