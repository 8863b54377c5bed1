"""3DPW: one pickle per sequence, outdoors, one moving camera, one or two people.

3D are the 24 joints of the body model (`smpl24`), metres in world axes, and come out in camera
axes, mm. They are not Human3.6M's joints: scores on them compare with no table of the literature.
2D is the projection of the 3D ("exact", what lifting papers call ground truth) or OpenPose's
detections ("detected"), converted by name. Detections were made on whole pictures; whether OpenPose
counts pixels from corners or centres is not published, and nothing is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.camera import Camera
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.matching import matching
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError, listing
from unihpe.io.arrays import Array, as_flags, as_floats, require_finite
from unihpe.io.pickles import load_pickle

TwoD = Literal["exact", "detected"]
SPLITS: Mapping[str, str] = {"train": "train", "validation": "val", "test": "test"}
KEYS = ("jointPositions", "poses2d", "cam_poses", "cam_intrinsics", "campose_valid")
OTHER_NAMES = {"poses2D": "poses2d"}  # the set's own readme spells it so
SIZE = (1920.0, 1080.0)
RIGID = 1e-3  # how far a camera's rotation may be from one


@dataclass(frozen=True)
class Actor:
    """One person of one sequence, the frames whose camera is known.

    Attributes:
        view: names it.
        frame: (N,), counted from 0 in the video.
        pose: (N, 24, 3), mm, camera axes.
        keypoints: (N, 24, 2), pixels, NaN where missing; confidence (N, 24).
        camera: N cameras.
        dropped: frames left out because their camera is not known or too few joints are detected.
    """

    view: View
    frame: Tensor
    pose: Tensor
    keypoints: Tensor
    confidence: Tensor
    camera: Camera
    dropped: int


def open_threedpw(
    root: Path, split: str | None = None, two_d: TwoD = "exact", verify: bool = True
) -> Recorded:
    """3DPW in a folder, 24 joints (`smpl24`); index = sequence, then person, then frame.

    Frames whose camera pose is marked invalid are left out, as every protocol does, and with
    "detected" those with fewer than four joints; `notes` counts them.

    Args:
        root: the folder that holds sequenceFiles, or sequenceFiles itself.
        split: train, val or test; None is all.
        two_d: exact or detected.
        verify: refuse wrong units and swapped legs.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    if split is not None and split not in SPLITS.values():
        raise InputError(f"3DPW has no split '{split}'; there are {', '.join(SPLITS.values())}")
    files = sequence_files(root, split)
    actors = [actor for path, part in files for actor in read_sequence(path, part, two_d, verify)]
    kept = [actor for actor in actors if len(actor.frame)]
    if not kept:
        raise InputError(
            f"{root}: no frame of {len(files)} sequences has a valid camera; get the files again"
        )
    dropped = sum(actor.dropped for actor in actors)
    return joined(kept, dropped, two_d, get_skeleton("smpl24"), f"3DPW, sequenceFiles, 2D {two_d}")


def sequence_files(root: Path, split: str | None) -> list[tuple[Path, str]]:
    """The pickles and their splits; some archives unpack into sequenceFiles twice."""
    for folder in (root / "sequenceFiles" / "sequenceFiles", root / "sequenceFiles", root):
        wanted = [(theirs, ours) for theirs, ours in SPLITS.items() if split in (None, ours)]
        if files := [
            (path, ours) for theirs, ours in wanted for path in matching(folder, f"{theirs}/*.pkl")
        ]:
            return files
    raise InputError(
        f"{root}: no sequenceFiles/{{{','.join(SPLITS)}}}/*.pkl; unpack 3DPW's sequenceFiles.zip there"
    )


def has_sequences(root: Path) -> bool:
    """Whether a folder holds sequence files."""
    try:
        return bool(sequence_files(root, None))
    except InputError:
        return False


def read_sequence(path: Path, split: str, two_d: TwoD, verify: bool) -> list[Actor]:
    """The people of one sequence file."""
    content = sequence_content(path)
    people = [
        as_floats(p, (None, None), str(path), "jointPositions")
        for p in listed(content, "jointPositions", path)
    ]
    detections = listed(content, "poses2d", path)
    valid = listed(content, "campose_valid", path)
    if not len(people) == len(detections) == len(valid):
        raise InputError(
            f"{path}: {len(people)} people in 3D, {len(detections)} in 2D, {len(valid)} in campose_valid; get the file again"
        )
    cameras = cameras_of(content, path)
    name = str(np.asarray(content.get("sequence", path.stem)))
    skeleton = get_skeleton("smpl24")
    actors = []
    for number, joints in enumerate(people):
        where = f"{path}: person {number}"
        if joints.shape[1] != 3 * len(skeleton):
            raise InputError(
                f"{where}: {joints.shape[1]} numbers a frame, expected {3 * len(skeleton)}; get the file again"
            )
        if len(joints) != len(cameras.focal):
            raise InputError(
                f"{where}: {len(joints)} frames of 3D, {len(cameras.focal)} of cameras; get the file again"
            )
        world = joints.reshape(len(joints), len(skeleton), 3)
        use = as_flags(valid[number], where, "campose_valid")
        if len(use) != len(joints):
            raise InputError(
                f"{where}: campose_valid of {len(use)} frames, 3D of {len(joints)}; get the file again"
            )
        require_finite(world[use], where)
        if verify and use.any():
            require_body(torch.from_numpy(world[use].astype(np.float32)), skeleton, where, "m")
        view = View(f"{name} {number}", "unknown", name, "camera", split, split)
        actors.append(actor_of(view, world, use, detections[number], cameras, two_d, where))
    return actors


def sequence_content(path: Path) -> Mapping[str, Any]:
    """A sequence's dict with the keys this reader needs, or an InputError that names those that are absent."""
    content = load_pickle(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, expected 3DPW's dict; get the file again"
        )
    content = {OTHER_NAMES.get(str(key), str(key)): value for key, value in content.items()}
    if missing := [key for key in KEYS if key not in content]:
        raise InputError(
            f"{path}: lacks {listing(missing)}; get the file again from the set's site"
        )
    return content


def listed(content: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    """One array per person."""
    value = content[key]
    if not isinstance(value, list | tuple | np.ndarray):
        raise InputError(
            f"{path}: {key} is a {type(value).__name__}, expected one array per person; get the file again"
        )
    return list(value)


def cameras_of(content: Mapping[str, Any], path: Path) -> Camera:
    """A camera per frame, (N): the intrinsics are the sequence's, the pose moves (X_camera = R·X_world + t, metres)."""
    poses = torch.from_numpy(
        as_floats(content["cam_poses"], (None, 4, 4), str(path), "cam_poses").astype(np.float64)
    )
    inner = torch.from_numpy(
        as_floats(content["cam_intrinsics"], (3, 3), str(path), "cam_intrinsics").astype(np.float64)
    )
    rotation = poses[:, :3, :3]
    eye = torch.eye(3, dtype=torch.float64)
    broken = ~(
        ((rotation @ rotation.mT - eye).abs().amax((1, 2)) < RIGID) & poses.isfinite().all((1, 2))
    )
    use = torch.zeros_like(broken)
    for valid in content["campose_valid"]:
        flags = torch.from_numpy(as_flags(valid, str(path), "campose_valid"))
        use = use | flags if len(flags) == len(use) else use  # another length is refused further on
    if bool((broken & use).any()):
        raise InputError(
            f"{path}: the camera of frame {int((broken & use).nonzero()[0, 0])} is no rigid motion; get it again"
        )
    focal, centre = inner.diagonal()[:2], inner[:2, 2]
    # the picture's size is not in the file, but all pictures are of one size, upright or lying
    size = torch.tensor(SIZE if centre[0] > centre[1] else SIZE[::-1])
    numbers = [part.float().expand(len(poses), 2) for part in (focal, centre, size)]
    return Camera(
        numbers[0], numbers[1], numbers[2], rotation.float(), poses[:, :3, 3].float() * 1000
    )


def actor_of(
    view: View,
    world: Array,
    use: Array,
    detections: object,
    cameras: Camera,
    two_d: TwoD,
    where: str,
) -> Actor:
    """One person's usable frames."""
    keep = torch.from_numpy(use)
    everyone = torch.from_numpy(world.astype(np.float32)) * 1000
    pose = cameras.to_camera(everyone)
    if two_d == "exact":
        keypoints = cameras.project(pose)
        confidence = keypoints.isfinite().all(-1).float()
    else:
        keypoints, confidence = detected(detections, len(world), where)
    keep = keep & ((confidence > 0).sum(1) >= FEWEST_JOINTS)
    rows = keep.nonzero()[:, 0]
    camera = Camera(
        cameras.focal[rows],
        cameras.centre[rows],
        cameras.size[rows],
        cameras.rotation[rows],
        cameras.translation[rows],
    )
    return Actor(
        view, rows, pose[rows], keypoints[rows], confidence[rows], camera, int((~keep).sum())
    )


def detected(detections: object, frames: int, where: str) -> tuple[Tensor, Tensor]:
    """OpenPose's 18 joints, (N, 3, 18) as rows x, y, score, as the 24: pixels (N, 24, 2) and confidence (N, 24)."""
    coco = get_skeleton("coco18")
    array = as_floats(detections, (None, 3, len(coco)), where, "poses2d")
    if len(array) != frames:
        raise InputError(f"{where}: 2D of {len(array)} frames, 3D of {frames}; get the file again")
    rows = torch.from_numpy(array.astype(np.float32)).transpose(1, 2)
    converted = convert(
        rows[..., :2], rows[..., 2].nan_to_num(0).clamp(0, 1), coco, get_skeleton("smpl24")
    )
    return converted.points, converted.confidence


def joined(
    actors: list[Actor], dropped: int, two_d: TwoD, skeleton: Skeleton, layout: str
) -> Recorded:
    """All people, in the joints of `skeleton`, one after the other."""
    lengths = torch.tensor([len(actor.frame) for actor in actors])
    every = torch.arange(int(lengths.sum()))
    camera = Camera(
        *(
            torch.cat([getattr(actor.camera, part) for actor in actors])
            for part in ("focal", "centre", "size", "rotation", "translation")
        )
    )
    reason = (
        "an invalid camera"
        if two_d == "exact"
        else f"an invalid camera or fewer than {FEWEST_JOINTS} joints in 2D"
    )
    return Recorded(
        skeleton=skeleton,
        views=tuple(actor.view for actor in actors),
        view=torch.repeat_interleave(torch.arange(len(actors)), lengths),
        frame=torch.cat([actor.frame for actor in actors]),
        pose=torch.cat([actor.pose for actor in actors]),
        pose_row=every,
        keypoints=torch.cat([actor.keypoints for actor in actors]),
        confidence=torch.cat([actor.confidence for actor in actors]),
        keypoint_row=every,
        cameras=camera,
        camera=every,
        in_world=False,
        layout=layout,
        notes=(f"{dropped} frames left out: {reason}",) if dropped else (),
    )
