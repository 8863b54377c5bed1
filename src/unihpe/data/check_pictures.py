"""Are the pictures of a set there?"""

from __future__ import annotations

from pathlib import Path

from unihpe.data.pictures import PICTURES, Pictures
from unihpe.data.recorded import Recorded, shown, spread

LOOKED_FOR = 20_000  # spread over the set


def looked_for(name: str, root: Path, recorded: Recorded) -> tuple[dict[str, int] | None, list[str]]:
    """How many pictures were looked for and found (None for a set whose pictures nobody has), and what is not there."""
    if name not in PICTURES:
        return None, []
    pictures, missing = Pictures(name, root), list[str]()
    rows = sorted(set(spread(len(recorded), LOOKED_FOR).tolist()))
    for row in rows:
        view, frame = recorded.views[int(recorded.view[row])], int(recorded.frame[row])
        if pictures.find(view, frame) is None:
            missing.append(pictures.names(view, frame)[0])
    found = {"looked_for": len(rows), "found": len(rows) - len(missing)}
    if not missing:
        return found, []
    if len(missing) == len(rows):
        return found, ["no pictures"]
    return found, [f"{len(missing)} of {len(rows)} pictures looked for are not there, such as {shown(missing, 3)}"]
