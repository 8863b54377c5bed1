"""2D keypoints as the tools of the field write them: COCO, OpenPose, AlphaPose, MMPose, MediaPipe,
npy and npz.

The layout is told from the content. Missing joints (whatever a tool writes for them) come out with
confidence 0, NaN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.errors import InputError, one_line
from unihpe.io.pickles import load_npy, load_npz, npz_keys

Size = tuple[float, float]
# Which joint set a tool means by a number of joints.
COCO_SETS = {17: "coco17", 26: "halpe26"}
ALPHAPOSE_SETS = {
    17: "coco17",
    26: "halpe26",
    136: "halpe26",
    133: "coco17",
}  # the first 26 of Halpe's 136 are Halpe-26
OPENPOSE_SETS = {25: "body25", 18: "coco18"}
MMPOSE_SETS = {
    17: "coco17",
    26: "halpe26",
    16: "mpii16",
    133: "coco17",
}  # the first 17 of COCO-WholeBody are COCO's
# What MMPose calls its data sets → whose joints they are; the first that occurs in the name counts.
MMPOSE_DATASETS = {
    "halpe26": "halpe26",
    "coco": "coco17",
    "ochuman": "coco17",
    "mpii": "mpii16",
    "h36m": "human36m17",
}


@dataclass(frozen=True)
class Person:
    """One person in one picture, as read: joints (J, 3) as x, y, confidence in pixels."""

    image: str
    person: str
    joints: np.ndarray[Any, np.dtype[np.float32]]
    size: Size | None = None


@dataclass(frozen=True)
class KeypointFile:
    """People of a keypoint file.

    Attributes:
        skeleton: names the J joints.
        keypoints: (N, J, 2), pixels; NaN where missing.
        confidence: (N, J), in [0, 1]; 0 is missing.
        image: name of each person's picture or frame, length N.
        person: each person's id in the file, length N.
        image_size: width and height of each picture, (N, 2), pixels.
    """

    skeleton: Skeleton
    keypoints: Tensor
    confidence: Tensor
    image: tuple[str, ...]
    person: tuple[str, ...]
    image_size: Tensor

    def __len__(self) -> int:
        return len(self.keypoints)

    def select(self, rows: list[int]) -> KeypointFile:
        """Some of the people."""
        return KeypointFile(
            self.skeleton,
            self.keypoints[rows],
            self.confidence[rows],
            tuple(self.image[n] for n in rows),
            tuple(self.person[n] for n in rows),
            self.image_size[rows],
        )


def read_keypoints(
    path: Path, skeleton: str | None = None, image_size: Size | None = None
) -> KeypointFile:
    """Read a keypoint file, or a folder of OpenPose files.

    Args:
        skeleton: the file's joints, where the layout does not tell (npy, npz) or tells wrong.
        image_size: width and height in pixels, where the file does not hold them.

    Raises:
        InputError: for a file that cannot be read or understood, a wrong number of joints,
            coordinates that are infinite, a missing or empty picture size, or a file without
            anybody in it.
    """
    if image_size is not None and not (min(image_size) > 0 and np.isfinite(image_size).all()):
        raise InputError(
            f"the picture size must be above 0, not {image_size[0]:g}x{image_size[1]:g}"
        )
    if not path.exists():
        raise InputError(f"no keypoint file at {path}")
    try:
        people, found = read_people(path, image_size)
        if not people:
            raise InputError(f"{path}: nobody in it")
        return assemble(path, people, skeleton or found, image_size)
    except InputError:
        raise
    except (
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        reason = one_line(error, 80)
        raise InputError(
            f"{path}: not as its layout says ({error.__class__.__name__}: {reason}); docs/formats.md"
        ) from error


def read_people(path: Path, image_size: Size | None) -> tuple[list[Person], str | None]:
    """The people of a file or folder, and the name of their joint set where it is known."""
    if path.is_dir():
        return read_openpose_folder(path)
    if path.suffix in (".npy", ".npz"):
        return read_arrays(path)
    return read_json(path, image_size)


def assemble(
    path: Path, people: list[Person], name: str | None, image_size: Size | None
) -> KeypointFile:
    """People as tensors, checked."""
    if name is None:
        raise InputError(
            f"{path}: does not say which joints it holds; name them with --skeleton, for example coco17"
        )
    skeleton = get_skeleton(name)
    for person in people:
        if person.joints.shape != (len(skeleton), 3):
            raise InputError(
                f"{path}: {person.image} has {len(person.joints)} joints, {name} has {len(skeleton)}; name the right --skeleton"
            )
    joints = torch.from_numpy(np.stack([person.joints for person in people]))
    if bool(torch.isinf(joints).any()):
        bad = people[int(torch.isinf(joints).flatten(1).any(1).nonzero()[0, 0])]
        raise InputError(
            f"{path}: {bad.image} holds an infinite coordinate; a missing joint is NaN or has confidence 0"
        )
    confidence = joints[..., 2].nan_to_num(0.0).clamp(0, 1)
    missing = torch.isnan(joints).any(-1) | (confidence <= 0)
    sizes = [image_size or person.size for person in people]
    if any(size is None for size in sizes):
        raise InputError(f"{path}: holds no picture size; give it with --image-size WIDTHxHEIGHT")
    size = torch.tensor([size for size in sizes if size is not None], dtype=torch.float32)
    if not bool((size > 0).all()):
        raise InputError(
            f"{path}: a picture size is not above 0; give the right one with --image-size WIDTHxHEIGHT"
        )
    return KeypointFile(
        skeleton,
        torch.where(missing[..., None], torch.nan, joints[..., :2]),
        torch.where(missing, 0.0, confidence),
        tuple(person.image for person in people),
        tuple(person.person for person in people),
        size,
    )


def read_json(path: Path, image_size: Size | None) -> tuple[list[Person], str | None]:
    """People of a JSON file, and the name of its joint set."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: not whole JSON (line {error.lineno}: {error.msg}); copy or write it again"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: not a readable text file ({error.__class__.__name__})"
        ) from error
    return read_content(path, content, image_size)


def read_content(
    path: Path, content: Any, image_size: Size | None
) -> tuple[list[Person], str | None]:
    """Tell the layout from the content, and read it."""
    if isinstance(content, dict):
        if "annotations" in content:
            return read_coco_annotations(content)
        if "people" in content:
            return read_openpose([(path.stem, content)])
        if "instance_info" in content:
            return read_mmpose_frames(content["instance_info"], content.get("meta_info"))
        if landmarks_of(content) is not None:
            return read_mediapipe(path, [content], image_size)
    elif isinstance(content, list):
        if not content:
            return [], None
        first = content[0]
        if landmarks_of(content) is not None:
            return read_mediapipe(path, [content], image_size)
        if isinstance(first, dict) and "image_id" in first:
            return read_results(content)
        if isinstance(first, dict) and "instances" in first:
            return read_mmpose_frames(content)
        if isinstance(first, dict) and "keypoint_scores" in first:
            return read_mmpose_frames([{"frame_id": path.stem, "instances": content}])
        if any(
            landmarks_of(frame) is not None for frame in content
        ):  # nobody may be in the first frames
            return read_mediapipe(path, content, image_size)
    raise InputError(
        f"{path}: not a known keypoint layout; known are COCO, OpenPose, AlphaPose, MMPose and MediaPipe JSON (docs/formats.md)"
    )


def triples(flat: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """x, y, score in a row → (J, 3)."""
    return np.asarray(flat, dtype=np.float32).reshape(-1, 3)


def read_coco_annotations(content: dict[str, Any]) -> tuple[list[Person], str | None]:
    """COCO's ground truth; visibility 0 is missing, 1 (hidden) and 2 (seen) are there. People without keypoints are left out."""
    images = {image["id"]: image for image in content.get("images", [])}
    people = []
    for note in content["annotations"]:
        if not any(note.get("keypoints", [])):
            continue
        joints = triples(note["keypoints"])
        joints[:, 2] = joints[:, 2] > 0
        image = images.get(note["image_id"], {})
        size = (float(image["width"]), float(image["height"])) if "width" in image else None
        people.append(
            Person(str(image.get("file_name", note["image_id"])), str(note["id"]), joints, size)
        )
    return people, COCO_SETS.get(len(people[0].joints)) if people else None


def read_results(content: list[dict[str, Any]]) -> tuple[list[Person], str | None]:
    """COCO results and AlphaPose (the same layout, with 17, 26 or 136 joints); scores may exceed 1."""
    people = []
    for n, row in enumerate(content):
        joints = triples(row["keypoints"])
        people.append(Person(str(row["image_id"]), str(row.get("idx", row.get("id", n))), joints))
    name = ALPHAPOSE_SETS.get(len(people[0].joints))
    return [cut(person, name) for person in people], name


def cut(person: Person, name: str | None) -> Person:
    """The person with only the joints of the named set, which come first in larger sets."""
    if name is None:
        return person
    return Person(
        person.image, person.person, person.joints[: len(get_skeleton(name))], person.size
    )


def read_openpose_folder(path: Path) -> tuple[list[Person], str | None]:
    """One OpenPose JSON for each frame, in the order of their names."""
    files = sorted(file for file in path.iterdir() if file.suffix == ".json")
    if not files:
        raise InputError(f"{path}: no .json files in it")
    frames = []
    for file in files:
        try:
            frames.append(
                (
                    re.sub(r"_keypoints$", "", file.stem),
                    json.loads(file.read_text(encoding="utf-8-sig")),
                )
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: not whole JSON; copy or write it again") from error
    if not all(isinstance(content, dict) and "people" in content for _, content in frames):
        raise InputError(
            f"{path}: a folder must hold OpenPose files (one JSON a frame, with 'people')"
        )
    return read_openpose(frames)


def read_openpose(frames: list[tuple[str, dict[str, Any]]]) -> tuple[list[Person], str | None]:
    """OpenPose: BODY_25 or COCO-18; an undetected joint is 0, 0, 0."""
    people = []
    for image, content in frames:
        for n, person in enumerate(content["people"]):
            flat = person.get("pose_keypoints_2d") or person.get("pose_keypoints") or []
            if len(flat):
                people.append(Person(re.sub(r"_keypoints$", "", image), str(n), triples(flat)))
    return people, OPENPOSE_SETS.get(len(people[0].joints)) if people else None


def read_mmpose_frames(
    frames: list[dict[str, Any]], meta: Any = None
) -> tuple[list[Person], str | None]:
    """MMPose 1.x: frames of instances, each with keypoints (J, 2) and keypoint_scores (J,).

    `meta` names the data set whose joints they are; without it the number of joints tells.
    """
    people = []
    for n, frame in enumerate(frames):
        for k, instance in enumerate(frame["instances"]):
            joints = np.asarray(instance["keypoints"], dtype=np.float32)
            scores = np.asarray(instance["keypoint_scores"], dtype=np.float32)
            joined = np.concatenate([joints[:, :2], scores[:, None]], axis=1)
            people.append(
                Person(str(frame.get("frame_id", n)), str(instance.get("track_id", k)), joined)
            )
    dataset = str(meta.get("dataset_name", "")) if isinstance(meta, dict) else ""
    if dataset:
        name = next(
            (ours for theirs, ours in MMPOSE_DATASETS.items() if theirs in dataset.lower()), None
        )
    else:
        name = MMPOSE_SETS.get(len(people[0].joints)) if people else None
    return [cut(person, name) for person in people], name


def landmarks_of(content: Any) -> Any:
    """The landmarks of a MediaPipe result, whatever it calls them; None where there are none."""
    if isinstance(content, list) and content:
        first = content[0]
        is_marks = isinstance(first, dict) and "x" in first
        return (
            content
            if is_marks or (isinstance(first, list) and landmarks_of(first) is not None)
            else None
        )
    if not isinstance(content, dict):
        return None
    for key in ("pose_landmarks", "poseLandmarks", "landmarks", "landmark"):
        if content.get(key):
            return landmarks_of(content[key]) or content[key]
    return None


def read_mediapipe(
    path: Path, frames: Iterable[Any], image_size: Size | None
) -> tuple[list[Person], str | None]:
    """MediaPipe's 33 landmarks, x and y as shares of the picture: one person (legacy) or a list of them (Tasks) a frame."""
    if image_size is None:
        raise InputError(
            f"{path}: MediaPipe's coordinates are shares of the picture; give --image-size WIDTHxHEIGHT"
        )
    width, height = image_size
    people = []
    for n, frame in enumerate(frames):
        found = landmarks_of(frame) or []
        persons = found if found and isinstance(found[0], list) else [found] if found else []
        image = (
            str(frame.get("image", frame.get("frame", n))) if isinstance(frame, dict) else str(n)
        )
        for k, landmarks in enumerate(persons):
            rows = [
                [mark["x"] * width, mark["y"] * height, mark.get("visibility", 1.0)]
                for mark in landmarks
            ]
            people.append(Person(image, str(k), np.asarray(rows, dtype=np.float32)))
    return people, "mediapipe33"


def read_arrays(path: Path) -> tuple[list[Person], str | None]:
    """npy: (J, 2 or 3) or (N, J, 2 or 3). npz: `keypoints` like that, and optionally `confidence`, `skeleton`, `image_size`."""
    if path.suffix == ".npy":
        fields = {"keypoints": load_npy(path, "give a whole file of plain numbers")}
    else:
        fields = load_npz(path, sorted({"keypoints", *npz_keys(path)}), objects=False)
    points = fields["keypoints"]
    if (
        points.dtype.kind not in "fiu"
        or points.ndim not in (2, 3)
        or points.shape[-1] not in (2, 3)
    ):
        raise InputError(
            f"{path}: keypoints are {points.dtype} {points.shape}; they must be numbers (N, J, 2) or (N, J, 3)"
        )
    points = points.astype(np.float32).reshape(-1, *points.shape[-2:])
    if points.shape[-1] == 2:
        given = fields.get("confidence", np.ones(points.shape[:2])).reshape(points.shape[:2])
        points = np.concatenate([points, given.astype(np.float32)[..., None]], axis=-1)
    sizes: list[Size | None] = [None] * len(points)
    if "image_size" in fields:
        given = np.broadcast_to(fields["image_size"].astype(np.float64), (len(points), 2))
        sizes = [(float(width), float(height)) for width, height in given]
    name = str(fields["skeleton"]) if "skeleton" in fields else None
    return [
        Person(str(n), "0", joints, size)
        for n, (joints, size) in enumerate(zip(points, sizes, strict=True))
    ], name
