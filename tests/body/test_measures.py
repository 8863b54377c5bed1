"""Speed at uneven times, against the derivative; the centre of mass by hand."""

import pytest
import torch
from clip import SKELETON, standing
from torch.testing import assert_close

from unihpe.body.measures import HEAD, LIMBS, TRUNK, _velocities, centre_of_mass, speeds


def test_velocity_of_a_parabola_is_exact_at_uneven_times():
    time = torch.tensor([0.0, 0.04, 0.05, 0.11, 0.2, 0.21]).double()
    places = torch.stack([5000 * time**2, -300 * time, 0 * time], -1)[:, None]
    found = _velocities(places, time)[:, 0]
    assert_close(found[1:-1, 0], 10 * time[1:-1])
    assert_close(found[:, 1], torch.full((6,), -0.3).double())
    assert_close(speeds(places, time)[2, 0], torch.tensor((0.5**2 + 0.3**2) ** 0.5).double())


def test_a_gap_parts_movements_and_what_is_alone_has_no_speed():
    time = torch.tensor([0.0, 0.04, 1.0, 2.0, 2.04, 2.08]).double()
    places = torch.stack([1000 * time, 0 * time, 0 * time], -1)[:, None].clone()
    places[3:] += 77_777  # while nobody looked
    found = speeds(places, time)[:, 0]
    assert found.isnan().tolist() == [False, False, True, False, False, False]
    assert_close(found[~found.isnan()], torch.ones(5).double())


def test_one_joint_that_is_missing_leaves_the_others():
    time = torch.arange(5).double() / 25
    places = torch.stack([1000 * time, 0 * time, 0 * time], -1)[:, None].repeat(1, 2, 1)
    places[2, 0] = torch.nan
    found = speeds(places, time)
    assert_close(found[:, 1], torch.ones(5).double())
    assert found[2, 0].isnan() or found[2, 0] == pytest.approx(1)
    assert_close(found[[0, 1, 3, 4], 0], torch.ones(4).double())


def test_masses_add_up():
    assert 2 * sum(mass for mass, _ in LIMBS.values()) + TRUNK[0] + HEAD[0] == pytest.approx(1)


def test_the_centre_of_mass_by_hand():
    places = standing()
    joint = dict(zip(SKELETON.joints, places.tolist(), strict=True))

    def between(a, b, share):
        return [x + share * (y - x) for x, y in zip(a, b, strict=True)]

    shoulders = between(joint["left_shoulder"], joint["right_shoulder"], 0.5)
    hips = between(joint["left_hip"], joint["right_hip"], 0.5)
    parts = [
        (0.497, between(shoulders, hips, 0.5)),
        (0.081, between(shoulders, joint["head"], 0.6)),
    ]
    for side in ("left", "right"):
        hip, knee, ankle, shoulder, elbow, wrist = (
            joint[f"{side}_{name}"]
            for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        )
        parts += [(0.1, between(hip, knee, 0.433)), (0.061, between(knee, ankle, 0.606))]
        parts += [(0.028, between(shoulder, elbow, 0.436)), (0.022, between(elbow, wrist, 0.682))]
    expected = [sum(mass * place[k] for mass, place in parts) for k in range(3)]
    assert_close(centre_of_mass(places, SKELETON), torch.tensor(expected).double())
    assert -150 < expected[1] < 0  # y down: somewhat above the hips


def test_a_missing_joint_leaves_no_centre():
    places = standing()
    places[SKELETON.index("left_knee")] = torch.nan
    assert centre_of_mass(places, SKELETON).isnan().all()
