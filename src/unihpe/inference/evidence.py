"""What people hand in, checked and made ready for a model: keypoints, poses, boxes, pictures."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, Batch, Frames, Modality, chosen
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_corners, box_token, crop, to_box
from unihpe.body.camera import Camera, default_focal
from unihpe.body.conversions import Converted, convert
from unihpe.body.prepare import prepare, root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError, one_line
from unihpe.inference.keypoints.read import Keypoints
from unihpe.io.picture import Picture, PictureFile, read_picture

Numbers = ArrayLike | Tensor
PictureLike = PictureFile | Picture  # a path, bytes, a binary file, or RGB (H, W, 3) uint8
CHUNK, CROPS = 4096, 1024  # people at a time: keypoints, and pictures
FARTHEST = 20  # pictures from the middle of the picture; beyond lies nobody
FOCAL_RANGE = 1e-2, 1e3  # of the picture's larger side; no lens lies outside
SMALLEST_BOX = 0.99  # pixels a side: one, less what float32 rounds away
SMALLEST_EXTENT = 1e-4  # of the picture's larger side; keypoints as near as that lie on one spot


@dataclass(frozen=True)
class Evidence:
    """N people, ready for a model."""

    batch: Batch
    kinds: tuple[Modality, ...]  # that the batch holds; the crops may still be in `pixels`
    camera: Camera
    focal_given: bool = True
    keypoints: Converted | None = None  # as given, in the model's joints and pixels
    pixels: Picture | None = None  # the picture, of which `parts` cuts out the boxes

    def parts(self) -> Iterator[Batch]:
        """Some people at a time, with their crops."""
        for rows in torch.arange(len(self.batch)).split(CHUNK if self.pixels is None else CROPS):
            part = chosen(self.batch, rows)
            if self.pixels is not None and part.box is not None:
                boxes = part.box.double().numpy()
                crops = [crop(self.pixels, box, CROP_WIDTH, CROP_HEIGHT) for box in boxes]
                image = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
                part = replace(part, image=image)
            yield part


def from_keypoints(people: Keypoints, skeleton: Skeleton, focal: float | None) -> Evidence:
    """2D keypoints, in a model's joints; people who cannot be lifted are refused."""
    camera = checked_camera(people.image_size, focal)
    joints = _liftable(people, skeleton)
    n, group = torch.arange(len(people)), ("",) * len(people)
    frames = Frames(joints.points, joints.confidence, None, camera, group, n)
    return Evidence(
        prepare(frames, skeleton), (Modality.POSE_2D,), camera, focal is not None, joints
    )


def from_picture(
    pixels: Picture,
    boxes: Numbers | None,
    keypoints: Keypoints | None,
    skeleton: Skeleton,
    focal: float | None,
) -> Evidence:
    """The people in boxes of a picture, or round their keypoints, or one who fills it."""
    kinds: tuple[Modality, ...] = (Modality.IMAGE,)
    joints = None if keypoints is None else _liftable(keypoints, skeleton)
    if joints is not None:
        kinds, boxes = (*kinds, Modality.POSE_2D), _corners(joints) if boxes is None else boxes
    height, width = pixels.shape[:2]
    box = checked_boxes(boxes, width, height)
    size = torch.tensor([float(width), float(height)]).expand(len(box), 2)
    camera, empty = checked_camera(size, focal), torch.zeros(len(box), len(skeleton), 2)
    token = box_token(box, camera.size, camera.focal[:, 0])
    batch = Batch(empty, empty[..., 0], token, box=box)
    if joints is not None:
        if len(joints.points) != len(box):
            marked = f"keypoints of {len(joints.points)} people"
            raise InputError(f"{len(box)} boxes and {marked}: give one box for each")
        seen = joints.confidence[..., None] > 0
        points = torch.where(seen, to_box(joints.points, box), 0.0)
        batch = replace(batch, keypoints=points, confidence=joints.confidence)
    return Evidence(batch, kinds, camera, focal is not None, joints, pixels)


def checked_keypoints(
    keypoints: Numbers, image_size: Numbers, skeleton: Skeleton, confidence: Numbers | None
) -> Keypoints:
    """Keypoints (N, J, 2), or (N, J, 3) with their confidence; NaN joints get confidence 0."""
    points, joints = floats(keypoints, "keypoints"), len(skeleton)
    points = points[None] if points.ndim == 2 else points
    if points.ndim != 3 or points.shape[1:] not in ((joints, 2), (joints, 3)):
        wanted = f"(N, {joints}, 2) for {skeleton.name}, not {tuple(points.shape)}"
        raise InputError(f"keypoints must be {wanted}; a third column is their confidence")
    if points.shape[2] == 3:
        if confidence is not None:
            raise InputError("confidence is given twice: leave out confidence= or the third column")
        points, confidence = points[..., :2], points[..., 2]
    if not len(points):
        raise InputError("nobody to lift: keypoints are empty")
    if bool(torch.isinf(points).any()):
        remedy = "a missing joint is NaN or has confidence 0"
        raise InputError(f"keypoints hold an infinite coordinate; {remedy}")
    seen = torch.ones(points.shape[:2]) if confidence is None else floats(confidence, "confidence")
    seen = seen[None] if seen.ndim == 1 else seen
    if seen.shape != points.shape[:2]:
        wanted = f"keypoints want {tuple(points.shape[:2])}"
        raise InputError(f"confidence is {tuple(seen.shape)}, {wanted}")
    seen = torch.where(torch.isnan(points).any(-1), 0.0, seen.nan_to_num(0.0).clamp(0, 1))
    points = torch.where(seen[..., None] > 0, points, torch.nan)
    size, people = floats(image_size, "image_size"), len(points)
    whole = bool((torch.isfinite(size) & (size > 0)).all())
    if size.shape not in ((2,), (people, 2)) or not whole:
        what = "(width, height) in pixels, both above 0, once or for each person"
        raise InputError(f"image_size must be {what}")
    names = tuple(str(n) for n in range(people))
    return Keypoints(skeleton, points, seen, names, ("0",) * people, size.expand(people, 2))


def lifting_reasons(people: Keypoints, skeleton: Skeleton) -> tuple[Converted, list[str]]:
    """People in a model's joints, and why each cannot be lifted; "" for those who can."""
    converted = convert(people.keypoints, people.confidence, people.skeleton, skeleton)
    size, seen = people.image_size, converted.confidence > 0
    points = torch.where(seen[..., None], converted.points, torch.nan)
    far = ((points - size[:, None] / 2).abs() > FARTHEST * size[:, None]).any(-1).any(-1)
    sides = points.nan_to_num(-torch.inf).amax(1) - points.nan_to_num(torch.inf).amin(1)
    extents = sides.amax(1) / size.amax(1)
    reasons = []
    rows = zip(seen.sum(1).tolist(), far.tolist(), extents.tolist(), strict=True)
    for count, is_far, extent in rows:
        if count < FEWEST_JOINTS:
            reasons.append(f"{count} joints seen, at least {FEWEST_JOINTS} are needed")
        elif is_far:
            reasons.append(f"a joint lies more than {FARTHEST} pictures away from the picture")
        else:
            reasons.append("" if extent > SMALLEST_EXTENT else "all joints lie on one spot")
    return converted, reasons


def _liftable(people: Keypoints, skeleton: Skeleton) -> Converted:
    joints, reasons = lifting_reasons(people, skeleton)
    for person, reason in enumerate(reasons):
        if reason:
            raise InputError(f"person {person}: {reason}; leave them out")
    return joints


def from_poses(pose: Numbers, skeleton: Skeleton) -> Evidence:
    """3D poses (N, J, 3) or (J, 3), mm, in a model's joints."""
    poses, joints = floats(pose, "poses"), len(skeleton)
    poses = poses[None] if poses.ndim == 2 else poses
    if poses.ndim != 3 or poses.shape[1:] != (joints, 3):
        wanted = f"(N, {joints}, 3), the joints of {skeleton.name}"
        raise InputError(f"poses must be {wanted}; not {tuple(poses.shape)}")
    if bool(torch.isinf(poses).any()):
        raise InputError("a pose holds an infinite coordinate; a missing joint is NaN")
    empty, poses = torch.zeros(len(poses), joints, 3), root_relative(poses, skeleton)
    batch = Batch(empty[..., :2], empty[..., 0], empty[:, 0], pose=poses)
    camera = checked_camera(torch.ones(len(poses), 2), None)  # nobody sees them
    return Evidence(batch, (Modality.POSE_3D,), camera)


def checked_picture(picture: PictureLike) -> Picture:
    """A picture as RGB (H, W, 3)."""
    if not isinstance(picture, np.ndarray):
        return read_picture(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        given = f"{picture.dtype} {picture.shape}"
        raise InputError(f"a picture must be uint8 RGB (H, W, 3), not {given}")
    return picture


def checked_boxes(boxes: Numbers | None, width: int, height: int) -> Tensor:
    """Padded boxes (N, 4) from corners (N, 4) or (4,); without any, the picture as it is."""
    if boxes is None:
        whole = torch.tensor([[0.0, 0.0, float(width), float(height)]])
        return box_from_corners(whole, padding=1.0)
    corners = floats(boxes, "boxes")
    corners = corners[None] if corners.shape == (4,) else corners
    if corners.ndim != 2 or corners.shape[1] != 4 or not len(corners):
        given = tuple(corners.shape)
        raise InputError(f"boxes must be (N, 4), left, top, right, bottom; not {given}")
    box = box_from_corners(corners)
    for n, (left, top, right, bottom) in enumerate(corners.tolist()):
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            raise InputError(f"box {n} lies outside the {width} × {height} picture")
        if min(right - left, bottom - top) < SMALLEST_BOX:
            size = f"{right - left:.3g} × {bottom - top:.3g} pixels"
            raise InputError(f"box {n} is {size}: boxes are pixels of the picture, at least 1 × 1")
        beyond = max(-left, right - width) / width, max(-top, bottom - height) / height
        if max(beyond) > FARTHEST:
            raise InputError(f"box {n} reaches more than {FARTHEST} pictures away from the picture")
    return box


def checked_camera(size: Tensor, focal: float | None) -> Camera:
    """Cameras for pictures of sizes (N, 2); without a focal length, √(W² + H²) is assumed."""
    if focal is None:
        return Camera.simple(size, default_focal(size))
    for side in size.amax(-1).unique().tolist():
        shortest, longest = (share * side for share in FOCAL_RANGE)
        if not shortest <= focal <= longest:
            lens = f"{shortest:g} to {longest:g} pixels for a picture whose larger side is {side:g}"
            remedy = "leave it out if it is not known"
            raise InputError(f"the focal length must be {lens}, not {focal:g}; {remedy}")
    return Camera.simple(size, torch.full((len(size),), float(focal)))


def floats(values: Numbers, what: str) -> Tensor:
    """Somebody's numbers as a tensor; text, or rows of different lengths, are refused."""
    try:
        return torch.as_tensor(values, dtype=torch.float32, device="cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"{what} must be an array of numbers ({one_line(error, 80)})") from error


def _corners(joints: Converted) -> Tensor:
    """Left, top, right, bottom of the seen joints, (N, 4), pixels."""
    seen = (joints.confidence > 0)[..., None]
    low = torch.where(seen, joints.points, torch.inf).amin(1)
    high = torch.where(seen, joints.points, -torch.inf).amax(1)
    # all joints in one row or column still make a box, whatever float32 rounds away
    thin = torch.clamp(2 * SMALLEST_BOX - (high - low), min=0) / 2
    return torch.cat([low - thin, high + thin], dim=1)
