"""MediaPipe's landmarks."""

from typing import Any

import numpy as np

from unihpe.inputs.detections import Detections, Person

LANDMARKS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")


def read_mediapipe(content: Any, name: str) -> Detections:
    """MediaPipe's 33 landmarks, of one person (legacy) or a list of them (Tasks) a frame."""
    people = []
    for n, frame in enumerate([content] if landmarks_of(content) is not None else content):
        marked = landmarks_of(frame) or [[]]
        persons = marked if isinstance(marked[0], list) else [marked]
        image = frame.get("image", frame.get("frame", n)) if isinstance(frame, dict) else n
        for k, marks in enumerate(filter(None, persons)):
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
