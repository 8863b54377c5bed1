"""People seen in a mirror: left is right, the picture's middle stays."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Frames
from unihpe.body.skeleton import Skeleton


def mirrored_batch(batch: Batch, skeleton: Skeleton) -> Batch:
    """The same people in a mirror: their pictures, keypoints and box tokens; not their 3D, nor their boxes in pixels."""
    return Batch(
        skeleton.mirrored(batch.keypoints),
        batch.confidence[:, list(skeleton.mirror)],
        mirrored_token(batch.box_token),
        image=None if batch.image is None else batch.image.flip(-1),
    )


def mirrored_token(box_token: Tensor) -> Tensor:
    """The box token (B, 3) of the box on the other side of the picture."""
    return box_token * box_token.new_tensor([-1.0, 1.0, 1.0])


def mirrored(frames: Frames, skeleton: Skeleton, which: Tensor) -> Frames:
    """The frames with the people of `which` (N,) bool seen in a mirror: left is right, the
    picture's centre stays.

    Cameras keep their distortion, which a mirror image would not: project nothing with them
    afterwards.
    """
    camera, columns = frames.camera, list(skeleton.mirror)
    chosen = which[:, None, None]
    across = frames.keypoints.new_tensor([-1.0, 1.0])
    keypoints = frames.keypoints * across + camera.size[:, None] * frames.keypoints.new_tensor(
        [1.0, 0.0]
    )
    centre = torch.where(
        which[:, None],
        camera.centre * across + camera.size * camera.centre.new_tensor([1, 0]),
        camera.centre,
    )
    pose = frames.pose
    if pose is not None:
        pose = torch.where(chosen, skeleton.mirrored(pose), pose)
    return replace(
        frames,
        keypoints=torch.where(chosen, keypoints[:, columns], frames.keypoints),
        confidence=torch.where(which[:, None], frames.confidence[:, columns], frames.confidence),
        pose=pose,
        camera=replace(camera, centre=centre),
    )
