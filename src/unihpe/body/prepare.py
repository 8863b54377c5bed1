"""From what a data set holds to what the model sees: the one place for boxes, units and roots."""

import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, Batch, Frames
from unihpe.body.boxes import box_from_keypoints, box_token, to_box
from unihpe.body.camera import Camera, default_focal
from unihpe.body.mirror import mirrored
from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError

# What a picture's edge or an obstacle hides together: the side, and the joints' names without it.
FEET = frozenset({"ankle", "heel", "toe", "big_toe", "small_toe", "foot"})
LEGS = FEET | {"knee"}
LOWER_BODY = LEGS | {"hip", "pelvis", "spine"}
ARMS = frozenset({"elbow", "wrist", "hand"})
PARTS = (
    ("both", FEET),
    ("both", LEGS),
    ("both", LOWER_BODY),
    ("left", LEGS),
    ("right", LEGS),
    ("left", ARMS),
    ("right", ARMS),
)


def prepare(
    frames: Frames,
    skeleton: Skeleton,
    *,
    generator: torch.Generator | None = None,
    unknown_focal: float = 0.0,
    joint_dropout: float = 0.0,
    part_dropout: float = 0.0,
    flip: float = 0.0,
) -> Batch:
    """Frames to a batch: box as given or from the seen joints, keypoints in box units, box token,
    pose relative to its root.

    Args:
        frames: N people.
        skeleton: the frames' joints.
        generator: needed where one of the shares is above 0.
        unknown_focal: share of the people whose true focal length is replaced by √(W² + H²), so
            that the model works with and without it.
        joint_dropout: share of the joints that are hidden, so that it works with missing ones.
        part_dropout: share of the people of whom one of `PARTS` is hidden, so that it works with
            people cut off.
        flip: share of the people that are mirrored; people with pictures are by their source.

    Raises:
        InputError: for a person with fewer than four joints seen.
    """
    if flip > 0:
        frames = mirrored(frames, skeleton, torch.rand(len(frames), generator=generator) < flip)
    confidence = frames.confidence
    if joint_dropout > 0 or part_dropout > 0:
        shape = len(frames), len(skeleton)
        kept = torch.rand(shape, generator=generator) >= joint_dropout
        kept &= ~hidden_parts(len(frames), skeleton, part_dropout, generator)
        enough = (kept & (confidence > 0)).sum(1, keepdim=True) >= FEWEST_JOINTS
        confidence = confidence * (kept | ~enough)
    seen = confidence > 0
    require_enough(seen)
    box = box_from_keypoints(frames.keypoints, seen) if frames.box is None else frames.box
    keypoints = torch.where(seen[..., None], to_box(frames.keypoints, box), 0.0)
    focal = chosen_focal(frames.camera, unknown_focal, generator)
    pose = None if frames.pose is None else root_relative(frames.pose, skeleton)
    token = box_token(box, frames.camera.size, focal)
    return Batch(keypoints, confidence, token, pose, box, frames.image, frames.group)


def hidden_parts(
    people: int, skeleton: Skeleton, share: float, generator: torch.Generator | None
) -> Tensor:
    """One of `PARTS` for a share of the people, at random: (people, J) bool."""
    parts = torch.tensor([[is_in(joint, *part) for joint in skeleton.joints] for part in PARTS])
    part = parts[torch.randint(len(PARTS), (people,), generator=generator)]
    return part & (torch.rand(people, 1, generator=generator) < share)


def is_in(joint: str, side: str, names: frozenset[str]) -> bool:
    """Whether a joint belongs to a part."""
    name = joint.removeprefix("left_").removeprefix("right_")
    return name in names and (side == "both" or joint.startswith(side))


def require_enough(seen: Tensor) -> None:
    """Raise for people (N, J) with fewer than four joints seen."""
    count = seen.sum(-1)
    if bool((few := count < FEWEST_JOINTS).any()):
        person = int(few.nonzero()[0, 0])
        raise InputError(
            f"person {person} has {int(count[person])} joints seen;"
            f" at least {FEWEST_JOINTS} are needed: leave them out"
        )


def chosen_focal(camera: Camera, unknown: float, generator: torch.Generator | None) -> Tensor:
    """The focal length the box token is made with, (N,) pixels."""
    true, default = camera.focal.mean(-1), default_focal(camera.size)
    if unknown == 0:
        return true
    return torch.where(torch.rand(len(true), generator=generator) < unknown, default, true)


def root_relative(pose: Tensor, skeleton: Skeleton) -> Tensor:
    """The pose (N, J, 3) with its root at the origin."""
    return pose - root_of(pose, skeleton)


def root_of(pose: Tensor, skeleton: Skeleton) -> Tensor:
    """The root of each pose, (N, J, C) → (N, 1, C): the mid-point of the hips without a pelvis."""
    roots = (skeleton.root,) if skeleton.root else ("left_hip", "right_hip")
    return pose[:, [skeleton.index(joint) for joint in roots]].mean(1, keepdim=True)
