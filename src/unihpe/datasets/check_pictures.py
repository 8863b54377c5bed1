"""Are the pictures of a set there, and are they those that its 2D was marked in?"""

from __future__ import annotations

from pathlib import Path

from unihpe.body.batch import evenly_spaced
from unihpe.datasets.pictures import PICTURES, Pictures, near_the_beginning, require_size
from unihpe.datasets.recorded import Recorded
from unihpe.errors import InputError, listing

LOOKED_FOR = 20_000  # spread over the set
OPENED = 24  # of those found


def looked_for(
    name: str, root: Path, recorded: Recorded
) -> tuple[dict[str, int] | None, list[str], list[str]]:
    """How many pictures were looked for and found (None for a set whose pictures nobody has), what is not there, and what is wrong."""
    if name not in PICTURES:
        return None, [], []
    pictures, missing, there = Pictures(name, root), list[str](), list[int]()
    rows = sorted(set(evenly_spaced(len(recorded), LOOKED_FOR).tolist()))
    for row in rows:
        view, frame = recorded.views[int(recorded.view[row])], int(recorded.frame[row])
        if pictures.find(view, frame) is None:
            missing.append(pictures.names(view, frame)[0])
        else:
            there.append(row)
    found, problems = (
        {"looked_for": len(rows), "found": len(there)},
        opened(pictures, recorded, there),
    )
    if not missing:
        return found, [], problems
    if not there:
        return found, ["no pictures"], []
    words = f"{len(missing)} of {len(rows)} pictures looked for are not there, such as {listing(missing, 3)}"
    return found, [words], problems


def opened(pictures: Pictures, recorded: Recorded, rows: list[int]) -> list[str]:
    """What is wrong with the pictures of some of these rows: the first that cannot be read, or is of another size."""
    for row in rows[:: max(1, len(rows) // OPENED)]:
        first = near_the_beginning(recorded, pictures, row)
        view, frame = recorded.views[int(recorded.view[first])], int(recorded.frame[first])
        size = recorded.cameras.size[recorded.camera[first]]
        try:
            require_size(pictures.read(view, frame), size, pictures, view, frame)
        except InputError as error:
            return [str(error)]
    return []
