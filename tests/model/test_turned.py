"""Second looks at people whom a network hardly sees, with the picture turned."""

import pytest
import torch
from torch import Tensor

from unihpe.body.skeleton import get_skeleton
from unihpe.model.turned import BETTER, DOUBTED, limbs_of, look_again, turned, turned_back

JOINTS = 5


def looks(scores: list[list[float]]) -> tuple[list[Tensor], Tensor]:
    """What was asked for, and what is seen of each person by how far the picture is turned."""
    return [], torch.tensor(scores)  # (4, people)


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ([DOUBTED - 0.1, 0.9, 0.2, 0.3], 1),
        ([DOUBTED - 0.1, 0.7, 0.8, 0.6], 2),
        ([DOUBTED - 0.1, 0.1, 0.2, DOUBTED - 0.1 + BETTER / 2], 0),
        ([DOUBTED + 0.1, 1.0, 1.0, 1.0], 0),
    ],
    ids=["better", "the best", "hardly better", "not doubted"],
)
def test_the_look_that_shows_somebody_best_counts(scores, wanted):
    asked, table = looks([[0.95, score, 0.95] for score in scores])

    def look(rows: Tensor, turn: int) -> tuple[Tensor, Tensor]:
        asked.append(rows)
        own = table[turn, rows, None].expand(-1, JOINTS)
        return own, torch.full((len(rows),), float(turn))

    score, seen = look_again(look, 3, range(JOINTS))
    assert seen.tolist() == [0, wanted, 0]
    assert score[1].tolist() == pytest.approx([scores[wanted]] * JOINTS)
    doubted = scores[0] < DOUBTED
    assert [rows.tolist() for rows in asked] == [[0, 1, 2], *([[1]] * 3 if doubted else [])]


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
