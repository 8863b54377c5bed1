"""The one exception for what a user can put right."""

from __future__ import annotations

from collections.abc import Collection


class InputError(ValueError):
    """Bad input: one line says what, where and the remedy. Commands print it and exit with 2."""


def one_line(error: object, most: int | None = None) -> str:
    """What an exception says (its type if nothing), on one line of at most so many characters."""
    return (" ".join(str(error).split()) or type(error).__name__)[:most]


def listing(names: Collection[str], most: int = 8) -> str:
    """Names for a message, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + more


def number_of(count: int, one: str, many: str) -> str:
    """A number and its noun: "1 person", "2 people"."""
    return f"{count:,} {one if count == 1 else many}"
