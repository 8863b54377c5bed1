"""The colour of each pixel: what covers the body there, its pattern and wrinkles, and the light."""

import math
from typing import NamedTuple

import numpy as np

from unihpe.rendering.clothes import Cover, Cut, Outfit, Pattern
from unihpe.rendering.garment import Fields, Kind
from unihpe.rendering.raster import Doubles, Floats, Ints, barycentric, compiled

BIAS = 14.0  # mm that a surface may lie under the shadow map before it is in shadow


class Surface(NamedTuple):
    """A dressed body as the camera and the sun see it: F faces, V corners."""

    faces: Ints  # (F, 3)
    uv: Floats  # of the faces' corners on the skin texture, (F, 3, 2) in [0, 1], v upwards
    screen: Floats  # pixels and inverse depth, (V, 3)
    normals: Floats  # world axes, (V, 3)
    shadow: Floats  # the sun's shadow map
    sunward: Floats  # pixels and height on it, (V, 3)


@compiled
def _cover_at(kind: int, x: float, y: float, z: float, arm: float, hair: float, cut: Cut) -> int:
    """The `Cover` of a place on the reference body."""
    if kind == Kind.EYE.value:
        return Cover.IRIS.value if hair < 5.5 else Cover.EYE.value
    if kind == Kind.SKIRT.value:
        return Cover.SHIRT.value if cut.gown > 0 else Cover.BOTTOMS.value
    if kind == Kind.BODY.value and hair > cut.cap_line:
        return Cover.CAP.value
    if kind == Kind.HAIR.value or hair > cut.hairline:
        return Cover.HAIR.value
    if hair > -99.0:
        return Cover.SKIN.value
    if arm >= 0:
        sleeve, glove = arm < cut.sleeve, arm > 1.02 and cut.hand < 1.0
        return Cover.SHIRT.value if sleeve or glove else Cover.SKIN.value
    if y < cut.shoe_top:
        return Cover.SHOES.value
    if y > cut.shirt_low:
        rise, away = y - cut.neck_y, z - cut.neck_z
        reach = math.sqrt(x * x + rise * rise + away * away)
        front = max(0.0, away / max(reach, 1.0)) * max(0.0, 1.0 - abs(x) / 70.0)
        bare = rise >= 25.0 or reach <= cut.neck_radius + cut.neck_v * front
        return Cover.SKIN.value if bare else Cover.SHIRT.value
    if y < cut.waist and y > cut.hem:
        return Cover.BOTTOMS.value
    return Cover.SOCKS.value if y < cut.sock_top else Cover.SKIN.value


@compiled
def dress(points: Floats, normals: Floats, fields: Fields, outfit: Outfit) -> tuple[Floats, Floats]:
    """Corners (V, 3), mm, moved out by what covers them; normals (V, 3) with wrinkles."""
    cut, waves, hair, place = outfit.cut, outfit.waves, fields.hair, fields.place
    out, bent = points.copy(), normals.copy()
    for v in range(len(points)):
        kind, x, y, z = fields.kind[v], place[v, 0], place[v, 1], place[v, 2]
        cover = _cover_at(kind, x, y, z, fields.arm[v], hair[v], cut)
        thick = outfit.thickness[cover]
        if kind == Kind.SKIRT.value and cut.gown > 0:
            thick *= np.float32(0.8)
        elif kind >= Kind.SKIRT.value:
            thick = np.float32(0.0)
        elif cover == Cover.HAIR.value:
            thick *= np.float32(min(1.0, max(0.0, (hair[v] - cut.hairline) / 40.0)))
        elif cover == Cover.BOTTOMS.value:  # wider towards the hem
            thick *= np.float32(1.0 + max(0.0, cut.waist - 150.0 - y) / 900.0)
        out[v] += thick * normals[v]
        deep = outfit.crease[cover]
        if deep > 0:
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
    across, along = (u / period) % 1.0, (v / period) % 1.0
    if kind == Pattern.ACROSS.value:
        return along < share
    if kind == Pattern.UPRIGHT.value:
        return across < share
    if kind == Pattern.CHECK.value:
        return (across < share) != (along < share)
    if kind == Pattern.DOTS.value:
        return (across - 0.5) * (across - 0.5) + (along - 0.5) * (along - 0.5) < 0.3 * share * share
    if kind == Pattern.BLOTCH.value:
        total = 0.0
        for n in range(4):
            total += math.sin(waves[n, 0] * x + waves[n, 1] * y + waves[n, 2] * z + waves[n, 3])
        return total > 1.2 - 2 * share
    if kind == Pattern.PRINT.value:
        chest = abs(x) < 40 + period * 0.6 and abs(y - 520.0) < 25 + 130 * share
        noise = math.floor(x / 17.0) * 12.9898 + math.floor(y / 23.0) * 78.233 + period
        return arm < 0 and z > 0 and chest and math.sin(noise) * 43758.5453 % 1.0 < 0.75
    if kind == Pattern.OPEN.value:  # a jacket, and what is under it
        return arm < 0 and z > 20.0 and abs(x) < period * (0.5 + 0.0008 * abs(y - 250.0))
    return kind == Pattern.SEAM.value and abs(z - 10.0) < 16.0 and abs(x) > 90.0


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
def _sun_share(shadow: Floats, x: float, y: float, height: float) -> float:
    """How much of the sun arrives, 0 to 1, at a place on a shadow map of heights."""
    c, r = math.floor(x - 0.5), math.floor(y - 0.5)
    if c < 0 or r < 0 or c + 1 >= shadow.shape[1] or r + 1 >= shadow.shape[0]:
        return 1.0
    s, t = x - 0.5 - c, y - 0.5 - r
    total = 0.0
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        if shadow[r + i, c + j] <= height + BIAS:
            total += (t if i else 1 - t) * (s if j else 1 - s)
    return total


@compiled
def _mix(out: Doubles, values: Floats, corners: Ints, w: tuple[float, float, float]) -> None:
    """The mean (3,) of a field (V, 3) over a face's corners (3,), weighted, into `out`."""
    a, b, c = corners[0], corners[1], corners[2]
    for i in range(3):
        out[i] = w[0] * values[a, i] + w[1] * values[b, i] + w[2] * values[c, i]


@compiled
def sunlight(n: Doubles, s: Doubles, shadow: Floats, light: Floats) -> tuple[float, float]:
    """Shares of the sun and of the sky that reach a normal n (3,) at s (3,) on the shadow map."""
    length = math.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-9
    sun = (n[0] * light[3, 0] + n[1] * light[3, 1] + n[2] * light[3, 2]) / length
    if sun > 0:
        sun *= _sun_share(shadow, s[0], s[1], s[2])
    return max(0.0, sun), 0.5 + 0.5 * n[1] / length


@compiled
def shade(
    face_at: Ints, drawn: Ints, surface: Surface, fields: Fields, outfit: Outfit, light: Floats
) -> Floats:
    """The colour of each pixel, (H, W, 4), linear; the fourth is 1 on the person and 0 elsewhere.

    `drawn` numbers the faces on show among the surface's; `face_at` (H, W) counts in `drawn`.
    """
    faces, uv, arm, hair = surface.faces, surface.uv, fields.arm, fields.hair
    pattern, waves = outfit.pattern, outfit.waves
    height, width = face_at.shape
    out = np.zeros((height, width, 4), dtype=np.float32)
    p, n, s = np.zeros(3), np.zeros(3), np.zeros(3)
    for row in range(height):
        for column in range(width):
            if face_at[row, column] < 0:
                continue
            f = drawn[face_at[row, column]]
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w = barycentric(surface.screen, faces[f], column + 0.5, row + 0.5)
            _mix(p, fields.place, faces[f], w)
            _mix(n, surface.normals, faces[f], w)
            _mix(s, surface.sunward, faces[f], w)
            reach = w[0] * arm[a] + w[1] * arm[b] + w[2] * arm[c]
            line = w[0] * hair[a] + w[1] * hair[b] + w[2] * hair[c]
            cover = _cover_at(fields.kind[a], p[0], p[1], p[2], reach, line, outfit.cut)
            skin = cover == Cover.SKIN.value
            sun, up = sunlight(n, s, surface.shadow, light)
            u = w[0] * uv[f, 0, 0] + w[1] * uv[f, 1, 0] + w[2] * uv[f, 2, 0]
            v = w[0] * uv[f, 0, 1] + w[1] * uv[f, 1, 1] + w[2] * uv[f, 2, 1]
            second = not skin and second_colour(pattern[cover], p[0], p[1], p[2], reach, waves)
            for i in range(3):
                if skin:
                    own = outfit.tint[i] * texel(outfit.texture, u, v, i)
                else:
                    own = outfit.colour[cover, int(second), i]
                arrives = light[0, i] * up + light[1, i] * (1 - up) + light[2, i] * sun
                out[row, column, i] = own * arrives
            out[row, column, 3] = 1.0
    return out
