"""The layouts of the field's tools, a reader each: what a file holds → `Detections`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unihpe.errors import InputError
from unihpe.io.pickles import load_npy, load_npz, npz_keys

Size = tuple[float, float]  # width and height, pixels
# Which joint set a tool means by a number of joints; the set's joints come first in larger ones.
COCO_SETS = {17: "coco17", 26: "halpe26"}
ALPHAPOSE_SETS = {17: "coco17", 26: "halpe26", 136: "halpe26", 133: "coco17"}
OPENPOSE_SETS = {25: "body25", 18: "coco18"}
MMPOSE_SETS = {17: "coco17", 26: "halpe26", 16: "mpii16", 133: "coco17"}
# What MMPose calls its data sets → whose joints they are; the first that the name contains counts.
MMPOSE_DATA_SETS = {
    "halpe26": "halpe26",
    "coco": "coco17",
    "ochuman": "coco17",
    "mpii": "mpii16",
    "h36m": "human36m17",
}
LANDMARKS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")  # MediaPipe's words


@dataclass(frozen=True)
class Person:
    """One person in one picture, as read."""

    image: str
    person: str
    joints: NDArray[Any]  # (J, 3): x, y, confidence
    size: Size | None = None  # of the picture, where the file tells


@dataclass(frozen=True)
class Detections:
    """The people of a file."""

    people: Sequence[Person]
    sets: Mapping[int, str] = field(default_factory=dict)  # joint sets by the number of joints
    skeleton: str | None = None  # the joint set where the file tells
    shares: bool = False  # x and y are shares of the picture, not pixels


def triples(flat: Any) -> NDArray[np.float32]:
    """x, y, score in a row → (J, 3)."""
    return np.asarray(flat, dtype=np.float32).reshape(-1, 3)


def read_coco(content: Any, name: str) -> Detections:
    """COCO's annotations; visibility 0 is missing, 1 (hidden) and 2 (seen) are there."""
    images = {image["id"]: image for image in content.get("images", [])}
    people = []
    for note in content["annotations"]:
        if any(note.get("keypoints", [])):
            joints = triples(note["keypoints"])
            joints[:, 2] = joints[:, 2] > 0
            image = images.get(note["image_id"], {})
            size = (float(image["width"]), float(image["height"])) if "width" in image else None
            picture = str(image.get("file_name", note["image_id"]))
            people.append(Person(picture, str(note["id"]), joints, size))
    return Detections(people, COCO_SETS)


def read_alphapose(content: Any, name: str) -> Detections:
    """AlphaPose, and COCO's results, which have the same layout; scores may exceed 1."""
    people = []
    for n, row in enumerate(content):
        own = str(row.get("idx", row.get("id", n)))
        people.append(Person(str(row["image_id"]), own, triples(row["keypoints"])))
    return Detections(people, ALPHAPOSE_SETS)


def read_openpose(content: Any, name: str) -> Detections:
    """One frame of OpenPose: BODY_25 or COCO-18; an undetected joint is 0, 0, 0."""
    people = []
    for n, person in enumerate(content["people"]):
        flat = person.get("pose_keypoints_2d") or person.get("pose_keypoints") or []
        if len(flat):
            people.append(Person(name.removesuffix("_keypoints"), str(n), triples(flat)))
    return Detections(people, OPENPOSE_SETS)


def read_mmpose(content: Any, name: str) -> Detections:
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


def read_mediapipe(content: Any, name: str) -> Detections:
    """MediaPipe's 33 landmarks, of one person (legacy) or a list of them (Tasks) a frame."""
    people = []
    for n, frame in enumerate([content] if landmarks_of(content) is not None else content):
        found = landmarks_of(frame) or []
        persons = found if found and isinstance(found[0], list) else [found] if found else []
        image = frame.get("image", frame.get("frame", n)) if isinstance(frame, dict) else n
        for k, marks in enumerate(persons):
            joints = np.array([[m["x"], m["y"], m.get("visibility", 1.0)] for m in marks])
            people.append(Person(str(image), str(k), joints))
    return Detections(people, skeleton="mediapipe33", shares=True)


def landmarks_of(content: Any) -> Any:
    """The landmarks of a MediaPipe result, whatever it calls them; None where there are none."""
    if isinstance(content, list) and content:
        first = content[0]
        marks = isinstance(first, dict) and "x" in first
        persons = isinstance(first, list) and landmarks_of(first) is not None
        return content if marks or persons else None
    if not isinstance(content, dict):
        return None
    own = next((content[key] for key in LANDMARKS if content.get(key)), None)
    return own and (landmarks_of(own) or own)


def read_arrays(path: Path) -> Detections:
    """npy: keypoints (J, 2 or 3) or (N, J, 2 or 3), a third column is the confidence.

    npz: `keypoints` like that, and perhaps `confidence`, `skeleton` and `image_size`.
    """
    if path.suffix == ".npy":
        fields = {"keypoints": load_npy(path, "give a whole file of plain numbers")}
    else:
        fields = load_npz(path, sorted({"keypoints", *npz_keys(path)}), objects=False)
    points = fields["keypoints"]
    shape, kind = points.shape, points.dtype
    if kind.kind not in "fiu" or len(shape) not in (2, 3) or shape[-1] not in (2, 3):
        raise InputError(
            f"{path}: keypoints are {kind} {shape}; they must be numbers (N, J, 2 or 3)"
        )
    points = points.astype(np.float32).reshape(-1, *shape[-2:])
    if shape[-1] == 2:
        given = fields.get("confidence", np.ones(points.shape[:2])).reshape(points.shape[:2])
        points = np.concatenate([points, given.astype(np.float32)[..., None]], axis=-1)
    sizes: list[Size | None] = [None] * len(points)
    if "image_size" in fields:
        given = np.broadcast_to(fields["image_size"].astype(np.float64), (len(points), 2))
        sizes = [(float(width), float(height)) for width, height in given]
    rows = enumerate(zip(points, sizes, strict=True))
    people = [Person(str(n), "0", joints, size) for n, (joints, size) in rows]
    return Detections(people, skeleton=str(fields["skeleton"]) if "skeleton" in fields else None)


Reader = Callable[[Any, str], Detections]  # of a JSON file's content, and the file's name
# A tool's reader by a key that the content has, or the first of its rows.
BY_KEY: Mapping[str, Reader] = {
    "annotations": read_coco,
    "people": read_openpose,
    "instance_info": read_mmpose,
}
BY_ROW_KEY: Mapping[str, Reader] = {
    "image_id": read_alphapose,
    "instances": read_mmpose,
    "keypoint_scores": read_mmpose,
}


def reader_of(content: Any) -> Reader | None:
    """The reader of the tool that wrote a JSON file's content; None where it is unknown."""
    frames = content if isinstance(content, list) else [content]
    readers = BY_ROW_KEY if isinstance(content, list) else BY_KEY
    for key, reader in readers.items():
        if frames and isinstance(frames[0], dict) and key in frames[0]:
            return reader
    marks = [landmarks_of(frame) for frame in (content, *frames)]  # the first may hold nobody
    return read_mediapipe if not frames or any(own is not None for own in marks) else None
