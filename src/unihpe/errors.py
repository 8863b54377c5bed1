"""The one exception for what a user can put right."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral

LARGEST = 2**62  # what torch takes as a seed, and more than any count


class InputError(ValueError):
    """Bad input: one line says what, where and the remedy. Commands print it and exit with 2."""


def one_line(error: object, most: int | None = None) -> str:
    """What an exception says (its type if nothing), on one line of at most so many characters."""
    return (" ".join(str(error).split()) or type(error).__name__)[:most]


def printable(text: str) -> str:
    """Text on one line for any terminal: signs that none shows (in names of files) are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listing(names: Collection[str], most: int = 8) -> str:
    """Names for a message, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + more


def number_of(count: int, one: str, many: str) -> str:
    """A number and its noun: "1 person", "2 people"."""
    return f"{count:,} {one if count == 1 else many}"


def require_count(what: str, value: object, least: int = 0) -> None:
    """InputError unless a value is a whole number of at least `least`; `what` it is, in words."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (whole and least <= int(value) <= LARGEST):  # type: ignore[call-overload]
        raise InputError(f"{what} must be a whole number, {least} or more, not {_shown(value)}")


def require_positive(what: str, value: object) -> None:
    """InputError unless a value is one finite number above 0; `what` it is, in words."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError, OverflowError):  # torch's for several numbers
        number = math.nan
    if isinstance(value, str | bytes) or not 0 < number < math.inf:
        raise InputError(f"{what} must be a finite number above 0, not {_shown(value)}")


def _shown(value: object) -> str:
    return one_line(repr(value), 40)
