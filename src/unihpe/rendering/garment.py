"""What Anny has not: a skirt and long hair as meshes of their own, and where on the body each
corner lies.

Both are rings or strips of corners round the body's support (its convex outline at a height), made
for every body of the bank, so they mix and bend with the bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
RINGS, ROUND = 14, 36  # the skirt's: from the waist to below the knee
STRIPS, ACROSS = 9, 22  # the long hair's: from the crown down
SKIRT_MARGIN, HAIR_MARGIN = 12.0, 9.0  # mm off the body
FLARE = 0.12  # the skirt widens by this much of its length, besides what the legs ask for


class Kind(IntEnum):
    """What a corner belongs to."""

    BODY = 0
    EYE = 1
    SKIRT = 2
    HAIR = 3


@dataclass(frozen=True)
class Garments:
    """The extra meshes, and the fields that paint and cloth are cut by, for all V corners (body,
    skirt, hair).

    Attributes:
        first: number of the first corner that is not the body's.
        shapes: the extra corners for each body of the bank, (K, E, 3), mm.
        faces: (G, 3) corner numbers among all; first the skirt's, row by row, then the hair's, row
            by row.
        skin_weights, skin_bones: (E, 9).
        kind: `Kind` of each corner, (V,).
        place: each corner on the reference body at rest, (V, 3), mm, so that paint does not swim.
        arm: along the arm, 0 at the shoulder, 1 at the wrist, more on the hand; −0.05 off the arms,
            (V,).
        hair: mm above the hairline, −100 off the head; on an eye, mm from its axis, (V,).
        marks: heights on the reference body, mm, by name: sole, ankle, knee, hip, waist, neck,
            crown; neck_z forward.
    """

    first: int
    shapes: Floats
    faces: Ints
    skin_weights: Floats
    skin_bones: Ints
    kind: Ints
    place: Floats
    arm: Floats
    hair: Floats
    marks: dict[str, float]

    @property
    def skirt_faces(self) -> int:
        """How many of `faces` are the skirt's."""
        return 2 * (RINGS - 1) * ROUND


def make_garments(
    rest: Floats,
    heads: Doubles,
    adult: Floats,
    weights: Floats,
    bones: Ints,
    faces: Ints,
    names: Sequence[str],
) -> Garments:
    """Skirt and hair for each body at rest (K, V, 3), and the fields on the reference body `adult` (V, 3)."""
    adult_heads = heads[len(heads) // 2 :].mean(0)
    head_part = part_weight(weights, bones, names, ("head", "eye")) > 0.5
    everybody = [*zip(rest, heads, strict=True), (adult, adult_heads)]
    skirts = np.stack([skirt_of(points, begins, names) for points, begins in everybody])
    hairs = np.stack([hair_of(points, begins, names, head_part) for points, begins in everybody])
    extra = np.concatenate([skirts, hairs], axis=1).astype(np.float32)
    skirt_weights, skirt_bones = skirt_skin(names, extra[-1, : RINGS * ROUND])
    hair_weights, hair_bones = hair_skin(names)
    first = len(adult)
    eye = eyes(adult, faces, adult_heads, names)
    kinds = (
        np.where(eye < 100, Kind.EYE, Kind.BODY),
        np.full(RINGS * ROUND, Kind.SKIRT),
        np.full(STRIPS * ACROSS, Kind.HAIR),
    )
    marks = marks_of(adult, adult_heads, names)
    hair = np.where(eye < 100, eye, hair_field(adult, head_part, marks))
    off = np.full(len(extra[-1]), -0.05)
    return Garments(
        first,
        extra[:-1],
        np.concatenate(
            [grid(RINGS, ROUND, first, True), grid(STRIPS, ACROSS, first + RINGS * ROUND, False)]
        ),
        np.concatenate([skirt_weights, hair_weights]),
        np.concatenate([skirt_bones, hair_bones]),
        np.concatenate(kinds).astype(np.int32),
        np.concatenate([adult, extra[-1]]).astype(np.float32),
        np.concatenate([arm_field(adult, adult_heads, weights, bones, names), off]).astype(
            np.float32
        ),
        np.concatenate([hair, off]).astype(np.float32),
        marks,
    )


def part_weight(
    weights: Floats, bones: Ints, names: Sequence[str], starts: tuple[str, ...]
) -> Doubles:
    """How far each corner follows the bones whose names begin so, (V,)."""
    chosen = np.array([name.startswith(starts) for name in names])
    return np.asarray((weights * chosen[bones]).sum(1), dtype=np.float64)


def marks_of(adult: Floats, heads: Doubles, names: Sequence[str]) -> dict[str, float]:
    """Heights that clothes are cut at, mm, on the reference body."""
    height = {
        name: float(heads[names.index(name), 1])
        for name in ("foot.L", "lowerleg01.L", "upperleg01.L", "spine04")
    }
    neck = heads[names.index("neck01")]
    return {
        "sole": float(adult[:, 1].min()),
        "ankle": height["foot.L"],
        "knee": height["lowerleg01.L"],
        "hip": height["upperleg01.L"],
        "waist": height["spine04"],
        "neck": float(neck[1]),
        "neck_z": float(neck[2]),
        "crown": float(adult[:, 1].max()),
        "eye": float(heads[names.index("eye.L"), 1]),
        "ear_z": float(heads[names.index("head"), 2]),
    }


def arm_field(
    adult: Floats, heads: Doubles, weights: Floats, bones: Ints, names: Sequence[str]
) -> Doubles:
    """Along the arm, (V,): 0 at the shoulder, .5 at the elbow, 1 at the wrist; −0.05 off the arms."""
    field = np.full(len(adult), -0.05)
    for mark in (".L", ".R"):
        part = part_weight(
            weights,
            bones,
            [n if n.endswith(mark) else "" for n in names],
            ("upperarm", "lowerarm", "wrist", "finger", "metacarpal"),
        )
        shoulder, elbow, wrist = (
            heads[names.index(b + mark)] for b in ("upperarm01", "lowerarm01", "wrist")
        )
        upper, lower = elbow - shoulder, wrist - elbow
        first = np.clip((adult - shoulder) @ upper / (upper @ upper), 0, 1)
        second = np.clip((adult - elbow) @ lower / (lower @ lower), 0, 2)
        field = np.where(part > 0.5, 0.5 * first + 0.5 * second, field)
    return field


def hair_field(adult: Floats, head_part: NDArray[np.bool_], marks: dict[str, float]) -> Doubles:
    """Millimetres above the hairline, (V,): high over the forehead, low at the nape; −100 off the head."""
    forward = np.clip((adult[:, 2] - marks["ear_z"] + 15) / 65, 0, 1)
    line = marks["eye"] - 75 + (3 - 2 * forward) * forward**2 * 125
    return np.where(head_part, np.clip(adult[:, 1] - line, -60, 200), -100.0)


def eyes(adult: Floats, faces: Ints, heads: Doubles, names: Sequence[str]) -> Doubles:
    """Millimetres from the eye's axis for the corners of the eyeballs, (V,); 1000 elsewhere."""
    out = np.full(len(adult), 1000.0)
    for mark in (".L", ".R"):
        centre = heads[names.index("eye" + mark)]
        near = np.abs(np.linalg.norm(adult - centre, axis=1) - eye_radius(adult, centre)) < 1.5
        axis = np.linalg.norm((adult - centre)[:, :2], axis=1)
        out = np.where(near & (adult[:, 2] > centre[2]), axis, out)
    return out


def eye_radius(adult: Floats, centre: Doubles) -> float:
    """How far the front of the eye lies from its centre, mm."""
    close = np.linalg.norm((adult - centre)[:, :2], axis=1) < 4
    return float(np.clip((adult[close, 2] - centre[2]).max(initial=0.0), 8.0, 16.0))


def support(points: Doubles, directions: Doubles) -> Doubles:
    """How far points (N, 2) reach in unit directions (M, 2): (M,)."""
    return np.asarray((points @ directions.T).max(0))


def skirt_of(points: Floats, heads: Doubles, names: Sequence[str]) -> Doubles:
    """The skirt's corners at rest, (RINGS·ROUND, 3), ring by ring from the waist down."""
    waist, knee = heads[names.index("spine04"), 1], heads[names.index("lowerleg01.L"), 1]
    angle = np.linspace(0, 2 * np.pi, ROUND, endpoint=False)
    around = np.stack(
        [np.sin(angle), np.cos(angle)], axis=1
    )  # x, z; starts in front, goes to the left
    rings, reach = [], np.zeros(ROUND)
    for t in np.linspace(0, 1, RINGS):
        height = waist + 20 + t * (knee - 60 - waist - 20)
        slab = points[np.abs(points[:, 1] - height) < 25][:, [0, 2]].astype(np.float64)
        slab = slab[
            np.abs(slab[:, 0]) < 1.45 * heads[names.index("lowerleg01.L"), 0]
        ]  # the hands hang beside
        reach = np.maximum(
            support(slab, around), 0.985 * reach
        )  # cloth hangs from the widest place
        out = around * (reach + SKIRT_MARGIN + FLARE * t * (waist - knee))[:, None]
        rings.append(np.stack([out[:, 0], np.full(ROUND, height), out[:, 1]], axis=1))
    return np.concatenate(rings)


def skirt_skin(names: Sequence[str], ring_points: Floats) -> tuple[Floats, Ints]:
    """Skinning of the skirt, (RINGS·ROUND, 9) each: the pelvis at the waist, the thighs below it, each its side."""
    weights, bones = (
        np.zeros((len(ring_points), 9), np.float32),
        np.zeros((len(ring_points), 9), np.int32),
    )
    down = np.repeat(np.linspace(0, 1, RINGS), ROUND)
    legs = np.clip((down - 0.12) / 0.35, 0, 1)
    side = np.clip(ring_points[:, 0] / 170 * 0.5 + 0.5, 0.0, 1.0)  # 1 on the left
    weights[:, 0], weights[:, 1], weights[:, 2] = 1 - legs, legs * side, legs * (1 - side)
    bones[:, :3] = [names.index("root"), names.index("upperleg01.L"), names.index("upperleg01.R")]
    return strongest_first(weights, bones)


def hair_of(
    points: Floats, heads: Doubles, names: Sequence[str], head_part: NDArray[np.bool_]
) -> Doubles:
    """The long hair's corners at rest, (STRIPS·ACROSS, 3), from the top down, ear over the back to ear."""
    skull = points[head_part].astype(np.float64)
    centre = heads[names.index("head")]
    crown, low = skull[:, 1].max(), heads[names.index("spine01"), 1] + 60
    angle = np.linspace(np.deg2rad(75), np.deg2rad(285), ACROSS)
    around = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    strips, reach = [], np.zeros(ACROSS)
    for t in np.linspace(0, 1, STRIPS):
        height = crown - 25 - t * (crown - 25 - low)
        slab = points if height < centre[1] - 40 else skull
        near = slab[(np.abs(slab[:, 1] - height) < 20) & (np.abs(slab[:, 0]) < 130)] - centre
        reach = np.maximum(support(near[:, [0, 2]].astype(np.float64), around), 0.9 * reach)
        out = around * (reach + HAIR_MARGIN)[:, None]
        strips.append(
            np.stack(
                [centre[0] + out[:, 0], np.full(ACROSS, height), centre[2] + out[:, 1]], axis=1
            )
        )
    return np.concatenate(strips)


def hair_skin(names: Sequence[str]) -> tuple[Floats, Ints]:
    """Skinning of the long hair, (STRIPS·ACROSS, 9) each: the head, lower down half the upper spine."""
    count = STRIPS * ACROSS
    weights, bones = np.zeros((count, 9), np.float32), np.zeros((count, 9), np.int32)
    down = np.repeat(np.linspace(0, 1, STRIPS), ACROSS)
    weights[:, 1] = np.clip((down - 0.45) / 0.55, 0, 1) * 0.8
    weights[:, 0] = 1 - weights[:, 1]
    bones[:, 0], bones[:, 1] = names.index("head"), names.index("spine01")
    return strongest_first(weights, bones)


def strongest_first(weights: Floats, bones: Ints) -> tuple[Floats, Ints]:
    """Both (E, 9), each row in falling order of weight."""
    order = np.argsort(-weights, axis=1, kind="stable")
    return np.take_along_axis(weights, order, 1), np.take_along_axis(bones, order, 1)


def grid(rows: int, columns: int, first: int, closed: bool) -> Ints:
    """Two triangles for each cell of a grid of corners, row by row, (·, 3), anticlockwise seen from outside."""
    faces = []
    for row in range(rows - 1):
        for column in range(columns if closed else columns - 1):
            a, b = first + row * columns + column, first + row * columns + (column + 1) % columns
            faces += [[a, a + columns, b], [b, a + columns, b + columns]]
    return np.array(faces, dtype=np.int32)
