"""Rotations: by hand, and back again by the formulas' definitions."""

import math

import pytest
import torch
from torch.testing import assert_close

from unihpe.body.camera import axis_rotation
from unihpe.body.turns import UPS, axis, best_turn, euler_zxy, quaternions, swing, turn_to_y


def random_turns(count, seed=0):
    q, r = torch.linalg.qr(
        torch.randn(count, 3, 3, generator=torch.Generator().manual_seed(seed)).double()
    )
    q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None]
    return q * torch.linalg.det(q)[:, None, None]


@pytest.mark.parametrize("up", UPS)
def test_every_axis_turns_up(up):
    turn = turn_to_y(up)
    assert_close(turn @ axis(up), axis("y"))
    assert_close(torch.linalg.det(turn), torch.tensor(1.0).double())


def test_a_camera_that_is_level_is_turned_half_round_x():
    assert_close(turn_to_y("-y"), torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]).double())


def test_swings_take_one_direction_to_the_other_and_nothing_across_them_moves():
    start, end = (
        torch.randn(50, 3, generator=torch.Generator().manual_seed(n)).double() for n in (1, 2)
    )
    turn = swing(start, end)
    reached = (turn @ start[..., None])[..., 0]
    assert_close(reached / reached.norm(dim=1, keepdim=True), end / end.norm(dim=1, keepdim=True))
    across = torch.linalg.cross(start, end)
    assert_close((turn @ across[..., None])[..., 0], across)
    assert_close(torch.linalg.det(turn), torch.ones(50).double())


@pytest.mark.parametrize("direction", [(1.0, 0, 0), (0, 1.0, 0), (0.6, 0, 0.8)])
def test_opposite_directions_are_half_a_turn_apart(direction):
    start = torch.tensor(direction).double()
    turn = swing(start, -start)
    assert_close(turn @ start, -start)
    assert_close(torch.linalg.det(turn), torch.tensor(1.0).double())


def test_the_best_turn_of_turned_points_is_theirs():
    turns, points = random_turns(20), torch.randn(20, 3, 3).double()
    assert_close(best_turn(points, points @ turns.mT), turns)
    flat = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0]]).double().expand(20, 3, 3)
    assert_close(best_turn(flat, flat @ turns.mT), turns)


def test_euler_angles_give_the_turn_back():
    turns = random_turns(100)
    a, b, c = euler_zxy(turns).unbind(-1)
    assert_close(axis_rotation(2, a) @ axis_rotation(0, b) @ axis_rotation(1, c), turns)
    locked = axis_rotation(0, torch.full((3,), math.pi / 2).double()) @ axis_rotation(
        1, torch.tensor([0.1, 0.2, 0.3]).double()
    )
    a, b, c = euler_zxy(locked).unbind(-1)
    assert_close(axis_rotation(2, a) @ axis_rotation(0, b) @ axis_rotation(1, c), locked)


def test_angles_and_quaternions_of_a_whole_turn_do_not_jump():
    angle = torch.linspace(0, 4 * math.pi, 200).double()
    assert_close(euler_zxy(axis_rotation(1, angle))[:, 2], angle)
    quaternion = quaternions(axis_rotation(1, angle))
    assert (quaternion[1:] - quaternion[:-1]).norm(dim=1).max() < 0.05


def test_quaternions_give_the_turn_back():
    turns = torch.cat([random_turns(100), torch.stack([turn_to_y(up) for up in UPS])])
    q = quaternions(turns)
    v = torch.randn(3).double()
    u, w = q[:, :3], q[:, 3:]
    turned = v + 2 * torch.linalg.cross(u, torch.linalg.cross(u, v.expand_as(u)) + w * v)
    assert_close(turned, turns @ v)
