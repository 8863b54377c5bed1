"""Rendered people: everything about one is a function of (seed, index).

A pose of the source, on a body, dressed, lit, before a background, seen by a camera, cut out round
its box. The labels are read off the posed body, so picture, 2D and 3D agree exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.batch import LabelledCrop
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_keypoints, crop_matrix
from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton
from unihpe.body.virtual_cameras import (
    FIXED_POSITIONS,
    STAGE_RADIUS,
    fixed_cameras,
    random_cameras,
)
from unihpe.errors import InputError
from unihpe.rendering.background import Backgrounds, behind, load_backgrounds
from unihpe.rendering.body import COLUMN, SKELETON, Body, draw_shape, load_model, pose_body
from unihpe.rendering.light import View, draw_light, floor_shadow, shadow_map
from unihpe.rendering.paint import (
    GAMMA,
    cloth_colour,
    draw_outfit,
    dress,
    linear,
    load_skins,
    shade,
    worn,
)
from unihpe.rendering.raster import Floats, normals_of, rasterise

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
ENLARGE = 2  # drawn larger and averaged: smooth outlines
INSIDE = (
    0.46  # how far from the picture's centre a joint of an untruncated person may lie, of its size
)
FEWEST_LEFT = 6  # joints that a cut off person keeps
OUTSIDE, HIDDEN, SEEN = 0, 1, 2  # visibility
# A joint lies inside its limb: it is hidden when the surface before it is nearer than this, mm.
DEEP = {
    "hip": 190.0,
    "pelvis": 230.0,
    "spine": 230.0,
    "thorax": 220.0,
    "nose": 150.0,
    "head": 150.0,
    "shoulder": 140.0,
}
DEEP_LIMB = 100.0


@dataclass(frozen=True)
class Settings:
    """What the people look like and how often what goes wrong.

    Attributes:
        seed: another seed, other people.
        skins: folder of skin textures in MakeHuman's UV layout; None draws skin tones.
        backgrounds: folder of photographs and panoramas; None draws walls and floors.
        wild: share of people seen by a camera of random place, lens and size; the others by one of
            four cameras placed like Human3.6M's.
        occluded: share of people with something before them.
        truncated: share of people whom the picture's edge cuts.
    """

    seed: int = 0
    skins: Path | None = None
    backgrounds: Path | None = None
    wild: float = 0.6
    occluded: float = 0.25
    truncated: float = 0.15


@dataclass(frozen=True)
class Person(LabelledCrop):
    """One rendered person; J = 17."""

    cover: Floats = field(
        kw_only=True, repr=False
    )  # (256, 192) in [0, 1]: how much of each pixel is the person

    @property
    def crop_keypoints(self) -> Doubles:
        """The keypoints in pixels of the crop, (17, 2)."""
        matrix = crop_matrix(self.box, CROP_WIDTH, CROP_HEIGHT)
        return np.asarray(self.keypoints @ matrix[:, :2].T + matrix[:, 2])


class People:
    """Rendered people by index; index n wears the pose n modulo the number of poses, so indices
    never end.

    Args:
        poses: (N, 17, 3), mm, world axes, y up, in human36m17 order, the floor at y = 0.
        settings: looks and rates.
    """

    def __init__(self, poses: Tensor, settings: Settings | None = None) -> None:
        if poses.ndim != 3 or tuple(poses.shape[1:]) != (len(SKELETON), 3) or not len(poses):
            wanted = f"(N, {len(SKELETON)}, 3) in {SKELETON.name} order"
            raise InputError(f"poses must be {wanted}, not {tuple(poses.shape)}")
        self.poses = poses.detach().cpu().double().numpy()
        self.settings = settings or Settings()
        self.model = load_model()
        self.skins = load_skins(self.settings.skins) if self.settings.skins else ()
        folder = self.settings.backgrounds
        self.backgrounds = load_backgrounds(folder) if folder else Backgrounds()

    @property
    def skeleton(self) -> Skeleton:
        return SKELETON

    def __len__(self) -> int:
        return len(self.poses)

    def __iter__(self) -> Iterator[Person]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Person:
        if index < 0:
            raise IndexError("people are counted from 0")
        rng = np.random.default_rng((self.settings.seed, index))
        fixed = rng.random() >= self.settings.wild
        asked = staged(self.poses[index % len(self.poses)], fixed)
        body = pose_body(self.model, draw_shape(self.model, rng), asked)
        camera = draw_camera(body, fixed, rng.random() < self.settings.truncated, rng)
        pose = camera.to_camera(torch.from_numpy(body.joints))
        keypoints = camera.project(pose)
        seen = ((keypoints >= 0) & (keypoints <= camera.size)).all(-1)
        box = box_from_keypoints(keypoints, seen).numpy()
        view = view_of(camera, box)
        background = behind(self.backgrounds, view.rays(CROP_WIDTH, CROP_HEIGHT), rng)
        person, depth = self.draw(body, view, background, rng)
        picture, before = compose(
            person, background, self.backgrounds, view, rng, self.settings.occluded
        )
        inside = inside_picture(camera, view)
        finished = finish(picture, box, rng) * inside[..., None]
        crop = keypoints.numpy() * view.scale + view.offset
        visibility = visible(crop, pose.numpy()[:, 2], depth, before, seen.numpy())
        cover = person[..., 3] * inside
        return Person(
            finished.astype(np.uint8),
            keypoints.numpy(),
            pose.numpy(),
            visibility,
            box,
            camera,
            index,
            cover=cover,
        )

    def draw(
        self, body: Body, view: View, background: Bytes, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """The dressed and lit person, and the depth of its surface.

        Returns:
            (H, W, 5): linear colour times cover, cover, and how much light the floor keeps; inverse
                depth (2H, 2W).
        """
        model, garments = self.model, self.model.garments
        outfit, light = draw_outfit(garments, rng, self.skins), draw_light(background, rng)
        normals = normals_of(body.points, model.faces)
        fields = (garments.kind, garments.place, garments.arm, garments.hair)
        points, normals = dress(
            body.points, normals, fields, outfit.cut, outfit.thickness, outfit.crease, outfit.waves
        )
        drawn = worn(garments, model.faces, outfit)
        faces = model.faces[drawn]
        closed = len(model.faces) - len(garments.faces)
        screen = view.screen(points, ENLARGE)
        shown, depth = rasterise(screen, faces, closed, CROP_WIDTH * ENLARGE, CROP_HEIGHT * ENLARGE)
        shadow, sunward = shadow_map(points, faces, light)
        look = (
            outfit.cut,
            outfit.colour,
            outfit.pattern,
            outfit.waves,
            outfit.texture,
            outfit.tint,
        )
        large = shade(
            shown,
            drawn,
            model.faces,
            model.texture,
            screen,
            normals,
            sunward,
            fields,
            look,
            shadow,
            light.rows,
        )
        small = np.asarray(
            cv2.resize(large, (CROP_WIDTH, CROP_HEIGHT), interpolation=cv2.INTER_AREA)
        )
        kept = floor_shadow(points, faces, view, light, CROP_WIDTH, CROP_HEIGHT)
        return np.concatenate([small, kept[..., None]], axis=-1), depth


def staged(asked: Doubles, fixed: bool) -> Doubles:
    """The pose (17, 3), moved over the floor to where the fixed cameras look, if it is they who look."""
    path = asked[COLUMN["pelvis"]] * [1.0, 0.0, 1.0]
    away = float(np.linalg.norm(path))
    return asked - path * (1 - STAGE_RADIUS / away) if fixed and away > STAGE_RADIUS else asked


def draw_camera(body: Body, fixed: bool, truncated: bool, rng: np.random.Generator) -> Camera:
    """A camera, double precision, that sees the whole person, or most of them if they are to be truncated."""
    if fixed:
        camera = fixed_cameras(torch.tensor([int(rng.integers(len(FIXED_POSITIONS)))]))
    else:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        camera = random_cameras(
            torch.from_numpy(body.joints[COLUMN["pelvis"]]).float()[None], generator
        )
    camera = Camera(
        *(
            getattr(camera, name)[0].double()
            for name in ("focal", "centre", "size", "rotation", "translation")
        )
    )
    keypoints = camera.project(camera.to_camera(torch.from_numpy(body.joints)))
    room = INSIDE * camera.size / (keypoints - camera.centre).abs().amax(0)
    camera = replace(camera, focal=camera.focal * room.amin().clamp(max=1.0))
    return cut_picture(camera, body, rng) if truncated else camera


def cut_picture(camera: Camera, body: Body, rng: np.random.Generator) -> Camera:
    """The camera of a smaller picture, whose edge cuts 10 to 45 % of the person off: mostly the
    legs, or a side.

    A cut that would leave fewer than `FEWEST_LEFT` joints is not made: an arm held out may be half
    of the width.
    """
    keypoints = camera.project(camera.to_camera(torch.from_numpy(body.joints)))
    low, high = keypoints.amin(0), keypoints.amax(0)
    axis, far = [(1, True), (0, True), (0, False), (1, False)][
        rng.choice(4, p=[0.6, 0.15, 0.15, 0.1])
    ]
    share = rng.uniform(0.1, 0.45)
    edge = torch.floor(
        high[axis] - share * (high - low)[axis] if far else low[axis] + share * (high - low)[axis]
    )
    size, centre = camera.size.clone(), camera.centre.clone()
    if far:
        size[axis] = edge
    else:
        size[axis], centre[axis] = size[axis] - edge, centre[axis] - edge
    left = (keypoints[:, axis] < edge) == far
    return replace(camera, size=size, centre=centre) if int(left.sum()) >= FEWEST_LEFT else camera


def view_of(camera: Camera, box: Doubles) -> View:
    """Where the world is on the crop."""
    matrix = crop_matrix(box, CROP_WIDTH, CROP_HEIGHT)
    rotation, translation = camera.rotation.numpy(), camera.translation.numpy()
    return View(
        rotation,
        translation,
        camera.focal.numpy(),
        camera.centre.numpy(),
        float(matrix[0, 0]),
        matrix[:, 2],
    )


def inside_picture(camera: Camera, view: View) -> NDArray[np.bool_]:
    """Which pixels of the crop lie on the picture, (256, 192)."""
    low, high = view.offset, camera.size.numpy() * view.scale + view.offset
    x, y = np.arange(CROP_WIDTH) + 0.5, np.arange(CROP_HEIGHT) + 0.5
    return np.asarray(((y >= low[1]) & (y <= high[1]))[:, None] & ((x >= low[0]) & (x <= high[0])))


def compose(
    person: Floats,
    background: Bytes,
    backgrounds: Backgrounds,
    view: View,
    rng: np.random.Generator,
    rate: float,
) -> tuple[Floats, Floats]:
    """The person (H, W, 5) over the background, and sometimes something over the person.

    Returns:
        the picture, (H, W, 3), linear; how much of each pixel is that something, (H, W).
    """
    picture = linear(background) * person[..., 4:] * (1 - person[..., 3:4]) + person[..., :3]
    before = np.zeros((CROP_HEIGHT, CROP_WIDTH), np.float32)
    if rng.random() >= rate:
        return picture, before
    for _ in range(4):
        before = draw_occluder(rng)
        if (before * person[..., 3]).sum() < 0.45 * person[..., 3].sum():
            break
    else:
        return picture, np.zeros((CROP_HEIGHT, CROP_WIDTH), np.float32)
    stuff = linear(
        behind(backgrounds, view.rays(CROP_WIDTH, CROP_HEIGHT)[::-1, ::-1], rng)
    ) * np.float32(rng.uniform(0.4, 1.3))
    if rng.random() < 0.25:
        stuff = (0.2 * stuff + 0.8 * cloth_colour(rng)).astype(np.float32)
    return np.asarray(picture * (1 - before[..., None]) + stuff * before[..., None]), before


def draw_occluder(rng: np.random.Generator) -> Floats:
    """A shape before the person, (H, W) in [0, 1]: a bar, a slab at the bottom, a polygon or an ellipse."""
    mask = np.zeros((CROP_HEIGHT, CROP_WIDTH), np.float32)
    kind, centre = rng.integers(4), rng.uniform(0.1, 0.9, 2) * (CROP_WIDTH, CROP_HEIGHT)
    if kind == 0:
        half, lean = rng.uniform(5, 18), rng.uniform(-25, 25)
        x = centre[0]
        corners = np.array(
            [
                [x - half + lean, -5],
                [x + half + lean, -5],
                [x + half - lean, 261],
                [x - half - lean, 261],
            ]
        )
    elif kind == 1:
        top, lean = rng.uniform(0.6, 0.85) * CROP_HEIGHT, rng.uniform(-20, 20)
        corners = np.array([[-5, top + lean], [197, top - lean], [197, 261], [-5, 261]])
    else:
        angle = np.sort(rng.uniform(0, 2 * np.pi, 5 if kind == 2 else 24))
        reach = rng.uniform(18, 60, 2) * (
            rng.uniform(0.7, 1.0, (len(angle), 1)) if kind == 2 else 1.0
        )
        corners = centre + reach * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.6), dtype=np.float32)


def finish(picture: Floats, box: Doubles, rng: np.random.Generator) -> Bytes:
    """What a real camera and file do: exposure, tint, the picture's resolution, blur, grain, JPEG; (H, W, 3), sRGB."""
    exposure = float(np.clip(rng.uniform(0.13, 0.32) / max(float(picture.mean()), 1e-3), 0.6, 3.0))
    gain = exposure * rng.normal(1, 0.03, 3)
    gamma = rng.uniform(0.85, 1.15) / GAMMA
    out = np.asarray(cv2.pow(np.clip(picture * gain.astype(np.float32), 0, 1), gamma)) * np.float32(
        255
    )
    share = float(box[3]) / CROP_HEIGHT
    if share < 1:  # the full picture has fewer pixels than the crop
        small = cv2.resize(
            out,
            (max(24, int(CROP_WIDTH * share)), max(32, int(CROP_HEIGHT * share))),
            interpolation=cv2.INTER_AREA,
        )
        out = np.asarray(
            cv2.resize(small, (CROP_WIDTH, CROP_HEIGHT), interpolation=cv2.INTER_LINEAR)
        )
    if (blur := rng.uniform(-0.6, 0.9)) > 0.2:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), blur))
    grain = max(0.0, rng.uniform(-3, 7))
    out = out + rng.standard_normal((CROP_HEIGHT, CROP_WIDTH, 1), np.float32) * grain
    whole = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        whole = np.asarray(
            cv2.imdecode(cv2.imencode(".jpg", whole, quality)[1], cv2.IMREAD_COLOR), dtype=np.uint8
        )
    return np.asarray(whole, dtype=np.uint8)


def visible(
    crop: Doubles, depth: Doubles, inverse: Floats, before: Floats, inside: NDArray[np.bool_]
) -> Bytes:
    """Visibility of the joints, (17,).

    Args:
        crop: joints on the crop, (17, 2), pixels.
        depth: of the joints, (17,), mm.
        inverse: inverse depth of the surface, (H·`ENLARGE`, W·`ENLARGE`).
        before: how much of each pixel is something before the person, (H, W).
        inside: joints inside the picture, (17,).
    """
    out = np.zeros(len(SKELETON), np.uint8)
    for n, joint in enumerate(SKELETON.joints):
        x, y = crop[n]
        if not (inside[n] and 0 <= x < CROP_WIDTH and 0 <= y < CROP_HEIGHT):
            continue
        surface = float(inverse[int(y * ENLARGE), int(x * ENLARGE)])
        deep = DEEP.get(joint.removeprefix("left_").removeprefix("right_"), DEEP_LIMB)
        covered = surface > 0 and depth[n] - 1 / surface > deep
        out[n] = HIDDEN if covered or before[int(y), int(x)] > 0.5 else SEEN
    return out
