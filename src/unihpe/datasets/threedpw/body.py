"""SMPL's body, as far as joints are regressed from its surface: shape and pose to the vertices that
a regressor uses.

The equations are those of Loper et al., "SMPL: A Skinned Multi-Person Linear Model" (2015). Our
own, since the usual package reads the official pickles by running them; and only some hundred of
the vertices are needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.datasets.threedpw.body_file import BodyModel
from unihpe.io.arrays import Array

PIECE = 1024  # people at a time
RIGHT_FIRST = "right first"
LEFT_FIRST = "left first"


class Surface:
    """The joints that `regressor` (K, V) finds on the surface of a body, and the body's own 24."""

    def __init__(self, body: BodyModel, regressor: Array) -> None:
        used = np.flatnonzero((regressor != 0).any(0))
        self.template = as_double(body.template[used])
        self.shapes = as_double(body.shapes[used])
        self.poses = as_double(body.poses[used])
        self.weights = as_double(body.weights[used])
        self.regressor = as_double(regressor[:, used])
        self.rest = as_double(body.joints @ body.template)
        self.rest_shapes = as_double(np.einsum("jv,vck->jck", body.joints, body.shapes))
        self.parents = body.parents

    def joints(self, pose: Tensor, shape: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Regressed joints (N, K, 3) and the body's own (N, 24, 3), metres.

        Args:
            pose: axis and angle of each joint, (N, 72).
            shape: (N, 10).
            place: added to all, (N, 3), metres.
        """
        pieces = [
            self.piece(*parts)
            for parts in zip(
                *(part.double().split(PIECE) for part in (pose, shape, place)), strict=True
            )
        ]
        regressed, own = (torch.cat(parts) for parts in zip(*pieces, strict=True))
        return regressed, own

    def piece(self, pose: Tensor, shape: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """`joints` of a few people."""
        turns = rotations(pose.view(len(pose), -1, 3))  # (N, 24, 3, 3)
        rest = self.rest + torch.einsum("jck,nk->njc", self.rest_shapes, shape)
        turned, moved = self.chain(turns, rest)
        bend = (turns[:, 1:] - torch.eye(3, dtype=turns.dtype)).flatten(1)
        skin = (
            self.template
            + torch.einsum("vck,nk->nvc", self.shapes, shape)
            + torch.einsum("vck,nk->nvc", self.poses, bend)
        )
        shift = moved - (turned @ rest[..., None])[..., 0]
        blended = torch.einsum("vj,njab->nvab", self.weights, turned)
        surface = (blended @ skin[..., None])[..., 0] + torch.einsum(
            "vj,njc->nvc", self.weights, shift
        )
        return self.regressor @ surface + place[:, None], moved + place[:, None]

    def chain(self, turns: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """Each joint's rotation (N, 24, 3, 3) and place (N, 24, 3) after those of its ancestors."""
        turned, moved = [turns[:, 0]], [rest[:, 0]]
        for joint, parent in enumerate(self.parents[1:], 1):
            step = (rest[:, joint] - rest[:, parent])[..., None]
            moved.append(moved[parent] + (turned[parent] @ step)[..., 0])
            turned.append(turned[parent] @ turns[:, joint])
        return torch.stack(turned, 1), torch.stack(moved, 1)


def as_double(array: np.ndarray[Any, Any]) -> Tensor:
    """An array in double precision."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64))


def rotations(axis_angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of axes times angles (..., 3)."""
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    turned: Tensor = torch.linalg.matrix_exp(cross)
    return turned


def leg_order_of(regressor: Array, body: BodyModel, hips: tuple[int, int]) -> str:
    """Which leg a regressor (17, V) to Human3.6M's joints has first: files of both kinds are about.

    Rows 1 to 3 are one leg; whose it is, the body's own hips say.

    Args:
        hips: the columns of the body's left and right hip.
    """
    first = (regressor @ body.template)[1:4].mean(0)
    left, right = (np.linalg.norm(first - (body.joints @ body.template)[hip]) for hip in hips)
    return LEFT_FIRST if left < right else RIGHT_FIRST
