"""The sequences of Human3.6M as views: splits, actions, those whose 3D drifts; and its raw joints."""

from __future__ import annotations

from functools import cache

from unihpe.body.skeleton import Skeleton, skeleton
from unihpe.datasets.human36m.takes import OTHER_NAMES, take_of
from unihpe.datasets.recorded import View

TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")
# Sequences whose 3D drifts away from the picture; most lifting papers keep them, some leave them
# out: say which.
DRIFTING = (("S9", "Greeting"), ("S9", "SittingDown 1"), ("S9", "Waiting 1"))
USUAL_NAMES = {other: usual for usual, other in OTHER_NAMES.items()}
# The raw release's 32 joints; those that only repeat or end a bone keep the raw rig's words.
RAW_JOINTS = (
    "pelvis right_hip right_knee right_ankle right_toe_base right_toe_site left_hip left_knee left_ankle left_toe_base"
    " left_toe_site spine_base spine thorax nose head left_collar left_shoulder left_elbow left_wrist left_wrist_copy"
    " left_thumb left_hand_end left_hand_site right_collar right_shoulder right_elbow right_wrist right_wrist_copy"
    " right_thumb right_hand_end right_hand_site"
)


def split_of(subject: str) -> str:
    """train or test, as every protocol but one has it."""
    return "train" if subject in TRAIN_SUBJECTS else "test"


@cache
def view_of(subject: str, sequence: str, camera: str) -> View:
    """A view; scores are averaged per action, both takes together."""
    action = sequence.split(" ")[0]
    action = USUAL_NAMES.get(action, action)
    return View(subject, action, sequence, camera, split_of(subject), action)


def second_take(view: View) -> bool:
    """Whether a view is the second take of its action; the number in a name does not say it."""
    take = take_of(view.subject, view.sequence)
    return take is not None and take.number == 2


def raw_skeleton() -> Skeleton:
    """The raw release's 32 joints."""
    return skeleton("human36m32", RAW_JOINTS)
