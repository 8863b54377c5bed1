"""Second looks at people whom a network hardly sees: the picture turned, and its mirror image.

Photographs that taught networks show people who stand or sit. Somebody on their head or lying
across is seen far better in a picture that is turned until they stand. And a joint that is taken
for another is often seen right in the mirror.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton, without_side

TURNS = (1, 2, 3)  # by 90°, against the clock
DOUBTED = 0.6  # mean score of the limbs' joints: whoever has less is looked at turned,
UNSURE = 0.7  # and in the mirror
BETTER = 0.1  # by so much a turned look must score higher: the first is right more often
NEAR = 0.2  # box units: two looks at a joint that agree
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


@dataclass(frozen=True)
class Sight:
    """What is seen of B people."""

    scores: Tensor  # of the joints, (B, J), 0 to 1
    points: Tensor  # where they are, (B, J, 2), from the picture's middle
    beside: tuple[Tensor, ...] = ()  # what else is known of each joint, (B, J, …)
    whole: tuple[Tensor, ...] = ()  # and of each person, (B, …)

    def replaced(self, rows: Tensor, other: "Sight") -> "Sight":
        """With what `other`, of K people, says of those at `rows` (K,)."""

        def put(mine: Tensor, theirs: Tensor) -> Tensor:
            return mine.index_copy(0, rows, theirs.to(mine.dtype))

        return Sight(
            put(self.scores, other.scores),
            put(self.points, other.points),
            tuple(map(put, self.beside, other.beside)),
            tuple(map(put, self.whole, other.whole)),
        )

    def of(self, rows: Tensor) -> "Sight":
        """Those of the people at `rows`, numbers or bool."""
        beside, whole = (tuple(x[rows] for x in xs) for xs in (self.beside, self.whole))
        return Sight(self.scores[rows], self.points[rows], beside, whole)


Look = Callable[[Tensor, int, bool], Sight]  # rows (K,), quarter turns, whether mirrored → of K


def limbs_of(skeleton: Skeleton) -> list[int]:
    """Columns of the joints by whose scores looks are compared."""
    joints = enumerate(skeleton.joints)
    return [column for column, joint in joints if without_side(joint) in LIMBS]


def look_again(look: Look, people: int, limbs: Sequence[int], mirrors: bool = True) -> Sight:
    """What is seen of each person: in the look that scores highest, and where that is not sure, in
    its mirror image, too.

    Args:
        look: what is seen of some people when their pictures are turned by so many quarter turns
            against the clock, and then mirrored or not; all of it turned back.
        people: how many there are.
        limbs: `limbs_of` the skeleton.
        mirrors: False leaves the mirror out.
    """
    best, turn = _best_turned(look, people, limbs)
    if not mirrors:
        return best
    unsure = best.scores[:, limbs].mean(1) < UNSURE
    for way in turn[unsure].unique().tolist():
        rows = (unsure & (turn == way)).nonzero()[:, 0]
        best = best.replaced(rows, _of_both(best.of(rows), look(rows, way, True)))
    return best


def _best_turned(look: Look, people: int, limbs: Sequence[int]) -> tuple[Sight, Tensor]:
    """What is seen of people in the looks that score highest, and how these were turned, (B,)."""
    best = look(torch.arange(people), 0, False)
    score = best.scores[:, limbs].mean(1)
    turn = torch.zeros_like(score, dtype=torch.long)
    doubted = (score < DOUBTED).nonzero()[:, 0]
    if len(doubted):
        score = score + BETTER
        for way in TURNS:
            other = look(doubted, way, False)
            own = other.scores[:, limbs].mean(1)
            won = own > score[doubted]
            rows = doubted[won]
            score, turn = score.index_copy(0, rows, own[won]), turn.index_fill(0, rows, way)
            best = best.replaced(rows, other.of(won))
    return best, turn


def _of_both(one: Sight, other: Sight) -> Sight:
    """Joint by joint: the mean where both agree, else what the surer one says."""
    near = (one.points - other.points).norm(dim=-1) < NEAR
    others = ~near & (other.scores > one.scores)

    def merged(mine: Tensor, theirs: Tensor) -> Tensor:
        spread = (...,) + (None,) * (mine.ndim - 2)
        single = torch.where(others[spread], theirs, mine)
        return torch.where(near[spread], (mine + theirs) / 2, single)

    beside = tuple(map(merged, one.beside, other.beside))
    return Sight(
        merged(one.scores, other.scores), merged(one.points, other.points), beside, one.whole
    )


def turned(pictures: Tensor, turn: int) -> Tensor:
    """Pictures or maps (..., H, W) turned by so many quarter turns against the clock."""
    return torch.rot90(pictures, turn, (-2, -1))


def turned_back(points: Tensor, turn: int) -> Tensor:
    """Places (..., 2), x and y from the middle, of pictures `turned` so, as they were before."""
    for _ in range(turn % 4):
        x, y = points.unbind(-1)
        points = torch.stack([-y, x], dim=-1)
    return points
