"""Clips: a video, or a part of it, that can be gone through frame by frame, as often as needed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil, inf, isfinite, isinf
from pathlib import Path

from unihpe.errors import InputError, require_count, require_positive
from unihpe.inputs.checks import checked_picture
from unihpe.io.picture import Picture
from unihpe.io.video import (
    VIDEO_SUFFIXES,
    VideoFile,
    opened_video,
    shown_size,
    timed_frames,
    upright,
)


@dataclass(frozen=True)
class Shown:
    """One frame of a clip."""

    index: int  # in the whole video, from 0
    time: float  # seconds from the video's beginning
    picture: Picture  # RGB, (H, W, 3), as a player shows it: upright, its pixels square


@dataclass(frozen=True)
class Clip:
    """A video, or the part of it that was asked for; `open_clip` makes one."""

    name: str
    size: tuple[int, int]  # width and height of its frames as shown, pixels
    frame_rate: float  # frames a second of those that are shown, the mean where it varies
    count: int | None  # how many to expect, more or less; None where the file does not tell
    source: VideoFile | Sequence[Picture] = field(repr=False)
    start: float = 0.0  # seconds
    end: float = inf
    every: int = 1
    faults: list[str] = field(default_factory=list, compare=False)  # met while frames were read

    def frames(self) -> Iterator[Shown]:
        """The frames in order, one in memory at a time; each call reads the file anew.

        What cannot be decoded is passed over, and said in `faults`.
        """
        self.faults.clear()
        first = None
        for index, time, picture in self._whole():
            if time >= self.end:
                return
            if time >= self.start:
                first = index if first is None else first
                if (index - first) % self.every == 0:
                    yield Shown(index, time, picture())

    def _whole(self) -> Iterator[tuple[int, float, Callable[[], Picture]]]:
        """Numbers and times of frames, and what makes their pictures; those before the start only
        as far as they are needed."""
        if not isinstance(self.source, str | Path | bytes):
            rate = self.frame_rate * self.every
            for index, picture in enumerate(self.source):
                yield index, index / rate, partial(checked_picture, picture)
            return
        with opened_video(self.source) as video:
            size = None
            for one in timed_frames(video, self.faults, self.start):
                size = size or shown_size(one.frame, video.stream)
                yield one.index, one.time, partial(upright, one.frame, size)


def is_clip(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def open_clip(
    source: VideoFile | Sequence[Picture],
    start: float | None = None,
    end: float | None = None,
    every: int = 1,
    frame_rate: float | None = None,
) -> Clip:
    """A clip, of which one frame has been read.

    Args:
        source: a video file's path, or its bytes; or the frames themselves, RGB (H, W, 3) uint8.
        start, end: seconds from the video's beginning; the frame at `end` is left out.
        every: 1 for each frame from `start` on, 2 for every second one, and so on.
        frame_rate: frames a second, of frames that are handed in.

    Raises:
        InputError: for a file that is missing, or no video, or has no frame between `start` and
            `end`, or frames above 100 megapixels.
    """
    require_count("every", every, least=1)
    begin, stop = start or 0.0, inf if end is None else end
    if not (0 <= begin < stop and isfinite(begin)):
        raise InputError(f"from {begin:g} s to {stop:g} s: a part has 0 ≤ start < end")
    if isinstance(source, str | Path | bytes):
        with opened_video(source) as video:
            name, rate, whole, seconds = video.name, video.frame_rate, video.count, video.seconds
    else:
        require_positive("frame_rate, which frames need,", frame_rate)
        name, rate, whole = "the frames", float(frame_rate or 0), len(source)
        seconds = whole / rate
    count = _count(whole, rate, begin, stop, every)
    clip = Clip(name, (0, 0), rate / every, count, source, begin, stop, every)
    shown = next(clip.frames(), None)
    if shown is None and begin > 0:
        lasts = f"it lasts {seconds:.2f} s" if seconds else "it is shorter"
        until = "on" if isinf(stop) else f"to {stop:g} s"
        raise InputError(f"{name}: no frame from {begin:g} s {until}; {lasts}")
    if shown is None:
        raise InputError(f"{name}: a video without a frame that can be read; copy it again")
    height, width = shown.picture.shape[:2]
    return replace(clip, size=(width, height))


def _count(whole: int | None, rate: float, start: float, end: float, every: int) -> int | None:
    """How many frames are shown of a part of so many, more or less."""
    if whole is None:
        return None if isinf(end) else max(1, round((end - start) * rate / every))
    frames = min(whole, end * rate) - start * rate
    return max(1, ceil(frames / every - 1e-6))
