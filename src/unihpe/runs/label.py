"""Label the people of pictures with 2D keypoints, as the command does."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.inputs.boxes import Corners, boxes_in, read_boxes
from unihpe.io.files import input_errors, write_text
from unihpe.io.picture import SUFFIXES
from unihpe.io.zipped import PICTURES, Place, annotations_beside, open_folder, read_place
from unihpe.people import agreed_keypoints, find

SEEN = 2  # COCO's v of a joint that is marked and seen
CATEGORY = 1


@dataclass
class _Labelled:
    """What was labelled so far, as COCO's tables."""

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # pictures, in words


def label_pictures(
    pictures: Path,
    out: Path,
    boxes: Path | None = None,
    device: str = "cpu",
    done: Callable[[int], None] = lambda count: None,
) -> tuple[int, list[str]]:
    """Write COCO annotations of a folder's (or zip file's) people, for people to correct.

    Args:
        pictures: a folder of pictures, or a zip file that holds them in images/.
        boxes: a file of boxes (docs/formats.md). Without one they are those of the zip file's
            annotations.json, or the people are found.
        done: told how many pictures are done.

    Returns:
        The number of people, and the pictures that were left out, in words.

    InputError where nothing can be read.
    """
    folder = open_folder(pictures)
    files = pictures_of(pictures)
    known = read_boxes(boxes) if boxes is not None else _own_boxes(folder)
    labelled = _Labelled()
    for count, file in enumerate(files, 1):
        try:
            _label(file, known, labelled, device)
        except InputError as error:
            labelled.skipped.append(f"{file.name}: {error}")
        done(count)
    if not labelled.annotations:
        raise InputError(f"{pictures}: nobody in it could be labelled")
    write_text(out, json.dumps(_content(labelled, pictures, out)) + "\n")
    return len(labelled.annotations), labelled.skipped


def pictures_of(pictures: Path) -> list[Place]:
    """The pictures of a folder or zip file, by name; InputError if there are none."""
    if not pictures.exists():
        raise InputError(f"{pictures}: no such folder or zip file")
    folder = open_folder(pictures)
    with input_errors(f"{pictures}: not a folder of pictures, nor a zip file with images/"):
        files = [file for file in folder.iterdir() if Path(file.name).suffix.lower() in SUFFIXES]
    if not files:
        raise InputError(f"{pictures}: without pictures ({', '.join(SUFFIXES)})")
    return sorted(files, key=lambda file: file.name)


def _own_boxes(folder: Place) -> Mapping[str, Corners] | None:
    """The boxes that a zip file brings itself."""
    if (notes := annotations_beside(folder)) is None:
        return None
    with input_errors(f"{notes}: not COCO's annotations"):
        return boxes_in(json.loads(notes.read_bytes()))


def _label(
    file: Place, known: Mapping[str, Corners] | None, labelled: _Labelled, device: str
) -> None:
    """Add a picture and its people."""
    pixels = read_place(file)
    corners = find(pixels, device).boxes if known is None else known.get(file.name, [])
    boxes = np.asarray(corners, np.float64).reshape(-1, 4)
    height, width = pixels.shape[:2]
    image = {"id": len(labelled.images), "file_name": file.name, "width": width, "height": height}
    labelled.images.append(image)
    if not len(boxes):
        return
    points, scores = agreed_keypoints(pixels, boxes, device)
    for box, joints, sure in zip(boxes, points, scores, strict=True):
        labelled.annotations.append(
            {
                "id": len(labelled.annotations),
                "image_id": image["id"],
                "category_id": CATEGORY,
                "iscrowd": 0,
                "bbox": _rounded([*box[:2], *(box[2:] - box[:2])]),
                "area": round(float((box[2:] - box[:2]).prod()), 1),
                "num_keypoints": int((sure > 0).sum()),
                "keypoints": [
                    number
                    for spot, seen in zip(joints, sure > 0, strict=True)
                    for number in ((*_rounded(spot), SEEN) if seen else (0, 0, 0))
                ],
                "keypoint_scores": [round(float(score), 3) for score in sure],
            }
        )


def _rounded(numbers: Any) -> list[float]:
    return [round(float(number), 1) for number in numbers]


def _content(labelled: _Labelled, pictures: Path, out: Path) -> dict[str, Any]:
    coco = get_skeleton("coco17")
    bones = [[parent + 1, child + 1] for parent, child in coco.bones]  # COCO counts from 1
    person = {"id": CATEGORY, "name": "person", "keypoints": list(coco.joints), "skeleton": bones}
    place = os.path.relpath(pictures.resolve(), out.resolve().parent)
    about = "labelled by unihpe data label: MoveNet Thunder, where a mirrored look agrees"
    return {
        "info": {"description": about, PICTURES: place},
        "images": labelled.images,
        "annotations": labelled.annotations,
        "categories": [person],
    }
