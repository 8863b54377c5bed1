"""Human3.6M's cameras: the published numbers, the same in the release's metadata.xml, and the lens.

The set's lens model has tangential terms of half OpenCV's size in one place, so its camera is a
class of its own.
"""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unihpe.body.camera import Camera, axis_rotation, rotation_of
from unihpe.datasets.human36m.views import PUBLISHED
from unihpe.errors import InputError, listing
from unihpe.io.files import input_errors, read_text

INTRINSICS: Mapping[str, list[float]] = PUBLISHED["intrinsics"]
EXTRINSICS: Mapping[str, list[list[float]]] = PUBLISHED["extrinsics"]
METADATA = "metadata.xml"
GET_IT = "get it from the set's site"
FILE_SUBJECTS = 11  # S1 to S11, also those without public poses
EXTRINSIC, INTRINSIC = 6, 9  # numbers of a camera in metadata.xml


@dataclass(frozen=True)
class Human36mCamera(Camera):
    """A camera with the set's own lens: OpenCV's, but tangential terms without the factor 2.

    With OpenCV's formula pixels would be up to 0.2 px off; this one gives the set's own 2D.
    """

    def bent(self, plane: Tensor) -> Tensor:
        """The lens on image-plane points (..., J, 2)."""
        if self.distortion is None:
            return plane
        k1, k2, p_y, p_x, k3 = self.distortion[..., None, :].unbind(-1)
        x, y = plane.unbind(-1)
        r2 = x * x + y * y
        factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + p_x * x + p_y * y
        return torch.stack([x * factor + p_x * r2, y * factor + p_y * r2], dim=-1)


class Calibration(NamedTuple):
    """C cameras, and the row of each (subject, camera name)."""

    rows: Mapping[tuple[str, str], int]
    cameras: Human36mCamera

    def rows_of(self, keys: Sequence[tuple[Any, ...]], where: Path) -> Tensor:
        """The row of the camera that saw each (subject, sequence, camera name, …), (N,)."""
        unknown = {f"{key[0]} {key[2]}" for key in keys if (key[0], key[2]) not in self.rows}
        if unknown:
            subjects = ", ".join(dict.fromkeys(subject for subject, _ in self.rows))
            lacking = f"no calibration of {listing(sorted(unknown))}"
            raise InputError(f"{where}: {lacking}; there are cameras of {subjects}")
        return torch.tensor([self.rows[key[0], key[2]] for key in keys])


def published_cameras() -> Calibration:
    """The 28 published cameras."""
    keys = [(subject, name) for subject in EXTRINSICS for name in INTRINSICS]
    numbers = torch.tensor([INTRINSICS[name] for _, name in keys], dtype=torch.float64)
    places = torch.tensor(list(EXTRINSICS.values()), dtype=torch.float64).flatten(0, 1)
    size, lens, p_xy = numbers.split([2, 7, 2], dim=1)
    rotation = rotation_of(places[:, :4]).mT  # published: camera to world
    cameras = camera_of(size, torch.cat([lens, p_xy.flip(1)], dim=1), rotation, places[:, 4:])
    return Calibration(dict(zip(keys, range(len(keys)), strict=True)), cameras)


def camera_of(size: Tensor, lens: Tensor, rotation: Tensor, place: Tensor) -> Human36mCamera:
    """C cameras; lens (C, 9): fx, fy, cx, cy, k1, k2, k3, p_y, p_x; place: centres (C, 3), mm."""
    focal, centre, k12, k3, tangential = lens.split([2, 2, 2, 1, 2], dim=1)
    translation = -(rotation @ place[..., None])[..., 0]
    distortion = torch.cat([k12, tangential, k3], dim=1)
    parts = (focal, centre, size, rotation, translation, distortion)
    return Human36mCamera(*(part.float() for part in parts))


def metadata_file(root: Path) -> Path | None:
    """metadata.xml in a folder; or the release's above it, where other things may bear the name."""
    own, above = root / METADATA, root.parent / METADATA
    if own.is_file():
        return own
    try:
        return above if above.is_file() and b"<dbcameras" in above.read_bytes() else None
    except OSError:
        return None


def read_metadata(path: Path) -> Calibration:
    """The cameras of all subjects in the release's metadata.xml.

    `w0` holds, camera by camera, each subject's six extrinsics (three angles, the centre in mm),
    then each camera's nine intrinsics.
    """
    names, numbers = _names_and_numbers(path)
    keys = [(f"S{n + 1}", name) for name in names for n in range(FILE_SUBJECTS)]
    outer, inner = numbers.split([len(keys) * EXTRINSIC, len(names) * INTRINSIC])
    angles, place = outer.view(-1, EXTRINSIC).split(3, dim=1)
    lens = inner.view(-1, INTRINSIC).repeat_interleave(FILE_SUBJECTS, dim=0)
    size = torch.tensor([INTRINSICS[name][:2] for _, name in keys], dtype=torch.float64)
    x, y, z = (axis_rotation(axis, angle) for axis, angle in enumerate(angles.unbind(1)))
    cameras = camera_of(size, lens, x @ y @ z, place)
    return Calibration(dict(zip(keys, range(len(keys)), strict=True)), cameras)


def _names_and_numbers(path: Path) -> tuple[list[str], Tensor]:
    """The names of the four cameras in the file's order, and the numbers of w0."""
    text = read_text(path, GET_IT)
    if "<!ENTITY" in text:
        raise InputError(f"{path}: defines entities, as no file of the release; {GET_IT}")
    with input_errors(
        f"{path}: not the release's metadata.xml", GET_IT, (ElementTree.ParseError, ValueError)
    ):
        root = ElementTree.fromstring(text)
        names = [str(item.text).strip() for item in root.iterfind("dbcameras/index2id/*")]
        numbers = [float(word) for word in (root.findtext("w0") or "").strip().strip("[]").split()]
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"{path}: w0 holds numbers that are not finite; {GET_IT}")
    wanted = len(INTRINSICS) * (FILE_SUBJECTS * EXTRINSIC + INTRINSIC)
    if sorted(names) != sorted(INTRINSICS) or len(numbers) != wanted:
        has = f"names {len(names)} cameras and has {len(numbers)} numbers in w0"
        raise InputError(
            f"{path}: {has}, expected the set's {len(INTRINSICS)} and {wanted}; {GET_IT}"
        )
    return names, torch.tensor(numbers, dtype=torch.float64)
