"""Joint sets by name: the one place where joints have numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

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
        """The column of a joint."""
        return self.joints.index(joint)

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

    def select_from(self, other: "Skeleton") -> list[int]:
        """Columns of `other` that give this skeleton; InputError naming joints that it lacks."""
        if missing := [joint for joint in self.joints if joint not in other.joints]:
            raise InputError(f"{other.name} has no {', '.join(missing)}, needed for {self.name}")
        return [other.index(joint) for joint in self.joints]


def other_side(joint: str) -> str:
    """The joint's name on the other side of the body; itself for joints without a side."""
    side, _, name = joint.partition("_")
    return {"left": f"right_{name}", "right": f"left_{name}"}.get(side, joint)


def side_of(joint: str) -> str:
    """left, right or centre."""
    return next((side for side in ("left", "right") if joint.startswith(f"{side}_")), "centre")


# Joints, and their ancestors: a set takes the nearest one that it has.
KINSHIP = {
    "hip": "pelvis mid_hip spine1 spine",
    "knee": "hip",
    "ankle": "knee",
    "heel toe foot big_toe": "ankle",
    "foot_index": "heel ankle",
    "small_toe": "big_toe ankle",
    "collar": "spine3 spine4 neck thorax",
    "clavicle": "neck spine4",
    "shoulder": "collar clavicle thorax neck hip",
    "elbow": "shoulder",
    "wrist": "elbow",
    "hand pinky index thumb": "wrist",
    "eye eye_inner mouth": "nose",
    "eye_outer": "eye",
    "ear": "eye_outer eye",
    "spine spine1": "pelvis",
    "spine2": "spine1",
    "spine3": "spine2 spine",
    "spine4": "spine3",
    "thorax": "spine pelvis mid_hip",
    "neck": "spine3 spine4 spine thorax pelvis mid_hip",
    "nose jaw": "neck thorax",
    "head": "nose neck thorax",
    "head_top": "head nose neck thorax",
}
ANCESTORS = {joint: line.split() for joints, line in KINSHIP.items() for joint in joints.split()}


def skeleton(name: str, joints: str) -> Skeleton:
    names = tuple(joints.split())
    parents = {joint: parent for joint in names if (parent := parent_in(joint, names))}
    return Skeleton(name, names, parents)


def parent_in(joint: str, names: tuple[str, ...]) -> str | None:
    """The nearest ancestor of a joint among `names`, on its own side first."""
    side, _, base = joint.partition("_") if side_of(joint) != "centre" else ("", "", joint)
    forms = [form for name in ANCESTORS.get(base, ()) for form in (f"{side}_{name}", name)]
    return next((form for form in forms if form in names and form != joint), None)


LEFT_ARM = "left_shoulder left_elbow left_wrist"
RIGHT_ARM = "right_shoulder right_elbow right_wrist"
LEFT_LEG = "left_hip left_knee left_ankle"
RIGHT_LEG = "right_hip right_knee right_ankle"
ARMS = "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist"  # in pairs
LEGS = "left_hip right_hip left_knee right_knee left_ankle right_ankle"
EYES, EARS = "left_eye right_eye", "left_ear right_ear"
UP_THE_LEGS = "right_ankle right_knee right_hip left_hip left_knee left_ankle"
UP_THE_ARMS = f"right_wrist right_elbow right_shoulder {LEFT_ARM}"
H36M_UPPER = f"spine thorax nose head {LEFT_ARM} {RIGHT_ARM}"
COCO = f"nose {EYES} {EARS} {ARMS} {LEGS}"
LSP = f"{UP_THE_LEGS} {UP_THE_ARMS} neck head_top"
OPENPOSE_UPPER = f"nose neck {RIGHT_ARM} {LEFT_ARM}"
OPENPOSE_FACE = "right_eye left_eye right_ear left_ear"

JOINTS = {
    "human36m17": f"pelvis {RIGHT_LEG} {LEFT_LEG} {H36M_UPPER}",
    # the other leg order in use (LSP-like regressors, some packagings)
    "human36m17_left_first": f"pelvis {LEFT_LEG} {RIGHT_LEG} {H36M_UPPER}",
    "coco17": COCO,
    "halpe26": f"{COCO} head_top neck pelvis left_big_toe right_big_toe left_small_toe"
    " right_small_toe left_heel right_heel",
    "body25": f"{OPENPOSE_UPPER} pelvis {RIGHT_LEG} {LEFT_LEG} {OPENPOSE_FACE}"
    " left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel",
    "coco18": f"{OPENPOSE_UPPER} {RIGHT_LEG} {LEFT_LEG} {OPENPOSE_FACE}",
    "mediapipe33": "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye"
    f" right_eye_outer {EARS} left_mouth right_mouth {ARMS} left_pinky right_pinky left_index"
    f" right_index left_thumb right_thumb {LEGS} left_heel right_heel left_foot_index"
    " right_foot_index",
    "mpii16": f"{UP_THE_LEGS} pelvis thorax neck head_top {UP_THE_ARMS}",
    "mpi_inf_3dhp28": "spine3 spine4 spine2 spine pelvis neck head head_top left_clavicle"
    f" {LEFT_ARM} left_hand right_clavicle {RIGHT_ARM} right_hand {LEFT_LEG} left_foot left_toe"
    f" {RIGHT_LEG} right_foot right_toe",
    "mpi_inf_3dhp17": f"head_top neck {RIGHT_ARM} {LEFT_ARM} {RIGHT_LEG} {LEFT_LEG} pelvis spine"
    " head",
    "smpl24": "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle"
    f" spine3 left_foot right_foot neck left_collar right_collar head {ARMS} left_hand right_hand",
    "spin24": f"{LSP} pelvis thorax spine jaw head nose {EYES} {EARS}",
    "lsp14": LSP,
    "humaneva15": f"pelvis thorax {LEFT_ARM} {RIGHT_ARM} {LEFT_LEG} {RIGHT_LEG} head",
}
SKELETONS: Mapping[str, Skeleton] = {name: skeleton(name, own) for name, own in JOINTS.items()}


def get_skeleton(name: str) -> Skeleton:
    """A skeleton by name; InputError for an unknown one, listing those there are."""
    if name not in SKELETONS:
        raise InputError(f"no skeleton '{name}'; there are {', '.join(SKELETONS)}")
    return SKELETONS[name]
