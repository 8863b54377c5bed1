"""Anny's body, of a random shape, posed to 17 joints, and the joints read off the posed body.

World axes: y up, millimetres; a body at rest faces +z with its left hand at +x.

Posing: each bone turns by a world rotation ("world-orient"). The pelvis and the thorax get frames
from the hip or shoulder line and the direction of the spine; the frames are carried down the limbs
by the smallest swings onto the asked bone directions; the spine turns evenly from pelvis to thorax,
the neck from thorax to head; hands, feet and face follow their limb. Limb lengths stay the body's
own, so the asked pose gives directions, not places.
"""

import contextlib
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator

from unihpe.body.skeleton import HEAD_UP, NOSE_FORWARD, NOSE_UP, THORAX_UP, get_skeleton
from unihpe.io.extra import extra
from unihpe.rendering.garment import Garments, Places, Skinning, make_garments
from unihpe.rendering.raster import Doubles, Floats, Ints, compiled

SKELETON = get_skeleton("human36m17")
COLUMN = {joint: n for n, joint in enumerate(SKELETON.joints)}
BANK = 96  # bodies made at the start; every person is a mixture of two of them
BANK_SEED = 20
CHILDREN = 0.12  # share of the bank
# Anny: metres, z up, facing −y
TO_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]) * 1000
# Where a joint lies: the head of an Anny bone; `.L` or `.R` is added.
ARM = {"shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist"}
LEG = {"hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot"}
SIDES = (("left", ".L"), ("right", ".R"))
# How far bones have turned on the way from pelvis to thorax, and from thorax to head.
SPINE_SHARE = {"spine05": 0.0, "spine04": 0.3, "spine03": 0.55, "spine02": 0.8, "spine01": 1.0}
NECK_SHARE = {"neck01": 0.3, "neck02": 0.55, "neck03": 0.8, "head": 1.0}
SHRUG = np.deg2rad(25.0)  # the most that a collar bone turns against the thorax


@dataclass(frozen=True)
class BodyModel:
    """What all bodies share, and the bank of K shapes."""

    bones: tuple[str, ...]  # names, length B
    parents: Ints  # of the bones, (B,); the root's is −1
    shapes: Floats  # corners at rest, (K, V, 3), mm, world axes
    heads: Doubles  # where each bone begins, (K, B, 3), mm
    faces: Ints  # (F, 3), anticlockwise from outside; the body's, then the garments'
    texture: Floats  # the faces' corners on the skin texture, (F, 3, 2) in [0, 1], v upwards
    skinning: Skinning
    head_axes: Doubles  # thorax to crown, and forward, at rest, unit, (2, 3)
    garments: Garments  # skirt and long hair, and where on the body each corner lies


class Body(NamedTuple):
    points: Floats  # corners of the posed body, (V, 3), mm, world axes
    joints: Doubles  # (17, 3), likewise


@lru_cache(maxsize=1)
def load_model() -> BodyModel:
    """Anny, whose first construction on a machine takes a minute, and the bank of shapes."""
    with contextlib.redirect_stdout(io.StringIO()):  # warp, which Anny imports, greets on stdout
        library = extra("anny", "synthetic", "rendered people need anny")
        made = library.Anny(pose_parameterization="world-orient", skinning_method="lbs")
        anny = made.float().eval()
        rest, heads = _draw_bank(anny)
    order = torch.argsort(anny.vertex_bone_weights, dim=1, descending=True, stable=True)
    weights = anny.vertex_bone_weights.gather(1, order).numpy().astype(np.float32)
    bones = anny.vertex_bone_indices.gather(1, order).numpy().astype(np.int32)
    faces = anny.faces.numpy().astype(np.int32)
    names, skinning = tuple(anny.bone_labels), Skinning(weights, bones)
    garments = make_garments(rest, heads, skinning, names)
    uv = anny.texture_coordinates.numpy()[anny.face_texture_coordinate_indices.numpy()]
    texture = [uv.astype(np.float32), np.zeros((len(garments.faces), 3, 2), np.float32)]
    adult, begins = rest[BANK // 2 :].mean(0), heads[BANK // 2 :].mean(0)
    crown = adult[adult[:, 1].argmax()].astype(np.float64)
    up = _unit(crown - _limb_joints(begins, names)["thorax"])
    head_axes = np.stack([up, _unit(np.array([0.0, 0.0, 1.0]) - up[2] * up)])
    parents = np.array([-1 if p is None else p for p in anny.bone_parents], dtype=np.int32)
    shapes = np.concatenate([rest, garments.shapes], axis=1)
    mesh = (np.concatenate([faces, garments.faces]), np.concatenate(texture))
    skins = skinning.followed_by(garments.skinning)
    return BodyModel(names, parents, shapes, heads, *mesh, skins, head_axes, garments)


def _draw_bank(anny: Any) -> tuple[Floats, Doubles]:
    """Bodies at rest, (K, V, 3), and where their bones begin, (K, B, 3), mm; children first."""
    draw = torch.rand(BANK, 6, generator=torch.Generator().manual_seed(BANK_SEED))
    child = torch.arange(BANK) < round(CHILDREN * BANK)
    looks = {
        "age": torch.where(child, 0.28 + 0.3 * draw[:, 0], 0.6 + 0.4 * draw[:, 0]),
        "gender": (draw[:, 1] + 0.35 * (draw[:, 1] - 0.5).sign()).clamp(0, 1),
        "muscle": 0.15 + 0.75 * draw[:, 2],
        "weight": 0.1 + 0.85 * draw[:, 3],
        "height": 0.3 + 0.4 * draw[:, 4],
        "proportions": 0.1 + 0.8 * draw[:, 5],
    }
    batches = [{k: v[part] for k, v in looks.items()} for part in torch.arange(BANK).split(8)]
    with torch.no_grad():
        made = [anny(phenotype_kwargs=batch) for batch in batches]
    # rounded, so that the order in which a machine adds numbers up leaves no trace
    rest, heads = (
        np.round(torch.cat([one[key] for one in made]).double().numpy() @ TO_WORLD.T, 2)
        for key in ("rest_vertices", "rest_bone_heads")
    )
    return rest.astype(np.float32), heads


def _limb_joints(heads: Doubles, bones: tuple[str, ...]) -> dict[str, Doubles]:
    """Limbs, pelvis, thorax and spine, (3,) each, mm, from where the bones begin, (B, 3)."""
    joints = {
        f"{side}_{joint}": heads[bones.index(bone + mark)]
        for side, mark in SIDES
        for joint, bone in (LEG | ARM).items()
    }
    pelvis = (joints["left_hip"] + joints["right_hip"]) / 2
    shoulders = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    thorax = shoulders + THORAX_UP * (shoulders - pelvis)
    return joints | {"pelvis": pelvis, "thorax": thorax, "spine": (pelvis + thorax) / 2}


def _joints_of(model: BodyModel, heads: Doubles, turns: Doubles) -> Doubles:
    """The 17 joints (17, 3), mm, of bones that begin at `heads` (B, 3), turned (B, 3, 3)."""
    joints = _limb_joints(heads, model.bones)
    torso = float(np.linalg.norm(joints["thorax"] - joints["pelvis"])) / (1 + THORAX_UP)
    up, forward = model.head_axes @ turns[model.bones.index("head")].T
    joints["head"] = joints["thorax"] + HEAD_UP * torso * up
    joints["nose"] = joints["thorax"] + torso * (NOSE_UP * up + NOSE_FORWARD * forward)
    return np.stack([joints[joint] for joint in SKELETON.joints])


def draw_shape(model: BodyModel, rng: Generator) -> tuple[Floats, Doubles]:
    """A random body at rest, a mixture of two: corners (V, 3) and bone heads (B, 3), mm."""
    (one, other), share = rng.integers(len(model.shapes), size=2), rng.random()
    points = np.float32(1 - share) * model.shapes[one] + np.float32(share) * model.shapes[other]
    return points, (1 - share) * model.heads[one] + share * model.heads[other]


def pose_body(model: BodyModel, shape: tuple[Floats, Doubles], asked: Doubles) -> Body:
    """The body at rest posed along the asked joints (17, 3), mm, world axes.

    Its pelvis goes over the asked one's place on the floor, its lowest point to the asked height.
    """
    rest, rest_heads = shape
    turns = _bone_turns(model, rest_heads, asked)
    heads = _chain(rest_heads, model.parents, turns)
    joints = _joints_of(model, heads, turns)
    moves = (heads - (turns @ rest_heads[..., None])[..., 0]).astype(np.float32)
    points = _skin(rest, *model.skinning, turns.astype(np.float32), moves)
    move = asked[COLUMN["pelvis"]] - joints[COLUMN["pelvis"]]
    lowest = float(points[: model.garments.first, 1].min())
    move[1] = max(0.0, float(asked[:, 1].min())) - lowest
    return Body(points + move.astype(np.float32), joints + move)


def _bone_turns(model: BodyModel, rest_heads: Doubles, asked: Doubles) -> Doubles:
    """World rotation of each bone against its rest, (B, 3, 3), for the asked joints (17, 3)."""
    rest = _limb_joints(rest_heads, model.bones)
    want = {joint: asked[n] for joint, n in COLUMN.items()}
    trunk = (("hip", "pelvis", "spine"), ("shoulder", "spine", "thorax"))
    pelvis, thorax = (_trunk_frame(want, *part) @ _trunk_frame(rest, *part).T for part in trunk)
    head = _head_turn(model, thorax, want)
    made = {"root": pelvis}
    made |= {bone: _slerp(pelvis, thorax, share) for bone, share in SPINE_SHARE.items()}
    made |= {bone: _slerp(thorax, head, share) for bone, share in NECK_SHARE.items()}
    for side, mark in SIDES:
        made[f"clavicle{mark}"] = collar = _collar_turn(rest, want, f"{side}_shoulder", thorax)
        for limb, turn in ((LEG, pelvis), (ARM, collar)):
            joints = [f"{side}_{joint}" for joint in limb]
            for bone, start, end in zip(limb.values(), joints, joints[1:], strict=False):
                turn = _swung(turn, rest[end] - rest[start], want[end] - want[start])
                made[bone + mark] = turn
    turns = np.empty((len(model.bones), 3, 3))
    for n, bone in enumerate(model.bones):  # the others follow their parent
        turns[n] = made[bone] if bone in made else turns[model.parents[n]]
    return turns


def _trunk_frame(joints: Places, pair: str, low: str, high: str) -> Doubles:
    """Columns left, up, forward, (3, 3): left along a pair of joints, up near the spine."""
    x = _unit(joints[f"left_{pair}"] - joints[f"right_{pair}"])
    z = _unit(_cross(x, joints[high] - joints[low]))
    return np.stack([x, _cross(z, x), z], axis=1)


def _head_turn(model: BodyModel, thorax: Doubles, want: Places) -> Doubles:
    """The head's rotation, (3, 3): along thorax → head, the nose forward where it is off that."""
    up = want["head"] - want["thorax"]
    if np.linalg.norm(up) < 1:
        return thorax
    forward = want["nose"] - want["thorax"]
    forward = forward - _unit(up) * (forward @ _unit(up))
    if np.linalg.norm(forward) < 0.15 * np.linalg.norm(up):
        return _swung(thorax, model.head_axes[0], up)
    frames = (tuple(model.head_axes), (_unit(up), _unit(forward)))
    rest, asked = (np.stack([_cross(*axes), *axes], axis=1) for axes in frames)
    return np.asarray(asked @ rest.T)


def _collar_turn(rest: Places, want: Places, shoulder: str, thorax: Doubles) -> Doubles:
    """The collar bone's rotation, (3, 3): towards the asked shoulder by at most `SHRUG`."""
    start, goal = rest[shoulder] - rest["thorax"], want[shoulder] - want["thorax"]
    if np.linalg.norm(goal) < 1:
        return thorax
    turn = _swung(thorax, start, goal)
    return _slerp(thorax, turn, min(1.0, float(SHRUG / max(_angle_between(thorax, turn), 1e-9))))


def _unit(vector: Doubles) -> Doubles:
    """The vector (3,) at length 1; a zero vector stays."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _cross(a: Doubles, b: Doubles) -> Doubles:
    """a × b, (3,) each; NumPy's own is slow on single vectors."""
    x, y, z = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    return np.array([x, y, z])


def _swung(turn: Doubles, rest: Doubles, goal: Doubles) -> Doubles:
    """`turn` (3, 3), then the smallest rotation that brings `rest` (3,) onto `goal`'s direction."""
    a, b = _unit(turn @ rest), _unit(goal)
    axis, cosine = _cross(a, b), float(a @ b)
    if not b.any():
        return turn
    if cosine < -1 + 1e-9:  # half a turn, about any axis across
        axis = _unit(_cross(a, np.eye(3)[np.abs(a).argmin()]))
        return (2 * np.outer(axis, axis) - np.eye(3)) @ turn
    k = _skew(axis)
    return (np.eye(3) + k + k @ k / (1 + cosine)) @ turn


def _skew(v: Doubles) -> Doubles:
    """The matrix of v × ·, (3, 3)."""
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def _angle_between(start: Doubles, goal: Doubles) -> float:
    return float(np.arccos(np.clip((np.trace(goal @ start.T) - 1) / 2, -1, 1)))


def _slerp(start: Doubles, goal: Doubles, share: float) -> Doubles:
    """A rotation on the way from one to the other, (3, 3): share 0 is the first, 1 the second."""
    if share <= 0 or share >= 1:
        return goal if share >= 1 else start
    between, angle = goal @ start.T, _angle_between(start, goal)
    if angle < 1e-6:
        return start
    if angle > np.pi - 1e-3:  # the axis of a half turn lies in the symmetric part
        axis = _unit((between + np.eye(3))[:, np.diag(between).argmax()])
    else:
        odd = between - between.T
        axis = _unit(np.array([odd[2, 1], odd[0, 2], odd[1, 0]]))
    k, part = _skew(axis), share * angle
    return np.asarray((np.eye(3) + np.sin(part) * k + (1 - np.cos(part)) * k @ k) @ start)


@compiled
def _chain(rest: Doubles, parents: Ints, turns: Doubles) -> Doubles:
    """Where bones begin, (B, 3), once turned (B, 3, 3) from rest (B, 3); the root stays."""
    heads = rest.copy()
    for bone, parent in enumerate(parents):
        if parent >= 0:
            heads[bone] = heads[parent]
            for k in range(3):
                heads[bone] += turns[parent, :, k] * (rest[bone, k] - rest[parent, k])
    return heads


@compiled
def _skin(points: Floats, weights: Floats, bones: Ints, turns: Floats, moves: Floats) -> Floats:
    """Linear blend skinning of points (V, 3) at rest, each bone x ↦ turn·x + move."""
    out = np.zeros(points.shape, dtype=np.float32)
    for v in range(len(points)):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        for slot in range(weights.shape[1]):
            weight = weights[v, slot]
            if weight <= 0:
                break
            b = bones[v, slot]
            for k in range(3):
                moved = turns[b, k, 0] * x + turns[b, k, 1] * y + turns[b, k, 2] * z + moves[b, k]
                out[v, k] += weight * moved
    return out
