"""2D keypoints as the tools of the field write them; the layout is told from the content.

Missing joints (whatever a tool writes for them) come out with confidence 0, NaN.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError, one_line
from unihpe.inputs.detections import Detections, Size, read_arrays
from unihpe.inputs.keypoints import Keypoints, checked_keypoints
from unihpe.inputs.tools import read_openpose, reader_of
from unihpe.io.files import BROKEN, input_errors

BEYOND = 1e30  # pixels: whoever lies there is left out, before float32 ends and all are refused


def read_keypoints(
    path: Path, skeleton: str | None = None, image_size: Size | None = None
) -> Keypoints:
    """Read a keypoint file, or a folder of OpenPose files.

    Args:
        skeleton: the file's joints, where the layout does not tell (npy, npz) or tells wrong.
        image_size: width and height in pixels, where the file does not hold them.

    Raises:
        InputError: for a file that cannot be read or understood, or holds nobody, a wrong number
            of joints, infinite coordinates, or no picture size.
    """
    if image_size is not None and not (min(image_size) > 0 and np.isfinite(image_size).all()):
        size = f"{image_size[0]:g}x{image_size[1]:g}"
        raise InputError(f"the picture size must be above 0, not {size}")
    return in_pixels(read_detections(path, skeleton), path, image_size)


def read_detections(path: Path, skeleton: str | None = None) -> Detections:
    """The people of a file or folder as they are there, of a known skeleton, and checked."""
    if not path.exists():
        raise InputError(f"no keypoint file at {path}")
    try:
        return _checked(_read(path), path, skeleton)
    except InputError:
        raise
    except BROKEN as error:
        reason = f"{error.__class__.__name__}: {one_line(error, 80)}"
        raise InputError(f"{path}: not as its layout says ({reason}); docs/formats.md") from error


def in_pixels(detections: Detections, path: Path, image_size: Size | None) -> Keypoints:
    """The people as tensors, in pixels of their pictures."""
    people, remedy = detections.people, "give --image-size WIDTHxHEIGHT"
    sizes = [own for person in people if (own := image_size or person.size) is not None]
    if len(sizes) < len(people):
        shares = "MediaPipe's coordinates are shares of the picture"
        lacks = shares if detections.shares else "holds no picture size"
        raise InputError(f"{path}: {lacks}; {remedy}")
    size = torch.tensor(sizes, dtype=torch.float32)
    if not bool((size.isfinite() & (size > 0)).all()):
        raise InputError(f"{path}: a picture size is not above 0 and finite; {remedy}")
    joints = np.stack([person.joints for person in people])
    if detections.shares:
        joints = (joints * np.array([(*own, 1.0) for own in sizes])[:, None]).clip(-BEYOND, BEYOND)
    checked = checked_keypoints(joints, size, detections.skeleton or "", None)
    image, names = zip(*((person.image, person.person) for person in people), strict=True)
    return replace(checked, image=image, person=names)


def _read(path: Path) -> Detections:
    if path.suffix in (".npy", ".npz"):
        return read_arrays(path)
    if not path.is_dir():
        content = _read_json(path)
        if (reader := reader_of(content)) is None:
            known = "COCO, OpenPose, AlphaPose, MMPose and MediaPipe JSON (docs/formats.md)"
            raise InputError(f"{path}: not a known keypoint layout; known are {known}")
        return reader(content, path.stem)
    contents = {file: _read_json(file) for file in sorted(path.glob("*.json"))}
    if not contents:
        raise InputError(f"{path}: no .json files in it")
    if not all(reader_of(content) is read_openpose for content in contents.values()):
        raise InputError(f"{path}: a folder must hold OpenPose files (one JSON a frame)")
    frames = [read_openpose(content, file.stem) for file, content in contents.items()]
    return replace(frames[0], people=[person for frame in frames for person in frame.people])


def _read_json(path: Path) -> Any:
    with input_errors(f"{path}: not a readable text file", kinds=(OSError, UnicodeDecodeError)):
        text = path.read_text(encoding="utf-8-sig")
    with input_errors(f"{path}: not whole JSON", "copy or write it again", (ValueError,)):
        return json.loads(text)


def _checked(detections: Detections, path: Path, given: str | None) -> Detections:
    """The people with the joints of their set, which is given, told, or known by the count."""
    if not detections.people:
        raise InputError(f"{path}: nobody in it")
    own = detections.skeleton or detections.sets.get(len(detections.people[0].joints))
    name = given or own
    if name is None:
        remedy = "name them with --skeleton, for example coco17"
        raise InputError(f"{path}: does not say which joints it holds; {remedy}")
    people, count = [], len(get_skeleton(name))
    for person in detections.people:
        if own and detections.sets.get(len(person.joints)) == own:
            person = replace(person, joints=person.joints[: len(get_skeleton(own))])
        if person.joints.shape != (count, 3):
            joints = f"{person.image} has {len(person.joints)} joints, {name} has {count}"
            raise InputError(f"{path}: {joints}; name the right --skeleton")
        if np.isinf(person.joints).any():
            remedy = "a missing joint is NaN or has confidence 0"
            raise InputError(f"{path}: {person.image} holds an infinite coordinate; {remedy}")
        people.append(person)
    return replace(detections, people=people, skeleton=name)
