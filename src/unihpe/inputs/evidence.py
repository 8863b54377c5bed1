"""What people hand in, checked and made ready for a model: keypoints, poses, boxes, pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain
from typing import Self

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import Batch, Frames, Modality, chosen, joined
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_token, crop, to_box
from unihpe.body.camera import Camera
from unihpe.body.conversions import Converted
from unihpe.body.prepare import prepare, root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError
from unihpe.inputs import checks
from unihpe.inputs.boxes import checked_boxes, corners_round, require_a_box_each
from unihpe.inputs.calibration import Lens, straightened
from unihpe.inputs.checks import Focal, Numbers, PictureLike, checked_camera, names_of
from unihpe.inputs.keypoints import Keypoints, converted_keypoints
from unihpe.io.picture import Picture

CHUNK, CROPS = 4096, 1024  # people at a time: keypoints, and pictures


@dataclass(frozen=True)
class Evidence:
    """N people, ready for a model."""

    batch: Batch
    kinds: tuple[Modality, ...]  # that the batch holds; the crops may still be in `pixels`
    camera: Camera
    image: tuple[str, ...]  # names of pictures and people, for the results
    person: tuple[str, ...]
    focal_given: bool = True
    keypoints: Converted | None = None  # as given, in the model's joints and pixels
    source: str = ""  # of keypoints, as they say
    pixels: Picture | None = None  # the picture, of which `parts` cuts out the boxes
    corners: Tensor | None = None  # of the people's boxes in pictures, (N, 4), pixels

    def __len__(self) -> int:
        return len(self.batch)

    def parts(self, most: int = CHUNK) -> Iterator[Batch]:
        """Some people at a time, `most` of them or fewer, with their crops."""
        usual = CHUNK if self.pixels is None else CROPS
        for rows in torch.arange(len(self.batch)).split(max(1, min(usual, most))):
            yield self._with_crops(chosen(self.batch, rows))

    def _with_crops(self, part: Batch) -> Batch:
        """Some people of the picture, with what their boxes cut out of it."""
        if self.pixels is None or part.box is None:
            return part
        boxes = part.box.double().numpy()
        crops = [crop(self.pixels, box, CROP_WIDTH, CROP_HEIGHT) for box in boxes]
        image = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
        return replace(part, image=image)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The people of several pictures that are handed in alike, one after the other; what their
        boxes cut out of the pictures takes the pictures' place."""
        first, keypoints = parts[0], None
        if first.keypoints is not None:
            joints = [part.keypoints for part in parts if part.keypoints is not None]
            points, seen = (
                torch.cat([getattr(own, name) for own in joints])
                for name in ("points", "confidence")
            )
            keypoints = replace(joints[0], points=points, confidence=seen)
        corners = [part.corners for part in parts if part.corners is not None]
        return replace(
            first,
            batch=reduce(joined, [part._with_crops(part.batch) for part in parts]),
            camera=Camera.join([part.camera for part in parts]),
            image=tuple(chain.from_iterable(part.image for part in parts)),
            person=tuple(chain.from_iterable(part.person for part in parts)),
            keypoints=keypoints,
            pixels=None,
            corners=torch.cat(corners) if len(corners) == len(parts) else None,
        )


def from_keypoints(people: Keypoints, skeleton: Skeleton, focal: Focal) -> Evidence:
    """2D keypoints, in a model's joints; people who cannot be lifted are refused."""
    camera, joints = checked_camera(people.image_size, focal), converted_keypoints(people, skeleton)
    group, index = ("",) * len(people), torch.arange(len(people))
    points = _as_seen_straight(joints, camera, skeleton, focal)
    frames = Frames(points, joints.confidence, None, camera, group, index)
    batch, names = prepare(frames, skeleton), (people.image, people.person)
    given = focal is not None
    return Evidence(batch, (Modality.POSE_2D,), camera, *names, given, joints, people.source)


def from_crops(frames: Frames, skeleton: Skeleton) -> Evidence:
    """People whose crops, boxes and cameras are known."""
    names = names_of(len(frames)), ("0",) * len(frames)
    return Evidence(prepare(frames, skeleton), (Modality.IMAGE,), frames.camera, *names)


def from_picture(
    picture: PictureLike,
    boxes: Numbers | None,
    people: Keypoints | None,
    skeleton: Skeleton,
    focal: Focal,
    name: str = "picture",
    person: Sequence[str] | None = None,
) -> Evidence:
    """The people in boxes of a picture, or round their keypoints, or one who fills it."""
    pixels, kinds = checks.checked_picture(picture), tuple(Modality)[:1]
    joints = None if people is None else converted_keypoints(people, skeleton)
    wanted = corners_round(joints) if boxes is None and joints else boxes
    corners, box = checked_boxes(wanted, pixels)
    count, size = len(box), torch.tensor(pixels.shape[1::-1], dtype=torch.float32)
    camera = checked_camera(size.expand(count, 2), focal)
    empty = torch.zeros(count, len(skeleton), 2)
    straight = _straight_box(box, camera, focal)  # what the model hears of; crops are as they are
    token = box_token(straight, camera.size, camera.focal.mean(-1))
    batch = Batch(empty, empty[..., 0], token, box=box)
    if joints is not None:
        kinds = Modality.IMAGE, Modality.POSE_2D
        require_a_box_each(count, len(joints.points))
        seen = joints.confidence[..., None] > 0
        points = _as_seen_straight(joints, camera, skeleton, focal)
        points = torch.where(seen, to_box(points, straight), 0.0)
        batch = replace(batch, keypoints=points, confidence=joints.confidence)
    names = (name,) * count, names_of(count, person)
    known = focal is not None
    return Evidence(batch, kinds, camera, *names, known, joints, pixels=pixels, corners=corners)


def _as_seen_straight(
    joints: Converted, camera: Camera, skeleton: Skeleton, focal: Focal
) -> Tensor:
    """Keypoints as a model knows them: without lenses. InputError where a lens has no inverse."""
    if not isinstance(focal, Lens):
        return joints.points
    points, seen = straightened(joints.points, camera), joints.confidence > 0
    if len(lost := (seen & points.isnan().any(-1)).nonzero()):
        person, joint = lost[0].tolist()
        where = f"person {person}: {skeleton.joints[joint]} lies where the lens has no inverse"
        raise InputError(f"{where}; check the camera's distortion, or leave the joint out")
    return points


def _straight_box(box: Tensor, camera: Camera, focal: Focal) -> Tensor:
    """Boxes (N, 4) moved to where they would be without the lens; sides stay."""
    if not isinstance(focal, Lens):
        return box
    centre = straightened(box[:, None, :2], camera)[:, 0]
    return torch.cat([torch.where(centre.isnan(), box[:, :2], centre), box[:, 2:]], dim=1)


def from_poses(pose: Numbers, skeleton: Skeleton) -> Evidence:
    """3D poses (N, J, 3) or (J, 3), mm, in a model's joints."""
    poses, joints = checks.floats(pose, "poses"), len(skeleton)
    poses = poses[None] if poses.ndim == 2 else poses
    if poses.ndim != 3 or poses.shape[1:] != (joints, 3):
        wanted = f"(N, {joints}, 3), the joints of {skeleton.name}"
        raise InputError(f"poses must be {wanted}; not {tuple(poses.shape)}")
    if bool(torch.isinf(poses).any()):
        raise InputError("a pose holds an infinite coordinate; a missing joint is NaN")
    empty, names = torch.zeros_like(poses), names_of(len(poses))
    rooted = root_relative(poses, skeleton)
    batch = Batch(empty[..., :2], empty[..., 0], empty[:, 0], pose=rooted)
    camera = Camera.simple(torch.ones(len(poses), 2))  # nobody sees them
    return Evidence(batch, (Modality.POSE_3D,), camera, names, names)
