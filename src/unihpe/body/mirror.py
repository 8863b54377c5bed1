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

    Cameras keep their distortion, which no mirror image does: do not project with them afterwards.
    """
    camera, points, scores, pose = frames.camera, frames.keypoints, frames.confidence, frames.pose
    columns, across = list(skeleton.mirror), points.new_tensor([-1.0, 1.0])
    width = camera.size * camera.size.new_tensor([1.0, 0.0])
    people, joints = which[:, None], which[:, None, None]
    points = torch.where(joints, (points * across + width[:, None])[:, columns], points)
    scores = torch.where(people, scores[:, columns], scores)
    centre = torch.where(people, camera.centre * across + width, camera.centre)
    pose = None if pose is None else torch.where(joints, skeleton.mirrored(pose), pose)
    camera = replace(camera, centre=centre)
    return replace(frames, keypoints=points, confidence=scores, pose=pose, camera=camera)
