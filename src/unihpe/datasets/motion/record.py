"""Motion capture seen by virtual cameras; everything about it that the package asks for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unihpe.body.batch import evenly_spaced
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.datasets.dataset import DataSet
from unihpe.datasets.motion.source import MotionSource, open_motion, together
from unihpe.datasets.proofs import CHECKED_POSES, first_leg, legs_of, thigh_length, unit_of
from unihpe.datasets.protocol import PLAIN, Protocol
from unihpe.datasets.settings import DataSettings, Part
from unihpe.datasets.source import Source
from unihpe.datasets.variety import AS_RECORDED, Variety

WRONG = {"swapped": "left and right legs are exchanged", "mirrored": "all is seen in a mirror"}


def _open_set(data: DataSettings, part: Part) -> Source:
    """Motions of a split seen by the fixed cameras or, in training, by random ones."""
    rig = Path(data.rig) if data.rig else None
    motion = together([open_motion(Path(root), rig) for root in (data.root, *data.also)])
    return MotionSource(
        motion.converted(get_skeleton(data.skeleton)).select(part.split, part.stride),
        "random" if part.training else part.cameras,
        part.two_d or data.two_d,
        balance=data.balance if part.training else 0.0,
        body_scale=data.body_scale if part.training else 0.0,
        variety=data.variety if part.training else AS_RECORDED,
        by=part.by,
    )


def _world_poses(
    roots: Sequence[Path], split: str, count: int, seed: int, variety: Variety
) -> Tensor:
    """So many poses (count, 17, 3) of a split's motions, mm, the floor at y = 0; as recorded, each
    once, or with what `variety` says of poses, any number of them."""
    motion = together([open_motion(root) for root in roots]).select(split)
    generator = torch.Generator().manual_seed(seed)
    if variety == AS_RECORDED:
        return motion.poses[torch.randperm(len(motion), generator=generator)[:count]]
    source = MotionSource(motion, "random", variety=variety)
    rows = source.weights().multinomial(count, replacement=True, generator=generator)
    recorded = motion.poses[rows]
    varied = source.varied(recorded, generator)
    lowest = [poses[..., 1].amin(1) for poses in (recorded, varied)]
    varied[..., 1] += (lowest[0] - lowest[1])[:, None]  # who was turned stands on the same floor
    return varied


def _check_motion(root: Path, rig: Path | None = None) -> dict[str, Any]:
    """What `check` says of motion capture, which has neither cameras nor 2D: those are virtual."""
    motion = open_motion(root, rig)
    some, skeleton = motion.poses[evenly_spaced(len(motion), CHECKED_POSES)], motion.skeleton
    legs, unit = legs_of(some, skeleton)[0], unit_of(some, skeleton)
    problems = [f"{WRONG[legs]}: knees bend backwards"] if legs in WRONG else []
    if unit != "mm":
        thigh = f"a thigh is {thigh_length(some, skeleton):.4g} mm long"
        remedy = "poses must be in millimetres; of BVH, correct unit_mm of the rig"
        problems.append(f"{thigh}: {remedy}")
    if (up := _up_of(some, skeleton)) != "+y":
        remedy = "poses must have y up; of BVH, correct `up` of the rig"
        problems.append(f"heads are above ankles along {up}: {remedy}")
    return {
        "layout": "motion npz" if root.suffix == ".npz" else "BVH",
        "frames": len(motion),
        "subjects": sorted(set(motion.groups)),
        "cameras": [],
        "joints": list(skeleton.joints),
        "leg_order": first_leg(skeleton, legs),
        "unit": unit,
        "reprojection_px": None,
        "calibration": "virtual cameras",
        "notes": [f"{len(motion.names)} motions; splits: {', '.join(sorted(set(motion.splits)))}"],
        "problems": problems,
    }


def _up_of(poses: Tensor, skeleton: Skeleton) -> str:
    """The axis, with its sign, along which heads are above ankles in most poses (N, J, 3)."""
    ankles = [skeleton.index(f"{side}_ankle") for side in ("left", "right")]
    rise = poses[:, skeleton.index("head")] - poses[:, ankles].mean(1)
    axis = rise.abs().argmax(1)
    signed = 2 * axis + (rise.gather(1, axis[:, None])[:, 0] < 0)
    return ("+x", "-x", "+y", "-y", "+z", "-z")[int(signed.mode().values)]


def _files(root: Path) -> list[Path]:
    """The BVH files of a folder; or one, or an npz of poses."""
    if root.is_file():
        return [root] if root.suffix.lower() in (".bvh", ".npz") else []
    return [file for file in root.rglob("*") if file.suffix.lower() == ".bvh"]


WHAT = (
    "motion capture, split {split} (motions without a split included), every {stride}th frame of"
    " each motion, {cameras}, 2D {two_d}; focal length in the box token: {focal}"
)
VIRTUAL = Protocol("motion-virtual-cameras", texts=PLAIN | {"data": WHAT})
DATA_SET = DataSet(
    "motion",
    "CMU motion capture as BVH, mocap.cs.cmu.edu",
    "free to use, not to be resold as data",
    _open_set,
    _files,
    check=_check_motion,
    world_poses=_world_poses,
    default=VIRTUAL,
)
