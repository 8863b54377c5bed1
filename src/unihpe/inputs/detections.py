"""The people of a keypoint file as its reader finds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Size = tuple[float, float]  # width and height, pixels
# What x and y count: pixels; shares of the picture's width and height, 0 to 1; -1 to 1 across both;
# or VideoPose3D's screen, -1 to 1 across the width, and y as large a step.
Units = Literal["pixels", "shares", "centred", "screen"]
Source = Literal["pictures", "file", "frames", "rows"]
Sides = Literal["given", "swapped"]
MIN_CONFIDENCE = 0.2  # measured: docs/notebook/confidence.md


@dataclass(frozen=True)
class Hints:
    """What people say of a keypoint file, where it does not say so itself, or says it wrong."""

    skeleton: str | None = None
    size: Size | None = None  # of its pictures
    units: Units | None = None
    sides: Sides | None = None  # whether what it calls left is; None: as long as it looks so
    min_confidence: float = MIN_CONFIDENCE  # joints below are missing


@dataclass(frozen=True)
class Person:
    image: str
    person: str
    joints: Any  # as the file has them: x, y, score, x, …; or rows of x, y, and perhaps a score
    scores: Any = None  # of rows without one
    size: Size | None = None  # of the picture, where the file tells


def as_row(value: object) -> dict[str, Any]:
    """A person's entry in a file; an empty one for anything else, which nobody can read."""
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Detections:
    people: Sequence[Person]
    sets: Sequence[str] = ()  # that the tool writes; of those of one size, the usual one first
    skeleton: str | None = None  # the joint set where the file tells
    what: str = ""  # whose joints they are, in the file's own words, where they are not known
    units: Units = "pixels"
    believed: bool = False  # people said so, and the units are not doubted
    # whether people's `image` are names of pictures, the name of their file, counted frames, or
    # rows of an array: frames, or people of one picture
    named_by: Source = "pictures"
    left_out: tuple[str, ...] = ()  # whom the file has but nobody can read, and why
    notes: tuple[str, ...] = ()  # what was taken in a way that people should know of
