"""Anny's body, of a random shape, posed to 17 joints, and the joints read off the posed body.

World axes: y up, millimetres; a body at rest faces +z with its left hand at +x.

Posing: each bone turns by a world rotation ("world-orient"). The pelvis and the thorax get frames
from the hip or shoulder line and the direction of the spine; the frames are carried down the limbs
by the smallest swings onto the asked bone directions; the spine turns evenly from pelvis to thorax,
the neck from thorax to head; hands, feet and face follow their limb. Limb lengths stay the body's
own, so the asked pose gives directions, not places.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from unihpe.body.skeleton import get_skeleton
from unihpe.rendering.extra import compiled, needed
from unihpe.rendering.garment import Garments, make_garments
from unihpe.rendering.raster import Floats, Ints

Doubles = NDArray[np.float64]
SKELETON = get_skeleton("human36m17")
COLUMN = {joint: n for n, joint in enumerate(SKELETON.joints)}
BANK = 96  # bodies made at the start; every person is a mixture of two of them
BANK_SEED = 20
CHILDREN = 0.12  # share of the bank
TO_WORLD = (
    np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]) * 1000
)  # Anny: metres, z up, facing −y
# Where a joint lies: the head of an Anny bone; `.L` or `.R` is added.
JOINT_BONES = {
    "hip": "upperleg01",
    "knee": "lowerleg01",
    "ankle": "foot",
    "shoulder": "upperarm01",
    "elbow": "lowerarm01",
    "wrist": "wrist",
}
SIDES = (("left", ".L"), ("right", ".R"))
# The rule of the project's motion data, in torso lengths (pelvis to mid-shoulder): the thorax above
# the mid-shoulder line, head and nose above the thorax along the head's direction, the nose forward
# of it.
THORAX_UP, HEAD_UP, NOSE_UP, NOSE_FORWARD = 0.10, 0.58, 0.36, 0.13
SPINE_SHARE = {
    "spine05": 0.0,
    "spine04": 0.3,
    "spine03": 0.55,
    "spine02": 0.8,
    "spine01": 1.0,
}  # pelvis → thorax
NECK_SHARE = {"neck01": 0.3, "neck02": 0.55, "neck03": 0.8, "head": 1.0}  # thorax → head
SHRUG = np.deg2rad(25.0)  # the most that a collar bone turns against the thorax


@dataclass(frozen=True)
class BodyModel:
    """What all bodies share, and the bank of shapes.

    Attributes:
        bones: names, length B; `parents` (B,) their parents, the root's −1.
        shapes: corners at rest of each body of the bank, (K, V, 3), mm, world axes.
        heads: where each bone begins, (K, B, 3), mm.
        faces: (F, 3), anticlockwise from outside; the body's, then the garments'.
        texture: corners of the faces on the skin texture, (F, 3, 2) in [0, 1], v upwards.
        skin_weights, skin_bones: linear blend skinning, (V, 9), strongest first.
        head_axes: direction of the head and forward, at rest, (2, 3).
        garments: skirt and long hair, and where on the body each corner lies.
    """

    bones: tuple[str, ...]
    parents: Ints
    shapes: Floats
    heads: Doubles
    faces: Ints
    texture: Floats
    skin_weights: Floats
    skin_bones: Ints
    head_axes: Doubles
    garments: Garments

    def bone(self, name: str) -> int:
        """The number of a bone."""
        return self.bones.index(name)


@dataclass(frozen=True)
class Body:
    """A posed body: corners (V, 3) and the 17 joints (17, 3), mm, world axes."""

    points: Floats
    joints: Doubles


@lru_cache(maxsize=1)
def load_model() -> BodyModel:
    """Anny and the bank of shapes; the same each time. Anny's first construction on a machine takes a minute."""
    with contextlib.redirect_stdout(io.StringIO()):  # warp, which Anny imports, greets on stdout
        anny = (
            needed("anny")
            .Anny(pose_parameterization="world-orient", skinning_method="lbs")
            .float()
            .eval()
        )
        rest, heads = draw_bank(anny)
    order = torch.argsort(anny.vertex_bone_weights, dim=1, descending=True, stable=True)
    weights = anny.vertex_bone_weights.gather(1, order).numpy().astype(np.float32)
    bones = anny.vertex_bone_indices.gather(1, order).numpy().astype(np.int32)
    faces = anny.faces.numpy().astype(np.int32)
    names = tuple(anny.bone_labels)
    adult = rest[-BANK // 2 :].mean(0)
    garments = make_garments(rest, heads, adult, weights, bones, faces, names)
    texture = anny.texture_coordinates.numpy()[anny.face_texture_coordinate_indices.numpy()].astype(
        np.float32
    )
    texture = np.concatenate([texture, np.zeros((len(garments.faces), 3, 2), np.float32)])
    return BodyModel(
        names,
        np.array(
            [-1 if parent is None else parent for parent in anny.bone_parents], dtype=np.int32
        ),
        np.concatenate([rest, garments.shapes], axis=1),
        heads,
        np.concatenate([faces, garments.faces]),
        texture,
        np.concatenate([weights, garments.skin_weights]),
        np.concatenate([bones, garments.skin_bones]),
        rest_head_axes(adult, heads[-BANK // 2 :].mean(0), names),
        garments,
    )


def draw_bank(anny: object) -> tuple[Floats, Doubles]:
    """Bodies at rest, (K, V, 3), and where their bones begin, (K, B, 3), mm, world axes; children first."""
    generator = torch.Generator().manual_seed(BANK_SEED)
    draw = torch.rand(BANK, 6, generator=generator)
    child = torch.arange(BANK) < round(CHILDREN * BANK)
    looks = {
        "age": torch.where(child, 0.28 + 0.3 * draw[:, 0], 0.6 + 0.4 * draw[:, 0]),
        "gender": (draw[:, 1] + 0.35 * (draw[:, 1] - 0.5).sign()).clamp(0, 1),
        "muscle": 0.15 + 0.75 * draw[:, 2],
        "weight": 0.1 + 0.85 * draw[:, 3],
        "height": 0.3 + 0.4 * draw[:, 4],
        "proportions": 0.1 + 0.8 * draw[:, 5],
    }
    rest, heads = [], []
    with torch.no_grad():
        for part in torch.arange(BANK).split(8):
            made = anny(phenotype_kwargs={name: value[part] for name, value in looks.items()})  # type: ignore[operator]
            rest.append(made["rest_vertices"])
            heads.append(made["rest_bone_heads"])
    # rounded, so that the order in which a machine adds numbers up leaves no trace
    points = np.round(torch.cat(rest).double().numpy() @ TO_WORLD.T, 2)
    return points.astype(np.float32), np.round(torch.cat(heads).double().numpy() @ TO_WORLD.T, 2)


def rest_head_axes(adult: Floats, heads: Doubles, bones: Sequence[str]) -> Doubles:
    """Direction of the head (thorax to crown) and forward, at rest, unit, (2, 3)."""
    crown = adult[adult[:, 1].argmax()].astype(np.float64)
    up = unit(crown - limb_joints(heads, bones)["thorax"])
    return np.stack([up, unit(np.array([0.0, 0.0, 1.0]) - up[2] * up)])


def limb_joints(heads: Doubles, bones: Sequence[str]) -> dict[str, Doubles]:
    """The joints that bones or sums of bones give, (3,) each, mm: limbs, pelvis, thorax, spine."""
    found = {
        f"{side}_{joint}": heads[bones.index(bone + mark)]
        for side, mark in SIDES
        for joint, bone in JOINT_BONES.items()
    }
    pelvis = (found["left_hip"] + found["right_hip"]) / 2
    shoulders = (found["left_shoulder"] + found["right_shoulder"]) / 2
    thorax = shoulders + THORAX_UP * (shoulders - pelvis)
    return found | {"pelvis": pelvis, "thorax": thorax, "spine": (pelvis + thorax) / 2}


def joints_of(model: BodyModel, heads: Doubles, turns: Doubles) -> Doubles:
    """The 17 joints (17, 3), mm, of bones that begin at `heads` (B, 3) and are turned by `turns` (B, 3, 3)."""
    found = limb_joints(heads, model.bones)
    torso = float(np.linalg.norm(found["thorax"] - found["pelvis"])) / (1 + THORAX_UP)
    up, forward = model.head_axes @ turns[model.bone("head")].T
    found["head"] = found["thorax"] + HEAD_UP * torso * up
    found["nose"] = found["thorax"] + torso * (NOSE_UP * up + NOSE_FORWARD * forward)
    return np.stack([found[joint] for joint in SKELETON.joints])


def draw_shape(model: BodyModel, rng: np.random.Generator) -> tuple[Floats, Doubles]:
    """A random body at rest: corners (V, 3) and bone heads (B, 3), mm; a mixture of two of the bank."""
    one, other = rng.integers(len(model.shapes), size=2)
    share = rng.random()
    points = np.float32(1 - share) * model.shapes[one] + np.float32(share) * model.shapes[other]
    return points, (1 - share) * model.heads[one] + share * model.heads[other]


def pose_body(model: BodyModel, shape: tuple[Floats, Doubles], asked: Doubles) -> Body:
    """The body at rest posed along the asked joints (17, 3), mm, world axes, and stood where they
    stand.

    Its pelvis goes over the asked one's place on the floor; its lowest point goes to the asked
    lowest joint's height.
    """
    rest, rest_heads = shape
    turns = bone_turns(model, rest_heads, asked)
    heads = chain(rest_heads, model.parents, turns)
    joints = joints_of(model, heads, turns)
    points = skin(
        rest,
        model.skin_weights,
        model.skin_bones,
        turns.astype(np.float32),
        (heads - (turns @ rest_heads[..., None])[..., 0]).astype(np.float32),
    )
    body_only = points[: model.garments.first]
    move = asked[COLUMN["pelvis"]] - joints[COLUMN["pelvis"]]
    move[1] = max(0.0, float(asked[:, 1].min())) - float(body_only[:, 1].min())
    return Body(points + move.astype(np.float32), joints + move)


def bone_turns(model: BodyModel, rest_heads: Doubles, asked: Doubles) -> Doubles:
    """World rotation of each bone against its rest, (B, 3, 3), for the asked joints (17, 3)."""
    rest = limb_joints(rest_heads, model.bones)
    want = {joint: asked[n] for joint, n in COLUMN.items()}
    pelvis = turn_between(
        frame(rest["left_hip"] - rest["right_hip"], rest["spine"] - rest["pelvis"]),
        frame(want["left_hip"] - want["right_hip"], want["spine"] - want["pelvis"]),
    )
    thorax = turn_between(
        frame(rest["left_shoulder"] - rest["right_shoulder"], rest["thorax"] - rest["spine"]),
        frame(want["left_shoulder"] - want["right_shoulder"], want["thorax"] - want["spine"]),
    )
    made = {"root": pelvis}
    made |= {bone: slerp(pelvis, thorax, share) for bone, share in SPINE_SHARE.items()}
    head = head_turn(model, thorax, want)
    made |= {bone: slerp(thorax, head, share) for bone, share in NECK_SHARE.items()}
    for side, mark in SIDES:
        for upper, middle, lower, frame_turn in (
            ("hip", "knee", "ankle", pelvis),
            ("shoulder", "elbow", "wrist", thorax),
        ):
            joints = [f"{side}_{joint}" for joint in (upper, middle, lower)]
            if upper == "shoulder":
                frame_turn = collar_turn(rest, want, joints[0], thorax)
                made[f"clavicle{mark}"] = frame_turn
            first = swung(
                frame_turn, rest[joints[1]] - rest[joints[0]], want[joints[1]] - want[joints[0]]
            )
            second = swung(
                first, rest[joints[2]] - rest[joints[1]], want[joints[2]] - want[joints[1]]
            )
            made[JOINT_BONES[upper] + mark], made[JOINT_BONES[middle] + mark] = first, second
    return inherited(model, made)


def inherited(model: BodyModel, made: Mapping[str, Doubles]) -> Doubles:
    """Rotations of all bones (B, 3, 3): those made, and for the others their parent's."""
    turns = np.empty((len(model.bones), 3, 3))
    for n, bone in enumerate(model.bones):
        turns[n] = made[bone] if bone in made else turns[model.parents[n]]
    return turns


def head_turn(model: BodyModel, thorax: Doubles, want: Mapping[str, Doubles]) -> Doubles:
    """The head's rotation, (3, 3): along thorax → head, the nose forward where it tells a direction."""
    up = want["head"] - want["thorax"]
    if np.linalg.norm(up) < 1:
        return thorax
    swing = swung(thorax, model.head_axes[0], up)
    forward = want["nose"] - want["thorax"]
    forward = forward - unit(up) * (forward @ unit(up))
    if np.linalg.norm(forward) < 0.15 * np.linalg.norm(up):
        return swing
    rest = np.stack([cross(*model.head_axes), model.head_axes[0], model.head_axes[1]], axis=1)
    asked = np.stack([cross(unit(up), unit(forward)), unit(up), unit(forward)], axis=1)
    return turn_between(rest, asked)


def collar_turn(
    rest: Mapping[str, Doubles], want: Mapping[str, Doubles], shoulder: str, thorax: Doubles
) -> Doubles:
    """The collar bone's rotation, (3, 3): the thorax's, swung towards the asked shoulder by at most `SHRUG`."""
    start, goal = rest[shoulder] - rest["thorax"], want[shoulder] - want["thorax"]
    if np.linalg.norm(goal) < 1:
        return thorax
    turn = swung(thorax, start, goal)
    angle = np.arccos(np.clip((np.trace(turn @ thorax.T) - 1) / 2, -1, 1))
    return slerp(thorax, turn, min(1.0, float(SHRUG / max(angle, 1e-9))))


def unit(vector: Doubles) -> Doubles:
    """The vector (3,) at length 1; a zero vector stays."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def cross(a: Doubles, b: Doubles) -> Doubles:
    """a × b, (3,) each; NumPy's own is slow on single vectors."""
    return np.array(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )


def frame(across: Doubles, up: Doubles) -> Doubles:
    """Columns left, up, forward, (3, 3): left along `across`, up near `up`."""
    x = unit(across)
    z = unit(cross(x, up))
    return np.stack([x, cross(z, x), z], axis=1)


def turn_between(start: Doubles, goal: Doubles) -> Doubles:
    """The rotation that takes one frame's columns to the other's, (3, 3)."""
    return goal @ start.T


def swung(turn: Doubles, rest: Doubles, goal: Doubles) -> Doubles:
    """`turn` (3, 3) and then the smallest rotation that brings `rest` (3,) onto the direction of `goal` (3,)."""
    a, b = unit(turn @ rest), unit(goal)
    axis, cosine = cross(a, b), float(a @ b)
    if not b.any():
        return turn
    if cosine < -1 + 1e-9:  # half a turn, about any axis across
        axis = unit(cross(a, np.eye(3)[np.abs(a).argmin()]))
        return (2 * np.outer(axis, axis) - np.eye(3)) @ turn
    k = skew(axis)
    return (np.eye(3) + k + k @ k / (1 + cosine)) @ turn


def skew(v: Doubles) -> Doubles:
    """The matrix of v × ·, (3, 3)."""
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def slerp(start: Doubles, goal: Doubles, share: float) -> Doubles:
    """A rotation on the way from one to the other, (3, 3): share 0 is the first, 1 the second."""
    if share <= 0 or share >= 1:
        return goal if share >= 1 else start
    between = goal @ start.T
    angle = np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1))
    if angle < 1e-6:
        return start
    if angle > np.pi - 1e-3:  # the axis of a half turn lies in the symmetric part
        axis = unit((between + np.eye(3))[:, np.diag(between).argmax()])
    else:
        axis = unit(
            np.array(
                [
                    between[2, 1] - between[1, 2],
                    between[0, 2] - between[2, 0],
                    between[1, 0] - between[0, 1],
                ]
            )
        )
    k, part = skew(axis), share * angle
    return np.asarray((np.eye(3) + np.sin(part) * k + (1 - np.cos(part)) * k @ k) @ start)


@compiled
def chain(rest: Doubles, parents: Ints, turns: Doubles) -> Doubles:
    """Where bones begin once turned, (B, 3): heads at rest (B, 3), rotations (B, 3, 3); the root stays."""
    heads = rest.copy()
    for bone in range(len(rest)):
        parent = parents[bone]
        if parent >= 0:
            for axis in range(3):
                heads[bone, axis] = heads[parent, axis]
                for k in range(3):
                    heads[bone, axis] += turns[parent, axis, k] * (rest[bone, k] - rest[parent, k])
    return heads


@compiled
def skin(points: Floats, weights: Floats, bones: Ints, turns: Floats, moves: Floats) -> Floats:
    """Linear blend skinning: points (V, 3) at rest, weights and bones (V, 9), each bone x ↦ turn·x + move."""
    out = np.zeros(points.shape, dtype=np.float32)
    for v in range(len(points)):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        for slot in range(weights.shape[1]):
            weight = weights[v, slot]
            if weight <= 0:
                break
            b = bones[v, slot]
            for axis in range(3):
                moved = (
                    turns[b, axis, 0] * x
                    + turns[b, axis, 1] * y
                    + turns[b, axis, 2] * z
                    + moves[b, axis]
                )
                out[v, axis] += weight * moved
    return out
