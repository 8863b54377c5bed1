"""Motion capture seen through virtual cameras: real 3D poses, 2D by projection.

World axes: x and z on the floor, y up; millimetres. A motion's horizontal path is centred and bent
into a disc, so that a walk across the hall stays before the cameras, and its floor is put at y = 0;
neither changes a pose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import Frames
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.body.virtual_cameras import (
    FIXED_POSITIONS,
    STAGE_RADIUS,
    fixed_cameras,
    random_cameras,
    uniform,
)
from unihpe.datasets.motion.bvh import load_folder
from unihpe.datasets.motion.detector import detect
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.io.pickles import load_npz

TwoD = Literal["exact", "detected", "both"]
View = Literal["fixed", "random"]
NPZ_KEYS = ("poses", "joints", "seq_index", "seq_names", "seq_source", "seq_split")
UNSPLIT = "any"  # the split of motions that nobody has split: a BVH folder's


@dataclass(frozen=True)
class Motion:
    """Poses of many motions, one after the other.

    Attributes:
        skeleton: names the J joints.
        poses: (N, J, 3), mm, world axes, y up.
        sequence: the motion each pose belongs to, (N,).
        names: of the motions.
        groups: the part of the data each motion belongs to (its source).
        splits: train, val or test of each motion, or `UNSPLIT`.
    """

    skeleton: Skeleton
    poses: Tensor
    sequence: Tensor
    names: tuple[str, ...]
    groups: tuple[str, ...]
    splits: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.poses)

    def select(self, split: str | None = None, stride: int = 1) -> Motion:
        """The frames of one split, every `stride`-th of each motion, counted from its first.

        Motions that are not split serve training and testing alike, but never pass for validation.
        """
        wanted = torch.tensor(
            [split in (None, s) or (s == UNSPLIT and split != "val") for s in self.splits]
        )
        start = torch.searchsorted(
            self.sequence, self.sequence
        )  # first frame of each frame's motion
        keep = wanted[self.sequence] & ((torch.arange(len(self)) - start) % stride == 0)
        if not bool(keep.any()):
            raise InputError(
                f"no motion in split '{split}': there are {', '.join(sorted(set(self.splits)))}"
            )
        return Motion(
            self.skeleton,
            self.poses[keep],
            self.sequence[keep],
            self.names,
            self.groups,
            self.splits,
        )

    def converted(self, skeleton: Skeleton) -> Motion:
        """The same poses in another joint set; joints it lacks are made from others where a rule
        says how.

        Raises:
            InputError: for a set with joints that cannot be made.
        """
        if skeleton.name == self.skeleton.name:
            return self
        made = convert(self.poses, torch.ones(self.poses.shape[:2]), self.skeleton, skeleton)
        if bool((made.confidence[0] == 0).any()):
            missing = [
                joint
                for joint, seen in zip(skeleton.joints, made.confidence[0].tolist(), strict=True)
                if not seen
            ]
            raise InputError(
                f"{skeleton.name} has joints that {self.skeleton.name} cannot make: {', '.join(missing)}"
            )
        return replace(self, skeleton=skeleton, poses=made.points)

    def group_of(self, frames: Tensor) -> tuple[str, ...]:
        """The group of each of the frames (N,)."""
        return tuple(self.groups[s] for s in self.sequence[frames].tolist())


def open_motion(path: Path, rig: Path | None = None, fps: float = 30.0) -> Motion:
    """A folder of BVH files (or one file), or an npz of poses (layout: docs/data.md).

    Args:
        path: file or folder.
        rig: a TOML that names the joints of a BVH rig; without it the known rigs are tried.
        fps: BVH motions are resampled to this rate.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    if path.suffix == ".npz":
        return read_npz(path)
    motions = load_folder(path, rig, fps)
    lengths = torch.tensor([len(poses) for _, poses in motions])
    poses = torch.cat([torch.as_tensor(poses) for _, poses in motions])
    names = tuple(name for name, _ in motions)
    sequence = torch.repeat_interleave(torch.arange(len(motions)), lengths)
    groups = tuple(path.stem for _ in names)
    return on_stage(
        Motion(get_skeleton("human36m17"), poses, sequence, names, groups, (UNSPLIT,) * len(names))
    )


def read_npz(path: Path) -> Motion:
    """Poses in metres, as docs/data.md describes them."""
    arrays = load_npz(path, NPZ_KEYS, objects=False)
    check_arrays(path, arrays)
    skeleton, joints = get_skeleton("human36m17"), [str(joint) for joint in arrays["joints"]]
    if absent := set(skeleton.joints) - set(joints):
        raise InputError(f"{path}: lacks the joints {', '.join(sorted(absent))}")
    poses = arrays["poses"][:, [joints.index(joint) for joint in skeleton.joints]]
    if not np.isfinite(poses).all():
        raise InputError(
            f"{path}: pose {int(np.argwhere(~np.isfinite(poses))[0, 0])} is not finite; leave it out"
        )
    if np.abs(poses - poses[:, :1]).max() > 10:
        raise InputError(f"{path}: a joint lies over 10 m from its pelvis; poses must be in metres")
    return on_stage(
        Motion(
            skeleton,
            torch.from_numpy(poses.astype(np.float32) * 1000),
            torch.from_numpy(arrays["seq_index"].astype(np.int64)),
            *(
                tuple(str(value) for value in arrays[key])
                for key in ("seq_names", "seq_source", "seq_split")
            ),
        )
    )


def check_arrays(path: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    """Raise for arrays that do not fit together."""
    if odd := [key for key in NPZ_KEYS[1:] if arrays[key].ndim != 1]:
        raise InputError(
            f"{path}: {odd[0]} has the shape {arrays[odd[0]].shape}; it must be one row of values"
        )
    poses, index, joints = arrays["poses"], arrays["seq_index"], arrays["joints"]
    if (
        poses.dtype.kind != "f"
        or poses.ndim != 3
        or poses.shape[1:] != (len(joints), 3)
        or not len(poses)
    ):
        raise InputError(
            f"{path}: poses are {poses.dtype} {poses.shape}; they must be floats (N, {len(joints)}, 3)"
        )
    motions = len(arrays["seq_names"])
    if not len(arrays["seq_source"]) == len(arrays["seq_split"]) == motions:
        raise InputError(f"{path}: seq_names, seq_source and seq_split must be of one length")
    if index.dtype.kind not in "iu" or index.shape != (len(poses),):
        raise InputError(
            f"{path}: seq_index is {index.dtype} {index.shape}; it must be one whole number for each pose"
        )
    if (
        index.min() < 0
        or index.max() >= motions
        or bool((np.diff(index.astype(np.int64)) < 0).any())
    ):
        raise InputError(
            f"{path}: seq_index must rise from 0 to at most {motions - 1}, the frames of a motion together"
        )


def on_stage(motion: Motion) -> Motion:
    """Each motion's floor at y = 0, its path centred and bent into a disc of `STAGE_RADIUS`; poses keep their shape."""
    moved = []
    for poses in motion.poses.split(
        torch.bincount(motion.sequence, minlength=len(motion.names)).tolist()
    ):
        if not len(poses):
            continue
        root = poses[:, motion.skeleton.index("pelvis")]
        path = root[:, [0, 2]] - root[:, [0, 2]].mean(0)
        bent = path * STAGE_RADIUS / (path.square().sum(1, keepdim=True) + STAGE_RADIUS**2).sqrt()
        floor = poses[..., 1].amin(1).quantile(0.05)
        goal = torch.stack([bent[:, 0], root[:, 1] - floor, bent[:, 1]], dim=1)
        moved.append(poses + (goal - root)[:, None])
    return Motion(
        motion.skeleton,
        torch.cat(moved),
        motion.sequence,
        motion.names,
        motion.groups,
        motion.splits,
    )


class MotionSource(Source):
    """A motion as a `Source`: people seen by virtual cameras.

    Args:
        motion: the poses.
        view: "fixed", four cameras placed like Human3.6M's: index = 4·frame + camera; or "random",
            a new camera at each read, and half of the poses mirrored.
        two_d: "exact", "detected" (`detector.detect`), or "both": half of the people exact, half
            detected.
        balance: training weight of a group's frames, size^(−balance): 0 draws frames alike, 1 draws
            groups alike.
        body_scale: random size of the person, uniform within 1 ± this ("random" view only).
    """

    def __init__(
        self,
        motion: Motion,
        view: View,
        two_d: TwoD = "exact",
        balance: float = 0.0,
        body_scale: float = 0.0,
    ) -> None:
        self.motion, self.view, self.two_d = motion, view, two_d
        self.balance, self.body_scale = balance, body_scale

    @property
    def skeleton(self) -> Skeleton:
        return self.motion.skeleton

    def __len__(self) -> int:
        return len(self.motion) * (len(FIXED_POSITIONS) if self.view == "fixed" else 1)

    def weights(self) -> Tensor:
        """Draws of each index, up to a factor, (len,)."""
        group_names = sorted(set(self.motion.groups))
        group = torch.tensor([group_names.index(g) for g in self.motion.groups])[
            self.motion.sequence
        ]
        weight = torch.bincount(group).double()[group] ** -self.balance
        return weight.repeat_interleave(len(self) // len(self.motion))

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,); cameras and noise come from `generator`."""
        if self.view == "fixed":
            frames, camera = (
                indices // len(FIXED_POSITIONS),
                fixed_cameras(indices % len(FIXED_POSITIONS)),
            )
            world = self.motion.poses[frames]
        else:
            frames, world = indices, self.varied(self.motion.poses[indices], generator)
            camera = random_cameras(world[:, self.skeleton.index("pelvis")], generator)
        pose = camera.to_camera(world)
        keypoints = camera.project(pose)
        confidence = torch.ones(keypoints.shape[:2])
        if self.two_d != "exact":
            noisy, stated = detect(keypoints, self.skeleton, generator)
            chosen = torch.rand(len(pose), generator=generator) < (
                0.5 if self.two_d == "both" else 2.0
            )
            keypoints = torch.where(chosen[:, None, None], noisy, keypoints)
            confidence = torch.where(chosen[:, None], stated, confidence)
        return Frames(keypoints, confidence, pose, camera, self.motion.group_of(frames), indices)

    def varied(self, world: Tensor, generator: torch.Generator) -> Tensor:
        """Half of the people mirrored, each of a random size: (N, J, 3) → (N, J, 3), mm."""
        chosen = torch.rand(len(world), generator=generator) < 0.5
        world = torch.where(chosen[:, None, None], self.skeleton.mirrored(world), world)
        return world * uniform(
            (len(world), 1, 1), (1 - self.body_scale, 1 + self.body_scale), generator
        )
