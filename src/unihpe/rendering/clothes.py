"""What people wear, drawn at random: skin, shirt, trousers, shorts or skirt, shoes, hair and cap.

Clothes are cut on the reference body at rest (heights, the arm's coordinate), so a hem is a sharp
line across triangles and a pattern stays where it is on the cloth. Colours are linear light.
"""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from unihpe.errors import InputError
from unihpe.io.files import in_order
from unihpe.rendering.garment import RINGS, STRIPS
from unihpe.rendering.light import linear
from unihpe.rendering.raster import Floats

TEXTURE_SIZE = 512
WAVES = 5  # sine waves that make wrinkles and blotches
NEVER = 1e6  # a height that nothing reaches
# Skin tones lie on a line from dark brown to pale.
SKIN_DARK, SKIN_PALE = np.array([[62.0, 38.0, 28.0], [238.0, 205.0, 184.0]])
HAIR_SHADES = np.array(
    [[18, 15, 14], [40, 27, 20], [78, 50, 32], [150, 112, 66], [120, 55, 30], [150, 148, 145]]
)
EYE_WHITE = np.array([[225.0, 220, 215]] * 2)
IRISES = np.array([[60.0, 42, 30], [70, 90, 110]])
# What a pixel of the person is made of; also the row of the outfit's tables.
Cover = IntEnum("Cover", "SKIN SHIRT BOTTOMS SHOES HAIR CAP SOCKS EYE IRIS", start=0)
# How a garment's second colour lies on the first.
Pattern = IntEnum("Pattern", "PLAIN ACROSS UPRIGHT CHECK DOTS BLOTCH PRINT SEAM OPEN", start=0)


class Cut(NamedTuple):
    """Where garments begin and end: heights, mm, on the reference body unless it says otherwise."""

    shirt_low: float = -NEVER
    sleeve: float = -NEVER  # along the arm, 0 to 1
    neck_radius: float = -NEVER  # of the neckline, mm
    neck_v: float = -NEVER  # how much deeper it is in front, mm
    waist: float = -NEVER
    hem: float = -NEVER  # of trousers or shorts
    shoe_top: float = -NEVER
    hairline: float = NEVER  # mm above the head's own
    cap_line: float = NEVER  # mm above the hairline
    sock_top: float = -NEVER
    neck_y: float = -NEVER
    neck_z: float = -NEVER
    hand: float = 1.0  # below 1: gloves
    gown: float = 0.0  # above 0: the skirt is the shirt's, as a dress's or a coat's


class Outfit(NamedTuple):
    """What one person wears; tables have a row for each `Cover`."""

    cut: Cut
    colour: Floats  # two colours, linear, (9, 2, 3)
    pattern: Floats  # `Pattern`, period in mm and share of the second colour, (9, 3)
    thickness: Floats  # how far it stands off the skin, mm, (9,)
    crease: Floats  # depth of the wrinkles, (9,)
    waves: Floats  # sine waves of wrinkles and blotches, (`WAVES`, 4): 2π·direction/length, phase
    texture: Floats  # the skin's, (S, S, 3), linear
    tint: Floats  # a factor on it, (3,)
    skirt_rows: int  # how many rows of the skirt's mesh are worn
    hair_rows: int  # and of the long hair's


def hsv(hue: float, saturation: float, value: float) -> Floats:
    """A colour, linear, (3,)."""
    k = (np.array([5.0, 3.0, 1.0]) + hue * 6) % 6
    return linear(255 * (value - value * saturation * np.clip(np.minimum(k, 4 - k), 0, 1)))


def cloth_colour(rng: Generator) -> Floats:
    """A third greys, a quarter dark blues and browns, the rest any colour; linear, (3,)."""
    kind = rng.random()
    if kind < 0.35:
        hue, saturation = rng.random(), 0.08 * rng.random()
        return hsv(hue, saturation, rng.choice([0.08, 0.2, 0.45, 0.7, 0.93]) + 0.05 * rng.random())
    if kind < 0.6:
        hue = rng.choice([0.6, 0.62, 0.08, 0.1, 0.3])
        return hsv(hue, 0.25 + 0.4 * rng.random(), 0.15 + 0.4 * rng.random())
    return hsv(rng.random(), 0.3 + 0.6 * rng.random(), 0.35 + 0.6 * rng.random())


@lru_cache(maxsize=4)
def load_skins(folder: Path) -> tuple[Floats, ...]:
    """The skin textures of a folder, linear, (512, 512, 3) each; an InputError if it has none."""
    files = in_order(folder.iterdir()) if folder.is_dir() else []
    read = (cv2.imread(str(path)) for path in files)
    square = [p[..., ::-1] for p in read if p is not None and p.shape[0] == p.shape[1]]
    if not square:
        raise InputError(f"{folder}: no square picture for a skin; give MakeHuman skins, or none")
    size, method = (TEXTURE_SIZE, TEXTURE_SIZE), cv2.INTER_AREA
    return tuple(linear(cv2.resize(picture, size, interpolation=method)) for picture in square)


def _draw_texture(rng: Generator, skins: Sequence[Floats]) -> tuple[Floats, Floats]:
    """A skin (S, S, 3) and its tint (3,): one of the textures, else a tone with blotches."""
    if skins:
        chosen = skins[int(rng.integers(len(skins)))]
        return chosen, (rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3)).astype(np.float32)
    blotches = (1 + 0.07 * rng.normal(0, 1, (24, 24, 1))).astype(np.float32)
    tone = SKIN_DARK + (SKIN_PALE - SKIN_DARK) * rng.random() ** 0.8 + rng.normal(0, 4, 3)
    return np.repeat(blotches, 3, axis=2), linear(np.clip(tone, 10, 250))


def draw_outfit(marks: dict[str, float], rng: Generator, skins: Sequence[Floats]) -> Outfit:
    """A random outfit, cut at the `marks` of the reference body."""
    cut = _draw_cut(marks, rng)
    bottoms = rng.choice(["trousers", "shorts", "skirt"], p=[0.66, 0.2, 0.14])
    skirt_rows = 0
    if bottoms == "trousers":
        cut["hem"] = marks["ankle"] + rng.uniform(-45, 60)
    elif bottoms == "shorts":
        cut["hem"] = marks["knee"] + rng.uniform(-60, 230)
    else:
        skirt_rows, bare = int(rng.integers(7, RINGS)), rng.random() < 0.6  # else leggings
        cut["hem"] = marks["hip"] - 150 if bare else marks["ankle"] - 20
    long = rng.random() < 0.3 and cut["hairline"] < NEVER
    hair_rows = int(rng.integers(4, STRIPS)) if long else 0
    tables, loose = _draw_colours(rng), rng.random()
    shirt, trousers, hair = 4 + 12 * loose, 5 + 13 * rng.random(), 6 + 18 * rng.random()
    trousers *= 0.3 if bottoms == "skirt" else 1.0
    if cut["shirt_low"] < cut["waist"] - 1:  # worn over the bottoms
        shirt = max(shirt, trousers + 3)
    thickness = np.array([0, shirt, trousers, 9, hair, 16, 3, 0, 0], np.float32)
    crease = [0.0, 0.1 + 0.25 * loose, 0.1 + 0.2 * rng.random(), 0.03, 0.35, 0.03, 0.08, 0, 0]
    looks = (thickness, np.array(crease, np.float32), _draw_waves(rng), *_draw_texture(rng, skins))
    cuts = _cut_of(cut)
    return Outfit(cuts, *tables, *looks, skirt_rows, hair_rows)


def _cut_of(values: dict[str, float]) -> Cut:
    """The cut with these values, in single precision; 0 for the others."""
    return Cut(*np.array([values.get(name, 0.0) for name in Cut._fields], np.float32))


def draw_costume(outfit: Outfit, marks: dict[str, float], rng: Generator) -> Outfit:
    """The outfit with a dress, a coat, an open jacket or wide trousers instead."""
    kind = rng.choice(["dress", "coat", "jacket", "wide"], p=[0.3, 0.3, 0.25, 0.15])
    cut, thickness, pattern = outfit.cut._asdict(), outfit.thickness.copy(), outfit.pattern.copy()
    gown, cut["hem"] = kind in ("dress", "coat"), marks["ankle"] - 20
    rows = int(rng.integers(5, RINGS + 1)) if gown else 0
    if gown:
        cut |= {"gown": 1.0, "shirt_low": cut["waist"]}
    if kind == "dress":
        cut["hem"] = marks["hip"] - 150 if rng.random() < 0.65 else cut["hem"]
        thickness[[Cover.SHIRT, Cover.BOTTOMS]] = rng.uniform(3, 9), 3
    elif kind == "wide":
        thickness[Cover.BOTTOMS] = rng.uniform(18, 34)
    else:
        cut["sleeve"] = rng.uniform(0.93, 1.02)
        thickness[[Cover.SHIRT, Cover.BOTTOMS]] = rng.uniform(16, 32), rng.uniform(4, 10)
        if kind == "jacket":
            cut["shirt_low"] = marks["hip"] - rng.uniform(0, 80)
        if kind == "jacket" or rng.random() < 0.4:
            pattern[Cover.SHIRT] = [Pattern.OPEN, rng.uniform(25, 90), 0.5]
    outfit = outfit._replace(cut=_cut_of(cut), skirt_rows=rows)
    return outfit._replace(thickness=thickness, pattern=pattern)


def _draw_cut(marks: dict[str, float], rng: Generator) -> dict[str, float]:
    """The fields of `Cut`, but for the bottoms' hem."""
    cut = {"neck_y": marks["neck"], "neck_z": marks["neck_z"]}
    cut["waist"] = marks["waist"] + rng.uniform(-40, 15)
    tucked = rng.random() < 0.4
    cut["shirt_low"] = cut["waist"] if tucked else marks["hip"] - rng.uniform(-20, 90)
    sleeve = rng.choice(3, p=[0.1, 0.45, 0.45])  # none, short, long
    cut["sleeve"] = (0.02, rng.uniform(0.2, 0.42), rng.uniform(0.75, 1.0))[sleeve]
    cut["neck_radius"] = rng.uniform(62, 100)
    cut["neck_v"] = rng.uniform(20, 110) if rng.random() < 0.3 else 0
    low = rng.random() < 0.8  # shoes, else boots
    cut["shoe_top"] = marks["ankle"] + (rng.uniform(-35, 5) if low else rng.uniform(60, 260))
    cut["sock_top"] = cut["shoe_top"] + (rng.uniform(20, 120) if rng.random() < 0.5 else 0)
    cut["hairline"] = NEVER if rng.random() < 0.08 else rng.uniform(-6, 14)
    cut["cap_line"] = rng.uniform(18, 40) if rng.random() < 0.15 else NEVER
    cut["hand"] = 1.0 if rng.random() < 0.96 else 0.97
    return cut


def _draw_colours(rng: Generator) -> tuple[Floats, Floats]:
    """Two colours (9, 2, 3) and the pattern (9, 3) of each `Cover`."""
    colour = np.stack([np.stack([cloth_colour(rng), cloth_colour(rng)]) for _ in Cover])
    shade = HAIR_SHADES[rng.choice(6, p=[0.33, 0.27, 0.16, 0.1, 0.05, 0.09])]
    colour[Cover.HAIR] = linear(shade * rng.uniform(0.7, 1.25))
    colour[Cover.EYE] = linear(EYE_WHITE)
    colour[Cover.IRIS] = linear(IRISES[rng.integers(2)])
    if rng.random() < 0.35:  # jeans
        colour[Cover.BOTTOMS] = hsv(0.6, 0.35 + 0.3 * rng.random(), 0.25 + 0.4 * rng.random())
    pattern = np.tile(np.array([Pattern.PLAIN, 60, 0.5], np.float32), (len(Cover), 1))
    kinds = list(Pattern)[: Pattern.OPEN]
    upper = rng.choice(kinds, p=[0.42, 0.14, 0.05, 0.08, 0.05, 0.06, 0.2, 0.0])
    lower = rng.choice(kinds, p=[0.7, 0.02, 0.03, 0.05, 0.02, 0.06, 0.0, 0.12])
    pattern[Cover.SHIRT] = [upper, rng.uniform(18, 130), rng.uniform(0.25, 0.6)]
    pattern[Cover.BOTTOMS] = [lower, rng.uniform(20, 110), rng.uniform(0.25, 0.6)]
    pattern[Cover.SHOES] = [rng.choice([Pattern.PLAIN, Pattern.ACROSS]), rng.uniform(30, 80), 0.4]
    return colour.astype(np.float32), pattern


def _draw_waves(rng: Generator) -> Floats:
    """Sine waves on the cloth, (`WAVES`, 4), of lengths 50 to 190 mm."""
    direction = rng.normal(0, 1, (WAVES, 3)) * [1.0, 0.7, 1.0]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length, phase = rng.uniform(50, 190, (WAVES, 1)), rng.uniform(0, 2 * np.pi, (WAVES, 1))
    return np.hstack([direction * 2 * np.pi / length, phase]).astype(np.float32)
