"""2D keypoints of people: checked, and who of them can be lifted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.boxes import extent
from unihpe.body.conversions import Converted, convert
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.errors import InputError
from unihpe.inputs.checks import FARTHEST, Numbers, floats, names_of
from unihpe.inputs.plausible import require_pixels

SMALLEST_EXTENT = 1e-4  # of the picture's larger side; keypoints as near as that lie on one spot


@dataclass(frozen=True)
class Keypoints:
    """2D keypoints of N people."""

    skeleton: Skeleton  # names the J joints
    keypoints: Tensor  # (N, J, 2), pixels; NaN where missing
    confidence: Tensor  # (N, J), in [0, 1]; 0 is missing
    image: tuple[str, ...]  # name of each person's picture or frame
    person: tuple[str, ...]  # each person's id in the file
    image_size: Tensor  # width and height of each picture, (N, 2), pixels
    left_out: tuple[str, ...] = ()  # whom their file has but nobody can read, and why
    rows: tuple[int, ...] = ()  # of them in their file, if some were left out
    notes: tuple[str, ...] = ()  # how their file was taken, where people should know of it
    source: str = ""  # what made them of a picture, in words; "" where they were given

    def __len__(self) -> int:
        return len(self.keypoints)

    def of_picture(self, name: str, person: Sequence[str] | None) -> Self:
        """The same people, of one picture by name, with their own names; 0, 1, … without them."""
        image, persons = (name,) * len(self), names_of(len(self), person)
        return replace(self, image=image, person=persons)

    def select(self, rows: Sequence[int]) -> Self:
        tensors = (self.keypoints, self.confidence, self.image_size)
        points, seen, size = (column[list(rows)] for column in tensors)
        image, person = (tuple(of[n] for n in rows) for of in (self.image, self.person))
        return replace(
            self,
            keypoints=points,
            confidence=seen,
            image=image,
            person=person,
            image_size=size,
            left_out=(),
        )


def checked_keypoints(
    keypoints: Numbers, image_size: Numbers, joint_set: Skeleton | str, confidence: Numbers | None
) -> Keypoints:
    """Keypoints (N, J, 2), or (N, J, 3) with their confidence; NaN joints get confidence 0."""
    skeleton = get_skeleton(joint_set) if isinstance(joint_set, str) else joint_set
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
        shape = tuple(points.shape[:2])
        raise InputError(f"confidence is {tuple(seen.shape)}, keypoints want {shape}")
    seen = torch.where(torch.isnan(points).any(-1), 0.0, seen.nan_to_num(0.0).clamp(0, 1))
    points = torch.where(seen[..., None] > 0, points, torch.nan)
    size, people = floats(image_size, "image_size"), len(points)
    if size.shape not in ((2,), (people, 2)) or not bool((size.isfinite() & (size > 0)).all()):
        what = "(width, height) in pixels, both above 0, once or for each person"
        raise InputError(f"image_size must be {what}")
    size, person = size.expand(people, 2), ("0",) * people
    return Keypoints(skeleton, points, seen, names_of(people), person, size)


def keypoints_in_pixels(
    keypoints: Numbers, image_size: Numbers, joint_set: Skeleton | str, confidence: Numbers | None
) -> Keypoints:
    """`checked_keypoints` of somebody's arrays, which say no units: they must look like pixels."""
    people = checked_keypoints(keypoints, image_size, joint_set, confidence)
    require_pixels(people.keypoints.numpy(), people.skeleton)
    return people


def checked_people(people: Keypoints) -> Keypoints:
    """People as somebody's own code may have made them, checked as arrays are."""
    points, size, skeleton = people.keypoints, people.image_size, people.skeleton
    checked = checked_keypoints(points, size, skeleton, people.confidence)
    image, person = (names_of(len(checked), names) for names in (people.image, people.person))
    said = replace(checked, left_out=people.left_out, rows=people.rows, notes=people.notes)
    said = replace(said, source=people.source)
    return replace(said, image=image, person=person)


def _lifting_reasons(people: Keypoints, skeleton: Skeleton) -> tuple[Converted, dict[int, str]]:
    """People in a model's joints; and, by their rows, why some cannot be lifted."""
    converted = convert(people.keypoints, people.confidence, people.skeleton, skeleton)
    points, size, seen = converted.points, people.image_size, converted.confidence > 0
    far = ((points - size[:, None] / 2).abs() > FARTHEST * size[:, None]).flatten(1).any(1)
    low, high = extent(points, seen)
    small = ((high - low).amax(1) <= SMALLEST_EXTENT * size.amax(1)).tolist()
    reasons = {}
    for n, (count, is_far) in enumerate(zip(seen.sum(1).tolist(), far.tolist(), strict=True)):
        if count < FEWEST_JOINTS:
            reasons[n] = f"{count} joints seen, at least {FEWEST_JOINTS} are needed"
        elif is_far:
            reasons[n] = f"a joint lies more than {FARTHEST} pictures away from the picture"
        elif small[n]:
            reasons[n] = "all joints lie on one spot"
    return converted, reasons


def unliftable_rows(people: Keypoints, skeleton: Skeleton) -> dict[int, str]:
    """Who cannot be lifted, by row, and why."""
    return _lifting_reasons(people, skeleton)[1]


def liftable_rows(people: Keypoints, skeleton: Skeleton) -> tuple[Sequence[int], list[str]]:
    """Who can be lifted, by row; and who cannot, in words. It is refused if nobody can."""
    _, reasons = _lifting_reasons(people, skeleton)
    skipped = [f"{people.image[n]}, person {people.person[n]}: {reasons[n]}" for n in reasons]
    if len(skipped) == len(people):
        raise InputError(f"nobody to lift: {skipped[0]}")
    rows = [n for n in range(len(people)) if n not in reasons]
    return rows, [*people.left_out, *skipped]


def converted_keypoints(people: Keypoints, skeleton: Skeleton) -> Converted:
    """People in a model's joints; refused if somebody cannot be lifted."""
    joints, reasons = _lifting_reasons(people, skeleton)
    if reasons:
        raise InputError(f"person {min(reasons)}: {reasons[min(reasons)]}; leave them out")
    return joints
