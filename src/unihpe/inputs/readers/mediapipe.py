"""MediaPipe's landmarks."""

from typing import Any

from unihpe.errors import InputError
from unihpe.inputs.detections import Detections, Person, Source

LANDMARKS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")
WORLD = ("pose_world_landmarks", "poseWorldLandmarks", "worldLandmarks")


def read_mediapipe(content: Any, name: str) -> Detections:
    """MediaPipe's 33 landmarks, of one person (legacy) or a list of them (Tasks) a frame."""
    people, named = [], True
    for n, frame in enumerate([content] if landmarks_of(content) is not None else content):
        marked = landmarks_of(frame) or [[]]
        persons = marked if isinstance(marked[0], list) else [marked]
        keys = frame if isinstance(frame, dict) else {}
        if any(map(keys.get, WORLD)) and not any(map(keys.get, LANDMARKS)):
            raise InputError("world landmarks are a 3D pose in metres; write pose_landmarks too")
        named &= "image" in keys
        image = keys.get("image", keys.get("frame", n))
        for k, marks in enumerate(filter(None, persons)):
            people.append(Person(str(image), str(k), [_numbers(mark) for mark in marks]))
    source: Source = "pictures" if named else "frames"
    return Detections(people, skeleton="mediapipe33", units="shares", named_by=source)


def _numbers(mark: Any) -> list[Any]:
    seen = mark.get("visibility")
    return [mark.get("x"), mark.get("y"), 1.0 if seen is None else seen]


def landmarks_of(content: Any) -> Any:
    """The landmarks of a MediaPipe result, whatever it calls them; None where there are none."""
    if isinstance(content, list) and content:
        first = content[0]
        marks = isinstance(first, dict) and "x" in first
        persons = isinstance(first, list) and landmarks_of(first) is not None
        return content if marks or persons else None
    if not isinstance(content, dict):
        return None
    own = next((content[key] for key in (*LANDMARKS, *WORLD) if content.get(key)), None)
    return own and (landmarks_of(own) or own)
