"""A page of rendered people with their 2D joints, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unihpe.rendering.body import SKELETON
from unihpe.rendering.scene import HIDDEN, OUTSIDE, People, Person
from unihpe.show.draw import Picture, blank, draw_2d, save_png


def contact_sheet(
    source: People,
    path: Path,
    rows: int,
    columns: int,
    *,
    indices: Sequence[int] | None = None,
    overlay: bool = True,
) -> None:
    """Write the first rows · columns people (or those of `indices`) side by side as a PNG; 2D drawn over them."""
    chosen = list(indices) if indices is not None else list(range(rows * columns))
    tiles = [tile(source[index], overlay) for index in chosen[: rows * columns]]
    empty = blank(tiles[0].shape[1], tiles[0].shape[0])
    tiles += [empty] * (rows * columns - len(tiles))
    lines = [np.hstack(tiles[row * columns : (row + 1) * columns]) for row in range(rows)]
    save_png(path, np.ascontiguousarray(np.vstack(lines)))


def tile(person: Person, overlay: bool) -> Picture:
    """The crop, with the joints that are inside it if asked for."""
    if not overlay:
        return person.picture
    shown = (person.visibility != OUTSIDE) * np.where(person.visibility == HIDDEN, 0.5, 1.0)
    return draw_2d(person.picture, person.crop_keypoints, shown, SKELETON)
