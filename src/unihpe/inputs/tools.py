"""The JSON layouts of the field's tools, a reader each; which is told from the content."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unihpe.inputs.detections import Detections, Person
from unihpe.inputs.mediapipe import landmarks_of, read_mediapipe

# Which joint set a tool means by a number of joints; the set's joints come first in larger ones.
COCO_SETS = {17: "coco17", 26: "halpe26"}
ALPHAPOSE_SETS = {17: "coco17", 26: "halpe26", 136: "halpe26", 133: "coco17"}
OPENPOSE_SETS = {25: "body25", 18: "coco18"}
MMPOSE_SETS = {17: "coco17", 26: "halpe26", 16: "mpii16", 133: "coco17"}
# What MMPose calls its data sets → whose joints they are; the first that the name contains counts.
MMPOSE_DATA_SETS = {"halpe26": "halpe26", **dict.fromkeys(("coco", "ochuman"), "coco17")}
MMPOSE_DATA_SETS |= {"mpii": "mpii16", "h36m": "human36m17"}


def _triples(flat: Any) -> NDArray[np.float32]:
    return np.asarray(flat, dtype=np.float32).reshape(-1, 3)


def _read_coco(content: Any, name: str) -> Detections:
    """COCO's annotations; visibility 0 is missing, 1 (hidden) and 2 (seen) are there."""
    images = {image["id"]: image for image in content.get("images", [])}
    people = []
    for note in content["annotations"]:
        if any(note.get("keypoints", [])):
            joints = _triples(note["keypoints"])
            joints[:, 2] = joints[:, 2] > 0
            image = images.get(note["image_id"], {})
            size = (float(image["width"]), float(image["height"])) if "width" in image else None
            picture = str(image.get("file_name", note["image_id"]))
            people.append(Person(picture, str(note["id"]), joints, size))
    return Detections(people, COCO_SETS)


def _read_alphapose(content: Any, name: str) -> Detections:
    """AlphaPose, and COCO's results, which have the same layout; scores may exceed 1."""
    ids = [str(row.get("idx", row.get("id", n))) for n, row in enumerate(content)]
    rows = zip(ids, content, strict=True)
    people = [Person(str(row["image_id"]), own, _triples(row["keypoints"])) for own, row in rows]
    return Detections(people, ALPHAPOSE_SETS)


def read_openpose(content: Any, name: str) -> Detections:
    """One frame of OpenPose: BODY_25 or COCO-18; an undetected joint is 0, 0, 0."""
    people = []
    for n, person in enumerate(content["people"]):
        flat = person.get("pose_keypoints_2d") or person.get("pose_keypoints") or []
        if len(flat):
            people.append(Person(name.removesuffix("_keypoints"), str(n), _triples(flat)))
    return Detections(people, OPENPOSE_SETS)


def _read_mmpose(content: Any, name: str) -> Detections:
    """MMPose 1.x: a demo's output, frames of instances, or the instances of one picture."""
    frames, meta = content, None
    if isinstance(content, dict):
        frames, meta = content["instance_info"], content.get("meta_info")
    elif "instances" not in content[0]:
        frames = [{"frame_id": name, "instances": content}]
    people = []
    for n, frame in enumerate(frames):
        for k, instance in enumerate(frame["instances"]):
            joints = np.asarray(instance["keypoints"], dtype=np.float32)[:, :2]
            scores = np.asarray(instance["keypoint_scores"], dtype=np.float32)[:, None]
            ids = str(frame.get("frame_id", n)), str(instance.get("track_id", k))
            people.append(Person(*ids, np.concatenate([joints, scores], axis=1)))
    data = str(meta.get("dataset_name", "")).lower() if isinstance(meta, dict) else ""
    if not data or not people:
        return Detections(people, MMPOSE_SETS)
    own = next((joints for known, joints in MMPOSE_DATA_SETS.items() if known in data), None)
    return Detections(people, {len(people[0].joints): own} if own else {})


Reader = Callable[[Any, str], Detections]  # of a JSON file's content, and the file's name
# A tool's reader by a key that the content has, or the first of its rows.
READERS: Mapping[str, Reader] = {
    "annotations": _read_coco,
    "people": read_openpose,
    "instance_info": _read_mmpose,
    "instances": _read_mmpose,
    "keypoint_scores": _read_mmpose,
    "image_id": _read_alphapose,
}


def reader_of(content: Any) -> Reader | None:
    """The reader of the tool that wrote a JSON file's content; None where it is unknown."""
    rows = content if isinstance(content, list) else [content]
    if rows and isinstance(rows[0], dict) and (known := [key for key in READERS if key in rows[0]]):
        return READERS[known[0]]
    marks = (landmarks_of(own) is not None for own in (content, *rows))  # a frame may be empty
    return read_mediapipe if not rows or any(marks) else None
