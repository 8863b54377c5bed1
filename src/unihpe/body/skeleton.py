"""Joint sets by name, and conversions between them. The one place where joints have numbers.

Conversion goes by name. What a target set needs and a source set lacks is synthesised where a rule
below says how, and marked as such; what has no rule stays missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from torch import Tensor

from unihpe.errors import InputError


@dataclass(frozen=True)
class Skeleton:
    """An ordered joint set. Every index used anywhere is derived from these names.

    Attributes:
        name: of the set.
        joints: their names, in the set's order; sides are prefixes, `left_` and `right_`.
        parent_of: child → parent, for drawing bones; roots are absent.
    """

    name: str
    joints: tuple[str, ...]
    parent_of: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """The column of a joint."""
        return self.joints.index(joint)

    @property
    def root(self) -> str | None:
        """The joint that 3D poses are relative to: the pelvis; None where the set has none (then the hips' mid-point is)."""
        return "pelvis" if "pelvis" in self.joints else None

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Columns after a left–right flip: column n of the mirrored pose comes from column mirror[n]."""
        return tuple(
            self.index(other_side(joint)) if other_side(joint) in self.joints else n
            for n, joint in enumerate(self.joints)
        )

    def mirrored(self, points: Tensor) -> Tensor:
        """Points (..., J, 2 or 3), x to the right of the middle, with left and right exchanged: what a mirror shows."""
        signs = points.new_tensor([-1.0] + [1.0] * (points.shape[-1] - 1))
        return points[..., list(self.mirror), :] * signs

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) columns."""
        return tuple(
            (self.index(self.parent_of[j]), n)
            for n, j in enumerate(self.joints)
            if j in self.parent_of
        )

    def select_from(self, other: Skeleton) -> list[int]:
        """Columns of `other` that give this skeleton.

        Raises:
            InputError: naming the joints that `other` lacks.
        """
        if missing := [joint for joint in self.joints if joint not in other.joints]:
            raise InputError(f"{other.name} has no {', '.join(missing)}, needed for {self.name}")
        return [other.index(joint) for joint in self.joints]


def other_side(joint: str) -> str:
    """The joint's name on the other side of the body; itself for joints without a side."""
    for here, there in (("left_", "right_"), ("right_", "left_")):
        if joint.startswith(here):
            return there + joint.removeprefix(here)
    return joint


def side_of(joint: str) -> str:
    """left, right or centre."""
    return next((side for side in ("left", "right") if joint.startswith(f"{side}_")), "centre")


# Who hangs on whom, for every joint name used below; a set takes the nearest ancestor that it has.
ANCESTORS: dict[str, tuple[str, ...]] = {
    "hip": ("pelvis", "mid_hip", "spine1", "spine"),
    "knee": ("hip",),
    "ankle": ("knee",),
    "heel": ("ankle",),
    "toe": ("ankle",),
    "foot": ("ankle",),
    "foot_index": ("heel", "ankle"),
    "big_toe": ("ankle",),
    "small_toe": ("big_toe", "ankle"),
    "foot_tip": ("foot",),
    "collar": ("spine3", "spine4", "neck", "thorax"),
    "clavicle": ("neck", "spine4"),
    "shoulder": ("collar", "clavicle", "thorax", "neck", "hip"),
    "elbow": ("shoulder",),
    "wrist": ("elbow",),
    "hand": ("wrist",),
    "pinky": ("wrist",),
    "index": ("wrist",),
    "thumb": ("wrist",),
    "eye": ("nose",),
    "eye_inner": ("nose",),
    "eye_outer": ("eye",),
    "ear": ("eye_outer", "eye"),
    "mouth": ("nose",),
    "spine": ("pelvis",),
    "spine1": ("pelvis",),
    "spine2": ("spine1",),
    "spine3": ("spine2", "spine"),
    "spine4": ("spine3",),
    "thorax": ("spine", "pelvis", "mid_hip"),
    "neck": ("spine3", "spine4", "spine", "thorax", "pelvis", "mid_hip"),
    "nose": ("neck", "thorax"),
    "jaw": ("neck", "thorax"),
    "head": ("nose", "neck", "thorax"),
    "head_top": ("head", "nose", "neck", "thorax"),
}


def skeleton(name: str, joints: str) -> Skeleton:
    """A skeleton from its joints in order, with bones from `ANCESTORS`."""
    names = tuple(joints.split())
    parents = {joint: parent for joint in names if (parent := parent_in(joint, names))}
    return Skeleton(name, names, MappingProxyType(parents))


def parent_in(joint: str, names: tuple[str, ...]) -> str | None:
    """The nearest ancestor of a joint among `names`, on its own side first."""
    side, _, base = joint.partition("_") if side_of(joint) != "centre" else ("", "", joint)
    for ancestor in ANCESTORS.get(base, ()):
        for candidate in (f"{side}_{ancestor}", ancestor):
            if candidate in names and candidate != joint:
                return candidate
    return None


H36M_RIGHT_LEG = "right_hip right_knee right_ankle"
H36M_LEFT_LEG = "left_hip left_knee left_ankle"
H36M_UPPER = "spine thorax nose head left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist"
    " left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
OPENPOSE_UPPER = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist"
)
OPENPOSE_FACE = "right_eye left_eye right_ear left_ear"
SKELETONS: Mapping[str, Skeleton] = MappingProxyType(
    {
        s.name: s
        for s in (
            skeleton("human36m17", f"pelvis {H36M_RIGHT_LEG} {H36M_LEFT_LEG} {H36M_UPPER}"),
            # the other leg order that is about (LSP-like regressors, some packagings)
            skeleton(
                "human36m17_left_first", f"pelvis {H36M_LEFT_LEG} {H36M_RIGHT_LEG} {H36M_UPPER}"
            ),
            skeleton("coco17", COCO),
            skeleton(
                "halpe26",
                f"{COCO} head_top neck pelvis left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel",
            ),
            skeleton(
                "body25",
                f"{OPENPOSE_UPPER} pelvis {H36M_RIGHT_LEG} {H36M_LEFT_LEG} {OPENPOSE_FACE}"
                " left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel",
            ),
            skeleton(
                "coco18", f"{OPENPOSE_UPPER} {H36M_RIGHT_LEG} {H36M_LEFT_LEG} {OPENPOSE_FACE}"
            ),
            skeleton(
                "mediapipe33",
                "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear"
                " left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist"
                " left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee"
                " left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index",
            ),
            skeleton(
                "mpii16",
                "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax neck head_top"
                " right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist",
            ),
            skeleton(
                "mpi_inf_3dhp28",
                "spine3 spine4 spine2 spine pelvis neck head head_top left_clavicle left_shoulder left_elbow left_wrist left_hand"
                " right_clavicle right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot left_toe"
                " right_hip right_knee right_ankle right_foot right_toe",
            ),
            skeleton(
                "mpi_inf_3dhp17",
                "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist"
                " right_hip right_knee right_ankle left_hip left_knee left_ankle pelvis spine head",
            ),
            skeleton(
                "smpl24",
                "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot right_foot"
                " neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist"
                " left_hand right_hand",
            ),
            skeleton(
                "spin24",
                "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder"
                " left_shoulder left_elbow left_wrist neck head_top pelvis thorax spine jaw head nose left_eye right_eye"
                " left_ear right_ear",
            ),
            skeleton(
                "lsp14",
                "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder"
                " left_shoulder left_elbow left_wrist neck head_top",
            ),
            skeleton(
                "humaneva15",
                "pelvis thorax left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
                " left_hip left_knee left_ankle right_hip right_knee right_ankle head",
            ),
        )
    }
)


def get_skeleton(name: str) -> Skeleton:
    """A skeleton by name.

    Raises:
        InputError: for an unknown name, listing the known ones.
    """
    if name not in SKELETONS:
        raise InputError(f"no skeleton '{name}'; there are {', '.join(SKELETONS)}")
    return SKELETONS[name]
