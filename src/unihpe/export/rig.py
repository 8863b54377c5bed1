"""Joints' places as a skeleton that animation programs pose: offsets, and a turn for each bone.

At a joint with several children each child hangs on a bone of no length (as in the skeletons of
CMU's motion capture), which turns by itself: so any places are met exactly. What turns about a
bone is not seen in places of joints; bones turn as little as they can.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from unihpe.body.skeleton import Skeleton, without_side
from unihpe.body.turns import best_turn, swing
from unihpe.errors import InputError

SAME = 0.02  # mm; a bone whose length varies by less has one length
# Where bones point in the rest pose, arms stretched to the sides: x to the person's left, y up,
# z forwards. By the joint at the bone's end; for what a joint that ends a limb points to: `end`.
UP, DOWN, OUT, AHEAD = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
DIRECTIONS = {
    **dict.fromkeys(("hip", "collar", "clavicle", "shoulder", "elbow", "wrist", "hand"), OUT),
    **dict.fromkeys(("knee", "ankle"), DOWN),
    **dict.fromkeys(("foot", "toe", "big_toe", "small_toe", "heel", "foot_index"), AHEAD),
    "nose": (0.0, 0.8, 0.6), "eye": (0.5, 0.5, 0.7), "ear": (0.9, 0.4, 0.0), "jaw": AHEAD,
}  # fmt: skip
ENDS = {"ankle": AHEAD}
END = 0.3  # length of what is drawn beyond a limb's last joint, in lengths of its last bone


@dataclass(frozen=True)
class Rig:
    """A tree of K nodes, parents before children, and T poses of it."""

    names: tuple[str, ...]  # the joint's, or `<joint>_to_<child>` of a bone without length
    parents: tuple[int, ...]  # −1 for the root
    joints: tuple[int, ...]  # the joint's column where the node is one, else −1
    offsets: Tensor  # (K, 3), mm, in the rest pose, from the parent
    ends: Tensor  # (K, 3), mm: where what a last joint points to ends; 0 for others
    turns: Tensor  # (T, K, 3, 3), of each node within its parent
    moves: Tensor  # (T, K, 3), mm: each node's place in its parent; the root's in the world
    varies: tuple[bool, ...]  # of which `moves` differ from `offsets`; the root's always


def rig_of(places: Tensor, skeleton: Skeleton) -> Rig:
    """The rig that meets places (T, J, 3), mm, y up, without gaps.

    InputError for a joint set that is no tree from the pelvis.
    """
    roots = [joint for joint in skeleton.joints if joint not in skeleton.parent_of]
    if len(roots) != 1:
        hangs = f"{skeleton.name} has several roots: {', '.join(roots)}"
        raise InputError(f"bones need a tree of joints; {hangs}; take results.to('human36m17')")
    if not bool(places.isfinite().all()):
        raise InputError(f"bones need every joint; {skeleton.name} lacks some here")
    children: dict[str, list[str]] = {joint: [] for joint in skeleton.joints}
    for child, parent in skeleton.parent_of.items():
        children[parent].append(child)
    built = _Builder(places.double(), skeleton, children)
    built.add(roots[0], -1)
    return built.rig()


class _Builder:
    """Nodes in the order in which they are added, with their turns in the world."""

    def __init__(self, places: Tensor, skeleton: Skeleton, children: dict[str, list[str]]) -> None:
        self.places, self.skeleton, self.children = places, skeleton, children
        self.names, self.parents, self.joints = list[str](), list[int](), list[int]()
        self.turns, self.moves = list[Tensor](), list[Tensor]()
        self.offsets, self.ends, self.varies = list[Tensor](), list[Tensor](), list[bool]()

    def add(self, joint: str, parent: int) -> None:
        """A joint and all that hangs on it."""
        own, place = self.children[joint], self._place(joint)
        above = (
            self.turns[parent] if parent >= 0 else torch.eye(3).double().expand(len(place), 3, 3)
        )
        if parent < 0:
            self.offsets.append(torch.zeros(3, dtype=torch.float64))
            self.varies.append(True)
            moves = place
        else:
            length = (place - self._place(self.skeleton.parent_of[joint])).norm(dim=-1)
            usual = length.median()
            moves = length[:, None] * _direction(joint)
            self.varies.append(bool((length - usual).abs().max() > SAME))
            self.offsets.append(usual * _direction(joint))
        if len(own) > 1:
            turn = best_turn(torch.stack([_direction(one) for one in own]), self._bones(joint, own))
        elif own:
            turn = swing(above @ _direction(own[0]), self._bones(joint, own)[:, 0]) @ above
        else:
            turn = above
        self._append(joint, parent, self.skeleton.index(joint), turn, moves)
        last = self.offsets[-1].norm() * END * (not own)
        self.ends.append(last * _direction(joint, end=True))
        here = len(self.names) - 1
        for child in own:
            self.add(child, self._branch(joint, child, here) if len(own) > 1 else here)

    def _branch(self, joint: str, child: str, parent: int) -> int:
        """A node without length that turns towards one child."""
        above, zero = self.turns[parent], torch.zeros(3, dtype=torch.float64)
        turn = swing(above @ _direction(child), self._bones(joint, [child])[:, 0]) @ above
        self._append(f"{joint}_to_{child}", parent, -1, turn, zero.expand(len(turn), 3))
        self.offsets.append(zero)
        self.ends.append(zero)
        self.varies.append(False)
        return len(self.names) - 1

    def _append(self, name: str, parent: int, joint: int, turn: Tensor, moves: Tensor) -> None:
        self.names.append(name)
        self.parents.append(parent)
        self.joints.append(joint)
        self.turns.append(turn)
        self.moves.append(moves)

    def _place(self, joint: str) -> Tensor:
        return self.places[:, self.skeleton.index(joint)]

    def _bones(self, joint: str, children: list[str]) -> Tensor:
        """Unit directions (T, C, 3); the rest pose's own where two joints are one."""
        bones = torch.stack([self._place(child) - self._place(joint) for child in children], 1)
        length = bones.norm(dim=-1, keepdim=True)
        rest = torch.stack([_direction(child) for child in children])
        return torch.where(length > 1e-6, bones / length.clamp_min(1e-6), rest)

    def rig(self) -> Rig:
        world = torch.stack(self.turns, 1)
        local = world.clone()
        for n, parent in enumerate(self.parents):
            if parent >= 0:
                local[:, n] = world[:, parent].mT @ world[:, n]
        return Rig(
            tuple(self.names),
            tuple(self.parents),
            tuple(self.joints),
            torch.stack(self.offsets),
            torch.stack(self.ends),
            local,
            torch.stack(self.moves, 1),
            tuple(self.varies),
        )


def _direction(joint: str, end: bool = False) -> Tensor:
    """Where a bone points in the rest pose by its joint, (3,)."""
    base = without_side(joint)
    way = ENDS.get(base, DIRECTIONS.get(base, UP)) if end else DIRECTIONS.get(base, UP)
    mirror = -1.0 if joint.startswith("right_") else 1.0
    direction = torch.tensor([mirror * way[0], way[1], way[2]], dtype=torch.float64)
    return normalize(direction, dim=0)
