"""Rendered people: everything about one is a function of (seed, index).

A pose of the source, on a body, dressed, lit, before a background, seen by a camera, cut out round
its box. The labels are read off the posed body, so picture, 2D and 3D agree exactly.
"""

from collections.abc import Generator as Stream
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from unihpe.body.batch import LabelledCrop
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_keypoints, crop_matrix
from unihpe.body.camera import Camera
from unihpe.errors import InputError
from unihpe.io.workers import begin_worker
from unihpe.rendering.background import Backgrounds, draw_background, load_backgrounds
from unihpe.rendering.body import SKELETON, Body, draw_shape, load_model, pose_body
from unihpe.rendering.clothes import (
    NEVER,
    Cover,
    Outfit,
    cloth_colour,
    draw_costume,
    draw_outfit,
    load_skins,
)
from unihpe.rendering.company import draw_company
from unihpe.rendering.figure import Layer, draw_figure, hidden_share, lay_over
from unihpe.rendering.finish import Faults, draw_faults, finish, out_of_focus
from unihpe.rendering.garment import Kind
from unihpe.rendering.lens import cut_picture, draw_camera, staged
from unihpe.rendering.light import Light, View, draw_light, floor_shadow, linear
from unihpe.rendering.raster import Bytes, Flags, Floats
from unihpe.rendering.settings import Settings
from unihpe.rendering.sight import CROP, ENLARGE, MOST_OCCLUDED, draw_occluder, visible
from unihpe.rendering.solids import Material, Solid, draw_solids
from unihpe.rendering.things import (
    draw_before,
    draw_carried,
    draw_clutter,
    draw_headwear,
    draw_seat,
    draw_support,
)

DRAWN = (CROP_WIDTH * ENLARGE, CROP_HEIGHT * ENLARGE)
UNIFORM = 0.2  # share of other people dressed like the main one
# Each has draws of its own, so that a setting changes what it names and nothing else.
_Stream = IntEnum("_Stream", "LENS CLOTHES COMPANY THINGS CARRIED FOCUS FAULTS", start=1)


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
        rng, how = np.random.default_rng((self.settings.seed, index)), self.settings
        fixed = rng.random() >= how.wild
        asked = staged(self.poses[index % len(self.poses)], fixed)
        body = pose_body(self.model, draw_shape(self.model, rng), asked)
        lens = self._stream(index, _Stream.LENS)
        near = not fixed and lens.random() < how.close
        truncated = rng.random() < how.truncated
        camera = draw_camera(body, fixed, near, rng)
        if truncated:
            camera = cut_picture(camera, body.joints, rng)
        pose = camera.to_camera(torch.from_numpy(body.joints))
        keypoints = camera.project(pose)
        seen = ((keypoints >= 0) & (keypoints <= camera.size)).all(-1)
        box = box_from_keypoints(keypoints, seen).numpy()
        matrix = crop_matrix(box, *CROP)
        view = View(camera, float(matrix[0, 0]), matrix[:, 2])
        background = draw_background(self.backgrounds, view.rays(*CROP), rng)
        outfit = draw_outfit(self.model.garments.marks, rng, self.skins)
        outfit, hat = self._dressed_up(outfit, self._stream(index, _Stream.CLOTHES))
        light = draw_light(background, rng)
        main = draw_figure(self.model, body, outfit, light, view, DRAWN, ENLARGE)
        about = self._company(index, body, outfit, light, view)
        about += self._things(index, body, outfit, hat, background, light, view)
        scene = _composed(main, about, view, light)
        focus = self._stream(index, _Stream.FOCUS)
        behind = linear(background)
        if focus.random() < how.shallow:
            behind = out_of_focus(behind, focus)
        picture = behind * scene.floor[..., None] * (1 - scene.colour[..., 3:])
        picture += scene.colour[..., :3]
        before = draw_occluder(scene.cover, scene.covered, how.occluded, rng)
        if before.any():
            stuff = self.draw_stuff(view, rng)
            picture = np.asarray(picture * (1 - before[..., None]) + stuff * before[..., None])
        faults, more = self._faults(index)
        inside = _inside(camera, view)
        whole = (finish(picture, box, faults, rng, more) * inside[..., None]).astype(np.uint8)
        crop = keypoints.numpy() * view.scale + view.offset
        joints = (keypoints.numpy(), pose.numpy())
        depths = main.depth, scene.nearest
        visibility = visible(crop, joints[1][:, 2], *depths, before, seen.numpy())
        return _Person(whole, *joints, visibility, box, camera, index, cover=scene.cover * inside)

    def _stream(self, index: int, which: _Stream) -> Generator:
        return np.random.default_rng((self.settings.seed, index, int(which)))

    def _dressed_up(self, outfit: Outfit, rng: Generator) -> tuple[Outfit, Generator | None]:
        """A share in other clothes; for some, the draws of what they wear on their heads."""
        if rng.random() >= self.settings.costumes:
            return outfit, None
        both = rng.random()
        if both < 0.75:
            outfit = draw_costume(outfit, self.model.garments.marks, rng)
        return outfit, rng if both > 0.45 else None

    def _company(
        self, index: int, body: Body, outfit: Outfit, light: Light, view: View
    ) -> list[Layer]:
        """The other people about somebody."""
        rng = self._stream(index, _Stream.COMPANY)
        if rng.random() >= self.settings.company:
            return []
        layers, alike = [], rng.random() < UNIFORM
        for asked in draw_company(self.poses, body.joints, view.place, rng):
            other = pose_body(self.model, draw_shape(self.model, rng), asked)
            worn = draw_outfit(self.model.garments.marks, rng, self.skins)
            worn, _ = self._dressed_up(worn, rng)
            if alike:
                worn = outfit._replace(texture=worn.texture, tint=worn.tint)
            if _in_view(view.screen(other.joints.astype(np.float32))):
                layers.append(draw_figure(self.model, other, worn, light, view, DRAWN, ENLARGE))
        return layers

    def _things(
        self,
        index: int,
        body: Body,
        outfit: Outfit,
        hat: Generator | None,
        background: Bytes,
        light: Light,
        view: View,
    ) -> list[Layer]:
        """The things about somebody, at most three layers: what they touch, what is farther off
        and what is before them, which is the last."""
        rng, how = self._stream(index, _Stream.THINGS), self.settings
        corners, joints = body.points[: self.model.garments.first], body.joints
        touched, kinds = list[Solid](), rng.random(4)
        if rng.random() < how.seated:
            touched += draw_seat(joints, corners, rng)
        around, before = list[Solid](), list[Solid]()
        if rng.random() < how.things:
            if kinds[0] < 0.6 and not touched:
                touched += draw_support(joints, corners, rng)
            around = draw_clutter(joints, view.place, rng) if kinds[1] < 0.6 else []
            before = draw_before(joints, view.place, rng) if kinds[2] < 0.6 else []
        carried = self._stream(index, _Stream.CARRIED)
        if carried.random() < how.carried:
            touched += draw_carried(joints, carried)
        if hat is not None:
            touched += self._headwear(body, outfit, hat)
        patch = linear(np.ascontiguousarray(background[:CROP_WIDTH]))
        groups = [group for group in (touched, around, before) if group]
        return [draw_solids(group, patch, light, view, DRAWN, ENLARGE) for group in groups]

    def _headwear(self, body: Body, outfit: Outfit, rng: Generator) -> list[Solid]:
        """What somebody wears on the head, besides the skull's hair and cap."""
        fields, cut = self.model.garments.fields, outfit.cut
        line = cut.cap_line if cut.cap_line < NEVER else cut.hairline + 25
        rim = (fields.kind == Kind.BODY) & (np.abs(fields.hair - line) < 10)
        plain = np.array([0.0, 100.0, 0.0], np.float32)
        cap, hair = (Material(outfit.colour[row], plain) for row in (Cover.CAP, Cover.HAIR))
        if cut.hairline >= NEVER and cut.cap_line >= NEVER:  # bald
            return []
        return draw_headwear(
            body.joints, body.points[rim], cap if cut.cap_line < NEVER else None, hair, rng
        )

    def _faults(self, index: int) -> tuple[Faults, Generator]:
        rng, how = self._stream(index, _Stream.FAULTS), self.settings
        return draw_faults(how.shaken, how.dark, how.toned, how.shared, rng), rng

    def draw_stuff(self, view: View, rng: Generator) -> Floats:
        """The colour of something before a person, (H, W, 3), linear: a background, or cloth."""
        backdrop = draw_background(self.backgrounds, view.rays(*CROP)[::-1, ::-1], rng)
        stuff = linear(backdrop) * np.float32(rng.uniform(0.4, 1.3))
        if rng.random() < 0.25:
            stuff = (0.2 * stuff + 0.8 * cloth_colour(rng)).astype(np.float32)
        return stuff


class _Scene(NamedTuple):
    """All that stands before the background."""

    colour: Floats  # linear colour times cover, and cover, (H, W, 4)
    cover: Floats  # how much of each pixel is the main person, whom nothing hides, (H, W)
    floor: Floats  # how much light the floor keeps, (H, W)
    nearest: Floats  # inverse depth of what is not the main person, as large as `DRAWN`
    covered: float  # the share of the main person behind it


def _composed(main: Layer, about: list[Layer], view: View, light: Light) -> _Scene:
    """The main person among others; those who would hide too much of them are left out."""
    alone = _shrunk(main.colour)
    floor = floor_shadow(main.points, main.faces, view, light)
    nearest = np.zeros_like(main.depth)
    colour, depth = main.colour.copy(), main.depth.copy()
    for layer in about:
        if hidden_share(main.depth, nearest, layer.depth) < MOST_OCCLUDED:
            lay_over(colour, depth, layer.colour, layer.depth)
            np.maximum(nearest, layer.depth, out=nearest)
            floor *= floor_shadow(layer.points, layer.faces, view, light)
    covered = hidden_share(main.depth, nearest, nearest) if about else 0.0
    whole = _shrunk(colour) if about else alone
    return _Scene(whole, alone[..., 3], floor, nearest, covered)


def _shrunk(drawn: Floats) -> Floats:
    """What is as large as `DRAWN` as large as the crop."""
    return np.asarray(cv2.resize(drawn, CROP, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _in_view(places: Floats) -> bool:
    """Whether some of these places (N, 3), crop pixels and inverse depth, show in the crop."""
    inside = (places[:, :2] > 0) & (places[:, :2] < CROP)
    return bool((inside.all(1) & (places[:, 2] > 0)).any())


def _inside(camera: Camera, view: View) -> Flags:
    """Which pixels of the crop, (256, 192), lie in the full picture."""
    low, high = view.offset, camera.size.numpy() * view.scale + view.offset
    x, y = np.arange(CROP_WIDTH) + 0.5, np.arange(CROP_HEIGHT) + 0.5
    tall, wide = (y >= low[1]) & (y <= high[1]), (x >= low[0]) & (x <= high[0])
    return np.asarray(tall[:, None] & wide)


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
