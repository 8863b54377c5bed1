"""3DPW: one pickle per sequence, outdoors, one moving camera, one or two people.

3D are the 24 joints of the body model (`smpl24`). They are not Human3.6M's joints: scores on them
compare with no table of the literature. 2D is the projection of the 3D ("exact", what lifting
papers call ground truth) or OpenPose's detections ("detected"), converted by name. Whether OpenPose
counts pixels from corners or centres is not published, and nothing is added.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.camera import Camera
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.rows import combined, of_view
from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_dict, as_flags, as_floats, require_finite, require_keys
from unihpe.io.files import matching
from unihpe.io.pickles import load_pickle

TwoD = Literal["exact", "detected"]
SPLITS: Mapping[str, str] = {"train": "train", "validation": "val", "test": "test"}
PEOPLE = ("jointPositions", "poses2d", "campose_valid")  # one array per person each
OTHER_NAMES = {"poses2D": "poses2d"}  # the set's own readme spells it so
SIZE = (1920.0, 1080.0)
RIGID = 1e-3  # how far a camera's rotation may be from one
AGAIN = "get it again from the set's site"


@dataclass(frozen=True)
class People:
    """What is read of each person of a sequence."""

    skeleton: Skeleton
    # a person's entries, which frames to use, words for messages → joints (N, J, 3), metres, world
    joints: Callable[[Mapping[str, Any], Array, str], Array]
    keys: tuple[str, ...] = ()  # of the file, besides PEOPLE
    two_d: TwoD = "exact"
    verify: bool = True  # refuse wrong units and swapped legs


def open_threedpw(
    root: Path, split: str | None = None, two_d: TwoD = "exact", verify: bool = True
) -> Recorded:
    """3DPW in a folder, 24 joints (`smpl24`); index = sequence, then person, then frame.

    Frames whose camera pose is marked invalid are left out, as every protocol does, and with
    "detected" those with fewer than four joints; `notes` counts them.
    """
    if split is not None and split not in SPLITS.values():
        raise InputError(f"3DPW has no split '{split}'; there are {', '.join(SPLITS.values())}")
    people = People(get_skeleton("smpl24"), _own_joints, (), two_d, verify)
    return open_people(root, split, people, f"3DPW, sequenceFiles, 2D {two_d}")


def _own_joints(person: Mapping[str, Any], use: Array, where: str) -> Array:
    joints = as_floats(person["jointPositions"], (None, None), where, "jointPositions")
    if joints.shape[1] != (count := 3 * len(get_skeleton("smpl24"))):
        raise InputError(f"{where}: {joints.shape[1]} numbers a frame, expected {count}; {AGAIN}")
    return joints.reshape(len(joints), -1, 3)


def open_people(root: Path, split: str | None, people: People, layout: str) -> Recorded:
    if not (files := sequence_files(root, split)):
        expected = f"sequenceFiles/{{{','.join(SPLITS)}}}/*.pkl"
        raise InputError(f"{root}: no {expected}; unpack 3DPW's sequenceFiles.zip there")
    actors = [actor for path, part in files for actor in _read_sequence(path, part, people)]
    if not (parts := [part for part, _ in actors if len(part)]):
        raise InputError(f"{root}: no frame of {len(files)} sequences has a valid camera; {AGAIN}")
    dropped, reason = sum(count for _, count in actors), "an invalid camera"
    if people.two_d == "detected":
        reason += f" or fewer than {FEWEST_JOINTS} joints in 2D"
    notes = (f"{dropped} frames left out: {reason}",) if dropped else ()
    return replace(combined(parts, layout), notes=notes)


def sequence_files(root: Path, split: str | None = None) -> list[tuple[Path, str]]:
    """The pickles and their splits; some archives unpack into sequenceFiles twice."""
    wanted = [pair for pair in SPLITS.items() if split in (None, pair[1])]
    for folder in (root / "sequenceFiles" / "sequenceFiles", root / "sequenceFiles", root):
        listed = [(matching(folder, f"{theirs}/*.pkl"), ours) for theirs, ours in wanted]
        if files := [(path, ours) for paths, ours in listed for path in paths]:
            return files
    return []


def _read_sequence(path: Path, split: str, people: People) -> Iterator[tuple[Recorded, int]]:
    """The people of one sequence file, and how many frames of each are left out."""
    stored = as_dict(load_pickle(path), "3DPW's dict", path, AGAIN)
    content = {OTHER_NAMES.get(str(key), str(key)): value for key, value in stored.items()}
    keys = (*PEOPLE, *people.keys)
    require_keys(content, (*keys, "cam_poses", "cam_intrinsics"), path, AGAIN)
    lists = {key: content[key] for key in keys}
    for key, value in lists.items():
        if not isinstance(value, list | tuple | np.ndarray):
            kind = type(value).__name__
            raise InputError(f"{path}: {key} is a {kind}, expected one array per person; {AGAIN}")
    counts = {key: len(values) for key, values in lists.items()}
    if len(set(counts.values())) > 1:
        people_in = f"{counts['jointPositions']} people in 3D, {counts['poses2d']} in 2D"
        raise InputError(f"{path}: {people_in}, in all {counts}; {AGAIN}")
    cameras = _cameras_of(content, path)
    name = str(np.asarray(content.get("sequence", path.stem)))
    for number in range(len(lists["poses2d"])):
        view = View(f"{name} {number}", "unknown", name, "camera", split, split)
        person = {key: values[number] for key, values in lists.items()}
        yield _read_actor(view, person, cameras, people, f"{path}: person {number}")


def _cameras_of(content: Mapping[str, Any], path: Path) -> Camera:
    """A camera per frame, (N): the intrinsics are the sequence's, the pose moves."""
    shapes = {"cam_poses": (None, 4, 4), "cam_intrinsics": (3, 3)}
    numbers = (as_floats(content[key], shape, str(path), key) for key, shape in shapes.items())
    poses, inner = (torch.from_numpy(array.astype(np.float32)) for array in numbers)
    focal, centre = inner.diagonal()[:2], inner[:2, 2]
    # the picture's size is not in the file, but all pictures are of one size, upright or lying
    size = torch.tensor(SIZE if centre[0] > centre[1] else SIZE[::-1])
    focal, centre, size = (part.expand(len(poses), 2) for part in (focal, centre, size))
    return Camera(focal, centre, size, poses[:, :3, :3], poses[:, :3, 3] * 1000)


def _read_actor(
    view: View, person: Mapping[str, Any], cameras: Camera, people: People, where: str
) -> tuple[Recorded, int]:
    """One person's usable frames, and how many others there are."""
    use, frames = as_flags(person["campose_valid"], where, "campose_valid"), len(cameras.focal)
    world = people.joints(person, use, where)
    if not len(world) == len(use) == frames:
        counts = f"{len(world)} frames of 3D, {frames} of cameras, campose_valid of {len(use)}"
        raise InputError(f"{where}: {counts} frames; {AGAIN}")
    off = (cameras.rotation @ cameras.rotation.mT - torch.eye(3)).abs().amax((1, 2))
    rigid = (off < RIGID) & cameras.translation.isfinite().all(1)
    if len(broken := np.flatnonzero(use & ~rigid.numpy())):
        raise InputError(f"{where}: the camera of frame {broken[0]} is no rigid motion; {AGAIN}")
    require_finite(world[use], where)
    everyone = torch.from_numpy(world.astype(np.float32))
    if people.verify and use.any():
        require_body(everyone[torch.from_numpy(use)], people.skeleton, where, "m")
    pose = cameras.to_camera(everyone * 1000)
    if people.two_d == "exact":
        keypoints = cameras.project(pose)
        confidence = keypoints.isfinite().all(-1).float()
    else:
        keypoints, confidence = _detected(person["poses2d"], frames, where)
    keep = torch.from_numpy(use) & ((confidence > 0).sum(1) >= FEWEST_JOINTS)
    rows = keep.nonzero()[:, 0]
    camera, dropped = cameras.select(rows), int((~keep).sum())
    recorded = of_view(people.skeleton, view, rows, pose[rows], keypoints[rows], camera)
    return replace(recorded, confidence=confidence[rows]), dropped


def _detected(detections: object, frames: int, where: str) -> tuple[Tensor, Tensor]:
    """OpenPose's 18 joints, (N, 3, 18) as rows x, y, score, as the 24: (N, 24, 2) and (N, 24)."""
    coco = get_skeleton("coco18")
    array = as_floats(detections, (None, 3, len(coco)), where, "poses2d")
    if len(array) != frames:
        raise InputError(f"{where}: 2D of {len(array)} frames, 3D of {frames}; {AGAIN}")
    rows = torch.from_numpy(array.astype(np.float32)).transpose(1, 2)
    scores = rows[..., 2].nan_to_num(0).clamp(0, 1)
    converted = convert(rows[..., :2], scores, coco, get_skeleton("smpl24"))
    return converted.points, converted.confidence
