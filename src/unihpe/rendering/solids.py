"""Boxes and rounded bodies: meshes, what they are made of, and how they look in the light.

World axes, millimetres. Faces run anticlockwise as seen from outside.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from unihpe.rendering.clothes import Pattern, cloth_colour, hsv
from unihpe.rendering.figure import Layer
from unihpe.rendering.light import Light, View
from unihpe.rendering.paint import second_colour, sunlight, texel
from unihpe.rendering.raster import Doubles, Floats, Ints, barycentric, compiled, rasterise

PHOTO = -1.0  # in a pattern's place: a part of a photograph
RINGS, ROUND = 9, 14  # of a rounded body
CORNERS = np.array([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])  # of a box's front
NO_SHADOW = np.zeros((0, 0), np.float32)


class Material(NamedTuple):
    colour: Floats  # two colours, linear, (2, 3); of a photograph, a factor on it and the other
    pattern: Floats  # `Pattern` or `PHOTO`, period in mm, share of the second colour, (3,)


class Solid(NamedTuple):
    """A mesh of one material."""

    points: Floats  # (V, 3)
    normals: Floats  # outward, (V, 3)
    place: Floats  # in the solid's own axes, (V, 3), mm, where its pattern lies
    faces: Ints  # (F, 3)
    material: Material


def _box_mesh() -> tuple[Doubles, Doubles, Ints]:
    """Corners and normals, (24, 3), and faces, (12, 3), of a box from −1 to 1."""
    z, x, y = np.eye(3)[[2, 0, 1]]
    sides = [(x, y, z), (-x, y, -z), (z, y, -x), (-z, y, x), (x, z, -y), (x, -z, y)]
    points = [CORNERS @ np.stack(axes) for axes in sides]
    normals = [np.tile(axes[2], (4, 1)) for axes in sides]
    quad = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    faces = np.concatenate([quad + 4 * n for n in range(6)])
    return np.concatenate(points), np.concatenate(normals), faces.astype(np.int32)


def _ball_mesh() -> tuple[Doubles, Ints]:
    """Unit vectors (RINGS·ROUND, 3), ring by ring from the top, and the faces between them."""
    polar, round_ = np.linspace(0, np.pi, RINGS), np.arange(ROUND) * 2 * np.pi / ROUND
    polar, round_ = np.meshgrid(polar, round_, indexing="ij")
    across = np.sin(polar)
    sphere = np.stack([across * np.sin(round_), np.cos(polar), across * np.cos(round_)], axis=-1)
    row, column = np.mgrid[: RINGS - 1, :ROUND].reshape(2, -1)
    a, b = row * ROUND + column, row * ROUND + (column + 1) % ROUND
    pairs = np.stack([a, a + ROUND, b, b, a + ROUND, b + ROUND], axis=1).reshape(-1, 3)
    return sphere.reshape(-1, 3), pairs.astype(np.int32)


BOX_POINTS, BOX_NORMALS, BOX_FACES = _box_mesh()
BALL, BALL_FACES = _ball_mesh()


def box(centre: Doubles, axes: Doubles, half: Sequence[float], material: Material) -> Solid:
    """A box: its middle (3,), its axes as rows (3, 3), right-handed, and half its sides (3,)."""
    return _solid(BOX_POINTS * half, BOX_NORMALS, BOX_FACES, centre, axes, material)


def rounded(
    centre: Doubles, axes: Doubles, half: Sequence[float], material: Material, power: float = 1.0
) -> Solid:
    """An ellipsoid, or for powers below 1 something between it and a box."""
    own = np.sign(BALL) * np.abs(BALL) ** power * half
    normals = np.sign(BALL) * np.abs(BALL) ** (2 - power) / half
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    return _solid(own, normals, BALL_FACES, centre, axes, material)


def _solid(
    own: Doubles, normals: Doubles, faces: Ints, centre: Doubles, axes: Doubles, material: Material
) -> Solid:
    points, turned, place = (
        part.astype(np.float32) for part in (own @ axes + centre, normals @ axes, own)
    )
    return Solid(points, turned, place, faces, material)


def draw_material(rng: Generator, photos: bool = True) -> Material:
    """What a thing is made of: painted, wooden, striped, or covered with a photograph's part."""
    kind = rng.random()
    first, second = cloth_colour(rng), cloth_colour(rng)
    if kind < 0.35 and photos:
        strength = rng.uniform(0.5, 1.6) * rng.uniform(0.85, 1.15, 3)
        return Material(
            np.stack([strength, second]).astype(np.float32),
            np.array([PHOTO, rng.uniform(300, 1500), 0.0], np.float32),
        )
    if kind < 0.5:  # boards
        first = hsv(rng.uniform(0.05, 0.11), rng.uniform(0.25, 0.7), rng.uniform(0.25, 0.8))
        second, pattern = first * np.float32(0.45), (Pattern.ACROSS, rng.uniform(60, 200), 0.08)
    else:
        kinds = list(Pattern)[: Pattern.PRINT]
        pattern = (
            rng.choice(kinds, p=[0.66, 0.08, 0.08, 0.05, 0.03, 0.1]),
            rng.uniform(40, 400),
            0.5,
        )
    return Material(np.stack([first, second]).astype(np.float32), np.array(pattern, np.float32))


def draw_solids(
    solids: Sequence[Solid],
    patch: Floats,  # a part of a photograph, (S, S, 3), linear
    light: Light,
    view: View,
    size: tuple[int, int],
    enlarge: float = 1.0,
) -> Layer:
    """Solids, lit, as one layer; they throw no shadows on one another."""
    starts = np.cumsum([0] + [len(one.points) for one in solids[:-1]])
    faces = np.concatenate([one.faces + start for one, start in zip(solids, starts, strict=True)])
    faces = faces.astype(np.int32)
    material = np.repeat(np.arange(len(solids)), [len(one.faces) for one in solids])
    points, normals, place = (
        np.concatenate([getattr(one, name) for one in solids])
        for name in ("points", "normals", "place")
    )
    colours = np.stack([one.material.colour for one in solids])
    patterns = np.stack([one.material.pattern for one in solids])
    screen = view.screen(points, enlarge)
    face_at, depth = rasterise(screen, faces, len(faces), *size)
    looks = (material.astype(np.int32), colours, patterns, patch)
    colour = _shade(face_at, faces, screen, normals, place, *looks, light.rows)
    return Layer(colour, depth, points, faces)


@compiled
def _shade(
    face_at: Ints,
    faces: Ints,
    screen: Floats,
    normals: Floats,
    place: Floats,
    material: Ints,
    colours: Floats,
    patterns: Floats,
    patch: Floats,
    light: Floats,
) -> Floats:
    """The colour of each pixel, (H, W, 4), linear; the fourth is 1 on a solid and 0 elsewhere."""
    height, width = face_at.shape
    out = np.zeros((height, width, 4), dtype=np.float32)
    waves = np.zeros((5, 4), dtype=np.float32)
    for n in range(5):
        waves[n, n % 3] = np.float32(0.02 + 0.013 * n)
        waves[n, (n + 1) % 3] = np.float32(0.017 - 0.006 * n)
        waves[n, 3] = np.float32(n)
    p, normal, sun_at = np.zeros(3), np.zeros(3), np.zeros(3)
    for row in range(height):
        for column in range(width):
            f = face_at[row, column]
            if f < 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w = barycentric(screen, faces[f], column + 0.5, row + 0.5)
            for i in range(3):
                p[i] = w[0] * place[a, i] + w[1] * place[b, i] + w[2] * place[c, i]
                normal[i] = w[0] * normals[a, i] + w[1] * normals[b, i] + w[2] * normals[c, i]
            sun, up = sunlight(normal, sun_at, NO_SHADOW, light)
            pattern = patterns[material[f]]
            photo = pattern[0] < 0
            u = ((p[0] + 0.37 * p[2]) / pattern[1]) % 1.0
            v = ((p[1] + 0.61 * p[2]) / pattern[1]) % 1.0
            second = not photo and second_colour(pattern, p[0], p[1], p[2], -1.0, waves)
            for i in range(3):
                own = colours[material[f], int(second), i]
                if photo:
                    own *= texel(patch, u, v, i)
                arrives = light[0, i] * up + light[1, i] * (1 - up) + light[2, i] * sun
                out[row, column, i] = own * arrives
            out[row, column, 3] = 1.0
    return out
