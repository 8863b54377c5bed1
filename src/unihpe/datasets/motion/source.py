"""Motion capture seen through virtual cameras: real 3D poses, 2D by projection.

World axes: x and z on the floor, y up; millimetres. A motion's horizontal path is centred and bent
into a disc, so that a walk across the hall stays before the cameras, and its floor is put at y = 0;
neither changes a pose.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Generator, Tensor

from unihpe.body import virtual_cameras as virtual
from unihpe.body.batch import FEWEST_JOINTS, Frames
from unihpe.body.camera import Camera
from unihpe.body.conversions import convert
from unihpe.body.postures import KINDS, postures
from unihpe.body.proportions import Bodies
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.motion.bvh import load_folder
from unihpe.datasets.motion.coco_detector import coco_detect
from unihpe.datasets.motion.detector import detect
from unihpe.datasets.settings import TwoD
from unihpe.datasets.source import Source
from unihpe.datasets.variety import (
    AS_RECORDED,
    Variety,
    by_limbs,
    by_posture,
    recombined,
    restated,
    turned,
)
from unihpe.errors import InputError
from unihpe.io.pickles import load_npz

NPZ_KEYS = ("poses", "joints", "seq_index", "seq_names", "seq_source", "seq_split")
# Exact 2D, with scores of 0 where nothing is known, as a detector would report it.
Detector = Callable[[Tensor, Tensor, Skeleton, Generator], tuple[Tensor, Tensor]]
FIXED = len(virtual.FIXED_POSITIONS)
# Whose 2D a detector makes of exact 2D, as a share of the people, by `two_d`.
SHARES: dict[TwoD, list[tuple[Detector, float]]] = {
    "exact": [],
    "detected": [(detect, 1.0)],
    "both": [(detect, 0.5)],
    "coco": [(coco_detect, 1.0)],
}
UNSPLIT = "any"  # the split of motions that nobody has split: a BVH folder's


@dataclass(frozen=True)
class Motion:
    skeleton: Skeleton  # names the J joints
    poses: Tensor  # of motions one after the other, (N, J, 3), mm, world axes, y up
    sequence: Tensor  # the motion each pose belongs to, (N,)
    names: tuple[str, ...]  # of the motions
    groups: tuple[str, ...]  # the part of the data each motion belongs to (its source)
    splits: tuple[str, ...]  # train, val or test of each motion, or `UNSPLIT`

    def __len__(self) -> int:
        return len(self.poses)

    def select(self, split: str | None = None, stride: int = 1) -> "Motion":
        """The frames of one split, every `stride`-th of each motion, counted from its first.

        Motions that are not split serve training and testing alike, but never pass for validation.
        """
        free = None if split == "val" else UNSPLIT
        wanted = torch.tensor([split is None or s in (split, free) for s in self.splits])
        first = torch.searchsorted(self.sequence, self.sequence)  # frame of each frame's motion
        keep = wanted[self.sequence] & ((torch.arange(len(self)) - first) % stride == 0)
        if not bool(keep.any()):
            known = ", ".join(sorted(set(self.splits)))
            raise InputError(f"no motion in split '{split}': there are {known}")
        return replace(self, poses=self.poses[keep], sequence=self.sequence[keep])

    def converted(self, skeleton: Skeleton) -> "Motion":
        """The same poses in another joint set; an InputError if a joint cannot be made."""
        if skeleton.name == self.skeleton.name:
            return self
        made = convert(self.poses, torch.ones(self.poses.shape[:2]), self.skeleton, skeleton)
        known = zip(skeleton.joints, made.confidence[0].tolist(), strict=True)
        if missing := ", ".join(joint for joint, seen in known if not seen):
            pair = f"{skeleton.name} has joints that {self.skeleton.name} cannot make"
            raise InputError(f"{pair}: {missing}")
        return replace(self, skeleton=skeleton, poses=made.points)


def open_motion(path: Path, rig: Path | None = None, fps: float = 30.0) -> Motion:
    """A folder of BVH files (or one file), resampled to `fps`, or an npz of poses (docs/data.md).

    A rig is a TOML that names the joints of the BVH files; without it the known rigs are tried.
    """
    if path.suffix == ".npz":
        return _read_npz(path)
    names, poses = zip(*load_folder(path, rig, fps), strict=True)
    lengths = torch.tensor([len(motion) for motion in poses])
    sequence = torch.repeat_interleave(torch.arange(len(names)), lengths)
    groups, splits = (path.stem,) * len(names), (UNSPLIT,) * len(names)
    skeleton = get_skeleton("human36m17")
    return _on_stage(Motion(skeleton, torch.cat(poses), sequence, names, groups, splits))


def together(parts: Sequence[Motion]) -> Motion:
    """The motions of several files as one; all have one skeleton."""
    starts = accumulate([len(part.names) for part in parts], initial=0)
    return Motion(
        parts[0].skeleton,
        torch.cat([part.poses for part in parts]),
        torch.cat([part.sequence + start for part, start in zip(parts, starts, strict=False)]),
        *(
            tuple(chain.from_iterable(column))
            for column in zip(
                *((part.names, part.groups, part.splits) for part in parts), strict=True
            )
        ),
    )


def _read_npz(path: Path) -> Motion:
    """Poses in metres, as docs/data.md describes them."""
    arrays = load_npz(path, NPZ_KEYS, objects=False)
    if problem := _misfit(arrays):
        raise InputError(f"{path}: {problem}")
    skeleton, joints = get_skeleton("human36m17"), [str(joint) for joint in arrays["joints"]]
    if absent := set(skeleton.joints) - set(joints):
        raise InputError(f"{path}: lacks the joints {', '.join(sorted(absent))}")
    poses = arrays["poses"][:, [joints.index(joint) for joint in skeleton.joints]]
    if not np.isfinite(poses).all():
        bad = int(np.argwhere(~np.isfinite(poses))[0, 0])
        raise InputError(f"{path}: pose {bad} is not finite; leave it out")
    if np.abs(poses - poses[:, :1]).max() > 10:
        raise InputError(f"{path}: a joint lies over 10 m from its pelvis; poses must be in metres")
    names, groups, splits = (tuple(str(value) for value in arrays[key]) for key in NPZ_KEYS[3:])
    world = torch.from_numpy(poses.astype(np.float32) * 1000)
    sequence = torch.from_numpy(arrays["seq_index"].astype(np.int64))
    return _on_stage(Motion(skeleton, world, sequence, names, groups, splits))


def _misfit(arrays: dict[str, np.ndarray[Any, Any]]) -> str:
    """What keeps the arrays of an npz from fitting together; empty if they do."""
    if odd := [key for key in NPZ_KEYS[1:] if arrays[key].ndim != 1]:
        return f"{odd[0]} has the shape {arrays[odd[0]].shape}; it must be one row of values"
    poses, joints, index, *of_motions = (arrays[key] for key in NPZ_KEYS)
    wanted, motions = (len(joints), 3), len(of_motions[0])
    if poses.dtype.kind != "f" or poses.shape[1:] != wanted or not len(poses):
        return f"poses are {poses.dtype} {poses.shape}; they must be floats (N, {len(joints)}, 3)"
    if any(len(values) != motions for values in of_motions):
        return "seq_names, seq_source and seq_split must be of one length"
    if index.dtype.kind not in "iu" or index.shape != (len(poses),):
        return f"seq_index is {index.dtype} {index.shape}; it must be a whole number for each pose"
    falls = bool((np.diff(index.astype(np.int64)) < 0).any())
    if falls or index.min() < 0 or index.max() >= motions:
        return f"seq_index must rise from 0 to at most {motions - 1}, a motion's frames together"
    return ""


def _on_stage(motion: Motion) -> Motion:
    """Each motion's floor at y = 0, its path bent into a disc of `STAGE_RADIUS`; poses stay."""
    moved, radius = [], virtual.STAGE_RADIUS
    lengths = torch.bincount(motion.sequence, minlength=len(motion.names)).tolist()
    for poses in motion.poses.split([length for length in lengths if length]):
        root = poses[:, motion.skeleton.index("pelvis")]
        path = root[:, [0, 2]] - root[:, [0, 2]].mean(0)
        bent = path * radius / (path.square().sum(1, keepdim=True) + radius**2).sqrt()
        floor = poses[..., 1].amin(1).quantile(0.05)
        goal = torch.stack([bent[:, 0], root[:, 1] - floor, bent[:, 1]], dim=1)
        moved.append(poses + (goal - root)[:, None])
    return replace(motion, poses=torch.cat(moved))


@dataclass(eq=False)
class MotionSource(Source):
    motion: Motion
    # Four like Human3.6M's, index = 4·frame + camera; one held by hand for each frame; or, for
    # training, a new one at each read, with people mirrored and varied.
    view: Literal["fixed", "free", "random"]
    two_d: TwoD = "exact"
    balance: float = 0.0  # groups weigh size^(−balance) a frame: 0 draws frames alike, 1 groups
    body_scale: float = 0.0  # random size, uniform within 1 ± this ("random" view only)
    variety: Variety = AS_RECORDED  # what else people vary in ("random" view only)
    by: Literal["source", "posture"] = "source"  # what the groups are

    @property
    def skeleton(self) -> Skeleton:
        return self.motion.skeleton

    def __len__(self) -> int:
        return len(self.motion) * (FIXED if self.view == "fixed" else 1)

    def weights(self) -> Tensor:
        """Draws of each index, up to a factor, (len,)."""
        names = sorted(set(self.motion.groups))
        of_motion = torch.tensor([names.index(group) for group in self.motion.groups])
        group = of_motion[self.motion.sequence]
        weight = torch.bincount(group).double()[group] ** -self.balance
        if self.variety.postures:
            poses, share = self.motion.poses, self.variety.postures
            weight = by_posture(weight, poses, self.skeleton, share)
        return weight.repeat_interleave(len(self) // len(self.motion))

    def read(self, indices: Tensor, generator: Generator) -> Frames:
        """The people at `indices` (N,); cameras and noise come from `generator`."""
        frames = indices // FIXED if self.view == "fixed" else indices
        world = self.motion.poses[frames]
        if self.view == "random":
            world = self.varied(world, generator)
        camera = self.cameras(world, indices, generator)
        pose = camera.to_camera(world)
        exact = camera.project(pose)
        # pictures of level cameras are taken to be large enough, unless people vary
        cut_off = self.view == "free" or self.variety != AS_RECORDED
        sight = _in_sight(exact, camera.size) if cut_off else exact.isfinite().all(-1)
        keypoints, confidence = self.seen(exact, sight.float(), generator)
        return Frames(keypoints, confidence, pose, camera, self.groups(frames), indices)

    def cameras(self, world: Tensor, indices: Tensor, generator: Generator) -> Camera:
        """A camera for each pose (N, J, 3)."""
        if self.view == "fixed":
            return virtual.fixed_cameras(indices % FIXED)
        pelvis = world[:, self.skeleton.index("pelvis")]
        if self.view == "free":
            return virtual.free_cameras(world, pelvis, generator)
        level, share = virtual.random_cameras(pelvis, generator), self.variety.free_cameras
        if not share:
            return level
        stays = torch.rand(len(world), generator=generator) >= share
        return level.where(stays, virtual.free_cameras(world, pelvis, generator))

    def groups(self, frames: Tensor) -> tuple[str, ...]:
        """What each frame's score is averaged in."""
        if self.by == "posture":
            kinds = postures(self.motion.poses[frames], self.skeleton)
            return tuple(KINDS[kind] for kind in kinds.tolist())
        return tuple(self.motion.groups[s] for s in self.motion.sequence[frames].tolist())

    def seen(self, exact: Tensor, sight: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """2D (N, J, 2) with scores (N, J), of exact 2D of which `sight` (N, J) is in the picture;
        a person of whom a detector would find too little stays exact."""
        shares = [*SHARES[self.two_d]]
        if self.view == "random" and self.variety.coco and self.two_d != "coco":
            shares.append((coco_detect, self.variety.coco))
        keypoints, confidence = exact, sight
        for detector, share in shares:
            found, score = detector(exact, sight, self.skeleton, generator)
            chosen = torch.rand(len(exact), generator=generator) < share
            chosen &= (score > 0).sum(1) >= FEWEST_JOINTS
            keypoints = torch.where(chosen[:, None, None], found, keypoints)
            confidence = torch.where(chosen[:, None], score, confidence)
        if self.view == "random":
            vary, joints = self.variety, self.skeleton
            keypoints, confidence = by_limbs(keypoints, confidence, joints, vary.limbs, generator)
            confidence = restated(confidence, vary.scores, generator)
        return keypoints, confidence

    def varied(self, world: Tensor, generator: Generator) -> Tensor:
        """Half of the people mirrored, each of a random size: (N, J, 3) → (N, J, 3), mm."""
        chosen = torch.rand(len(world), generator=generator) < 0.5
        world = torch.where(chosen[:, None, None], self.skeleton.mirrored(world), world)
        vary, skeleton = self.variety, self.skeleton
        world = recombined(world, skeleton, vary.recombined, generator)
        if vary.bodies:
            bodies = Bodies.draw(len(world), skeleton, generator, vary.bodies)
            world = bodies.shape(world, skeleton)
        limits = (1 - self.body_scale, 1 + self.body_scale)
        world = world * virtual.uniform((len(world), 1, 1), limits, generator)
        return turned(world, skeleton, vary.turned, generator)


def _in_sight(keypoints: Tensor, size: Tensor) -> Tensor:
    """Which joints (N, J, 2) lie in their picture of size (N, 2); all of a person of whom fewer
    than four do."""
    inside = ((keypoints >= 0) & (keypoints <= size[:, None])).all(-1)
    few = inside.sum(1, keepdim=True) < FEWEST_JOINTS
    return inside | (few & keypoints.isfinite().all(-1))
