"""What a page shows one after the other: the pictures of some results, or a clip's frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from unihpe.body.batch import evenly_spaced
from unihpe.export.results import Results

MOST_PICTURES = 400  # beyond, they are taken evenly spaced
MOST_ROWS = 40_000  # likewise, of a clip


@dataclass(frozen=True)
class Scene:
    """Everybody in a picture, or in a frame."""

    rows: Sequence[int]  # of the results
    name: str = ""  # of the picture
    time: float | None = None  # seconds from the clip's beginning


def scenes_of(results: Results, frames: Sequence[tuple[int, float]] = ()) -> list[Scene]:
    """The scenes in order; `frames` are the number and time of a clip's frames, empty ones too."""
    if results.frame is not None:
        return _frames(results, frames)
    rows: dict[str, list[int]] = {}
    for row, image in enumerate(results.image):
        rows.setdefault(image, []).append(row)
    scenes = [Scene(own, Path(image).name or image) for image, own in rows.items()]
    return [scenes[n] for n in evenly_spaced(len(scenes), MOST_PICTURES).tolist()]


def _frames(results: Results, frames: Sequence[tuple[int, float]]) -> list[Scene]:
    assert results.frame is not None
    numbers = results.frame.tolist()
    times = numbers if results.time is None else results.time.tolist()
    moments = dict(frames) or dict(zip(numbers, times, strict=True))
    rows: dict[int, list[int]] = {number: [] for number in moments}
    for row, number in enumerate(numbers):
        if number in rows:
            rows[number].append(row)
    step = -(-max(len(results), len(rows)) // MOST_ROWS) or 1
    return [Scene(rows[n], time=moments[n]) for n in [*moments][::step]]


def shown_rows(scenes: Sequence[Scene]) -> list[int]:
    """The rows of all scenes, one after the other."""
    return [row for scene in scenes for row in scene.rows]


def beginnings(scenes: Sequence[Scene]) -> list[int]:
    """Where each scene begins in `shown_rows`, and the end."""
    return [*accumulate((len(scene.rows) for scene in scenes), initial=0)]
