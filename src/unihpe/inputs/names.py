"""Which picture a keypoint file means by a name: `a.jpg`, `folder/a.jpg`, `a`, or a number."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")
NUMBER = re.compile(r"[0-9]+$")


def pictures_by_name(
    names: Iterable[str], pictures: Sequence[Path], numbered: bool
) -> tuple[dict[str, Path], list[str]]:
    """The picture of each name that means one; and what is doubtful, in words.

    `numbered` names are also numbers of pictures, as COCO's are: 36 is 000000000036.jpg.
    """
    by_name, by_stem, by_start = (_grouped(pictures, key) for key in (_name, _stem, _start))
    by_number = _grouped(pictures, _number) if numbered else {}
    by_number.pop(None, None)  # pictures without a number
    meant, doubts = dict[str, Path](), list[str]()
    for name in dict.fromkeys(names):
        last = re.split(r"[\\/]", name)[-1]
        ways = [by_name.get(name), by_name.get(last), by_stem.get(last)]
        ways += [by_start.get(last), by_number.get(_number(last))]
        found = next(filter(None, ways), [])
        if len(found) == 1:
            meant[name] = found[0]
        elif found:
            doubts.append(f"{name} may be {' or '.join(path.name for path in found)}")
    for picture, own in _grouped(meant, meant.__getitem__).items():
        best = max(_agreeing(name, picture) for name in own)
        right = [name for name in own if _agreeing(name, picture) == best]
        if len(right) > 1:
            doubts.append(f"{' and '.join(right)} may all be {picture.name}")
        for name in own if len(right) > 1 else set(own) - set(right):
            del meant[name]
    return meant, doubts


def _name(picture: Path) -> str:
    return picture.name


def _stem(picture: Path) -> str:
    return picture.stem


def _start(picture: Path) -> str:
    return picture.name.split(".")[0]  # AlphaPose names its files so


def _number(name: str | Path) -> int | None:
    """The number that a picture's name ends in, or that a name is."""
    stem = name.stem if isinstance(name, Path) else name
    ending = NUMBER.search(stem)
    whole = ending and (isinstance(name, Path) or ending.start() == 0)
    return int(ending[0]) if ending and whole and len(ending[0]) < 100 else None


def _agreeing(name: str, picture: Path) -> int:
    """How many folders above a picture a name has too."""
    own, there = re.split(r"[\\/]", name)[-2::-1], picture.absolute().parts[-2::-1]
    pairs = [a == b for a, b in zip(own, there, strict=False)]
    return [*pairs, False].index(False)


def _grouped(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups
