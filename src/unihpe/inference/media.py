"""Keypoint files, pictures and folders of them to results: what the command `predict` does."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from unihpe.errors import InputError
from unihpe.inference.predictor import Options, Predictor
from unihpe.inference.results import Results
from unihpe.inputs.boxes import Corners, read_boxes
from unihpe.inputs.checks import liftable_rows
from unihpe.inputs.detections import Detections, Person, Size
from unihpe.inputs.evidence import Evidence, from_picture
from unihpe.inputs.keypoints import in_pixels, read_detections, read_keypoints
from unihpe.io.picture import pictures_in, read_picture

HYPOTHESES, FEW = 20, 8  # drawn where nobody says how many, for at most so many people


@dataclass(frozen=True)
class Predicted:
    """What became of people's files."""

    results: Results
    skipped: list[str]  # who and what was left out, in words
    pictures: dict[str, Path]  # by the names that results have for them


@dataclass(frozen=True)
class Files:
    """What people hand in: pictures, or keypoints, or both."""

    picture: Path | None  # or a folder of them
    boxes: Path | None
    keypoints: Path | None
    skeleton: str | None  # of the keypoints, where their layout does not tell
    size: Size | None  # of the pictures, where the keypoint file does not tell

    @property
    def source(self) -> Path | None:
        """What results are named after."""
        return self.picture or self.keypoints


def predict_files(predictor: Predictor, files: Files, **options: Unpack[Options]) -> Predicted:
    """Everybody in the pictures, or in the keypoint file, who can be lifted.

    Raises:
        InputError: for a file that cannot be read, or if nobody is left; of several pictures, each
            that cannot be used is skipped.
    """
    if files.picture is not None:
        return _predict_pictures(predictor, files.picture, files, **options)
    assert files.keypoints is not None
    people = read_keypoints(files.keypoints, files.skeleton, files.size)
    people, skipped = predictor.liftable(people)
    options.setdefault("samples", HYPOTHESES if len(people) <= FEW else 0)
    return Predicted(predictor.lift_file(people, **options), skipped, {})


def _predict_pictures(
    predictor: Predictor, path: Path, files: Files, **options: Unpack[Options]
) -> Predicted:
    boxes = {} if files.boxes is None else read_boxes(files.boxes)
    detections = {} if files.keypoints is None else _by_picture(files, files.keypoints)
    paths, parts, skipped, pictures = pictures_in(path), [], [], {}
    by_name = boxes if files.keypoints is None else {n: d.people for n, d in detections.items()}
    people = sum(len(by_name.get(file.name, [file])) for file in paths)
    options.setdefault("samples", HYPOTHESES if people <= FEW else 0)
    for file in paths:
        try:
            own = boxes.get(file.name), detections.get(file.name)
            given, left = _evidence(predictor, file, *own, files, options.get("focal"))
            parts.append(predictor.answer(given, **options))
            pictures[file.name] = file
            skipped += left
        except InputError as error:
            text = str(error)
            skipped.append(text if text.startswith(str(file)) else f"{file.name}: {text}")
    if not parts:
        raise InputError(f"no picture to predict from: {skipped[0]}")
    return Predicted(Results.join(parts), skipped, pictures)


def _by_picture(files: Files, path: Path) -> dict[str, Detections]:
    """The people of each picture, by its name; a file that names no picture is about the one."""
    detections = read_detections(path, files.skeleton)
    names = [Path(person.image).name for person in detections.people]
    alone = files.picture if files.picture is not None and files.picture.is_file() else None
    if alone is not None and alone.name not in names and len(set(names)) == 1:
        names = [alone.name] * len(names)
    people: dict[str, list[Person]] = {}
    for name, person in zip(names, detections.people, strict=True):
        people.setdefault(name, []).append(person)
    return {name: replace(detections, people=own) for name, own in people.items()}


def _evidence(
    predictor: Predictor,
    picture: Path,
    boxes: Corners | None,
    detections: Detections | None,
    files: Files,
    focal: float | None,
) -> tuple[Evidence, list[str]]:
    """The people in a picture who can be lifted, if they are to be; and who cannot, in words."""
    if files.boxes is not None and not boxes:  # a detector that saw nobody writes []
        raise InputError(f"no box for it in {files.boxes}")
    if files.keypoints is None or detections is None:
        if files.keypoints is not None:
            raise InputError("no keypoints for it in the keypoint file")
        return from_picture(picture, boxes, None, predictor.skeleton, focal, picture.name), []
    pixels = read_picture(picture)
    size = files.size or (float(pixels.shape[1]), float(pixels.shape[0]))
    people = in_pixels(detections, files.keypoints, size)
    if boxes is not None and len(boxes) != len(people):
        marked = f"keypoints of {len(people)} people"
        raise InputError(f"{len(boxes)} boxes and {marked}: give one box for each")
    rows, skipped = liftable_rows(people, predictor.skeleton)
    people, boxes = people.select(rows), [boxes[n] for n in rows] if boxes else None
    given = from_picture(pixels, boxes, people, predictor.skeleton, focal, picture.name)
    return replace(given, person=people.person), skipped
