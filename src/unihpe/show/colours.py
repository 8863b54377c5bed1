"""Colours of poses: by side of the body, and by person with the sides told apart."""

from collections.abc import Iterable
from typing import NamedTuple

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

PAPER, INK, GRID, SHADOW = (250, 250, 248), (45, 52, 60), (226, 228, 224), (214, 217, 213)


class Palette(NamedTuple):
    """Of one skeleton: its bones by side, and its joints."""

    left: Colour
    centre: Colour
    right: Colour
    joint: Colour

    def of(self, side: str) -> Colour:
        """The colour of a bone that is left, right or centre."""
        return {"left": self.left, "right": self.right}.get(side, self.centre)

    @classmethod
    def plain(cls, colour: Colour) -> "Palette":
        """One colour for everything."""
        return cls(colour, colour, colour, colour)


def _person(left: Colour, centre: Colour, right: Colour) -> Palette:
    return Palette(left, centre, right, centre)


SIDES = Palette(left=(37, 99, 235), centre=(75, 85, 99), right=(225, 87, 34), joint=INK)
TRUTH = Palette.plain((160, 168, 178))
PEOPLE = (  # each a hue: the left side is the light one
    _person((96, 165, 250), (37, 99, 235), (30, 58, 138)),
    _person((251, 170, 92), (234, 104, 20), (154, 52, 18)),
    _person((110, 221, 140), (22, 150, 70), (20, 83, 45)),
    _person((240, 150, 220), (192, 38, 160), (112, 26, 90)),
    _person((94, 222, 212), (13, 148, 136), (19, 78, 74)),
    _person((250, 210, 90), (190, 130, 10), (113, 63, 18)),
    _person((252, 150, 160), (225, 35, 70), (136, 19, 55)),
    _person((190, 170, 253), (124, 58, 237), (76, 29, 149)),
)


def colours_of(people: Iterable[str]) -> dict[str, Palette]:
    """A palette for each name: someone alone has the sides' colours, several a hue each."""
    names = list(dict.fromkeys(people))
    if len(names) == 1:
        return {names[0]: SIDES}
    return {name: PEOPLE[n % len(PEOPLE)] for n, name in enumerate(names)}
