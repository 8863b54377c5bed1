"""People seen in a mirror: left is right, the picture's middle stays."""

from dataclasses import replace

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Frames
from unihpe.body.skeleton import Skeleton


def mirrored_batch(batch: Batch, skeleton: Skeleton) -> Batch:
    """The people's pictures, keypoints and box tokens in a mirror; their 3D and boxes are lost."""
    return Batch(
        skeleton.mirrored(batch.keypoints),
        batch.confidence[:, list(skeleton.mirror)],
        batch.box_token * batch.box_token.new_tensor([-1.0, 1.0, 1.0]),
        image=None if batch.image is None else batch.image.flip(-1),
    )


def mirrored(frames: Frames, skeleton: Skeleton, which: Tensor) -> Frames:
    """The frames with the people of `which` (N,) bool in a mirror.

    Cameras keep their distortion, which a mirror image would not: project nothing with them
    afterwards.
    """
    camera, columns = frames.camera, list(skeleton.mirror)
    across = frames.keypoints.new_tensor([-1.0, 1.0])
    width = camera.size * camera.size.new_tensor([1.0, 0.0])
    people, joints = which[:, None], which[:, None, None]
    keypoints = (frames.keypoints * across + width[:, None])[:, columns]
    confidence = torch.where(people, frames.confidence[:, columns], frames.confidence)
    centre = torch.where(people, camera.centre * across + width, camera.centre)
    pose = frames.pose
    if pose is not None:
        pose = torch.where(joints, skeleton.mirrored(pose), pose)
    return replace(
        frames,
        keypoints=torch.where(joints, keypoints, frames.keypoints),
        confidence=confidence,
        pose=pose,
        camera=replace(camera, centre=centre),
    )
