"""What Anny has not: a skirt and long hair as meshes, and where on the body each corner lies.

Both are rings or strips of corners round the body's support (its convex outline at a height), made
for every body of the bank, so they mix and bend with the bodies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unihpe.rendering.raster import Doubles, Flags, Floats, Ints

RINGS, ROUND = 14, 36  # the skirt's: from the waist to below the knee
STRIPS, ACROSS = 9, 22  # the long hair's: from the crown down
SKIRT_MARGIN, HAIR_MARGIN = 12.0, 9.0  # mm off the body
FLARE = 0.12  # the skirt widens by this much of its length, besides what the legs ask for
OFF_ARM, OFF_HEAD, OFF_EYE = -0.05, -100.0, 1000.0  # values of the fields elsewhere on the body
ARM = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")  # how its bones' names begin
# Heights on the reference body that clothes are cut at, by the bone that begins there.
MARKS = {"ankle": "foot.L", "knee": "lowerleg01.L", "hip": "upperleg01.L", "waist": "spine04"}
MARKS |= {"neck": "neck01", "eye": "eye.L"}
MARKS_FORWARD = {"neck_z": "neck01", "ear_z": "head"}  # places along z
Names = tuple[str, ...]  # of bones
Places = Mapping[str, Doubles]  # of named bones or joints, (3,) each, mm
Kind = IntEnum("Kind", "BODY EYE SKIRT HAIR", start=0)  # what a corner belongs to


class Skinning(NamedTuple):
    """Linear blend skinning: the bones that each corner follows, strongest first."""

    weights: Floats  # (V, 9)
    bones: Ints  # (V, 9)

    def followed_by(self, other: "Skinning") -> "Skinning":
        """These corners and then another mesh's."""
        return Skinning(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


class Fields(NamedTuple):
    """What paint and cloth are cut by, for all V corners: body, skirt, hair."""

    kind: Ints  # `Kind`, (V,)
    place: Floats  # on the reference body at rest, (V, 3), mm, so that paint does not swim
    arm: Floats  # along the arm, (V,): 0 at the shoulder, 1 at the wrist, more on the hand
    hair: Floats  # mm above the hairline, (V,); on an eye, mm from its axis


@dataclass(frozen=True)
class Garments:
    """The two extra meshes, with E corners, and the fields of all V."""

    first: int  # number of the first corner that is not the body's
    shapes: Floats  # the extra corners for each body of the bank, (K, E, 3), mm
    faces: Ints  # (G, 3), corner numbers among all; the skirt's, then the hair's, row by row
    skinning: Skinning  # of the extra corners
    fields: Fields
    marks: dict[str, float]  # places of `MARKS` and `MARKS_FORWARD`, mm

    def worn_faces(self, total: int, skirt_rows: int, hair_rows: int) -> Ints:
        """Which of `total` faces show when so many rows of skirt and hair are worn, (·,)."""
        body = total - len(self.faces)
        skirt = body + np.arange(2 * ROUND * max(0, skirt_rows - 1))
        hair = body + 2 * ROUND * (RINGS - 1) + np.arange(2 * (ACROSS - 1) * max(0, hair_rows - 1))
        return np.concatenate([np.arange(body), skirt, hair]).astype(np.int32)


def make_garments(rest: Floats, heads: Doubles, skinning: Skinning, names: Names) -> Garments:
    """Skirt and hair for each body of the bank at rest, (K, V, 3), its bones at `heads` (K, B, 3).

    The reference body is the mean of the bank's second half.
    """
    half = len(rest) // 2
    adult, begins = rest[half:].mean(0), dict(zip(names, heads[half:].mean(0), strict=True))
    head_part = _follows(skinning, names, ("head", "eye")) > 0.5
    bank = (dict(zip(names, at, strict=True)) for at in heads)
    bodies = [*zip(rest, bank, strict=True), (adult, begins)]
    pairs = [(_skirt_of(points, at), _hair_of(points, at, head_part)) for points, at in bodies]
    extra = np.stack([np.concatenate(pair) for pair in pairs]).astype(np.float32)
    skins = _garment_skin(names, extra[-1, : RINGS * ROUND])
    marks = {mark: float(begins[bone][1]) for mark, bone in MARKS.items()}
    marks |= {mark: float(begins[bone][2]) for mark, bone in MARKS_FORWARD.items()}
    eye = _eyes(adult, begins)
    added = np.repeat([Kind.SKIRT, Kind.HAIR], [RINGS * ROUND, STRIPS * ACROSS])
    kinds = np.where(eye < 100, Kind.EYE, Kind.BODY)
    off = np.full(len(extra[-1]), OFF_ARM)
    hair = np.where(eye < 100, eye, _hair_field(adult, head_part, marks))
    fields = Fields(
        np.concatenate([kinds, added]).astype(np.int32),
        np.concatenate([adult, extra[-1]]).astype(np.float32),
        np.concatenate([_arm_field(adult, begins, skinning, names), off]).astype(np.float32),
        np.concatenate([hair, off]).astype(np.float32),
    )
    first = len(adult)
    mesh = [_grid(RINGS, ROUND, first, True), _grid(STRIPS, ACROSS, first + RINGS * ROUND, False)]
    return Garments(first, extra[:-1], np.concatenate(mesh), skins, fields, marks)


def _follows(skinning: Skinning, names: Names, starts: tuple[str, ...]) -> Doubles:
    """How far each corner follows the bones whose names begin so, (V,)."""
    chosen = np.array([name.startswith(starts) for name in names])
    return np.asarray((skinning.weights * chosen[skinning.bones]).sum(1), dtype=np.float64)


def _arm_field(adult: Floats, heads: Places, skinning: Skinning, names: Names) -> Doubles:
    """Along the arm, (V,): 0 at the shoulder, .5 at the elbow, 1 at the wrist."""
    field = np.full(len(adult), OFF_ARM)
    for side in (".L", ".R"):
        of_side = tuple(name if name.endswith(side) else "" for name in names)
        shoulder, elbow, wrist = (heads[b + side] for b in ("upperarm01", "lowerarm01", "wrist"))
        upper, lower = elbow - shoulder, wrist - elbow
        first = np.clip((adult - shoulder) @ upper / (upper @ upper), 0, 1)
        second = np.clip((adult - elbow) @ lower / (lower @ lower), 0, 2)
        part = _follows(skinning, of_side, ARM) > 0.5
        field = np.where(part, 0.5 * first + 0.5 * second, field)
    return field


def _hair_field(adult: Floats, head_part: Flags, marks: dict[str, float]) -> Doubles:
    """Millimetres above the hairline, (V,): high over the forehead, low at the nape."""
    forward = np.clip((adult[:, 2] - marks["ear_z"] + 15) / 65, 0, 1)
    line = marks["eye"] - 75 + (3 - 2 * forward) * forward**2 * 125
    return np.where(head_part, np.clip(adult[:, 1] - line, -60, 200), OFF_HEAD)


def _eyes(adult: Floats, heads: Places) -> Doubles:
    """Millimetres from the eye's axis for the corners of the eyeballs, (V,)."""
    out = np.full(len(adult), OFF_EYE)
    for centre in (heads["eye.L"], heads["eye.R"]):
        axis = np.linalg.norm((adult - centre)[:, :2], axis=1)
        radius = float(np.clip((adult[axis < 4, 2] - centre[2]).max(initial=0.0), 8.0, 16.0))
        near = np.abs(np.linalg.norm(adult - centre, axis=1) - radius) < 1.5
        out = np.where(near & (adult[:, 2] > centre[2]), axis, out)
    return out


def _skirt_of(points: Floats, heads: Places) -> Doubles:
    """The skirt's corners at rest, (RINGS·ROUND, 3), ring by ring from the waist down."""
    waist, knee = heads["spine04"][1], heads["lowerleg01.L"][1]
    angle = np.linspace(0, 2 * np.pi, ROUND, endpoint=False)
    around = np.stack([np.sin(angle), np.cos(angle)], axis=1)  # x, z; from the front to the left
    rings, reach = [], np.zeros(ROUND)
    for t in np.linspace(0, 1, RINGS):
        height = waist + 20 + t * (knee - 60 - waist - 20)
        slab = points[np.abs(points[:, 1] - height) < 25][:, [0, 2]].astype(np.float64)
        slab = slab[np.abs(slab[:, 0]) < 1.45 * heads["lowerleg01.L"][0]]  # not the hands beside it
        reach = np.maximum((slab @ around.T).max(0), 0.985 * reach)  # from the widest place down
        out = around * (reach + SKIRT_MARGIN + FLARE * t * (waist - knee))[:, None]
        rings.append(np.stack([out[:, 0], np.full(ROUND, height), out[:, 1]], axis=1))
    return np.concatenate(rings)


def _garment_skin(names: Names, ring_points: Floats) -> Skinning:
    """The skirt follows the pelvis at the waist and the thighs below it, each its side; long hair
    the head, and lower down mostly the upper spine."""
    down = np.repeat(np.linspace(0, 1, RINGS), ROUND)
    legs = np.clip((down - 0.12) / 0.35, 0, 1)
    left = np.clip(ring_points[:, 0] / 170 * 0.5 + 0.5, 0.0, 1.0)
    parts = {"root": 1 - legs, "upperleg01.L": legs * left, "upperleg01.R": legs * (1 - left)}
    down = np.repeat(np.linspace(0, 1, STRIPS), ACROSS)
    spine = (np.clip((down - 0.45) / 0.55, 0, 1) * 0.8).astype(np.float32)
    hair = _skin_to(names, {"head": 1 - spine, "spine01": spine})
    return _skin_to(names, parts).followed_by(hair)


def _hair_of(points: Floats, heads: Places, head_part: Flags) -> Doubles:
    """The long hair's corners at rest, (STRIPS·ACROSS, 3), from the top down, ear to ear."""
    skull, centre = points[head_part].astype(np.float64), heads["head"]
    crown, low = skull[:, 1].max(), heads["spine01"][1] + 60
    angle = np.linspace(np.deg2rad(75), np.deg2rad(285), ACROSS)
    around = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    strips, reach = [], np.zeros(ACROSS)
    for t in np.linspace(0, 1, STRIPS):
        height = crown - 25 - t * (crown - 25 - low)
        slab = points if height < centre[1] - 40 else skull
        near = slab[(np.abs(slab[:, 1] - height) < 20) & (np.abs(slab[:, 0]) < 130)] - centre
        near = near[:, [0, 2]].astype(np.float64)
        reach = np.maximum((near @ around.T).max(0), 0.9 * reach)
        x, z = (centre[[0, 2]] + around * (reach + HAIR_MARGIN)[:, None]).T
        strips.append(np.stack([x, np.full(ACROSS, height), z], axis=1))
    return np.concatenate(strips)


def _skin_to(names: Names, parts: Mapping[str, NDArray[np.floating[Any]]]) -> Skinning:
    """Skinning by weights (E,) of named bones."""
    count = len(next(iter(parts.values())))
    weights, bones = np.zeros((count, 9), np.float32), np.zeros((count, 9), np.int32)
    for slot, (bone, weight) in enumerate(parts.items()):
        weights[:, slot], bones[:, slot] = weight, names.index(bone)
    order = np.argsort(-weights, axis=1, kind="stable")
    return Skinning(np.take_along_axis(weights, order, 1), np.take_along_axis(bones, order, 1))


def _grid(rows: int, columns: int, first: int, closed: bool) -> Ints:
    """Two triangles for each cell of a grid of corners, row by row, (·, 3), outside in front."""
    row, column = np.mgrid[: rows - 1, : columns if closed else columns - 1].reshape(2, -1)
    a, b = first + row * columns + column, first + row * columns + (column + 1) % columns
    pairs = np.stack([a, a + columns, b, b, a + columns, b + columns], axis=1)
    return pairs.reshape(-1, 3).astype(np.int32)
