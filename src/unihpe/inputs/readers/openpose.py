"""OpenPose: a file a frame; AlphaPose's `cmu` and `open` formats are like it."""

from typing import Any

from unihpe.inputs.detections import Detections, Person, as_row

SETS = ("body25", "body25b", "coco18")
PEOPLE = {"people", "bodies"}
KEYPOINTS = ("pose_keypoints_2d", "pose_keypoints", "joints")


def read_openpose(content: Any, name: str) -> Detections:
    """One frame; an undetected joint is 0, 0, 0."""
    people, image = [], name.removesuffix("_keypoints")
    for n, person in enumerate(map(as_row, content.get("people", content.get("bodies")))):
        flat = next((person[key] for key in KEYPOINTS if person.get(key)), None)
        people.append(Person(image, str(n), flat))
    return Detections(people, SETS, named_by="file")
