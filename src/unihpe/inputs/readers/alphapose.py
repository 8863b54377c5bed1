"""AlphaPose's three formats, and COCO's results, which have the layout of the first."""

from dataclasses import replace
from itertools import chain
from typing import Any

from unihpe.inputs.detections import Detections, Person, as_row
from unihpe.inputs.readers.openpose import PEOPLE, read_openpose

SETS = ("coco17", "halpe26", "halpe68", "coco_wholebody133", "halpe136")


def read_alphapose(content: Any, name: str) -> Detections:
    """The default: a row a person, with the picture's name; COCO's results have its number."""
    people = []
    for n, row in enumerate(map(as_row, content)):
        image = row.get("file_name", row.get("image_id", f"row {n}"))
        own = row.get("idx", row.get("id", n))
        people.append(Person(str(image), str(own), row.get("keypoints")))
    return Detections(people, SETS)


def holds_frames(content: Any) -> bool:
    """Whether it is `--format cmu` or `open`: OpenPose's frames, by the names of the pictures."""
    frames = list(content.values()) if isinstance(content, dict) else []
    has_people = (isinstance(frame, dict) and not PEOPLE.isdisjoint(frame) for frame in frames)
    return bool(frames) and all(has_people)


def read_frames(content: Any, name: str) -> Detections:
    frames = [read_openpose(frame, image) for image, frame in content.items()]
    people = list(chain.from_iterable(frame.people for frame in frames))
    return replace(frames[0], people=people, named_by="pictures")
