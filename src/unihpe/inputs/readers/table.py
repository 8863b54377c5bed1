"""Which reader a JSON file's content asks for."""

from collections.abc import Callable, Mapping
from typing import Any

from unihpe.inputs.detections import Detections
from unihpe.inputs.readers.alphapose import holds_frames, read_alphapose, read_frames
from unihpe.inputs.readers.coco import read_coco
from unihpe.inputs.readers.mediapipe import landmarks_of, read_mediapipe
from unihpe.inputs.readers.mmpose import read_mmpose
from unihpe.inputs.readers.openpose import read_openpose
from unihpe.inputs.readers.ultralytics import read_ultralytics

Reader = Callable[[Any, str], Detections]  # of a JSON file's content, and the file's name
# A tool's reader by a key that the content has, or the first of its rows.
READERS: Mapping[str, Reader] = {
    "annotations": read_coco,
    "people": read_openpose,
    "bodies": read_openpose,
    "instance_info": read_mmpose,
    "instances": read_mmpose,
    "keypoint_scores": read_mmpose,
    "image_id": read_alphapose,
    "class": read_ultralytics,
}
KNOWN = "COCO, OpenPose, AlphaPose, MMPose, Ultralytics and MediaPipe JSON (docs/formats.md)"


def reader_of(content: Any) -> Reader | None:
    """The reader of the tool that wrote a JSON file's content; None where it is unknown."""
    rows = content if isinstance(content, list) else [content]
    own = (row for row in rows if isinstance(row, dict))
    if known := next((READERS[key] for row in own for key in READERS if key in row), None):
        return known
    if holds_frames(content):
        return read_frames
    marks = (landmarks_of(one) is not None for one in (content, *rows))  # a frame may be empty
    return read_mediapipe if not rows or any(marks) else None
