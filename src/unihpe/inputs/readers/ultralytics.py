"""Ultralytics: what `Results.to_json()` gives for a picture."""

from itertools import zip_longest
from typing import Any

from unihpe.inputs.detections import Detections, Person, as_row


def read_ultralytics(content: Any, name: str) -> Detections:
    """A row an object, with x, y and visibility each as a list; objects without keypoints exist."""
    people = []
    for n, row in enumerate(map(as_row, content)):
        marks = row.get("keypoints")
        if marks or row.get("name") == "person":
            columns = [(marks or {}).get(key) or [] for key in ("x", "y", "visible")]
            scores = columns[2] or [1.0] * len(columns[0])
            joints = [list(joint) for joint in zip_longest(*columns[:2], scores)]
            people.append(Person(name, str(row.get("track_id", n)), joints))
    return Detections(people, ("coco17",), named_by="file")
