"""Which action and which take a sequence of Human3.6M is: the number in its name does not say, and it differs by subject."""

from __future__ import annotations

from dataclasses import dataclass

ACTIONS = (
    *(
        "Directions",
        "Discussion",
        "Eating",
        "Greeting",
        "Phoning",
        "Posing",
        "Purchases",
        "Sitting",
        "SittingDown",
    ),
    *("Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether"),
)
FIRST_ID = 2  # of the release; 1 is all actions together
# Other words for the same: subject S1's files, and the release's list of actions.
OTHER_NAMES = {"Photo": "TakingPhoto", "WalkDog": "WalkingDog", "WalkTogether": "WalkingTogether"}
# The numbers of the first and second take where they are not 1 and none (0 here); from the
# release's metadata.xml.
IRREGULAR: dict[str, dict[str, tuple[int, int]]] = {
    "S1": {"Eating": (2, 0), "Sitting": (1, 2), "SittingDown": (2, 0)},
    "S5": {
        "Directions": (1, 2), "Discussion": (2, 3), "Greeting": (1, 2), "SittingDown": (0, 1), "Photo": (0, 2),
        "Waiting": (1, 2),
    },
    "S6": {
        "Eating": (1, 2), "Posing": (2, 0), "Sitting": (1, 2), "SittingDown": (1, 0), "Photo": (0, 1), "Waiting": (3, 0)
    },
    "S7": {"Phoning": (2, 0), "SittingDown": (0, 1), "Photo": (0, 1), "Waiting": (1, 2), "Walking": (1, 2)},
    "S8": {"SittingDown": (0, 1), "WalkTogether": (1, 2)},
    "S9": {"Discussion": (1, 2), "SittingDown": (0, 1)},
    "S11": {
        "Discussion": (1, 2), "Greeting": (2, 0), "Phoning": (3, 2), "SittingDown": (0, 1), "Smoking": (2, 0)
    },
}  # fmt: skip


@dataclass(frozen=True)
class Take:
    """One of the 30 recordings of a subject.

    Attributes:
        action: the release's number, 2 to 16.
        name: the action, as most files call it.
        number: 1 or 2.
    """

    action: int
    name: str
    number: int

    @property
    def listed_name(self) -> str:
        """The action as the release's list of actions calls it."""
        return OTHER_NAMES.get(self.name, self.name)


def take_of(subject: str, sequence: str) -> Take | None:
    """The take of a sequence such as S9, 'Directions 1'; None for a name that is none of the subject's."""
    name, _, number = sequence.partition(" ")
    name = {other: usual for usual, other in OTHER_NAMES.items()}.get(name, name)
    if subject not in IRREGULAR or name not in ACTIONS or not (number or "0").isdigit():
        return None
    pair = IRREGULAR[subject].get(name, (1, 0))
    if int(number or 0) not in pair:
        return None
    return Take(FIRST_ID + ACTIONS.index(name), name, pair.index(int(number or 0)) + 1)


def sequence_of(subject: str, action: int, number: int) -> str:
    """The name of a subject's take, as most files call it: the other way round."""
    name = ACTIONS[action - FIRST_ID]
    suffix = IRREGULAR[subject].get(name, (1, 0))[number - 1]
    return f"{name} {suffix}" if suffix else name
