"""Checks of what people hand in: arrays, names, pictures, focal lengths."""

import os
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from unihpe.body.camera import Camera, default_focal
from unihpe.errors import InputError, one_line
from unihpe.inputs.calibration import Lens
from unihpe.io.picture import Picture, PictureFile, read_picture

Numbers = ArrayLike | Tensor
PictureLike = PictureFile | Picture  # a path, bytes, a binary file, or RGB (H, W, 3) uint8
Focal = float | Lens | None  # pixels, or a calibrated camera; None where it is not known
FARTHEST = 20  # pictures from the middle of the picture; beyond lies nobody
FOCAL_RANGE = 1e-2, 1e3  # of the picture's larger side; no lens lies outside


def floats(values: Numbers, what: str) -> Tensor:
    """Somebody's numbers as a tensor; text, or rows of different lengths, are refused."""
    try:
        return torch.as_tensor(values, dtype=torch.float32, device="cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"{what} must be an array of numbers ({one_line(error, 80)})") from error


def names_of(people: int, given: Sequence[str] | None = None) -> tuple[str, ...]:
    """The names given to people, one for each; 0, 1, … without any."""
    names = tuple(str(n) for n in range(people)) if given is None else tuple(given)
    if len(names) != people:
        raise InputError(f"{len(names)} names of people for {people} people: give one for each")
    return names


def checked_picture(picture: PictureLike) -> Picture:
    """A picture as RGB (H, W, 3)."""
    if not isinstance(picture, np.ndarray):
        if not (isinstance(picture, str | os.PathLike | bytes) or hasattr(picture, "read")):
            wanted = "a path, bytes, a binary file, or uint8 RGB (H, W, 3)"
            raise InputError(f"a picture is {wanted}, not {type(picture).__name__}")
        return read_picture(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        given = f"{picture.dtype} {picture.shape}"
        raise InputError(f"a picture must be uint8 RGB (H, W, 3), not {given}")
    return picture


def checked_camera(size: Tensor, focal: Focal) -> Camera:
    """Cameras for pictures of sizes (N, 2); without a focal length, √(W² + H²) is assumed."""
    if focal is None:
        return Camera.simple(size, default_focal(size))
    given = focal.focal if isinstance(focal, Lens) else (float(focal),)
    for side in size.amax(-1).unique().tolist():
        shortest, longest = (share * side for share in FOCAL_RANGE)
        if odd := [one for one in given if not shortest <= one <= longest]:
            lens = f"{shortest:g} to {longest:g} pixels for a picture whose larger side is {side:g}"
            remedy = "leave it (--focal) out if it is not known"
            raise InputError(f"the focal length must be {lens}, not {odd[0]:g}; {remedy}")
    if isinstance(focal, Lens):
        return focal.camera(size)
    return Camera.simple(size, torch.full((len(size),), given[0]))
