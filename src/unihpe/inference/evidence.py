"""What people hand in, checked and made ready for a model: keypoints, poses, boxes, pictures."""

from collections.abc import Iterator, Sequence
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
    image: tuple[str, ...]  # names of pictures and people, for the results
    person: tuple[str, ...]
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
    camera, joints = checked_camera(people.image_size, focal), _liftable(people, skeleton)
    n, group = torch.arange(len(people)), ("",) * len(people)
    frames = Frames(joints.points, joints.confidence, None, camera, group, n)
    batch, names = prepare(frames, skeleton), (people.image, people.person)
    return Evidence(batch, (Modality.POSE_2D,), camera, *names, focal is not None, joints)


def from_picture(
    picture: PictureLike,
    boxes: Numbers | None,
    people: Keypoints | None,
    skeleton: Skeleton,
    focal: float | None,
    name: str = "picture",
) -> Evidence:
    """The people in boxes of a picture, or round their keypoints, or one who fills it."""
    pixels, kinds = checked_picture(picture), tuple(Modality)[:2]
    joints = None if people is None else _liftable(people, skeleton)
    box = checked_boxes(_corners(joints) if boxes is None and joints else boxes, pixels)
    count, size = len(box), torch.tensor(pixels.shape[1::-1], dtype=torch.float32)
    camera = checked_camera(size.expand(count, 2), focal)
    empty = torch.zeros(count, len(skeleton), 2)
    batch = Batch(empty, empty[..., 0], box_token(box, camera.size, camera.focal[:, 0]), box=box)
    if joints is not None:
        if len(joints.points) != count:
            marked = f"keypoints of {len(joints.points)} people"
            raise InputError(f"{count} boxes and {marked}: give one box for each")
        seen = joints.confidence[..., None] > 0
        points = torch.where(seen, to_box(joints.points, box), 0.0)
        batch = replace(batch, keypoints=points, confidence=joints.confidence)
    kinds, names = kinds if joints else kinds[:1], ((name,) * count, numbered(count))
    return Evidence(batch, kinds, camera, *names, focal is not None, joints, pixels)


def from_poses(pose: Numbers, skeleton: Skeleton) -> Evidence:
    """3D poses (N, J, 3) or (J, 3), mm, in a model's joints."""
    poses, joints = floats(pose, "poses"), len(skeleton)
    poses = poses[None] if poses.ndim == 2 else poses
    if poses.ndim != 3 or poses.shape[1:] != (joints, 3):
        wanted = f"(N, {joints}, 3), the joints of {skeleton.name}"
        raise InputError(f"poses must be {wanted}; not {tuple(poses.shape)}")
    if bool(torch.isinf(poses).any()):
        raise InputError("a pose holds an infinite coordinate; a missing joint is NaN")
    empty, names = torch.zeros_like(poses), numbered(len(poses))
    pose = root_relative(poses, skeleton)
    batch = Batch(empty[..., :2], empty[..., 0], empty[:, 0], pose=pose)
    camera = Camera.simple(torch.ones(len(poses), 2))  # nobody sees them
    return Evidence(batch, (Modality.POSE_3D,), camera, names, names)


def numbered(people: int) -> tuple[str, ...]:
    """Names for people without any."""
    return tuple(str(n) for n in range(people))


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
    if size.shape not in ((2,), (people, 2)) or not bool((size.isfinite() & (size > 0)).all()):
        what = "(width, height) in pixels, both above 0, once or for each person"
        raise InputError(f"image_size must be {what}")
    names = numbered(people), ("0",) * people
    return Keypoints(skeleton, points, seen, *names, size.expand(people, 2))


def lifting_reasons(people: Keypoints, skeleton: Skeleton) -> tuple[Converted, dict[int, str]]:
    """People in a model's joints; and, by their rows, why some cannot be lifted."""
    converted = convert(people.keypoints, people.confidence, people.skeleton, skeleton)
    size, seen = people.image_size, converted.confidence > 0
    points = torch.where(seen[..., None], converted.points, torch.nan)
    far = ((points - size[:, None] / 2).abs() > FARTHEST * size[:, None]).flatten(1).any(1)
    sides = points.nan_to_num(-torch.inf).amax(1) - points.nan_to_num(torch.inf).amin(1)
    small = (sides.amax(1) <= SMALLEST_EXTENT * size.amax(1)).tolist()
    reasons = {}
    for n, (count, is_far) in enumerate(zip(seen.sum(1).tolist(), far.tolist(), strict=True)):
        if count < FEWEST_JOINTS:
            reasons[n] = f"{count} joints seen, at least {FEWEST_JOINTS} are needed"
        elif is_far:
            reasons[n] = f"a joint lies more than {FARTHEST} pictures away from the picture"
        elif small[n]:
            reasons[n] = "all joints lie on one spot"
    return converted, reasons


def liftable_rows(people: Keypoints, skeleton: Skeleton) -> tuple[Sequence[int], list[str]]:
    """Who can be lifted, by row; and who cannot, in words. It is refused if nobody can."""
    _, reasons = lifting_reasons(people, skeleton)
    skipped = [f"{people.image[n]}, person {people.person[n]}: {reasons[n]}" for n in reasons]
    if len(skipped) == len(people):
        raise InputError(f"nobody to lift: {skipped[0]}")
    return [n for n in range(len(people)) if n not in reasons], skipped


def checked_picture(picture: PictureLike) -> Picture:
    """A picture as RGB (H, W, 3)."""
    if not isinstance(picture, np.ndarray):
        return read_picture(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        given = f"{picture.dtype} {picture.shape}"
        raise InputError(f"a picture must be uint8 RGB (H, W, 3), not {given}")
    return picture


def checked_boxes(boxes: Numbers | None, pixels: Picture) -> Tensor:
    """Padded boxes (N, 4) from corners (N, 4) or (4,); without any, the picture as it is."""
    height, width = (float(side) for side in pixels.shape[:2])
    if boxes is None:
        return box_from_corners(torch.tensor([[0.0, 0.0, width, height]]), padding=1.0)
    corners = floats(boxes, "boxes")
    corners = corners[None] if corners.shape == (4,) else corners
    if corners.ndim != 2 or corners.shape[1] != 4 or not len(corners):
        given = tuple(corners.shape)
        raise InputError(f"boxes must be (N, 4), left, top, right, bottom; not {given}")
    box = box_from_corners(corners)
    for n, (left, top, right, bottom) in enumerate(corners.tolist()):
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            raise InputError(f"box {n} lies outside the {width:g} × {height:g} picture")
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


def _liftable(people: Keypoints, skeleton: Skeleton) -> Converted:
    joints, reasons = lifting_reasons(people, skeleton)
    if reasons:
        raise InputError(f"person {min(reasons)}: {reasons[min(reasons)]}; leave them out")
    return joints


def _corners(joints: Converted) -> Tensor:
    """Left, top, right, bottom of the seen joints, (N, 4), pixels."""
    seen = (joints.confidence > 0)[..., None]
    low = torch.where(seen, joints.points, torch.inf).amin(1)
    high = torch.where(seen, joints.points, -torch.inf).amax(1)
    # all joints in one row or column still make a box, whatever float32 rounds away
    thin = torch.clamp(2 * SMALLEST_BOX - (high - low), min=0) / 2
    return torch.cat([low - thin, high + thin], dim=1)
