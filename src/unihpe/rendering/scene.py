"""Rendered people: everything about one is a function of (seed, index).

A pose of the source, on a body, dressed, lit, before a background, seen by a camera, cut out round
its box. The labels are read off the posed body, so picture, 2D and 3D agree exactly.
"""

from collections.abc import Generator as Stream
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from unihpe.body.batch import LabelledCrop
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_keypoints, crop_matrix
from unihpe.body.camera import Camera
from unihpe.body.skeleton import without_side
from unihpe.body.virtual_cameras import FIXED_POSITIONS, STAGE_RADIUS, fixed_cameras, random_cameras
from unihpe.errors import InputError
from unihpe.io.workers import begin_worker
from unihpe.rendering.background import Backgrounds, draw_background, load_backgrounds
from unihpe.rendering.body import COLUMN, SKELETON, Body, draw_shape, load_model, pose_body
from unihpe.rendering.clothes import cloth_colour, draw_outfit, load_skins
from unihpe.rendering.light import GAMMA, View, draw_light, floor_shadow, linear, shadow_map
from unihpe.rendering.paint import Surface, dress, shade
from unihpe.rendering.raster import Bytes, Doubles, Flags, Floats, normals_of, rasterise

CROP = (CROP_WIDTH, CROP_HEIGHT)
ENLARGE = 2  # drawn larger and averaged: smooth outlines
DRAWN = (CROP_WIDTH * ENLARGE, CROP_HEIGHT * ENLARGE)
INSIDE = 0.46  # a joint of an untruncated person lies this near the centre, as a share of the size
FEWEST_LEFT = 6  # joints that a cut off person keeps
# Which edge of the picture cuts a person, as (axis, the far one), and how often.
EDGES, EDGE_RATES = ((1, True), (0, True), (0, False), (1, False)), (0.6, 0.15, 0.15, 0.1)
MOST_OCCLUDED = 0.45  # share of a person that something before them may cover
OUTSIDE, HIDDEN, SEEN = 0, 1, 2  # visibility
# A joint lies inside its limb: it is hidden when the surface before it is nearer than this, mm.
DEEP = {"hip": 190.0, "pelvis": 230.0, "spine": 230.0, "thorax": 220.0}
DEEP |= {"nose": 150.0, "head": 150.0, "shoulder": 140.0}
DEEP_LIMB = 100.0


@dataclass(frozen=True)
class Settings:
    seed: int = 0  # another seed, other people
    skins: Path | None = None  # folder of textures in MakeHuman's UV layout; None draws skin tones
    backgrounds: Path | None = None  # folder of photographs and panoramas; None draws rooms
    wild: float = 0.6  # share seen by random cameras; the others by ones placed like Human3.6M's
    occluded: float = 0.25  # share of people with something before them
    truncated: float = 0.15  # share of people whom the picture's edge cuts


@dataclass(frozen=True)
class _Person(LabelledCrop):
    # How much of each pixel is the person, before anything stands in front, (256, 192) in [0, 1].
    cover: Floats = field(kw_only=True, repr=False)


class People:
    """Rendered people by index: n wears the pose n modulo the number of poses, so they never end.

    `poses` are (N, 17, 3), mm, world axes, y up, in human36m17 order, the floor at y = 0.
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

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, index: int) -> _Person:
        if index < 0:
            raise IndexError("people are counted from 0")
        rng = np.random.default_rng((self.settings.seed, index))
        fixed = rng.random() >= self.settings.wild
        asked = _staged(self.poses[index % len(self.poses)], fixed)
        body = pose_body(self.model, draw_shape(self.model, rng), asked)
        camera = _draw_camera(body, fixed, rng.random() < self.settings.truncated, rng)
        pose = camera.to_camera(torch.from_numpy(body.joints))
        keypoints = camera.project(pose)
        seen = ((keypoints >= 0) & (keypoints <= camera.size)).all(-1)
        box = box_from_keypoints(keypoints, seen).numpy()
        matrix = crop_matrix(box, *CROP)
        view = View(camera, float(matrix[0, 0]), matrix[:, 2])
        background = draw_background(self.backgrounds, view.rays(*CROP), rng)
        person, depth = self.draw(body, view, background, rng)
        picture = linear(background) * person[..., 4:] * (1 - person[..., 3:4]) + person[..., :3]
        before = _draw_occluder(person[..., 3], self.settings.occluded, rng)
        if before.any():
            stuff = self.draw_stuff(view, rng)
            picture = np.asarray(picture * (1 - before[..., None]) + stuff * before[..., None])
        low, high = view.offset, camera.size.numpy() * view.scale + view.offset
        x, y = np.arange(CROP_WIDTH) + 0.5, np.arange(CROP_HEIGHT) + 0.5
        inside = ((y >= low[1]) & (y <= high[1]))[:, None] & ((x >= low[0]) & (x <= high[0]))
        crop = keypoints.numpy() * view.scale + view.offset
        whole = (_finish(picture, box, rng) * inside[..., None]).astype(np.uint8)
        joints = (keypoints.numpy(), pose.numpy())
        visibility = _visible(crop, joints[1][:, 2], depth, before, seen.numpy())
        return _Person(
            whole, *joints, visibility, box, camera, index, cover=person[..., 3] * inside
        )

    def draw(self, body: Body, view: View, behind: Bytes, rng: Generator) -> tuple[Floats, Floats]:
        """The dressed and lit person (H, W, 5): linear colour times cover, cover, and how much
        light the floor keeps; and the inverse depth of its surface, as large as `DRAWN`."""
        model, garments = self.model, self.model.garments
        outfit = draw_outfit(garments.marks, rng, self.skins)
        light = draw_light(behind, rng)
        normals = normals_of(body.points, model.faces)
        points, normals = dress(body.points, normals, garments.fields, outfit)
        drawn = garments.worn_faces(len(model.faces), outfit.skirt_rows, outfit.hair_rows)
        faces, closed = model.faces[drawn], len(model.faces) - len(garments.faces)
        screen = view.screen(points, ENLARGE)
        face_at, depth = rasterise(screen, faces, closed, *DRAWN)
        sun = shadow_map(points, faces, light)
        surface = Surface(model.faces, model.texture, screen, normals, *sun)
        large = shade(face_at, drawn, surface, garments.fields, outfit, light.rows)
        small = np.asarray(cv2.resize(large, CROP, interpolation=cv2.INTER_AREA))
        kept = floor_shadow(points, faces, view, light)
        return np.concatenate([small, kept[..., None]], axis=-1), depth

    def draw_stuff(self, view: View, rng: Generator) -> Floats:
        """The colour of something before a person, (H, W, 3), linear: a background, or cloth."""
        backdrop = draw_background(self.backgrounds, view.rays(*CROP)[::-1, ::-1], rng)
        stuff = linear(backdrop) * np.float32(rng.uniform(0.4, 1.3))
        if rng.random() < 0.25:
            stuff = (0.2 * stuff + 0.8 * cloth_colour(rng)).astype(np.float32)
        return stuff


def _staged(asked: Doubles, fixed: bool) -> Doubles:
    """The pose (17, 3), moved over the floor to where the fixed cameras look, if they are used."""
    path = asked[COLUMN["pelvis"]] * [1.0, 0.0, 1.0]
    away = float(np.linalg.norm(path))
    return asked - path * (1 - STAGE_RADIUS / away) if fixed and away > STAGE_RADIUS else asked


def _draw_camera(body: Body, fixed: bool, truncated: bool, rng: Generator) -> Camera:
    """A camera, double precision, that sees the whole person, or most if it is to truncate them."""
    if fixed:
        cameras = fixed_cameras(torch.tensor([int(rng.integers(len(FIXED_POSITIONS)))]))
    else:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pelvis = torch.from_numpy(body.joints[COLUMN["pelvis"]]).float()
        cameras = random_cameras(pelvis[None], generator)
    parts = ("focal", "centre", "size", "rotation", "translation")
    camera = Camera(*(getattr(cameras, name)[0].double() for name in parts))
    keypoints = camera.project(camera.to_camera(torch.from_numpy(body.joints)))
    room = INSIDE * camera.size / (keypoints - camera.centre).abs().amax(0)
    camera = replace(camera, focal=camera.focal * room.amin().clamp(max=1.0))
    return _cut_picture(camera, body.joints, rng) if truncated else camera


def _cut_picture(camera: Camera, joints: Doubles, rng: Generator) -> Camera:
    """The camera of a smaller picture, whose edge cuts 10 to 45 % of the person off.

    A cut that would leave too few joints is not made: an arm held out may be half of the width.
    """
    keypoints = camera.project(camera.to_camera(torch.from_numpy(joints)))
    low, high = keypoints.amin(0), keypoints.amax(0)
    axis, far = EDGES[rng.choice(len(EDGES), p=EDGE_RATES)]
    part = rng.uniform(0.1, 0.45) * (high - low)[axis]
    edge = torch.floor(high[axis] - part if far else low[axis] + part)
    size, centre = camera.size.clone(), camera.centre.clone()
    size[axis] = edge if far else size[axis] - edge
    if not far:
        centre[axis] -= edge
    left = (keypoints[:, axis] < edge) == far
    return replace(camera, size=size, centre=centre) if int(left.sum()) >= FEWEST_LEFT else camera


def _draw_occluder(cover: Floats, rate: float, rng: Generator) -> Floats:
    """What stands before a share `rate` of people, (H, W) in [0, 1]; mostly nothing.

    Nothing either if each of four shapes hides too much of the person's `cover` (H, W).
    """
    if rng.random() < rate:
        for _ in range(4):
            shape = _draw_shape_before(rng)
            if (shape * cover).sum() < MOST_OCCLUDED * cover.sum():
                return shape
    return np.zeros_like(cover)


def _draw_shape_before(rng: Generator) -> Floats:
    """A bar, a slab at the bottom, a polygon or an ellipse, (H, W) in [0, 1]."""
    kind, centre = rng.integers(4), rng.uniform(0.1, 0.9, 2) * CROP
    right, bottom = CROP_WIDTH + 5, CROP_HEIGHT + 5
    if kind == 0:
        (x, _), half, lean = centre, rng.uniform(5, 18), rng.uniform(-25, 25)
        across = [x - half + lean, x + half + lean, x + half - lean, x - half - lean]
        corners = np.stack([across, [-5, -5, bottom, bottom]], axis=1)
    elif kind == 1:
        top, lean = rng.uniform(0.6, 0.85) * CROP_HEIGHT, rng.uniform(-20, 20)
        corners = np.array([[-5, top + lean], [right, top - lean], [right, bottom], [-5, bottom]])
    else:
        angle = np.sort(rng.uniform(0, 2 * np.pi, 5 if kind == 2 else 24))
        reach = rng.uniform(18, 60, 2)
        uneven = rng.uniform(0.7, 1.0, (len(angle), 1)) if kind == 2 else 1.0
        corners = centre + reach * uneven * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    mask = np.zeros((CROP_HEIGHT, CROP_WIDTH), np.float32)
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.6), dtype=np.float32)


def _finish(picture: Floats, box: Doubles, rng: Generator) -> Bytes:
    """A picture (H, W, 3), sRGB, as a real camera and file have it: exposed, blurred, JPEG …"""
    exposure = float(np.clip(rng.uniform(0.13, 0.32) / max(float(picture.mean()), 1e-3), 0.6, 3.0))
    gain = (exposure * rng.normal(1, 0.03, 3)).astype(np.float32)
    gamma = rng.uniform(0.85, 1.15) / GAMMA
    out = np.asarray(cv2.pow(np.clip(picture * gain, 0, 1), gamma)) * np.float32(255)
    share = float(box[3]) / CROP_HEIGHT
    if share < 1:  # the full picture has fewer pixels than the crop
        size = (max(24, int(CROP_WIDTH * share)), max(32, int(CROP_HEIGHT * share)))
        small = cv2.resize(out, size, interpolation=cv2.INTER_AREA)
        out = np.asarray(cv2.resize(small, CROP, interpolation=cv2.INTER_LINEAR))
    if (blur := rng.uniform(-0.6, 0.9)) > 0.2:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), blur))
    grain = max(0.0, rng.uniform(-3, 7))
    out = out + rng.standard_normal((CROP_HEIGHT, CROP_WIDTH, 1), np.float32) * grain
    whole = np.asarray(np.clip(out, 0, 255).astype(np.uint8))
    if rng.random() >= 0.5:
        return whole
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
    file = cv2.imencode(".jpg", whole, quality)[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), dtype=np.uint8)


def _visible(
    crop: Doubles, depth: Doubles, inverse: Floats, before: Floats, inside: Flags
) -> Bytes:
    """Visibility of the joints, (17,), which lie at `crop` (17, 2), pixels, and `depth` (17,), mm.

    `inverse` is that of the surface, as large as `DRAWN`; `before` (H, W) what stands in front.
    """
    out = np.zeros(len(SKELETON), np.uint8)
    for n, joint in enumerate(SKELETON.joints):
        x, y = crop[n]
        if not (inside[n] and 0 <= x < CROP_WIDTH and 0 <= y < CROP_HEIGHT):
            continue
        surface = float(inverse[int(y * ENLARGE), int(x * ENLARGE)])
        deep = DEEP.get(without_side(joint), DEEP_LIMB)
        covered = surface > 0 and depth[n] - 1 / surface > deep
        out[n] = HIDDEN if covered or before[int(y), int(x)] > 0.5 else SEEN
    return out


_worker: list[People] = []  # a worker process's own renderer, made once


def render(
    poses: Tensor, settings: Settings, indices: Sequence[int], workers: int = 1
) -> Stream[_Person, None, None]:
    """The people at `indices` as they become ready: the same, in order, however many processes.

    An InputError for settings that cannot be used; at once.
    """
    people = People(poses, settings)  # here too, so that bad settings are found at once
    if workers == 1:
        return (people[index] for index in indices)

    def in_processes() -> Stream[_Person, None, None]:
        with ProcessPoolExecutor(workers, initializer=_begin, initargs=(poses, settings)) as pool:
            try:
                yield from pool.map(_render_one, indices, chunksize=16)
            except BrokenProcessPool as error:
                remedy = "is the memory too small? ask for fewer workers"
                raise InputError(f"a process that rendered was killed; {remedy}") from error

    return in_processes()


def _begin(poses: Tensor, settings: Settings) -> None:
    begin_worker()
    torch.set_num_threads(1)
    _worker[:] = [People(poses, settings)]


def _render_one(index: int) -> _Person:
    return _worker[0][index]
