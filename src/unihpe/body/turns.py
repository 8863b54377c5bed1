"""Rotations: the smallest between two directions, axes by name, Euler angles."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

UPS = ("x", "y", "z", "-x", "-y", "-z")  # axes that may point to the sky


def axis(name: str) -> Tensor:
    """The direction of x, -y, …: (3,), double precision."""
    sign = -1.0 if name.startswith("-") else 1.0
    return sign * torch.eye(3, dtype=torch.float64)["xyz".index(name[-1])]


def turn_to_y(up: str) -> Tensor:
    """The rotation (3, 3) that brings an axis to y: about x, for x itself about z."""
    if up[-1] == "x":
        return swing(axis(up), axis("y"))
    quarters = {"y": 0, "-z": 1, "-y": 2, "z": 3}[up]
    quarter = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    turn: Tensor = torch.linalg.matrix_power(quarter, quarters)
    return turn


def swing(start: Tensor, end: Tensor) -> Tensor:
    """The smallest rotations (..., 3, 3) that take directions (..., 3) to others, of any length.

    Opposite ones are turned about an axis across them that lies as near to x as it can.
    """
    start, end = torch.broadcast_tensors(normalize(start, dim=-1), normalize(end, dim=-1))
    cos = (start * end).sum(-1)[..., None, None]
    x = torch.zeros_like(start)
    x[..., 0] = 1
    z = torch.zeros_like(start)
    z[..., 2] = 1
    along_x = start[..., :1].abs() > 0.9
    guide = torch.where(along_x, z, x)
    across = normalize(guide - (guide * start).sum(-1, keepdim=True) * start, dim=-1)
    half_turn = 2 * across[..., :, None] * across[..., None, :] - torch.eye(3, dtype=start.dtype)
    a, b, c = torch.linalg.cross(start, end).unbind(-1)
    zero = torch.zeros_like(a)
    rows = torch.stack([zero, -c, b, c, zero, -a, -b, a, zero], dim=-1)
    skew = rows.view(*a.shape, 3, 3)
    opposite = cos < -1 + 1e-9
    near = torch.eye(3, dtype=start.dtype) + skew + skew @ skew / (1 + cos).clamp_min(1e-12)
    return torch.where(opposite, half_turn, near)


def best_turn(start: Tensor, end: Tensor) -> Tensor:
    """The rotations (..., 3, 3) that bring points (..., K, 3) nearest to others (Kabsch)."""
    u, _, vt = torch.linalg.svd(end.mT @ start)
    signs = torch.ones(*u.shape[:-1], dtype=u.dtype)
    signs[..., -1] = torch.linalg.det(u @ vt).sign()
    turn: Tensor = (u * signs[..., None, :]) @ vt
    return turn


def euler_zxy(turns: Tensor) -> Tensor:
    """Angles (T, ..., 3), radians, of rotations (T, ..., 3, 3) = Rz(a) Rx(b) Ry(c).

    b lies within a right angle; a and c go on beyond half a turn, without jumps from row to row.
    """
    b = turns[..., 2, 1].clamp(-1, 1).asin()
    locked = turns[..., 2, 1].abs() > 1 - 1e-12  # only the sum of a and c is known: a takes it
    a = torch.where(
        locked,
        torch.atan2(turns[..., 1, 0], turns[..., 0, 0]),
        torch.atan2(-turns[..., 0, 1], turns[..., 1, 1]),
    )
    c = torch.where(locked, 0.0, torch.atan2(-turns[..., 2, 0], turns[..., 2, 2]))
    steps = torch.stack([a, b, c], dim=-1)
    jumps = torch.zeros_like(steps)
    jumps[1:] = torch.round((steps[1:] - steps[:-1]) / (2 * torch.pi)).cumsum(0) * 2 * torch.pi
    return steps - jumps


def quaternions(turns: Tensor) -> Tensor:
    """Unit quaternions x, y, z, w (T, ..., 4) of rotations (T, ..., 3, 3); signs do not jump."""
    m = turns
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = torch.stack([
        1 + 2 * m[..., 0, 0] - trace, 1 + 2 * m[..., 1, 1] - trace,
        1 + 2 * m[..., 2, 2] - trace, 1 + trace,
    ], dim=-1)  # fmt: skip
    xy, xz, yz = (m[..., a, b] + m[..., b, a] for a, b in ((0, 1), (0, 2), (1, 2)))
    xw, yw, zw = (m[..., a, b] - m[..., b, a] for a, b in ((2, 1), (0, 2), (1, 0)))
    x, y, z, w = squares.unbind(-1)
    forms = torch.stack([  # the quaternion times four of each of its parts
        torch.stack([x, xy, xz, xw], -1), torch.stack([xy, y, yz, yw], -1),
        torch.stack([xz, yz, z, zw], -1), torch.stack([xw, yw, zw, w], -1),
    ], dim=-2)  # fmt: skip
    surest = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    found = normalize(forms.gather(-2, surest)[..., 0, :], dim=-1)
    flips = torch.ones_like(found[..., 0])
    flips[1:] = torch.where((found[1:] * found[:-1]).sum(-1) < 0, -1.0, 1.0).cumprod(0)
    return found * flips[..., None]
