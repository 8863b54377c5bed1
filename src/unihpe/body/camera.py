"""Pinhole cameras with lens distortion, any number at once.

Camera axes: x right, y down, z forward; millimetres. Pixels: the origin is the outer corner of the
first pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from unihpe.errors import InputError

ITERATIONS = 20  # of undoing a lens
STEP = 1e-3  # over which slopes are measured, in focal lengths, like the next
TOLERANCE = 1e-4  # of undoing a lens: a tenth of a pixel of common pictures


@dataclass(frozen=True)
class Camera:
    """Cameras of any leading shape (...); all tensors share dtype and device."""

    focal: Tensor  # focal lengths along x and y, (..., 2), pixels
    centre: Tensor  # principal point, (..., 2), pixels
    size: Tensor  # picture width and height, (..., 2), pixels
    rotation: Tensor  # R of x_camera = R·x_world + t, (..., 3, 3)
    translation: Tensor  # t, (..., 3), mm
    distortion: Tensor | None = None  # OpenCV's (k1, k2, p1, p2, k3), (..., 5); None: ideal lens

    @classmethod
    def simple(cls, size: Tensor, focal: Tensor | None = None) -> Self:
        """Ideal cameras at the world's origin for pictures of `size` (..., 2); focal (...,).

        InputError for sizes or focal lengths, all in pixels, that are not above 0.
        """
        _require_points(size, 2, "the picture's size")
        if not bool((size > 0).all()):
            raise InputError(f"a picture's width and height are above 0, not {size.tolist()}")
        focal = default_focal(size) if focal is None else focal
        if not isinstance(focal, Tensor) or focal.shape != size.shape[:-1]:
            given = tuple(focal.shape) if isinstance(focal, Tensor) else repr(focal)
            raise InputError(f"focal must be {tuple(size.shape[:-1])}, one a picture, not {given}")
        if not bool(((focal > 0) & focal.isfinite()).all()):
            raise InputError(f"a focal length is finite and above 0 pixels, not {focal.tolist()}")
        eye = torch.eye(3, dtype=size.dtype, device=size.device).expand(*size.shape[:-1], 3, 3)
        origin = size.new_zeros(*size.shape[:-1], 3)
        return cls(focal[..., None].expand_as(size), size / 2, size, eye, origin)

    def select(self, rows: Tensor) -> Self:
        """Some of C cameras, by row: (n,) → n cameras."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self)(**{name: x[rows] for name, x in values.items() if x is not None})

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Several (N,) cameras, one after the other; all have a distorting lens, or none has."""
        first, made = parts[0], dict[str, Any]()
        for field in fields(first):
            if getattr(first, field.name) is not None:
                made[field.name] = torch.cat([getattr(part, field.name) for part in parts])
        return cls(**made)

    def where(self, chosen: Tensor, other: Self) -> Self:
        """The cameras that are `chosen`, (N,) bool, and in the place of the rest those of `other`;
        N ideal cameras each."""
        made: dict[str, Any] = {}
        for field in fields(self):
            a, b = getattr(self, field.name), getattr(other, field.name)
            if a is not None:
                made[field.name] = torch.where(chosen.view(-1, *(1,) * (a.dim() - 1)), a, b)
        return type(self)(**made)

    def to_camera(self, world: Tensor) -> Tensor:
        """World points (..., J, 3) to camera axes (..., J, 3), mm."""
        _require_points(world, 3, "points")
        return world @ self.rotation.mT + self.translation[..., None, :]

    def to_world(self, points: Tensor) -> Tensor:
        """Camera points (..., J, 3) to world axes (..., J, 3), mm."""
        _require_points(points, 3, "points")
        return (points - self.translation[..., None, :]) @ self.rotation

    def project(self, points: Tensor) -> Tensor:
        """Camera points (..., J, 3), mm, to pixels (..., J, 2); NaN at or behind the camera."""
        _require_points(points, 3, "points")
        depth = points[..., 2:]
        plane = points[..., :2] / torch.where(depth > 0, depth, torch.nan)
        return self.bent(plane) * self.focal[..., None, :] + self.centre[..., None, :]

    def unproject(self, pixels: Tensor, depth: Tensor) -> Tensor:
        """Pixels (..., J, 2) at depth (..., J) in mm back to camera points (..., J, 3), mm.

        x and y are NaN where the lens has no inverse (see `straight`).
        """
        _require_points(pixels, 2, "pixels")
        if depth.shape != pixels.shape[:-1]:
            raise InputError(f"depth {tuple(depth.shape)} and pixels {tuple(pixels.shape)} differ")
        plane = self.straight((pixels - self.centre[..., None, :]) / self.focal[..., None, :])
        return torch.cat([plane, torch.ones_like(plane[..., :1])], dim=-1) * depth[..., None]

    def straight(self, plane: Tensor) -> Tensor:
        """The inverse of `bent` by Newton's method, (..., J, 2) → (..., J, 2).

        Beyond the radius at which a barrel lens turns round there is none: NaN.
        """
        if self.distortion is None:
            return plane
        guess = plane
        for _ in range(ITERATIONS):
            (xx, yx), (xy, yy) = self._slopes(guess)
            x, y = (self.bent(guess) - plane).unbind(-1)
            step = torch.stack([yy * x - xy * y, xx * y - yx * x], dim=-1)
            guess = guess - step / (xx * yy - xy * yx)[..., None]
        (xx, yx), (xy, yy) = self._slopes(guess)
        found = (self.bent(guess) - plane).norm(dim=-1) < TOLERANCE
        found &= (xx * yy > xy * yx) & ((guess * plane).sum(-1) >= 0)  # before the lens folds
        return torch.where(found[..., None], guess, torch.nan)

    def _slopes(self, plane: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """How x and y of `bent` change with x, and with y, (..., J) each, whatever the lens."""
        steps = plane.new_tensor([[STEP, 0.0], [0.0, STEP]])
        along_x, along_y = (
            (self.bent(plane + step) - self.bent(plane - step)) / (2 * STEP) for step in steps
        )
        return along_x.unbind(-1), along_y.unbind(-1)

    def bent(self, plane: Tensor) -> Tensor:
        """Brown's lens model on image-plane points (..., J, 2)."""
        if self.distortion is None:
            return plane
        k1, k2, p1, p2, k3 = self.distortion[..., None, :].unbind(-1)
        x, y = plane.unbind(-1)
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        dx = 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        dy = p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        return torch.stack([x * radial + dx, y * radial + dy], dim=-1)


def _require_points(points: object, axes: int, what: str) -> None:
    if not isinstance(points, Tensor) or not points.ndim or points.shape[-1] != axes:
        given = tuple(points.shape) if isinstance(points, Tensor) else type(points).__name__
        raise InputError(f"{what} must be a tensor (..., {axes}), not {given}")


def default_focal(size: Tensor) -> Tensor:
    """CLIFF's focal length where none is known, √(W² + H²): (..., 2) pixels → (...,) pixels."""
    return size.square().sum(-1).sqrt()


def look_at(position: Tensor, target: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """R and t of cameras at `position` (..., 3) that look at `target` (..., 3); up is `up` (3,)."""
    forward = torch.nn.functional.normalize(target - position, dim=-1)
    sideways = torch.linalg.cross(forward, up.expand_as(forward))
    right = torch.nn.functional.normalize(sideways, dim=-1)
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=-2)
    return rotation, -(rotation @ position[..., None])[..., 0]


def place(pose: Tensor, keypoints: Tensor, camera: Camera, weight: Tensor | None = None) -> Tensor:
    """The least-squares translation T (..., 3), mm, camera axes, that puts a pose at its keypoints.

    Each joint gives two linear equations in T: X + Tx = u·(Z + Tz) with u the undistorted
    image-plane point. The answer is as good as the pose's size and the focal length; it is NaN
    where the equations have no single one. The pose (..., J, 3) is root-relative, the keypoints
    (..., J, 2) are pixels; a weight (..., J) of 0 leaves a joint out.
    """
    ray = camera.unproject(keypoints, torch.ones_like(keypoints[..., 0]))[..., :2]  # (..., J, 2)
    # through long lenses the normal equations drown in float32's rounding
    ray, solid = ray.double(), pose.double()
    w = torch.ones_like(ray[..., 0]) if weight is None else weight.double()
    ray = torch.where(w[..., None] > 0, ray, 0.0)  # a missing joint may hold NaN
    # rows (..., 2J, 3) and values (..., 2J, 1): all equations in x, then all in y
    axes = torch.eye(2).to(ray)[:, None].expand(*ray.shape[:-2], 2, ray.shape[-2], 2)
    rows = torch.cat([axes, -ray.mT[..., None]], dim=-1).flatten(-3, -2)
    values = (ray * solid[..., 2:] - solid[..., :2]).mT.flatten(-2)[..., None]
    weighted = rows * torch.cat([w, w], dim=-1)[..., None]
    solution, failed = torch.linalg.solve_ex(rows.mT @ weighted, weighted.mT @ values)
    return torch.where(failed[..., None] == 0, solution[..., 0], torch.nan).to(pose.dtype)


def axis_rotation(axis: int, angle: Tensor) -> Tensor:
    """Rotations about x, y or z (axis 0, 1 or 2) by angles (N,), radians: (N, 3, 3)."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    rotation = torch.zeros(len(angle), 3, 3, dtype=angle.dtype)
    rotation[:, axis, axis] = 1
    rotation[:, a, a] = rotation[:, b, b] = angle.cos()
    rotation[:, b, a], rotation[:, a, b] = angle.sin(), -angle.sin()
    return rotation


def turn_axis_to(ray: Tensor) -> Tensor:
    """The smallest rotations that take the optical axis (0, 0, 1) to the rays (N, 3): (N, 3, 3)."""
    x, y, z = torch.nn.functional.normalize(ray, dim=1).unbind(1)
    k = 1 / (1 + z)
    rows = (1 - k * x * x, -k * x * y, x, -k * x * y, 1 - k * y * y, y, -x, -y, z)
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def rotation_of(quaternion: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of quaternions (w, x, y, z) (..., 4), of any length."""
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, dim=-1).view(*quaternion.shape[:-1], 3, 3)
