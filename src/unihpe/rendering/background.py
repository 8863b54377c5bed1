"""What lies behind a person: a folder of photographs and panoramas, else drawn walls and floors."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from unihpe.errors import InputError
from unihpe.io.files import in_order
from unihpe.rendering.raster import Bytes, Doubles, Floats

LARGEST = 2048  # pixels; larger pictures are shrunk on reading
SMALLEST = 64
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
WIDENING = (1.0, 3.0)  # a panorama shows this much more than the lens would: its pixels are coarse
HIGHEST = 1.3  # radians, the steepest that widening brings a pixel's ray to


class Backgrounds(NamedTuple):
    photos: tuple[Bytes, ...] = ()  # (H, W, 3) each, RGB
    panoramas: tuple[Bytes, ...] = ()  # equirectangular: twice as wide as high


@lru_cache(maxsize=4)
def load_backgrounds(folder: Path) -> Backgrounds:
    """All pictures of a folder; an InputError if there is none that can be read."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of backgrounds; leave it out for drawn ones")
    kinds: tuple[list[Bytes], list[Bytes]] = ([], [])
    for path in in_order(folder.iterdir()):
        if (picture := _read_background(path)) is not None:
            kinds[picture.shape[1] == 2 * picture.shape[0]].append(picture)
    if not any(kinds):
        raise InputError(f"{folder}: no picture of at least {SMALLEST} x {SMALLEST} pixels to read")
    return Backgrounds(tuple(kinds[False]), tuple(kinds[True]))


def _read_background(path: Path) -> Bytes | None:
    """An RGB picture (H, W, 3), no side above `LARGEST`; None for what is none or too small."""
    read = cv2.imread(str(path)) if path.suffix.lower() in SUFFIXES else None
    if read is None or min(read.shape[:2]) < SMALLEST:
        return None
    picture = np.ascontiguousarray(read[..., ::-1], dtype=np.uint8)
    tall, wide = picture.shape[:2]
    scale = LARGEST / max(tall, wide)
    if scale >= 1:
        return picture
    width = 2 * round(wide * scale / 2)
    size = (width, width // 2 if wide == 2 * tall else round(tall * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw_background(backgrounds: Backgrounds, rays: Floats, rng: Generator) -> Bytes:
    """The background of a crop, (H, W, 3), RGB: of one of the pictures; drawn where there are none.

    `rays` are the directions of its pixels in world axes (y up), (H, W, 3), of any length.
    """
    sources = backgrounds.photos + backgrounds.panoramas
    if not sources:
        return _draw_room(rays, rng)
    chosen = int(rng.integers(len(sources)))
    view = _cut_out if chosen < len(backgrounds.photos) else _panorama_view
    return view(sources[chosen], rays, rng)


def _cut_out(photo: Bytes, rays: Floats, rng: Generator) -> Bytes:
    """A random part of a photograph at the crop's shape, mirrored half of the time."""
    height, width = rays.shape[:2]
    tallest = min(photo.shape[0], photo.shape[1] * height / width)
    tall = rng.uniform(min(0.35 * tallest, 200.0), tallest)
    wide = tall * width / height
    left, top = rng.uniform(0, photo.shape[1] - wide), rng.uniform(0, photo.shape[0] - tall)
    part = photo[int(top) : int(top + tall), int(left) : int(left + wide)]
    method = cv2.INTER_AREA if tall > height else cv2.INTER_LINEAR
    scaled = cv2.resize(part, (width, height), interpolation=method)
    return np.asarray(scaled[:, ::-1] if rng.random() < 0.5 else scaled, dtype=np.uint8)


def _panorama_view(panorama: Bytes, rays: Floats, rng: Generator) -> Bytes:
    """A panorama along the rays, turned at random about the vertical; the horizon stays level."""
    widening, turn = rng.uniform(*WIDENING), rng.uniform(0, 2 * np.pi)
    flat = np.hypot(rays[..., 0], rays[..., 2])
    middle = rays[rays.shape[0] // 2, rays.shape[1] // 2]
    azimuth = np.arctan2(rays[..., 0], rays[..., 2]) - np.arctan2(middle[0], middle[2])
    azimuth = (azimuth + np.pi) % (2 * np.pi) - np.pi
    elevation = np.arctan2(rays[..., 1], flat)
    widening = max(1.0, min(widening, HIGHEST / float(np.abs(elevation).max())))
    elevation = np.clip(elevation * widening, -1.45, 1.45)
    height, width = panorama.shape[:2]
    # seen from inside, the picture runs against the azimuth, which grows to the left
    x = ((turn - azimuth * widening) / (2 * np.pi) * width) % width
    y = (0.5 - elevation / np.pi) * height
    maps = (x.astype(np.float32) - 0.5, y.astype(np.float32) - 0.5)
    view = cv2.remap(panorama, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(view, dtype=np.uint8)


def _muted_colour(rng: Generator) -> Doubles:
    """A colour as rooms and streets have them, mostly near grey, (3,) in 0 to 255."""
    grey, strength = rng.uniform(20, 235), rng.choice([0.12, 0.3, 0.8])
    return np.asarray(np.clip(grey + strength * rng.uniform(-110, 110, 3), 5, 250))


def _draw_room(rays: Floats, rng: Generator) -> Bytes:
    """Wall and floor of two colours meeting near the horizon, with boxes, blobs and grain."""
    height, width = rays.shape[:2]
    wall, floor = _muted_colour(rng), _muted_colour(rng)
    up = rays[..., 1] / np.linalg.norm(rays, axis=-1)
    edge = np.clip((up + rng.uniform(0.05, 0.4)) / rng.uniform(0.004, 0.05), 0, 1)[..., None]
    picture = (wall * edge + floor * (1 - edge)).astype(np.float32)
    for _ in range(rng.integers(2, 14)):
        corner = rng.uniform(-0.2, 1, 2) * (width, height)
        size = rng.uniform(0.05, 0.7, 2) * (width, height)
        colour = tuple(_muted_colour(rng).tolist())
        x0, y0, x1, y1 = (int(v) for v in (*corner, *(corner + size)))
        if rng.random() < 0.6:
            cv2.rectangle(picture, (x0, y0), (x1, y1), colour, -1)
        else:
            middle = ((x0 + x1) // 2, (y0 + y1) // 2)
            axes = (max(1, (x1 - x0) // 2), max(1, (y1 - y0) // 2))
            cv2.ellipse(picture, middle, axes, rng.uniform(0, 180), 0, 360, colour, -1)
    for cells in (4, 12, 40):
        noise = rng.normal(0, 9, (cells * 4 // 3, cells, 1)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 2.5))
    return np.asarray(np.clip(blurred, 0, 255), dtype=np.uint8)
