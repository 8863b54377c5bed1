"""What covers a body: skin, clothes, hair; and the colour of each pixel under a light.

Clothes are cut on the reference body at rest (heights, the arm's coordinate), so a hem is a sharp
line across triangles and a pattern stays where it is on the cloth. Colours here are linear light in
[0, 1]; pictures are sRGB, taken as a plain gamma of 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unihpe.errors import InputError
from unihpe.rendering.extra import compiled
from unihpe.rendering.garment import ACROSS, RINGS, ROUND, STRIPS, Garments, Kind
from unihpe.rendering.raster import Floats, Ints, weights

Bytes = NDArray[np.uint8]
GAMMA = 2.2
BYTE_TO_LINEAR = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)
TEXTURE_SIZE = 512
WAVES = 5  # sine waves that make wrinkles and blotches


class Cover(IntEnum):
    """What a pixel of the person is made of; also the row of the outfit's tables."""

    SKIN = 0
    SHIRT = 1
    BOTTOMS = 2
    SHOES = 3
    HAIR = 4
    CAP = 5
    SOCKS = 6
    EYE = 7
    IRIS = 8


class Pattern(IntEnum):
    """How a garment's second colour lies on the first."""

    PLAIN = 0
    ACROSS = 1
    UPRIGHT = 2
    CHECK = 3
    DOTS = 4
    BLOTCH = 5
    PRINT = 6
    SEAM = 7


# Columns of an outfit's `cut`, mm on the reference body unless it says otherwise.
(
    SHIRT_LOW,
    SLEEVE,
    NECK_RADIUS,
    NECK_V,
    WAIST,
    HEM,
    SHOE_TOP,
    HAIRLINE,
    CAP_LINE,
    SOCK_TOP,
    NECK_Y,
    NECK_Z,
    HAND,
) = range(13)
CUTS = 13
NEVER = 1e6
BIAS = 14.0  # mm that a surface may lie under the shadow map before it is in shadow
# What compiled functions are given in one piece: `Garments`' kind, place, arm and hair; `Outfit`'s
# cut, colour, pattern, waves, texture and tint.
Fields = tuple[Ints, Floats, Floats, Floats]
Look = tuple[Floats, Floats, Floats, Floats, Floats, Floats]


@dataclass(frozen=True)
class Outfit:
    """What one person wears.

    Attributes:
        cut: where garments begin and end, (`CUTS`,); the sleeve in the arm's coordinate.
        colour: two colours of each `Cover`, linear, (9, 2, 3).
        pattern: `Pattern`, period in mm and share of the second colour of each `Cover`, (9, 3).
        thickness: how far each `Cover` stands off the skin, mm, (9,).
        crease: depth of the wrinkles of each `Cover`, (9,).
        waves: the sine waves of wrinkles and blotches: direction over wavelength and phase,
            (`WAVES`, 4).
        skirt_rows, hair_rows: how many rows of the two extra meshes are worn.
        texture, tint: the skin's, (512, 512, 3), linear, and a factor on it, (3,).
    """

    cut: Floats
    colour: Floats
    pattern: Floats
    thickness: Floats
    crease: Floats
    waves: Floats
    skirt_rows: int
    hair_rows: int
    texture: Floats
    tint: Floats


def linear(picture: NDArray[Any]) -> Floats:
    """sRGB 0–255 to linear light."""
    if picture.dtype == np.uint8:
        return np.asarray(cv2.LUT(picture, BYTE_TO_LINEAR))
    return ((np.asarray(picture, dtype=np.float32) / 255) ** GAMMA).astype(np.float32)


def hsv(hue: float, saturation: float, value: float) -> Floats:
    """A colour, linear, (3,)."""
    k = (np.array([5.0, 3.0, 1.0]) + hue * 6) % 6
    return linear(255 * (value - value * saturation * np.clip(np.minimum(k, 4 - k), 0, 1)))


def cloth_colour(rng: np.random.Generator) -> Floats:
    """What people wear: a third greys, black and white, a quarter dark blues and browns, the rest any colour."""
    kind = rng.random()
    if kind < 0.35:
        return hsv(
            rng.random(),
            0.08 * rng.random(),
            rng.choice([0.08, 0.2, 0.45, 0.7, 0.93]) + 0.05 * rng.random(),
        )
    if kind < 0.6:
        return hsv(
            rng.choice([0.6, 0.62, 0.08, 0.1, 0.3]),
            0.25 + 0.4 * rng.random(),
            0.15 + 0.4 * rng.random(),
        )
    return hsv(rng.random(), 0.3 + 0.6 * rng.random(), 0.35 + 0.6 * rng.random())


def skin_colour(rng: np.random.Generator) -> Floats:
    """A skin tone, linear, (3,): from dark brown to pale, along the line that skin tones follow."""
    tone = rng.random()
    dark, pale = np.array([62.0, 38.0, 28.0]), np.array([238.0, 205.0, 184.0])
    return linear(np.clip(dark + (pale - dark) * tone**0.8 + rng.normal(0, 4, 3), 10, 250))


def hair_colour(rng: np.random.Generator) -> Floats:
    """Black, brown, blond, red, grey; linear, (3,)."""
    shades = np.array(
        [[18, 15, 14], [40, 27, 20], [78, 50, 32], [150, 112, 66], [120, 55, 30], [150, 148, 145]]
    )
    return linear(
        shades[rng.choice(6, p=[0.33, 0.27, 0.16, 0.1, 0.05, 0.09])] * rng.uniform(0.7, 1.25)
    )


@lru_cache(maxsize=4)
def load_skins(folder: Path) -> tuple[Floats, ...]:
    """The skin textures of a folder, linear, (512, 512, 3) each.

    Raises:
        InputError: if the folder holds no picture that can be read.
    """
    pictures = (
        [cv2.imread(str(path)) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    )
    square = [p for p in pictures if p is not None and p.shape[0] == p.shape[1]]
    if not square:
        raise InputError(
            f"{folder}: no square picture to use as a skin texture; give MakeHuman skins or leave skins out"
        )
    size = (TEXTURE_SIZE, TEXTURE_SIZE)
    return tuple(
        linear(cv2.resize(p[..., ::-1], size, interpolation=cv2.INTER_AREA)) for p in square
    )


def draw_texture(rng: np.random.Generator, skins: Sequence[Floats]) -> tuple[Floats, Floats]:
    """A skin (S, S, 3) and its tint (3,): one of the textures, lighter, darker or redder, else a tone with blotches."""
    if skins:
        chosen = skins[int(rng.integers(len(skins)))]
        return chosen, (rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3)).astype(np.float32)
    blotches = 1 + 0.07 * rng.normal(0, 1, (24, 24, 1))
    return np.repeat(blotches.astype(np.float32), 3, axis=2), skin_colour(rng)


def draw_outfit(garments: Garments, rng: np.random.Generator, skins: Sequence[Floats]) -> Outfit:
    """A random outfit: shirt, trousers or shorts or skirt, shoes, hair or cap."""
    cut = draw_cut(garments.marks, rng)
    bottoms = rng.choice(["trousers", "shorts", "skirt"], p=[0.66, 0.2, 0.14])
    marks = garments.marks
    skirt_rows = 0
    if bottoms == "trousers":
        cut[HEM] = marks["ankle"] + rng.uniform(-45, 60)
    elif bottoms == "shorts":
        cut[HEM] = marks["knee"] + rng.uniform(-60, 230)
    else:
        skirt_rows = int(rng.integers(7, RINGS))
        cut[HEM] = (
            marks["hip"] - 150 if rng.random() < 0.6 else marks["ankle"] - 20
        )  # bare legs, or leggings
    hair_rows = int(rng.integers(4, STRIPS)) if rng.random() < 0.3 and cut[HAIRLINE] < NEVER else 0
    colour, pattern = draw_colours(rng)
    loose = rng.random()
    thickness = np.array(
        [0, 4 + 12 * loose, 5 + 13 * rng.random(), 9, 6 + 18 * rng.random(), 16, 3, 0, 0]
    )
    thickness[Cover.BOTTOMS] *= 0.3 if bottoms == "skirt" else 1.0
    if cut[SHIRT_LOW] < cut[WAIST] - 1:  # worn over the bottoms
        thickness[Cover.SHIRT] = max(thickness[Cover.SHIRT], thickness[Cover.BOTTOMS] + 3)
    crease = np.array(
        [0.0, 0.1 + 0.25 * loose, 0.1 + 0.2 * rng.random(), 0.03, 0.35, 0.03, 0.08, 0, 0]
    )
    return Outfit(
        cut.astype(np.float32),
        colour,
        pattern,
        thickness.astype(np.float32),
        crease.astype(np.float32),
        draw_waves(rng),
        skirt_rows,
        hair_rows,
        *draw_texture(rng, skins),
    )


def draw_cut(marks: dict[str, float], rng: np.random.Generator) -> NDArray[np.float64]:
    """Where garments begin and end but for the bottoms' hem, (`CUTS`,)."""
    cut = np.full(CUTS, -NEVER)
    cut[WAIST] = marks["waist"] + rng.uniform(-40, 15)
    cut[SHIRT_LOW] = cut[WAIST] if rng.random() < 0.4 else marks["hip"] - rng.uniform(-20, 90)
    sleeve = rng.choice(["none", "short", "long"], p=[0.1, 0.45, 0.45])
    cut[SLEEVE] = {"none": 0.02, "short": rng.uniform(0.2, 0.42), "long": rng.uniform(0.75, 1.0)}[
        sleeve
    ]
    cut[NECK_RADIUS] = rng.uniform(62, 100)
    cut[NECK_V] = rng.uniform(20, 110) if rng.random() < 0.3 else 0
    cut[NECK_Y], cut[NECK_Z] = marks["neck"], marks["neck_z"]
    cut[SHOE_TOP] = marks["ankle"] + (
        rng.uniform(-35, 5) if rng.random() < 0.8 else rng.uniform(60, 260)
    )
    cut[SOCK_TOP] = cut[SHOE_TOP] + (rng.uniform(20, 120) if rng.random() < 0.5 else 0)
    cut[HAIRLINE] = NEVER if rng.random() < 0.08 else rng.uniform(-6, 14)
    cut[CAP_LINE] = rng.uniform(18, 40) if rng.random() < 0.15 else NEVER
    cut[HAND] = 1.0 if rng.random() < 0.96 else 0.97  # gloves now and then
    return cut


def draw_colours(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Two colours (9, 2, 3) and the pattern (9, 3) of each `Cover`."""
    colour = np.stack([np.stack([cloth_colour(rng), cloth_colour(rng)]) for _ in Cover])
    colour[Cover.HAIR] = hair_colour(rng)
    colour[Cover.EYE] = linear(np.array([[225.0, 220, 215]] * 2))
    colour[Cover.IRIS] = linear(np.array([[60.0, 42, 30], [70, 90, 110]])[rng.integers(2)])
    if rng.random() < 0.35:  # jeans
        colour[Cover.BOTTOMS] = hsv(0.6, 0.35 + 0.3 * rng.random(), 0.25 + 0.4 * rng.random())
    pattern = np.zeros((len(Cover), 3), np.float32)
    pattern[:, 1:] = [60, 0.5]
    upper = rng.choice(list(Pattern), p=[0.42, 0.14, 0.05, 0.08, 0.05, 0.06, 0.2, 0.0])
    lower = rng.choice(list(Pattern), p=[0.7, 0.02, 0.03, 0.05, 0.02, 0.06, 0.0, 0.12])
    pattern[Cover.SHIRT] = [upper, rng.uniform(18, 130), rng.uniform(0.25, 0.6)]
    pattern[Cover.BOTTOMS] = [lower, rng.uniform(20, 110), rng.uniform(0.25, 0.6)]
    pattern[Cover.SHOES] = [rng.choice([Pattern.PLAIN, Pattern.ACROSS]), rng.uniform(30, 80), 0.4]
    return colour.astype(np.float32), pattern


def draw_waves(rng: np.random.Generator) -> Floats:
    """Sine waves on the cloth, (`WAVES`, 4): direction · 2π / wavelength (50 to 190 mm), and phase."""
    direction = rng.normal(0, 1, (WAVES, 3)) * [1.0, 0.7, 1.0]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = rng.uniform(50, 190, (WAVES, 1))
    return np.hstack(
        [direction * 2 * np.pi / length, rng.uniform(0, 2 * np.pi, (WAVES, 1))]
    ).astype(np.float32)


def worn(garments: Garments, faces: Ints, outfit: Outfit) -> Ints:
    """Numbers of the faces (F, 3) that a dressed person shows: the body's and the worn rows of skirt and hair, (·,)."""
    body = len(faces) - len(garments.faces)
    skirt = body + np.arange(2 * ROUND * max(0, outfit.skirt_rows - 1))
    hair = body + garments.skirt_faces + np.arange(2 * (ACROSS - 1) * max(0, outfit.hair_rows - 1))
    return np.concatenate([np.arange(body), skirt, hair]).astype(np.int32)


@compiled
def cover_at(kind: int, x: float, y: float, z: float, arm: float, hair: float, cut: Floats) -> int:
    """The `Cover` of a place on the reference body."""
    if kind == Kind.EYE.value:
        return Cover.IRIS.value if hair < 5.5 else Cover.EYE.value
    if kind == Kind.SKIRT.value:
        return Cover.BOTTOMS.value
    if kind == Kind.HAIR.value:
        return Cover.HAIR.value
    if hair > cut[CAP_LINE]:
        return Cover.CAP.value
    if hair > cut[HAIRLINE]:
        return Cover.HAIR.value
    if hair > -99.0:
        return Cover.SKIN.value
    if arm >= 0:
        if arm < cut[SLEEVE]:
            return Cover.SHIRT.value
        return Cover.SHIRT.value if arm > 1.02 and cut[HAND] < 1.0 else Cover.SKIN.value
    if y < cut[SHOE_TOP]:
        return Cover.SHOES.value
    rise, away = y - cut[NECK_Y], z - cut[NECK_Z]
    reach = math.sqrt(x * x + rise * rise + away * away)
    front = max(0.0, away / max(reach, 1.0)) * max(0.0, 1.0 - abs(x) / 70.0)
    if y > cut[SHIRT_LOW]:
        return (
            Cover.SHIRT.value
            if rise < 25.0 and reach > cut[NECK_RADIUS] + cut[NECK_V] * front
            else Cover.SKIN.value
        )
    if y < cut[WAIST] and y > cut[HEM]:
        return Cover.BOTTOMS.value
    return Cover.SOCKS.value if y < cut[SOCK_TOP] else Cover.SKIN.value


@compiled
def dress(
    points: Floats,
    normals: Floats,
    fields: Fields,
    cut: Floats,
    thickness: Floats,
    crease: Floats,
    waves: Floats,
) -> tuple[Floats, Floats]:
    """Corners (V, 3) moved out along their normals by the thickness of what covers them, mm; normals with wrinkles."""
    kind, place, arm, hair = fields
    out, bent = points.copy(), normals.copy()
    for v in range(len(points)):
        cover = cover_at(kind[v], place[v, 0], place[v, 1], place[v, 2], arm[v], hair[v], cut)
        thick = thickness[cover]
        if kind[v] >= Kind.SKIRT.value:
            thick = np.float32(0.0)
        elif cover == Cover.HAIR.value:
            thick *= np.float32(min(1.0, max(0.0, (hair[v] - cut[HAIRLINE]) / 40.0)))
        elif cover == Cover.BOTTOMS.value:  # wider towards the hem
            thick *= np.float32(1.0 + max(0.0, cut[WAIST] - 150.0 - place[v, 1]) / 900.0)
        for axis in range(3):
            out[v, axis] += thick * normals[v, axis]
        deep = crease[cover]
        if deep > 0:
            x, y, z = place[v, 0], place[v, 1], place[v, 2]
            bend = 1.5 * math.sin(0.02 * x + 0.013 * y + waves[0, 3])
            scale = 4.0 if cover == Cover.HAIR.value else 1.0  # hair is finer than cloth
            for k in range(waves.shape[0]):
                phase = scale * (waves[k, 0] * x + waves[k, 1] * y + waves[k, 2] * z) + waves[k, 3]
                slope = deep * math.cos(phase + bend) * 14.0
                for axis in range(3):
                    bent[v, axis] += slope * waves[k, axis]
    return out, bent


@compiled
def second_colour(pattern: Floats, x: float, y: float, z: float, arm: float, waves: Floats) -> bool:
    """Whether a place on the reference body shows a garment's second colour."""
    kind, period, share = int(pattern[0]), float(pattern[1]), float(pattern[2])
    u, v = (z, arm * 560.0) if arm >= 0 else (x + 0.6 * z, y)
    if kind == Pattern.ACROSS.value:
        return (v / period) % 1.0 < share
    if kind == Pattern.UPRIGHT.value:
        return (u / period) % 1.0 < share
    if kind == Pattern.CHECK.value:
        return ((u / period) % 1.0 < share) != ((v / period) % 1.0 < share)
    if kind == Pattern.DOTS.value:
        du, dv = (u / period) % 1.0 - 0.5, (v / period) % 1.0 - 0.5
        return du * du + dv * dv < 0.3 * share * share
    if kind == Pattern.BLOTCH.value:
        total = 0.0
        for n in range(4):
            total += math.sin(waves[n, 0] * x + waves[n, 1] * y + waves[n, 2] * z + waves[n, 3])
        return total > 1.2 - 2 * share
    if kind == Pattern.PRINT.value:
        inside = (
            arm < 0 and z > 0 and abs(x) < 40 + period * 0.6 and abs(y - 520.0) < 25 + 130 * share
        )
        cell = (
            math.sin(math.floor(x / 17.0) * 12.9898 + math.floor(y / 23.0) * 78.233 + period)
            * 43758.5453
        )
        return inside and cell % 1.0 < 0.75
    if kind == Pattern.SEAM.value:
        return abs(z - 10.0) < 16.0 and abs(x) > 90.0
    return False


@compiled
def texel(texture: Floats, u: float, v: float, channel: int) -> float:
    """The texture at (u, v) in [0, 1], v upwards, between its four nearest texels."""
    size = texture.shape[0]
    x = min(max(u * size - 0.5, 0.0), size - 1.001)
    y = min(max((1.0 - v) * size - 0.5, 0.0), size - 1.001)
    c, r = int(x), int(y)
    s, t = x - c, y - r
    above = texture[r, c, channel] * (1 - s) + texture[r, c + 1, channel] * s
    below = texture[r + 1, c, channel] * (1 - s) + texture[r + 1, c + 1, channel] * s
    return float(above * (1 - t) + below * t)


@compiled
def lit(shadow: Floats, x: float, y: float, height: float, bias: float) -> float:
    """How much of the sun arrives, 0 to 1: a shadow map of heights towards the sun, looked up between its pixels."""
    c, r = math.floor(x - 0.5), math.floor(y - 0.5)
    if c < 0 or r < 0 or c + 1 >= shadow.shape[1] or r + 1 >= shadow.shape[0]:
        return 1.0
    s, t = x - 0.5 - c, y - 0.5 - r
    total = 0.0
    for i in range(2):
        for j in range(2):
            if shadow[r + i, c + j] <= height + bias:
                total += (t if i else 1 - t) * (s if j else 1 - s)
    return total


@compiled
def mix(
    out: NDArray[np.float64], values: Floats, corners: Ints, w: tuple[float, float, float]
) -> None:
    """The mean (3,) of a field (V, 3) over a face's corners (3,), weighted, into `out`."""
    for i in range(3):
        out[i] = (
            w[0] * values[corners[0], i]
            + w[1] * values[corners[1], i]
            + w[2] * values[corners[2], i]
        )


@compiled
def sunlight(
    n: NDArray[np.float64], s: NDArray[np.float64], shadow: Floats, light: Floats
) -> tuple[float, float]:
    """Shares of the sun and of the sky that reach a place of normal n (3,) at s (3,) on the shadow map."""
    length = math.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-9
    sun = (n[0] * light[3, 0] + n[1] * light[3, 1] + n[2] * light[3, 2]) / length
    if sun > 0:
        sun *= lit(shadow, s[0], s[1], s[2], BIAS)
    return max(0.0, sun), 0.5 + 0.5 * n[1] / length


@compiled
def shade(
    shown: Ints,
    drawn: Ints,
    faces: Ints,
    uv: Floats,
    screen: Floats,
    normals: Floats,
    sunward: Floats,
    fields: Fields,
    look: Look,
    shadow: Floats,
    light: Floats,
) -> Floats:
    """The colour of each pixel, (H, W, 4), linear; the fourth is 1 on the person and 0 elsewhere.

    Args:
        shown: number among `drawn` of the face each pixel shows, (H, W).
        drawn: numbers of the faces on show, of all `faces` (F, 3); `uv` (F, 3, 2) their places on
            the skin texture.
        screen: corners on the picture, (V, 3): pixels and inverse depth.
        normals, sunward: world normals, and places on the shadow map, (V, 3).
        fields: of the garments; look: of the outfit.
        light: sky, ground and sun colours and the direction to the sun, (4, 3).
    """
    kind, place, arm, hair = fields
    cut, colour, pattern, waves, texture, tint = look
    height, width = shown.shape
    out = np.zeros((height, width, 4), dtype=np.float32)
    p, n, s = np.zeros(3), np.zeros(3), np.zeros(3)
    for row in range(height):
        for column in range(width):
            if shown[row, column] < 0:
                continue
            f = drawn[shown[row, column]]
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w = weights(screen, faces, f, column + 0.5, row + 0.5)
            mix(p, place, faces[f], w)
            mix(n, normals, faces[f], w)
            mix(s, sunward, faces[f], w)
            reach = w[0] * arm[a] + w[1] * arm[b] + w[2] * arm[c]
            line = w[0] * hair[a] + w[1] * hair[b] + w[2] * hair[c]
            cover = cover_at(kind[a], p[0], p[1], p[2], reach, line, cut)
            sun, up = sunlight(n, s, shadow, light)
            second = (
                1
                if cover != Cover.SKIN.value
                and second_colour(pattern[cover], p[0], p[1], p[2], reach, waves)
                else 0
            )
            u = w[0] * uv[f, 0, 0] + w[1] * uv[f, 1, 0] + w[2] * uv[f, 2, 0]
            v = w[0] * uv[f, 0, 1] + w[1] * uv[f, 1, 1] + w[2] * uv[f, 2, 1]
            for i in range(3):
                own = (
                    tint[i] * texel(texture, u, v, i)
                    if cover == Cover.SKIN.value
                    else colour[cover, second, i]
                )
                out[row, column, i] = own * (
                    light[0, i] * up + light[1, i] * (1 - up) + light[2, i] * sun
                )
            out[row, column, 3] = 1.0
    return out
