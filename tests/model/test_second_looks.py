"""Second looks at people whom a network hardly sees: the picture turned, or mirrored."""

import pytest
import torch
from torch import Tensor

from unihpe.body.skeleton import get_skeleton
from unihpe.model.second_looks import (
    BETTER,
    DOUBTED,
    NEAR,
    UNSURE,
    Sight,
    limbs_of,
    look_again,
    turned,
    turned_back,
)

JOINTS = 5


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ([DOUBTED - 0.1, 0.9, 0.2, 0.3], 1),
        ([DOUBTED - 0.1, 0.7, 0.8, 0.6], 2),
        ([DOUBTED - 0.1, 0.1, 0.2, DOUBTED - 0.1 + BETTER / 2], 0),
        ([DOUBTED + 0.01, 1.0, 1.0, 1.0], 0),
    ],
    ids=["better", "the best", "hardly better", "not doubted"],
)
def test_the_look_that_shows_somebody_best_counts(scores, wanted):
    asked, table = [], torch.tensor([[0.95, score, 0.95] for score in scores])

    def look(rows: Tensor, turn: int, mirrored: bool) -> Sight:
        assert not mirrored
        asked.append(rows.tolist())
        own = table[turn, rows, None].expand(-1, JOINTS)
        whole = torch.full((len(rows),), float(turn))
        return Sight(own, own[..., None].expand(-1, -1, 2), (own,), (whole,))

    seen = look_again(look, 3, range(JOINTS), mirrors=False)
    assert seen.whole[0].tolist() == [0, wanted, 0]
    for part in (seen.scores, seen.beside[0], seen.points[..., 0]):
        assert part[1].tolist() == pytest.approx([scores[wanted]] * JOINTS)
    doubted = scores[0] < DOUBTED
    assert asked == [[0, 1, 2], *([[1]] * 3 if doubted else [])]


def mirror_of(one: list[float], other: list[float], apart: float, turn: int = 0):
    """What is seen of two people, one of them sure, and which looks were asked for; the other's
    joints lie at 0 and, in the mirror, `apart` from there. Best seen when turned so."""
    asked = []

    def look(rows: Tensor, way: int, mirrored: bool) -> Sight:
        asked.append((rows.tolist(), way, mirrored))
        scores = torch.tensor([[0.99] * JOINTS, other if mirrored else one])[rows]
        scores = scores if way == turn or mirrored else scores - BETTER * 2
        points = torch.zeros(len(rows), JOINTS, 2) + apart * mirrored
        return Sight(scores, points, (scores,), (torch.full((len(rows),), float(mirrored)),))

    return look_again(look, 2, range(JOINTS)), asked


def test_where_the_mirror_agrees_joints_lie_in_the_middle():
    apart = 0.5 * NEAR
    seen, _ = mirror_of([UNSURE - 0.05] * JOINTS, [0.8] * JOINTS, apart)
    assert seen.points[1].flatten().tolist() == pytest.approx([apart / 2] * JOINTS * 2)
    assert seen.scores[1].tolist() == pytest.approx([(UNSURE - 0.05 + 0.8) / 2] * JOINTS)
    assert not seen.points[0].any() and not seen.whole[0].any()


def test_where_it_does_not_the_surer_look_counts_for_each_joint():
    low, high = UNSURE - 0.05, UNSURE + 0.05
    seen, _ = mirror_of([low] * JOINTS, [high, low - 0.1, high, low - 0.1, high], 3 * NEAR)
    assert seen.points[1, :, 0].tolist() == pytest.approx([3 * NEAR, 0, 3 * NEAR, 0, 3 * NEAR])
    assert seen.scores[1].tolist() == pytest.approx([high, low, high, low, high])
    assert seen.beside[0][1].tolist() == pytest.approx([high, low, high, low, high])


def test_the_mirror_is_asked_about_the_unsure_alone_as_they_are_seen_best():
    _, asked = mirror_of([UNSURE + 0.05] * JOINTS, [0.9] * JOINTS, 0.0)
    assert asked == [([0, 1], 0, False)]
    _, asked = mirror_of([DOUBTED + 0.05] * JOINTS, [0.9] * JOINTS, 0.0, turn=2)
    assert [look for look in asked if look[2]] == [([1], 2, True)]


def test_only_limbs_say_how_well_somebody_is_seen():
    coco = get_skeleton("coco17")
    limbs = [coco.joints[column] for column in limbs_of(coco)]
    assert len(limbs) == 12
    assert not {"nose", "left_eye", "right_ear"} & set(limbs)


@pytest.mark.parametrize("turn", range(-1, 5))
def test_places_turn_back_as_pictures_turn(turn):
    picture = torch.zeros(1, 5, 7)
    picture[0, 1, 6] = 1  # x 3, y -1 from the middle
    seen = turned(picture, turn)[0].nonzero()[0].flip(0).float()
    from_middle = seen - (torch.tensor(turned(picture, turn).shape[:0:-1]) - 1) / 2
    assert turned_back(from_middle, turn).tolist() == [3, -1]
    assert torch.equal(turned(turned(picture, turn), -turn), picture)
