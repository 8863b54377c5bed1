"""Clips: a video, or a part of it, that can be gone through frame by frame, as often as needed."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil, inf, isfinite, isinf
from pathlib import Path

from unihpe.errors import InputError, require_count
from unihpe.io.picture import Picture
from unihpe.io.video import (
    VIDEO_SUFFIXES,
    Video,
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
    source: VideoFile = field(repr=False)
    start: float = 0.0  # seconds
    end: float = inf
    every: int = 1
    faults: list[str] = field(default_factory=list, compare=False)  # met while frames were read

    def frames(self) -> Iterator[Shown]:
        """The frames in order, one in memory at a time; each call reads the file anew.

        What cannot be decoded is passed over, and said in `faults`.
        """
        self.faults.clear()
        with opened_video(self.source) as video:
            first, size = None, None
            for one in timed_frames(video, self.faults, self.start):
                size = size or shown_size(one.frame, video.stream)
                if one.time >= self.end:
                    return
                if one.time >= self.start:
                    first = one.index if first is None else first
                    if (one.index - first) % self.every == 0:
                        yield Shown(one.index, one.time, upright(one.frame, size))


def is_clip(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def open_clip(
    source: VideoFile, start: float | None = None, end: float | None = None, every: int = 1
) -> Clip:
    """A clip, of which one frame has been read.

    Args:
        source: a video file's path, or its bytes.
        start, end: seconds from the video's beginning; the frame at `end` is left out.
        every: 1 for each frame from `start` on, 2 for every second one, and so on.

    Raises:
        InputError: for a file that is missing, or no video, or has no frame between `start` and
            `end`, or frames above 100 megapixels.
    """
    require_count("every", every, least=1)
    begin, stop = start or 0.0, inf if end is None else end
    if not (0 <= begin < stop and isfinite(begin)):
        raise InputError(f"from {begin:g} s to {stop:g} s: a part has 0 ≤ start < end")
    with opened_video(source) as video:
        name, rate, seconds = video.name, video.frame_rate, video.seconds
        count = _count(video, begin, stop, every)
    clip = Clip(name, (0, 0), rate / every, count, source, begin, stop, every)
    shown = next(clip.frames(), None)
    if shown is None and begin > 0:
        lasts = f"it lasts {seconds:.2f} s" if seconds else "it is shorter"
        raise InputError(f"{name}: no frame from {begin:g} s to {stop:g} s; {lasts}")
    if shown is None:
        raise InputError(f"{name}: a video without a frame that can be read; copy it again")
    height, width = shown.picture.shape[:2]
    return replace(clip, size=(width, height))


def _count(video: Video, start: float, end: float, every: int) -> int | None:
    """How many frames are shown of a part, more or less."""
    whole, rate = video.count, video.frame_rate
    if whole is None:
        return None if isinf(end) else max(1, round((end - start) * rate / every))
    frames = min(whole, end * rate) - start * rate
    return max(1, ceil(frames / every - 1e-6))
