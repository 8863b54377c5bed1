"""From what a data set holds to what the model sees: the one place for boxes, units and roots."""

import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, Batch, Frames
from unihpe.body.boxes import box_from_keypoints, box_token, to_box
from unihpe.body.camera import default_focal
from unihpe.body.mirror import mirrored
from unihpe.body.skeleton import Skeleton, without_side
from unihpe.errors import InputError

# What a picture's edge or an obstacle hides together: the side, and the joints' names without it.
FEET = frozenset({"ankle", "heel", "toe", "big_toe", "small_toe", "foot"})
LEGS = FEET | {"knee"}
LOWER_BODY = LEGS | {"hip", "pelvis", "spine"}
ARMS = frozenset({"elbow", "wrist", "hand"})
PARTS = [("both", names) for names in (FEET, LEGS, LOWER_BODY)]
PARTS += [(side, names) for names in (LEGS, ARMS) for side in ("left", "right")]


def prepare(
    frames: Frames,
    skeleton: Skeleton,
    *,
    generator: torch.Generator | None = None,  # needed where one of the shares is above 0
    unknown_focal: float = 0.0,  # share of the people whose true focal length becomes √(W² + H²)
    joint_dropout: float = 0.0,  # share of the joints that are hidden
    part_dropout: float = 0.0,  # share of the people of whom one of `PARTS` is hidden
    flip: float = 0.0,  # share of the people that are mirrored; with pictures, their source does it
) -> Batch:
    """Frames to a batch: box as given or from the seen joints, keypoints in box units, box token,
    pose relative to its root. InputError for a person with fewer than four joints seen.

    The shares prepare a model for people without focal length, with missing joints, or cut off.
    """
    if flip > 0:
        frames = mirrored(frames, skeleton, torch.rand(len(frames), generator=generator) < flip)
    confidence = frames.confidence
    if joint_dropout > 0 or part_dropout > 0:
        shape = len(frames), len(skeleton)
        kept = torch.rand(shape, generator=generator) >= joint_dropout
        kept &= ~_hidden_parts(len(frames), skeleton, part_dropout, generator)
        enough = (kept & (confidence > 0)).sum(1, keepdim=True) >= FEWEST_JOINTS
        confidence = confidence * (kept | ~enough)
    seen = confidence > 0
    for person, count in enumerate(seen.sum(1).tolist()):
        if count < FEWEST_JOINTS:
            need = f"at least {FEWEST_JOINTS} are needed: leave them out"
            raise InputError(f"person {person} has {count} joints seen; {need}")
    box = box_from_keypoints(frames.keypoints, seen) if frames.box is None else frames.box
    keypoints = torch.where(seen[..., None], to_box(frames.keypoints, box), 0.0)
    size, focal = frames.camera.size, frames.camera.focal.mean(-1)
    if unknown_focal > 0:
        unknown = torch.rand(len(frames), generator=generator) < unknown_focal
        focal = torch.where(unknown, default_focal(size), focal)
    pose = None if frames.pose is None else root_relative(frames.pose, skeleton)
    token = box_token(box, size, focal)
    return Batch(keypoints, confidence, token, pose, box, frames.image, frames.group)


def _hidden_parts(
    people: int, skeleton: Skeleton, share: float, generator: torch.Generator | None
) -> Tensor:
    parts = torch.tensor([[is_in(joint, *part) for joint in skeleton.joints] for part in PARTS])
    part = parts[torch.randint(len(PARTS), (people,), generator=generator)]
    return part & (torch.rand(people, 1, generator=generator) < share)


def is_in(joint: str, side: str, names: frozenset[str]) -> bool:
    """Whether a joint belongs to a part."""
    name = without_side(joint)
    return name in names and (side == "both" or joint.startswith(side))


def root_relative(pose: Tensor, skeleton: Skeleton) -> Tensor:
    """The pose (N, J, 3) with its root at the origin: pelvis, or the mid-point of the hips."""
    roots = (skeleton.root,) if skeleton.root else ("left_hip", "right_hip")
    columns = [skeleton.index(joint) for joint in roots]
    return pose - pose[:, columns].mean(1, keepdim=True)
