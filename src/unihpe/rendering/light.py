"""Sky, ground and sun, the shadows that a body throws on itself and on the floor.

Colours are linear light in [0, 1]; pictures are sRGB, taken as a plain gamma of 2.2.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.body.camera import Camera
from unihpe.rendering.raster import NOTHING, Bytes, Doubles, Floats, Ints, rasterise

GAMMA = 2.2
BYTE_TO_LINEAR = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)
MAP = 208  # side of the shadow map, pixels
CONTACT = 160.0  # mm above the floor, up to where a body darkens what is under it


class Light(NamedTuple):
    rows: Floats  # (4, 3): sky, ground and sun, linear light; unit vector to the sun, world axes
    softness: float  # of shadows: the blur's standard deviation, pixels


@dataclass(frozen=True)
class View:
    """A crop of what a camera sees: pixels = scale·(the camera's) + offset."""

    camera: Camera  # of double precision
    scale: float  # crop pixels a full-picture pixel
    offset: Doubles  # (2,), crop pixels

    @property
    def place(self) -> Doubles:
        """Where the camera is, (3,), mm, world axes."""
        camera = self.camera
        return np.asarray(-(camera.rotation.mT @ camera.translation).numpy(), dtype=np.float64)

    def screen(self, points: Floats, enlarge: float = 1.0) -> Floats:
        """World points (V, 3) → crop pixels · `enlarge` and inverse depth (V, 3), −1 behind it."""
        seen_by, scale = self.camera, self.scale * enlarge
        x, y, z = points.astype(np.float64).T
        shift = seen_by.centre.numpy() * scale + self.offset * enlarge
        rows = zip(seen_by.rotation.numpy(), seen_by.translation.numpy(), strict=True)
        *sides, depth = (r[0] * x + r[1] * y + r[2] * z + t for r, t in rows)
        inverse = np.where(depth > 50, 1 / np.maximum(depth, 50), -1)
        axes = zip(sides, seen_by.focal.numpy() * scale, shift, strict=True)
        places = [side * inverse * focal + start for side, focal, start in axes]
        return np.stack([*places, inverse], axis=1).astype(np.float32)

    def rays(self, width: int, height: int) -> Floats:
        """World directions of the crop's pixel centres, (height, width, 3)."""
        x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) + 0.5 for n in (width, height)))
        r, focal = self.camera.rotation.numpy(), self.camera.focal.numpy() * self.scale
        shift = self.camera.centre.numpy() * self.scale + self.offset
        x, y = (x - shift[0]) / focal[0], (y - shift[1]) / focal[1]
        return np.stack([x * r[0, k] + y * r[1, k] + r[2, k] for k in range(3)], axis=-1)


def linear(picture: NDArray[Any]) -> Floats:
    """sRGB 0–255 to linear light."""
    if picture.dtype == np.uint8:
        return np.asarray(cv2.LUT(picture, BYTE_TO_LINEAR))
    return ((np.asarray(picture, dtype=np.float32) / 255) ** GAMMA).astype(np.float32)


def draw_light(background: Bytes, rng: Generator) -> Light:
    """A light as bright as the background, tinted by its upper half (sky) and lower (ground)."""
    half, bright = len(background) // 2, float(linear(background).mean())
    level = float(np.clip(bright, 0.06, 0.5)) * rng.uniform(2.0, 4.2)
    means = [linear(part).reshape(-1, 3).mean(0) for part in np.split(background, [half])]
    sky, ground = (_tinted(mean, rng.uniform(0.05, 0.4)) for mean in means)
    share = rng.uniform(0.15, 0.75)  # of the sun in all light
    warmth = np.array([1.0, rng.uniform(0.86, 1.0), rng.uniform(0.72, 1.02)])
    high, azimuth = np.deg2rad(rng.uniform(18, 80)), rng.uniform(0, 2 * np.pi)
    sun = [np.cos(high) * np.cos(azimuth), np.sin(high), np.cos(high) * np.sin(azimuth)]
    above, below = sky * level * (1 - share), ground * level * (1 - share) * 0.55
    rows = np.array([above, below, warmth * level * share * 1.5, sun], dtype=np.float32)
    return Light(rows, rng.uniform(1.0, 3.5))


def _tinted(colour: Floats, amount: float) -> Doubles:
    """White with an amount of a colour's tint, (3,)."""
    tint = colour / max(float(colour.mean()), 1e-3)
    return np.asarray((1 - amount) + amount * np.clip(tint, 0.4, 1.8), dtype=np.float64)


def shadow_map(points: Floats, faces: Ints, light: Light) -> tuple[Floats, Floats]:
    """How near to the sun the faces (F, 3) of points (V, 3), mm, world axes, come.

    Heights, (`MAP`, `MAP`), mm above a plane, 0 where nothing is; and map pixels and height of each
    corner, (V, 3).
    """
    forward = -np.asarray(light.rows[3], dtype=np.float64)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), -forward])
    turned = points @ axes.T.astype(np.float32)
    low, high = turned.min(0), turned.max(0)
    scale = (MAP - 4) / float((high - low)[:2].max())
    stretch, shift = np.array([[scale, scale, 1.0], [2.0, 2.0, 1.0]], np.float32)
    place = np.ascontiguousarray((turned - low) * stretch + shift, dtype=np.float32)
    return rasterise(place, faces, 0, MAP, MAP)[1], place


def floor_shadow(points: Floats, faces: Ints, view: View, light: Light) -> Floats:
    """How much light the floor (y = 0) keeps at each pixel of the crop, (256, 192) in [0, 1]."""
    kept = np.ones((CROP_HEIGHT, CROP_WIDTH), np.float32)
    if view.place[1] < 150:  # the camera lies on the floor
        return kept
    cast = points - (points[:, 1:2] / light.rows[3, 1]) * light.rows[3]
    flat = points * np.array([1.0, 0.0, 1.0], np.float32)
    near = faces[points[faces[:, 0], 1] < CONTACT]  # they darken the floor besides the sun's shadow
    sun = float(light.rows[2].mean() / light.rows[:3].mean(1).sum())
    shadows = ((cast, faces, 0.75 * sun, light.softness), (flat, near, 0.55, 2.5))
    for where, parts, strength, blur in shadows:
        face_at, _ = rasterise(view.screen(where, 0.5), parts, 0, CROP_WIDTH // 2, CROP_HEIGHT // 2)
        mask = cv2.GaussianBlur((face_at != NOTHING).astype(np.float32), (0, 0), blur)
        kept *= 1 - strength * np.asarray(cv2.resize(mask, (CROP_WIDTH, CROP_HEIGHT)))
    return kept
