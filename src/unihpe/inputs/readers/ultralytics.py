"""Ultralytics: what `Results.to_json()` gives for a picture."""

from itertools import zip_longest
from typing import Any

from unihpe.inputs.detections import Detections, Person


def read_ultralytics(content: Any, name: str) -> Detections:
    """A row an object, with x, y and visibility each as a list; objects without keypoints exist."""
    people = []
    for n, row in enumerate(content):
        if (marks := row.get("keypoints")) is None and row.get("name") != "person":
            continue
        columns = (
            [marks["x"], marks["y"], marks.get("visible") or [1.0] * len(marks["x"])]
            if marks
            else []
        )
        joints = [list(joint) for joint in zip_longest(*columns)]
        people.append(Person(name, str(row.get("track_id", n)), joints))
    return Detections(people, ("coco17",), named_by="file")
