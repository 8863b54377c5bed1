"""Joint sets by name: the one place where joints have numbers."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from itertools import chain

from torch import Tensor

from unihpe.errors import InputError

# Joints made from others, in torso lengths (pelvis to mid-shoulder): thorax above the shoulders;
# head and nose from there along the head's direction, the nose also forward.
THORAX_UP, HEAD_UP, NOSE_UP, NOSE_FORWARD = 0.10, 0.58, 0.36, 0.13


@dataclass(frozen=True)
class Skeleton:
    """An ordered joint set. Every index used anywhere is derived from these names."""

    name: str
    joints: tuple[str, ...]  # in the set's order; sides are prefixes, `left_` and `right_`
    parent_of: Mapping[str, str]  # child → parent, for drawing bones; roots are absent

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """The column of a joint; InputError for one that the set lacks."""
        if joint not in self.joints:
            raise InputError(f"{self.name} has no joint {joint}; it has {', '.join(self.joints)}")
        return self.joints.index(joint)

    def columns_of(self, names: Collection[str]) -> list[int]:
        """The columns of joints by their names without a side: both knees of "knee"."""
        return [n for n, joint in enumerate(self.joints) if without_side(joint) in names]

    @property
    def root(self) -> str | None:
        """The joint that 3D poses are relative to; None where that is the hips' mid-point."""
        return "pelvis" if "pelvis" in self.joints else None

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Column n of a pose flipped left–right comes from column mirror[n]."""
        sides = (other_side(joint) for joint in self.joints)
        return tuple(self.index(j) if j in self.joints else n for n, j in enumerate(sides))

    def mirrored(self, points: Tensor) -> Tensor:
        """Points (..., J, 2 or 3) as a mirror shows them, x counted from the middle."""
        signs = points.new_tensor([-1.0] + [1.0] * (points.shape[-1] - 1))
        return points[..., list(self.mirror), :] * signs

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) columns."""
        parents = (self.parent_of.get(joint) for joint in self.joints)
        return tuple((self.index(parent), n) for n, parent in enumerate(parents) if parent)

    def only(self, columns: Sequence[int]) -> "Skeleton":
        """Some of its joints, by column, as a set of their own."""
        return skeleton(f"some of {self.name}", " ".join(self.joints[n] for n in columns))

    def select_from(self, other: "Skeleton") -> list[int]:
        """Columns of `other` that give this skeleton; InputError naming joints that it lacks."""
        if missing := [joint for joint in self.joints if joint not in other.joints]:
            raise InputError(f"{other.name} has no {', '.join(missing)}, needed for {self.name}")
        return [other.index(joint) for joint in self.joints]


def other_side(joint: str) -> str:
    """The joint's name on the other side of the body; itself for joints without a side."""
    side, _, name = joint.partition("_")
    return {"left": f"right_{name}", "right": f"left_{name}"}.get(side, joint)


def without_side(joint: str) -> str:
    """The joint's name without left_ or right_."""
    return joint.removeprefix("left_").removeprefix("right_")


def side_of(joint: str) -> str:
    """left, right or centre."""
    return next((side for side in ("left", "right") if joint.startswith(f"{side}_")), "centre")


FILE = resources.files("unihpe.body") / "skeletons.toml"  # joint sets, and who hangs on whom
TABLES = tomllib.loads(FILE.read_text(encoding="utf-8"))
PARTS = TABLES["parts"]
KINSHIP = TABLES["ancestors"].items()
ANCESTORS = {joint: line.split() for joints, line in KINSHIP for joint in joints.split()}


def skeleton(name: str, joints: str) -> Skeleton:
    """A joint set from a line of names, with parts in braces and ranges as skeletons.toml says."""
    names = tuple(chain.from_iterable(map(_spelt_out, joints.format(**PARTS).split())))
    parents = {joint: parent for joint in names if (parent := _parent_in(joint, names))}
    return Skeleton(name, names, parents)


def _spelt_out(name: str) -> list[str]:
    """`toe_1..3` as three names, `toe_3..1` the other way round; any other name as it is."""
    stem, _, numbers = name.rpartition("_")
    if ".." not in numbers:
        return [name]
    first, last = map(int, numbers.split(".."))
    step = 1 if first <= last else -1
    return [f"{stem}_{n}" for n in range(first, last + step, step)]


def _parent_in(joint: str, names: tuple[str, ...]) -> str | None:
    """The nearest ancestor of a joint among `names`, on its own side first."""
    side, _, base = joint.partition("_") if side_of(joint) != "centre" else ("", "", joint)
    forms = [form for name in ANCESTORS.get(base, ()) for form in (f"{side}_{name}", name)]
    return next((form for form in forms if form in names and form != joint), None)


SKELETONS: Mapping[str, Skeleton] = {
    name: skeleton(name, own) for name, own in TABLES["joints"].items()
}


def get_skeleton(name: str) -> Skeleton:
    """A skeleton by name; InputError for an unknown one, listing those there are."""
    if not isinstance(name, str) or name not in SKELETONS:
        raise InputError(f"no skeleton '{name}'; there are {', '.join(SKELETONS)}")
    return SKELETONS[name]
