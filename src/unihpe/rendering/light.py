"""Sky, ground and sun, the shadows that a body throws on itself and on the floor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unihpe.rendering.extra import compiled
from unihpe.rendering.paint import linear
from unihpe.rendering.raster import NOTHING, Floats, Ints, rasterise

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
MAP = 208  # side of the shadow map, pixels
CONTACT = 160.0  # mm above the floor, up to where a body darkens what is under it


@dataclass(frozen=True)
class Light:
    """Colours of sky, ground and sun, linear, and the direction to the sun, world axes: rows of (4, 3)."""

    rows: Floats
    softness: float

    @property
    def sun(self) -> Doubles:
        """Unit vector towards the sun."""
        return np.asarray(self.rows[3], dtype=np.float64)


@dataclass(frozen=True)
class View:
    """Where world points are on the crop: pixels = scale·(K·(R·x + t) projected) + offset.

    Attributes:
        rotation, translation: world to camera axes, (3, 3) and (3,), mm.
        focal, centre: full-picture pixels, (2,).
        scale: crop pixels a full-picture pixel.
        offset: (2,), crop pixels.
    """

    rotation: Doubles
    translation: Doubles
    focal: Doubles
    centre: Doubles
    scale: float
    offset: Doubles

    def screen(self, points: Floats, enlarge: float = 1.0) -> Floats:
        """World points (V, 3) → crop pixels · `enlarge` and inverse depth, (V, 3)."""
        scale = self.scale * enlarge
        shift = self.centre * scale + self.offset * enlarge
        return project(points, self.rotation, self.translation, self.focal * scale, shift)

    def rays(self, width: int, height: int) -> Floats:
        """World directions of the crop's pixel centres, (height, width, 3)."""
        x, y = np.meshgrid(
            np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5
        )
        r, shift = self.rotation, self.centre * self.scale + self.offset
        x, y = (
            (x - shift[0]) / (self.focal[0] * self.scale),
            (y - shift[1]) / (self.focal[1] * self.scale),
        )
        return np.stack([x * r[0, k] + y * r[1, k] + r[2, k] for k in range(3)], axis=-1)


@compiled
def project(
    points: Floats, rotation: Doubles, translation: Doubles, focal: Doubles, shift: Doubles
) -> Floats:
    """World points (V, 3) → pixels and inverse depth (V, 3); −1 for the inverse depth behind the camera."""
    out = np.empty(points.shape, dtype=np.float32)
    for v in range(len(points)):
        x, y, z = float(points[v, 0]), float(points[v, 1]), float(points[v, 2])
        depth = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z + translation[2]
        inverse = 1.0 / depth if depth > 50.0 else -1.0
        for axis in range(2):
            side = (
                rotation[axis, 0] * x
                + rotation[axis, 1] * y
                + rotation[axis, 2] * z
                + translation[axis]
            )
            out[v, axis] = side * inverse * focal[axis] + shift[axis]
        out[v, 2] = inverse
    return out


def draw_light(background: Bytes, rng: np.random.Generator) -> Light:
    """A light that goes with a background: its colours tint sky and ground, its brightness sets the level."""
    top, bottom = (
        linear(background[: len(background) // 2]),
        linear(background[len(background) // 2 :]),
    )
    level = float(np.clip(linear(background).mean(), 0.06, 0.5)) * rng.uniform(2.0, 4.2)
    sky, ground = (
        tinted(part.reshape(-1, 3).mean(0), rng.uniform(0.05, 0.4)) for part in (top, bottom)
    )
    share = rng.uniform(0.15, 0.75)  # of the sun in all light
    warmth = np.array([1.0, rng.uniform(0.86, 1.0), rng.uniform(0.72, 1.02)])
    elevation, azimuth = np.deg2rad(rng.uniform(18, 80)), rng.uniform(0, 2 * np.pi)
    sun = [
        np.cos(elevation) * np.cos(azimuth),
        np.sin(elevation),
        np.cos(elevation) * np.sin(azimuth),
    ]
    rows = [
        sky * level * (1 - share),
        ground * level * (1 - share) * 0.55,
        warmth * level * share * 1.5,
        sun,
    ]
    return Light(np.array(rows, dtype=np.float32), rng.uniform(1.0, 3.5))


def tinted(colour: Floats, amount: float) -> Doubles:
    """White with an amount of a colour's tint, (3,)."""
    tint = colour / max(float(colour.mean()), 1e-3)
    return np.asarray((1 - amount) + amount * np.clip(tint, 0.4, 1.8), dtype=np.float64)


def shadow_map(points: Floats, faces: Ints, light: Light) -> tuple[Floats, Floats]:
    """How near to the sun the surface comes, and where each corner lies on that map.

    Args:
        points: (V, 3), mm, world axes; `faces` (F, 3) of them throw shadows.
        light: gives the sun.

    Returns:
        heights, (`MAP`, `MAP`), mm above a plane, 0 where nothing is; map pixels and height of each
        corner, (V, 3).
    """
    forward = -light.sun
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), -forward])
    turned = points @ axes.T.astype(np.float32)
    low, high = turned.min(0), turned.max(0)
    scale = (MAP - 4) / float((high - low)[:2].max())
    place = (turned - low) * np.array([scale, scale, 1.0], np.float32) + np.array(
        [2.0, 2.0, 1.0], np.float32
    )
    place = np.ascontiguousarray(place, dtype=np.float32)
    return rasterise(place, faces, 0, MAP, MAP)[1], place


def floor_shadow(
    points: Floats, faces: Ints, view: View, light: Light, width: int, height: int
) -> Floats:
    """How much light the floor (y = 0) keeps at each pixel, (height, width) in [0, 1]: the sun's shadow and contact."""
    if -(view.rotation.T @ view.translation)[1] < 150:  # the camera lies on the floor
        return np.ones((height, width), np.float32)
    cast = points - (points[:, 1:2] / light.rows[3, 1]) * light.rows[3]
    flat = points * np.array([1.0, 0.0, 1.0], np.float32)
    near = faces[points[faces[:, 0], 1] < CONTACT]
    sun = float(light.rows[2].mean() / light.rows[:3].mean(1).sum())
    kept = np.ones((height, width), np.float32)
    for where, parts, strength, blur in (
        (cast, faces, 0.75 * sun, light.softness),
        (flat, near, 0.55, 2.5),
    ):
        screen = view.screen(where, 0.5)
        shown, _ = rasterise(screen, parts, 0, width // 2, height // 2)
        mask = cv2.GaussianBlur((shown != NOTHING).astype(np.float32), (0, 0), blur)
        kept *= 1 - strength * np.asarray(
            cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        )
    return kept
