"""Second looks at people whom a network hardly sees, with the picture turned by quarter turns.

Photographs that taught networks show people who stand or sit. Somebody on their head or lying
across is seen far better in a picture that is turned until they stand.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton

TURNS = (1, 2, 3)  # by 90°, against the clock
DOUBTED = 0.5  # mean score of the limbs' joints: who has less is looked at again
BETTER = 0.1  # by so much a turned look must score higher: the first is right more often
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")

# What is seen of B people, tensors of B rows; the first of them are the joints' scores, (B, J).
Sight = tuple[Tensor, ...]


def limbs_of(skeleton: Skeleton) -> list[int]:
    """Columns of the joints by whose scores looks are compared."""
    return skeleton.columns_of(LIMBS)


def look_again(look: Callable[[Tensor, int], Sight], people: int, limbs: Sequence[int]) -> Sight:
    """What is seen of each person in the look that scores highest.

    Args:
        look: what is seen of some people (rows, (K,)) when each picture is turned by so many
            quarter turns against the clock; places already turned back.
        people: how many there are.
        limbs: `limbs_of` the skeleton.
    """
    best = look(torch.arange(people), 0)
    score = best[0][:, limbs].mean(1)
    doubted = (score < DOUBTED).nonzero()[:, 0]
    if not len(doubted):
        return best
    score = score + BETTER
    for turn in TURNS:
        other = look(doubted.cpu(), turn)
        own = other[0][:, limbs].mean(1)
        won = own > score[doubted]
        rows = doubted[won]
        score = score.index_copy(0, rows, own[won])
        parts = zip(best, other, strict=True)
        best = tuple(part.index_copy(0, rows, seen[won]) for part, seen in parts)
    return best


def turned(pictures: Tensor, turn: int) -> Tensor:
    """Pictures or maps (..., H, W) turned by so many quarter turns against the clock."""
    return torch.rot90(pictures, turn, (-2, -1))


def turned_back(points: Tensor, turn: int) -> Tensor:
    """Places (..., 2), x and y from the middle, of pictures `turned` so, as they were before."""
    for _ in range(turn % 4):
        x, y = points.unbind(-1)
        points = torch.stack([-y, x], dim=-1)
    return points
