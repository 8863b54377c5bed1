"""The people of a keypoint file in pixels of their pictures, as tensors."""

from dataclasses import replace

import numpy as np

from unihpe.errors import InputError, listing
from unihpe.inputs.detections import Detections, Size, Units
from unihpe.inputs.joints import called
from unihpe.inputs.keypoints import Keypoints, checked_keypoints
from unihpe.io.arrays import Array

BEYOND = 1e30  # pixels: whoever lies there is left out, before float32 ends and all are refused
OUTSIDE, FEW = 0.1, 0.1  # of the picture: a tenth of the joints may lie farther beyond its edges


def in_pixels(detections: Detections, where: str, image_size: Size | None) -> Keypoints:
    """The people as tensors, in pixels of their pictures; who lies outside is left out.

    `where` begins the messages of InputErrors.
    """
    remedy = "give --image-size WIDTHxHEIGHT"
    rows, left_out = [], [*detections.left_out]
    for n, person in enumerate(detections.people):
        if (size := image_size or person.size) is None:
            shares = "coordinates are shares of the picture"
            lacks = "holds no picture size" if detections.units == "pixels" else shares
            raise InputError(f"{where}{lacks}; {remedy}")
        if not 0 < min(size) <= max(size) < BEYOND:
            raise InputError(f"{where}a picture size is not above 0 and finite; {remedy}")
        joints = _pixels(person.joints, detections.units, size)
        doubted = detections.units == "pixels" and not detections.believed
        if doubted and (outside := _outside(joints, size)):
            left_out.append(f"{called(person)}: {outside}")
        else:
            rows.append((n, joints, size))
    if not rows:
        raise InputError(f"{where}{listing(left_out, 1)}")
    kept, joints_of, sizes = zip(*rows, strict=True)
    checked = checked_keypoints(np.stack(joints_of), sizes, detections.skeleton or "", None)
    people = [detections.people[n] for n in kept]
    return replace(
        checked,
        image=tuple(person.image for person in people),
        person=tuple(person.person for person in people),
        left_out=tuple(left_out),
        notes=(*detections.notes, *_size_notes(detections, image_size)),
        rows=kept,
    )


def _size_notes(detections: Detections, image_size: Size | None) -> list[str]:
    sizes = {person.size for person in detections.people} - {None, image_size}
    return ["--image-size takes the place of the file's own"] if image_size and sizes else []


def _pixels(joints: Array, units: Units, size: Size) -> Array:
    width, height = size
    scale, middle = {
        "pixels": ((1, 1), 0),
        "shares": ((width, height), 0),
        "centred": ((width / 2, height / 2), 1),
        "screen": ((width / 2, width / 2), (1, height / width)),
    }[units]
    x_y = (joints[:, :2] + middle) * scale
    return np.column_stack([x_y.clip(-BEYOND, BEYOND), joints[:, 2]])


def _outside(joints: Array, size: Size) -> str | None:
    """What to say of a person of whom too many joints lie beyond the picture's edges."""
    seen = joints[joints[:, 2] > 0, :2]
    beyond = np.maximum(-seen, seen - size).max(1) > OUTSIDE * max(size)
    if beyond.sum() <= FEW * len(seen):
        return None
    beyond_it = f"{int(beyond.sum())} of {len(seen)} joints lie beyond the edges"
    picture = f"the {size[0]:g} × {size[1]:g} picture, which may have another size"
    return f"{beyond_it} of {picture}: --units pixels takes them so"
