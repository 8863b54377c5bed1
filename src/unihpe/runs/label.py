"""Label the people of pictures with 2D keypoints, as the command does."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.inputs.boxes import Corners, boxes_in, checked_corners, read_boxes
from unihpe.io.files import input_errors, write_text
from unihpe.io.picture import SUFFIXES, Picture
from unihpe.io.zipped import PICTURES, Place, annotations_beside, open_folder, read_place
from unihpe.people.find import Floats, find
from unihpe.people.label import agreed_keypoints_in_each

SEEN = 2  # COCO's v of a joint that is marked and seen
CATEGORY = 1
AT_ONCE, MEMORY = 32, 2**28  # people who are labelled together; bytes of pictures that wait, or so
NOBODY: Floats = np.zeros((0, 4))


@dataclass
class _Labelled:
    """What was labelled so far, as COCO's tables, and people who wait for it."""

    device: str
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # pictures, in words
    waiting: list[tuple[Picture, Floats]] = field(default_factory=list)  # with their people's boxes

    def add(self, name: str, pixels: Picture, boxes: Floats) -> None:
        """A picture and its people's boxes (N, 4); they are labelled now or with the next ones."""
        height, width = pixels.shape[:2]
        own = {"id": len(self.images), "file_name": name, "width": width, "height": height}
        self.images.append(own)
        first = len(self.annotations)
        self.annotations += [_annotation(first + n, own["id"], box) for n, box in enumerate(boxes)]
        if len(boxes):
            self.waiting.append((pixels, boxes))
        held = sum(picture.nbytes for picture, _ in self.waiting)
        if sum(len(own) for _, own in self.waiting) >= AT_ONCE or held > MEMORY:
            self.finish()

    def finish(self) -> None:
        """Label those who wait."""
        if not self.waiting:
            return
        pictures = [pixels for pixels, own in self.waiting for _ in own]
        boxes = np.concatenate([own for _, own in self.waiting])
        device = torch.device(self.device)
        points, scores = agreed_keypoints_in_each(pictures, boxes, device)
        for note, joints, sure in zip(self.annotations[-len(boxes) :], points, scores, strict=True):
            note |= _keypoints(joints, sure)
        self.waiting = []


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
    labelled = _Labelled(device)
    for count, file in enumerate(files, 1):
        try:
            labelled.add(file.name, *_seen(file, known, device))
        except InputError as error:
            labelled.skipped.append(f"{file.name}: {error}")
        done(count)
    labelled.finish()
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


def _seen(file: Place, known: Mapping[str, Corners] | None, device: str) -> tuple[Picture, Floats]:
    """A picture, and its people's boxes (N, 4): those that are known, or found."""
    pixels = read_place(file)
    if known is None:
        return pixels, find(pixels, device).boxes
    corners = known.get(file.name, [])
    return pixels, checked_corners(corners, pixels).double().numpy() if corners else NOBODY


def _annotation(number: int, image: int, box: Floats) -> dict[str, Any]:
    """A person, without their joints."""
    return {
        "id": number,
        "image_id": image,
        "category_id": CATEGORY,
        "iscrowd": 0,
        "bbox": _rounded([*box[:2], *(box[2:] - box[:2])]),
        "area": round(float((box[2:] - box[:2]).prod()), 1),
    }


def _keypoints(joints: Floats, scores: Floats) -> dict[str, Any]:
    """A person's joints (17, 2) with their scores (17,), which are 0 for those that are missing."""
    marked = zip(joints, scores > 0, strict=True)
    rows = [(*_rounded(spot), SEEN) if seen else (0, 0, 0) for spot, seen in marked]
    return {
        "num_keypoints": int((scores > 0).sum()),
        "keypoints": [number for row in rows for number in row],
        "keypoint_scores": [round(float(score), 3) for score in scores],
    }


def _rounded(numbers: Any) -> list[float]:
    return [round(float(number), 1) for number in numbers]


def _content(labelled: _Labelled, pictures: Path, out: Path) -> dict[str, Any]:
    coco = get_skeleton("coco17")
    bones = [[parent + 1, child + 1] for parent, child in coco.bones]  # COCO counts from 1
    person = {"id": CATEGORY, "name": "person", "keypoints": list(coco.joints), "skeleton": bones}
    place = os.path.relpath(pictures.resolve(), out.resolve().parent)
    about = "labelled by unihpe data label: MoveNet Thunder, where most of four looks agree"
    return {
        "info": {"description": about, PICTURES: place},
        "images": labelled.images,
        "annotations": labelled.annotations,
        "categories": [person],
    }
