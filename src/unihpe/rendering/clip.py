"""Rendered clips: several people who move before a camera that stands still, with the truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera, look_at
from unihpe.errors import InputError
from unihpe.io.picture import Picture
from unihpe.rendering.background import Backgrounds, draw_background, load_backgrounds
from unihpe.rendering.body import SKELETON, draw_shape, load_model, pose_body
from unihpe.rendering.clothes import draw_outfit, load_skins
from unihpe.rendering.figure import draw_figure, lay_over
from unihpe.rendering.light import GAMMA, View, draw_light, linear
from unihpe.rendering.raster import Doubles
from unihpe.rendering.settings import Settings

EYE, TARGET = (0.0, 1500.0, 4500.0), (0.0, 950.0, 0.0)  # mm, world axes
FOCAL = 0.85  # of the picture's width
BRIGHT = 0.2  # of a picture's linear light, on average


@dataclass(frozen=True)
class _FilmedFrame:
    """One frame, and the truth of its P people."""

    picture: Picture  # RGB, (H, W, 3)
    pose: Doubles  # (P, 17, 3), mm, camera axes, in human36m17 order
    keypoints: Doubles  # (P, 17, 2), pixels


def _standing_camera(size: tuple[int, int]) -> Camera:
    """A camera at a man's height that looks at the middle of the floor; (width, height) pixels."""
    eye, target = (torch.tensor(place, dtype=torch.float64) for place in (EYE, TARGET))
    rotation, translation = look_at(eye, target, torch.tensor([0.0, 1.0, 0.0]).double())
    sides = torch.tensor(size, dtype=torch.float64)
    focal = torch.full((2,), FOCAL * float(size[0]), dtype=torch.float64)
    return Camera(focal, sides / 2, sides, rotation, translation)


class FilmedPeople:
    """The frames of a clip by index; each person keeps body and clothes, the room its light.

    `poses` are (T, P, 17, 3), mm, world axes, y up, in human36m17 order, the floor at y = 0.
    """

    def __init__(
        self, poses: Tensor, size: tuple[int, int] = (1280, 720), settings: Settings | None = None
    ) -> None:
        if poses.ndim != 4 or tuple(poses.shape[2:]) != (len(SKELETON), 3):
            wanted = f"(T, P, {len(SKELETON)}, 3) in {SKELETON.name} order"
            raise InputError(f"poses must be {wanted}, not {tuple(poses.shape)}")
        settings = settings or Settings()
        self.poses = poses.detach().cpu().double().numpy()
        self.size, self.model = size, load_model()
        self.view = View(_standing_camera(size), 1.0, np.zeros(2))
        rng = np.random.default_rng(settings.seed)
        folder = settings.backgrounds
        backgrounds = load_backgrounds(folder) if folder else Backgrounds()
        self.backdrop = draw_background(backgrounds, self.view.rays(*size), rng)
        self.light = draw_light(self.backdrop, rng)
        self.exposure = np.float32(BRIGHT / max(float(linear(self.backdrop).mean()), 1e-3))
        skins = load_skins(settings.skins) if settings.skins else ()
        marks = self.model.garments.marks
        people = range(poses.shape[1])
        self.shapes = [draw_shape(self.model, rng) for _ in people]
        self.outfits = [draw_outfit(marks, rng, skins) for _ in people]

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, index: int) -> _FilmedFrame:
        bodies = [
            pose_body(self.model, shape, asked)
            for shape, asked in zip(self.shapes, self.poses[index], strict=True)
        ]
        wide, tall = self.size
        seen, nearest = np.zeros((tall, wide, 4), np.float32), np.zeros((tall, wide), np.float32)
        for body, outfit in zip(bodies, self.outfits, strict=True):
            layer = draw_figure(self.model, body, outfit, self.light, self.view, self.size)
            lay_over(seen, nearest, layer.colour, layer.depth)
        picture = np.where(nearest[..., None] > 0, seen[..., :3], linear(self.backdrop))
        shown = cv2.pow(np.clip(picture * self.exposure, 0, 1), 1 / GAMMA) * 255
        joints = torch.from_numpy(np.stack([body.joints for body in bodies]))
        pose = self.view.camera.to_camera(joints)
        keypoints = self.view.camera.project(pose)
        return _FilmedFrame(np.asarray(shown, np.uint8), pose.numpy(), keypoints.numpy())

    def __iter__(self) -> Iterator[_FilmedFrame]:
        return (self[n] for n in range(len(self)))
