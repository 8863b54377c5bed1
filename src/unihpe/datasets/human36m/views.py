"""Human3.6M's subjects, actions and takes, its sequences as views, their files, and its raw joints.

The number in a sequence's name does not say which take it is, and differs by subject.
"""

from functools import cache
from typing import NamedTuple

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.recorded import View
from unihpe.io.files import packaged_toml

TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "Photo", "Waiting", "Walking", "WalkDog"),
    "WalkTogether",
)
FIRST_ID = 2  # of the release; 1 is all actions together
# Other words for the same: subject S1's files, and the release's list of actions.
OTHER_NAMES = {"Photo": "TakingPhoto", "WalkDog": "WalkingDog", "WalkTogether": "WalkingTogether"}
USUAL_NAMES = {other: usual for usual, other in OTHER_NAMES.items()}
# Their 3D drifts away from the picture; most lifting papers keep them, some do not: say which.
DRIFTING = (("S9", "Greeting"), ("S9", "SittingDown 1"), ("S9", "Waiting 1"))
PUBLISHED = packaged_toml(__package__, "published.toml")
CAMERAS = tuple(PUBLISHED["intrinsics"])
IRREGULAR: dict[str, dict[str, list[int]]] = PUBLISHED["takes"]
RAW_SKELETON = get_skeleton("human36m32")


class _Take(NamedTuple):
    """One of the 30 recordings of a subject."""

    action: int  # the release's number, 2 to 16
    name: str  # the action, as most files call it
    number: int  # 1 or 2

    @property
    def listed_name(self) -> str:
        """The action as the release's list of actions calls it."""
        return OTHER_NAMES.get(self.name, self.name)


def _take_of(subject: str, sequence: str) -> _Take | None:
    """The take of a sequence such as S9, 'Directions 1'; None for an unknown name."""
    name, _, number = sequence.partition(" ")
    name = USUAL_NAMES.get(name, name)
    if subject not in IRREGULAR or name not in ACTIONS or not (number or "0").isdigit():
        return None
    pair = IRREGULAR[subject].get(name, [1, 0])
    if int(number or 0) not in pair:
        return None
    return _Take(FIRST_ID + ACTIONS.index(name), name, pair.index(int(number or 0)) + 1)


def sequence_of(subject: str, action: int, number: int) -> str:
    """The name of a subject's take, as most files call it: the inverse of `_take_of`."""
    name = ACTIONS[action - FIRST_ID]
    suffix = IRREGULAR[subject].get(name, [1, 0])[number - 1]
    return f"{name} {suffix}" if suffix else name


def second_take(view: View) -> bool:
    """Whether a view is the second take of its action; the number in a name does not say it."""
    take = _take_of(view.subject, view.sequence)
    return take is not None and take.number == 2


@cache
def view_of(subject: str, sequence: str, camera: str) -> View:
    """A view; scores are averaged per action, both takes together."""
    action = sequence.split(" ")[0]
    action = USUAL_NAMES.get(action, action)
    split = "train" if subject in TRAIN_SUBJECTS else "test"
    return View(subject, action, sequence, camera, split, action)


def pictures(view: View, frame: int) -> list[str]:
    """MMPose's, MMHuman3D's, SPIN's, h36m-fetch's and H36M-Toolbox's names; frames from 1."""
    names, subject, number = list[str](), view.subject, f"{frame + 1:06d}"
    for sequence in _written(view):
        stem = f"{subject}_{sequence.replace(' ', '_')}.{view.camera}"
        folders = (f"images/{subject}/{stem}", f"{subject}/images/{stem}", "images")
        names += [f"{folder}/{stem}_{number}.jpg" for folder in folders]
    if take := _take_of(subject, view.sequence):
        place = CAMERAS.index(view.camera) + 1 if view.camera in CAMERAS else 0
        action = f"s_{int(subject[1:]):02d}_act_{take.action:02d}"
        stem = f"{action}_subact_{take.number:02d}_ca_{place:02d}"
        listed = f"{subject}/{take.listed_name}-{take.number}/imageSequence/{view.camera}"
        names += [f"{listed}/img_{number}.jpg", f"{stem}/{stem}_{number}.jpg"]
    return names


def videos(view: View, frame: int) -> list[str]:
    """The release's."""
    return [f"{view.subject}/Videos/{sequence}.{view.camera}.mp4" for sequence in _written(view)]


def _written(view: View) -> list[str]:
    """A sequence of Human3.6M as this subject's files may call it."""
    action, _, number = view.sequence.partition(" ")
    other = OTHER_NAMES.get(action)
    return [view.sequence, *([f"{other} {number}".strip()] if other else [])]
