"""Calibrated cameras: focal lengths, principal point, distortion; and the files that hold them.

Pixels have their origin at the outer corner of the first one, as in COLMAP; OpenCV's and
Pose2Sim's, whose first pixel's centre is the origin, are moved by a half.
"""

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError, fromstring

import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.errors import InputError, listing
from unihpe.io.files import BROKEN, input_errors, read_text

REMEDY = "docs/formats.md says what is read"
MATRIX = ("camera_matrix", "cameraMatrix", "CameraMatrix", "intrinsic_matrix", "mtx", "K", "M")
LENS = ("distortion_coefficients", "dist_coeffs", "distCoeffs", "dist_coeff", "dist", "D")
# COLMAP's models: where fx, fy, cx, cy stand, and then which coefficients.
COLMAP = {
    "SIMPLE_PINHOLE": ("fcc", ""),
    "PINHOLE": ("ffcc", ""),
    "SIMPLE_RADIAL": ("fcc", "k1"),
    "RADIAL": ("fcc", "k1 k2"),
    "OPENCV": ("ffcc", "k1 k2 p1 p2"),
    "FULL_OPENCV": ("ffcc", "k1 k2 p1 p2 k3 k4 k5 k6"),
}
ORDER = ("k1", "k2", "p1", "p2", "k3")


@dataclass(frozen=True)
class Lens:
    """What a camera does to the points before it. InputError for numbers that no camera has."""

    focal: tuple[float, float]  # along x and y, pixels
    centre: tuple[float, float] | None = None  # principal point, pixels; None: the middle
    distortion: tuple[float, ...] = ()  # OpenCV's k1, k2, p1, p2, k3; those left out are 0
    size: tuple[float, float] | None = None  # of the pictures it was calibrated on, if known

    def __post_init__(self) -> None:
        shapes = {"focal": 2, "centre": 2, "size": 2}
        for name, count in shapes.items():
            values = getattr(self, name)
            if values is not None and (len(values) != count or not all(map(math.isfinite, values))):
                raise InputError(f"a camera's {name} is {count} finite numbers, not {values}")
        if min(self.focal) <= 0 or (self.size is not None and min(self.size) <= 0):
            raise InputError(f"a focal length is above 0, in pixels, not {min(self.focal):g}")
        rest = self.distortion[len(ORDER) :]
        if any(rest) or not all(map(math.isfinite, self.distortion)):
            known = f"{', '.join(ORDER)} are, finite"
            raise InputError(f"distortion {listing([f'{k:g}' for k in self.distortion])}: {known}")

    def camera(self, size: Tensor) -> Camera:
        """Cameras at the origin for pictures of `size` (N, 2); InputError where it is another."""
        if self.size is not None and bool(((size - size.new_tensor(self.size)).abs() > 1).any()):
            own = " × ".join(f"{side:g}" for side in self.size)
            given = " × ".join(f"{side:g}" for side in size[0].tolist())
            raise InputError(f"the camera is that of {own} pictures, not of {given}; scale it")
        simple = Camera.simple(size)
        focal = size.new_tensor(self.focal).expand_as(size)
        centre = simple.centre if self.centre is None else size.new_tensor(self.centre)
        numbers = (*self.distortion, *[0.0] * len(ORDER))[: len(ORDER)]
        bent = size.new_tensor(numbers).expand(len(size), -1) if any(numbers) else None
        return replace(simple, focal=focal, centre=centre.expand_as(size), distortion=bent)


def straightened(pixels: Tensor, camera: Camera) -> Tensor:
    """Pixels (N, J, 2) as they were without the lens, through a principal point in the middle.

    NaN where the lens has no inverse. The focal length is the mean of the camera's two.
    """
    plane = camera.unproject(pixels, torch.ones_like(pixels[..., 0]))[..., :2]
    return plane * camera.focal.mean(-1)[:, None, None] + camera.size[:, None] / 2


def read_lens(path: Path, name: str | None = None) -> Lens:
    """The camera of a file: OpenCV's (yml, yaml, xml, json), Pose2Sim's (toml), COLMAP's (txt).

    Args:
        name: which, of a file of several.

    Raises:
        InputError: for a file that cannot be read, lenses that are not OpenCV's five numbers
            (fisheye), and several cameras without a name.
    """
    if not path.is_file():
        raise InputError(f"no camera file at {path}")
    readers = {".toml": _read_pose2sim, ".txt": _read_colmap}
    read = readers.get(path.suffix.lower(), _read_opencv)
    with input_errors(f"{path}: no camera that is known", REMEDY, (*BROKEN, ParseError)):
        cameras = read(path)
    if name is None and len(cameras) == 1:
        return next(iter(cameras.values()))
    if name not in cameras:
        which = listing(list(cameras)) or "none"
        raise InputError(f"{path}: its cameras are {which}; name one: {path.name}#NAME")
    return cameras[name]


def _read_opencv(path: Path) -> dict[str, Lens]:
    """What cv2.FileStorage writes, and ROS's camera_info, which is alike.

    Not by FileStorage itself, which ends the whole process on some damaged files.
    """
    text = read_text(path, REMEDY)
    kinds = {".json": _json_entries, ".xml": _xml_entries}
    entries = kinds.get(path.suffix.lower(), _yaml_entries)(text)
    matrix, lens = (next((entries[k] for k in ks if k in entries), "") for ks in (MATRIX, LENS))
    if (model := entries.get("distortion_model", "plumb_bob")) not in ("plumb_bob", "radtan"):
        raise InputError(f"{path}: its lens is {model}, not OpenCV's five numbers")
    if len(numbers := _numbers(matrix)) != 9:
        raise InputError(f"{path}: lacks a 3 × 3 {listing(MATRIX)}; {REMEDY}")
    size = [_numbers(entries.get(f"image_{side}", "")) for side in ("width", "height")]
    sides = (size[0][0], size[1][0]) if all(size) else None
    return {path.stem: _of_opencv(numbers, _numbers(lens), sides)}


def _json_entries(text: str) -> dict[str, str]:
    entries = dict(json.loads(text))
    return {key: str(x["data"] if isinstance(x, dict) else x) for key, x in entries.items()}


def _xml_entries(text: str) -> dict[str, str]:
    return {node.tag: (node.findtext("data") or node.text or "") for node in fromstring(text)}


def _yaml_entries(text: str) -> dict[str, str]:
    """Top-level entries, of maps their `data`; lines that are indented belong to the one before."""
    entries, key = dict[str, str](), ""
    for line in text.splitlines():
        if line[:1].strip() and ":" in line and not line.startswith("%"):
            key, _, line = line.partition(":")
        entries[key] = f"{entries.get(key, '')} {line}"
    return {key: own.partition("data:")[2] or own.strip() for key, own in entries.items()}


def _numbers(text: str) -> list[float]:
    return [float(word) for word in re.sub(r"[\[\],]", " ", text).split()]


def _of_opencv(matrix: Any, distortion: Sequence[float], size: Any = None) -> Lens:
    """A camera of OpenCV's, whose first pixel's centre is the origin."""
    fx, _, cx, _, fy, cy = (float(number) for number in np.ravel(matrix)[:6])
    lens = tuple(float(number) for number in distortion)
    sides = None if size is None else (float(size[0]), float(size[1]))
    return Lens((fx, fy), (cx + 0.5, cy + 0.5), lens, sides)


def _read_pose2sim(path: Path) -> dict[str, Lens]:
    tables = tomllib.loads(read_text(path, REMEDY))
    cameras = {name: table for name, table in tables.items() if _has_matrix(table)}
    if fish := [name for name, table in cameras.items() if table.get("fisheye")]:
        raise InputError(f"{path}: {fish[0]} is a fisheye camera; undistort its pictures first")
    return {
        str(table.get("name", name)): _of_opencv(
            table["matrix"], table.get("distortions", ()), table.get("size")
        )
        for name, table in cameras.items()
    }


def _has_matrix(table: Any) -> bool:
    return isinstance(table, Mapping) and "matrix" in table


def _read_colmap(path: Path) -> dict[str, Lens]:
    cameras = {}
    for line in read_text(path, REMEDY).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, model, width, height, *numbers = line.split()
        if model not in COLMAP:
            known = f"known are {', '.join(COLMAP)}"
            raise InputError(f"{path}: camera {name} has the lens {model}; {known}")
        (letters, words), values = COLMAP[model], [float(number) for number in numbers]
        focal, rest = values[: letters.count("f")], values[letters.count("f") :]
        given = dict(zip(words.split(), rest[2:], strict=True))
        own = (*(given.pop(k, 0.0) for k in ORDER), *given.values())
        size = float(width), float(height)
        cameras[name] = Lens((focal[0], focal[-1]), (rest[0], rest[1]), own, size)
    return cameras
