"""VideoPose3D's 2D files, and what its Detectron scripts write before them."""

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.errors import InputError
from unihpe.inputs.detections import Detections, Person, Size

# The joint sets of the published 2D files by the `layout_name` of their metadata. The number of
# joints and the columns called left tell a file's set; the name is often absent, or that of the
# picture set.
LAYOUTS = {"h36m": "human36m17", "coco": "coco17", "mpii": "mpii16", "humaneva15": "humaneva15"}


def joints_of(metadata: Mapping[str, Any], path: Path) -> Skeleton:
    """The joint set of a 2D file, from the metadata's name and symmetry."""
    name, symmetry = str(metadata.get("layout_name")), metadata.get("keypoints_symmetry")
    count = metadata.get("num_joints")
    named = symmetry is None and name in LAYOUTS
    for candidate in [LAYOUTS[name]] if named else LAYOUTS.values():
        skeleton = get_skeleton(candidate)
        if len(skeleton) == count and (symmetry is None or _has_sides(skeleton, symmetry)):
            return skeleton
    has = f"its {count} joints (layout '{name}', symmetry {symmetry})"
    remedy = "left and right may be exchanged: make the file again with VideoPose3D's own tools"
    raise InputError(f"{path}: {has} are none of {', '.join(LAYOUTS)}; {remedy}")


def _has_sides(skeleton: Skeleton, symmetry: Any) -> bool:
    """Whether the columns a file calls left and right are a skeleton's."""
    own = [n for n, joint in enumerate(skeleton.joints) if joint.startswith("left_")]
    try:
        left, right = ([operator.index(n) for n in side] for side in symmetry)
    except (TypeError, ValueError):
        return False
    return sorted(left) == own and sorted(right) == sorted(skeleton.mirror[n] for n in own)


def read_videopose3d(fields: Mapping[str, Any], path: Path) -> Detections:
    """`positions_2d`: subject (or video) → sequence → one (T, J, 2 or 3) per camera, pixels."""
    metadata, people = fields["metadata"], []
    videos = metadata.get("video_metadata", {})
    for subject, sequences in fields["positions_2d"].items():
        size = _size_of(videos.get(subject, {}))
        for sequence, cameras in sequences.items():
            for camera, frames in enumerate(cameras):
                where = f"{subject} {sequence} camera {camera} frame"
                rows = enumerate(frames)
                people += [Person(f"{where} {n}", "0", joints, size=size) for n, joints in rows]
    return Detections(people, skeleton=joints_of(metadata, path).name, named_by="frames")


def read_detectron(fields: Mapping[str, Any], path: Path) -> Detections:
    """Detectron's detections of a video: a list of classes a frame, people's joints (N, 4, J).

    The four are x, y, a logit and a probability; frames without anybody hold empty lists.
    """
    people, size = [], _size_of(fields.get("metadata", {}))
    for n, classes in enumerate(fields["keypoints"]):
        for k, (x, y, _, probability) in enumerate(classes[-1]):
            people.append(Person(str(n), str(k), np.stack([x, y, probability], axis=1), size=size))
    return Detections(people, ("coco17",), named_by="frames")


def _size_of(video: Mapping[str, Any]) -> Size | None:
    return (float(video["w"]), float(video["h"])) if "w" in video and "h" in video else None
