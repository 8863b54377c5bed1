"""Keypoint files, pictures and folders of them to results: what the command `predict` does."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from unihpe.errors import InputError
from unihpe.inference.keypoints.read import Keypoints, in_pixels, read_detections, read_keypoints
from unihpe.inference.keypoints.tools import Detections, Person, Size
from unihpe.inference.predictor import Options, Predictor
from unihpe.inference.results import Results
from unihpe.io.picture import pictures_in, read_picture

HYPOTHESES, FEW = 20, 8  # drawn where nobody says how many, for at most so many people
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
Corners = list[list[float]]  # left, top, right, bottom of each box, pixels


@dataclass(frozen=True)
class Predicted:
    """What became of people's files."""

    results: Results
    skipped: list[str]  # who and what was left out, in words
    pictures: dict[str, Path]  # by the names that results have for them


def predict_keypoints(
    predictor: Predictor,
    path: Path,
    skeleton: str | None,
    size: Size | None,
    **options: Unpack[Options],
) -> Predicted:
    """Everybody in a keypoint file who can be lifted."""
    people, skipped = predictor.liftable(read_keypoints(path, skeleton, size))
    options.setdefault("samples", default_samples(len(people)))
    return Predicted(predictor.lift_file(people, **options), skipped, {})


def predict_pictures(
    predictor: Predictor,
    path: Path,
    boxes: Path | None,
    keypoints: Path | None,
    skeleton: str | None,
    size: Size | None,
    **options: Unpack[Options],
) -> Predicted:
    """Every picture that can be read, and everybody in it who can be lifted.

    Raises:
        InputError: for a file of boxes or keypoints that cannot be read, or if nothing is left.
    """
    files, known = pictures_in(path), {} if boxes is None else read_boxes(boxes)
    marks = {} if keypoints is None else _by_picture(read_detections(keypoints, skeleton), path)
    count = sum(
        len(marks[file.name].people) if file.name in marks else len(known.get(file.name, [0]))
        for file in files
    )
    options.setdefault("samples", default_samples(count))
    parts, skipped, pictures = [], [], {}
    for file in files:
        if boxes is not None and not known.get(file.name):  # a detector that found nobody writes []
            skipped.append(f"{file.name}: no box for it in {boxes}")
            continue
        if keypoints is not None and file.name not in marks:
            skipped.append(f"{file.name}: no keypoints for it in the keypoint file")
            continue
        try:
            pixels, people = read_picture(file), None
            if keypoints is not None:
                height, width = pixels.shape[:2]
                people = in_pixels(
                    marks[file.name], keypoints, size or (float(width), float(height))
                )
            given, left = _evidence(predictor, known.get(file.name), people)
            parts.append(predictor.predict(pixels, **given, name=file.name, **options))
            pictures[file.name] = file
            skipped += left
        except InputError as error:
            text = str(error)
            skipped.append(text if text.startswith(str(file)) else f"{file.name}: {text}")
    if not parts:
        raise InputError(f"no picture to predict from: {skipped[0]}")
    return Predicted(Results.join(parts), skipped, pictures)


def default_samples(people: int) -> int:
    """Hypotheses for each person where nobody says how many: none for many people."""
    return HYPOTHESES if people <= FEW else 0


def _by_picture(found: Detections, path: Path) -> dict[str, Detections]:
    """The people of each picture, by its name; a file that names no picture is about the one."""
    names = [Path(person.image).name for person in found.people]
    if path.is_file() and path.name not in names and len(set(names)) == 1:
        names = [path.name] * len(names)
    people: dict[str, list[Person]] = {}
    for name, person in zip(names, found.people, strict=True):
        people.setdefault(name, []).append(person)
    return {name: replace(found, people=own) for name, own in people.items()}


def _evidence(
    predictor: Predictor, boxes: Corners | None, people: Keypoints | None
) -> tuple[dict[str, Any], list[str]]:
    """What `Predictor.predict` takes beside a picture, of those who can be lifted; and who cannot.

    Raises:
        InputError: if boxes and keypoints are of different numbers of people, or nobody can be
            lifted.
    """
    if people is None:
        return {"boxes": boxes}, []
    if boxes is not None and len(boxes) != len(people):
        marked = f"keypoints of {len(people)} people"
        raise InputError(f"{len(boxes)} boxes and {marked}: give one box for each")
    rows, skipped = predictor.liftable_rows(people)
    kept = people.select(rows)
    return {
        "boxes": None if boxes is None else [boxes[n] for n in rows],
        "keypoints": kept.keypoints,
        "confidence": kept.confidence,
        "skeleton": kept.skeleton.name,
        "person": kept.person,
    }, skipped


def read_boxes(path: Path) -> dict[str, Corners]:
    """Boxes by the picture's file name: lists of left, top, right, bottom in pixels.

    Understood are {"a.jpg": [[left, top, right, bottom], …]} and COCO's annotation files (x, y,
    width, height there; crowds are left out).

    Raises:
        InputError: for a file that is neither.
    """
    boxes: dict[str, Corners] = {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        if isinstance(content, dict) and "annotations" in content:
            names = {image["id"]: Path(str(image["file_name"])).name for image in content["images"]}
            for note in content["annotations"]:
                if not note.get("iscrowd"):
                    x, y, width, height = (float(value) for value in note["bbox"])
                    box = [x, y, x + width, y + height]
                    boxes.setdefault(names[note["image_id"]], []).append(box)
            return boxes
        for name, corners in content.items():
            four = np.asarray(corners, dtype=np.float64).reshape(len(corners), 4)
            boxes[Path(str(name)).name] = four.tolist()
        return boxes
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except DAMAGED as error:
        known = '{"a.jpg": [[left, top, right, bottom]]} or COCO\'s annotations'
        raise InputError(f"{path}: no boxes as we know them; write {known}") from error
