"""The film of a clip: its frames with everybody's skeleton, and all of them in space beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from unihpe.errors import InputError
from unihpe.export.results import Results
from unihpe.inputs.media import Clip, Shown
from unihpe.io.picture import Picture
from unihpe.io.sound import Sound, opened_sound
from unihpe.show.colours import Palette, colours_of
from unihpe.show.mp4 import mp4
from unihpe.show.space import Space, levelled
from unihpe.show.strokes import stick_figure
from unihpe.show.text import label, write

QUALITY = 21  # of H.264, its constant rate factor
LONGEST, LEAST = 1280, 640  # of a frame's longer side in the film, pixels: scaled where beyond
BONE = 1 / 150  # width, in heights of the picture
LETTERS = 1 / 36  # likewise


def write_film(
    path: str | Path,
    results: Results,
    clip: Clip,
    progress: Callable[[int], None] | None = None,
) -> str | None:
    """Write an MP4 film of a clip and the people in it, whole or not at all.

    The clip's sound is copied. Returns why it is not, where the clip has one that cannot be.

    Args:
        results: of the clip: `frame` says which rows are in which frame; a film of partial ones
            ends with them.
        progress: called with the number of frames done.

    Raises:
        InputError: for results that are not a clip's, or a film that cannot be written.
    """
    scene = _Scene(results, clip.size)
    with (
        _sound_of(clip) as (sound, obstacle),
        mp4(Path(path), scene.size, clip.frame_rate, QUALITY, sound) as film,
    ):
        for done, shown in enumerate(clip.frames(), start=1):
            film.add(scene.draw(shown), shown.time)
            if progress is not None:
                progress(done)
            if results.partial and shown.index >= scene.last:
                break
    return obstacle


@contextmanager
def _sound_of(clip: Clip) -> Iterator[tuple[Sound | None, str | None]]:
    """The sound of a clip, or what keeps it from being copied."""
    if not isinstance(clip.source, str | Path | bytes):
        yield None, None
        return
    with opened_sound(clip.source) as sound:
        obstacle = None if sound is None else sound.obstacle()
        yield (sound if obstacle is None else None), obstacle


class _Scene:
    """What is the same in all pictures of a film."""

    def __init__(self, results: Results, size: tuple[int, int]) -> None:
        if results.frame is None:
            raise InputError("a film needs the results of a clip: these have no frame numbers")
        longer = min(max(max(size), LEAST), LONGEST)
        width, height = (max(2, round(side * longer / max(size) / 2) * 2) for side in size)
        side = (min(width, height), height)  # of the space beside the picture
        self.results, self.flat, self.size = results, (width, height), (width + side[0], height)
        self.letters = max(9, round(height * LETTERS))
        self.scale = np.array([width / size[0], height / size[1]], dtype=np.float32)
        self.colours = colours_of(results.person)
        self.poses, self.depth = (
            levelled(results).absolute.numpy(),
            results.translation[:, 2].tolist(),
        )
        self.space = Space.round(self.poses, side)
        self.rows: dict[int, list[int]] = {}
        for row, frame in enumerate(results.frame.tolist()):
            self.rows.setdefault(frame, []).append(row)
        self.last = max(self.rows, default=0)

    def draw(self, shown: Shown) -> Picture:
        """One picture of the film, RGB."""
        rows, (width, height) = self.rows.get(shown.index, []), self.flat
        rows = sorted(rows, key=lambda n: -self.depth[n])
        film = np.empty((height, self.size[0], 3), dtype=np.uint8)
        method = cv2.INTER_AREA if width < shown.picture.shape[1] else cv2.INTER_LINEAR
        flat = np.asarray(cv2.resize(shown.picture, self.flat, interpolation=method), np.uint8)
        for row in rows:
            self._draw_flat(flat, row)
        film[:, :width] = flat
        film[:, width:] = self._draw_space(rows)
        letters = self.letters
        write(film, f"{shown.time:.2f} s", width + letters, height - letters, letters)
        return film

    def _draw_flat(self, picture: Picture, row: int) -> None:
        """A person's skeleton and label over the frame."""
        results, height = self.results, self.flat[1]
        spots = results.keypoints[row].numpy() * self.scale
        seen = (results.confidence[row].numpy() > 0) | self._is_filled(row)
        seen &= np.isfinite(spots).all(-1)
        if not seen.any():
            return
        name = results.person[row]
        colours: Palette = self.colours[name]
        width = height * BONE * (0.5 if self._is_filled(row) else 1.0)
        stick_figure(picture, spots, seen, results.skeleton, colours, width, casing=True)
        x, y = spots[seen][spots[seen, 1].argmin()]
        letters = self.letters
        label(picture, name, x, max(y - letters, 1.5 * letters), letters, colours.centre)

    def _draw_space(self, rows: list[int]) -> Picture:
        """Everybody of a frame in space."""
        picture, skeleton = self.space.ground.copy(), self.results.skeleton
        width = self.flat[1] * BONE
        for row in rows:
            self.space.shadow(picture, self.poses[row], skeleton, width)
        for row in rows:
            colours = self.colours[self.results.person[row]]
            thin = 0.5 if self._is_filled(row) else 1.0
            self.space.figure(picture, self.poses[row], skeleton, colours, width * thin)
        return picture

    def _is_filled(self, row: int) -> bool:
        """Whether the person was not seen there, but before and after."""
        return self.results.filled is not None and bool(self.results.filled[row])
