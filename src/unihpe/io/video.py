"""Reading people's own videos: whatever FFmpeg decodes, as frames with numbers and times."""

import contextlib
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from math import inf, isfinite
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from unihpe.errors import InputError, number_of
from unihpe.io.files import BROKEN, Kinds, input_errors
from unihpe.io.picture import LARGEST, Picture

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".wmv", ".asf", ".3gp", ".flv", ".ogv", ".gif"),
)
ALONE = {"protocol_whitelist": "none"}  # a playlist may not open other files or addresses
COVER = av.stream.Disposition.attached_pic  # of a song
MOST_BROKEN = 10_000  # packets that cannot be decoded; then the rest is given up
EARLY = 0.5  # seconds: a file may say so much more than it holds
USUAL_RATE = 25.0  # frames a second, where neither the file nor its frames know

VideoFile = str | Path | bytes


@dataclass(frozen=True)
class _Video:
    """An open video file."""

    name: str
    container: InputContainer
    stream: VideoStream

    @property
    def frame_rate(self) -> float:
        """Frames a second, the mean where it varies."""
        stream = self.stream
        rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
        return next((float(rate) for rate in rates if rate), USUAL_RATE)

    @property
    def seconds(self) -> float | None:
        """How long it lasts, where the file tells."""
        own, whole = self.stream.duration, self.container.duration
        if own and self.stream.time_base:
            return float(own * self.stream.time_base)
        return whole / av.time_base if whole else None

    @property
    def count(self) -> int | None:
        """How many frames it has, where the file tells, more or less."""
        if self.stream.frames:
            return self.stream.frames
        return None if self.seconds is None else round(self.seconds * self.frame_rate)


@dataclass(frozen=True)
class _Timed:
    """A frame as decoded."""

    index: int  # in the file, from 0
    time: float  # seconds from the beginning
    frame: VideoFrame


@contextmanager
def opened_video(source: VideoFile) -> Iterator[_Video]:
    """A video file by its path or its bytes; InputError if there is none in it."""
    name = "the video" if isinstance(source, bytes) else Path(source).name
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise InputError(f"{source}: no such file")
    kinds: Kinds = (FFmpegError, *BROKEN)
    with (
        input_errors(f"{name}: not a video that can be read", "copy it again", kinds),
        BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file,
        av.open(file, "r", metadata_errors="replace", options=ALONE) as container,
    ):
        stream = _pictures_of(container, name)
        if stream.width * stream.height > LARGEST:
            size = f"{stream.width} × {stream.height}"
            raise InputError(f"{name}: {size} is above {LARGEST // 10**6} megapixels a frame")
        stream.thread_type = "AUTO"
        yield _Video(name, container, stream)


def _pictures_of(container: InputContainer, name: str) -> VideoStream:
    """The stream that a player shows."""
    moving = [one for one in container.streams.video if not one.disposition & COVER]
    if not moving:
        sound = ", only sound" if container.streams.audio else ""
        raise InputError(f"{name}: no video in it{sound}")
    best = container.streams.best("video")
    return next((one for one in moving if one is best), moving[0])


def timed_frames(video: _Video, faults: list[str], start: float = 0.0) -> Iterator[_Timed]:
    """The frames in order; of those before `start` (seconds), as few as must be decoded.

    What cannot be decoded is passed over and said in `faults`, as is a file that ends too early.
    """
    first, unit = video.stream.start_time or 0, video.stream.time_base
    assert unit is not None
    index, frames = (
        _from(video, int(start / unit) + first, faults)
        if start > 0
        else (0, _decoded(video, faults))
    )
    last = -inf
    for n, frame in enumerate(frames, index):
        time = last if frame.pts is None else float((frame.pts - first) * unit)
        if time <= last:  # none, or a wrong one: one step on
            time = last + 1 / video.frame_rate if isfinite(last) else 0.0
        yield _Timed(n, time, frame)
        last = time
    expected = video.seconds
    if expected and isfinite(last) and last + 2 / video.frame_rate + EARLY < expected:
        faults.append(f"its frames end at {last:.1f} s of {expected:.1f} s")


def _from(video: _Video, wanted: int, faults: list[str]) -> tuple[int, Iterator[VideoFrame]]:
    """The frames from the last key frame up to a time on, and the number of the first; all, where
    that cannot be told. Times are in the stream's units."""
    times, key = _times_up_to(video, wanted)
    first = video.stream.start_time or 0
    for place in (key, first) if key is not None else (first,):
        video.container.seek(place, stream=video.stream)
        frames = _decoded(video, faults)
        head = next(frames, None)
        if head is not None and head.pts is not None and (head.pts <= wanted or place == first):
            return bisect_left(times, head.pts), chain([head], frames)
    return 0, frames if head is None else chain([head], frames)


def _times_up_to(video: _Video, wanted: int) -> tuple[list[int], int | None]:
    """When the frames up to `wanted` are shown, sorted, and the last key frame of them.

    Nothing is decoded for it: each packet holds a frame.
    """
    times, keys = list[int](), list[int]()
    with contextlib.suppress(FFmpegError):
        for packet in video.container.demux(video.stream):
            if packet.pts is not None and not packet.is_discard:
                if packet.is_keyframe and packet.pts > wanted:
                    break
                times.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
    return sorted(times), keys[-1] if keys else None


def _decoded(video: _Video, faults: list[str]) -> Iterator[VideoFrame]:
    """All frames from where the file stands."""
    broken, packets = 0, video.container.demux(video.stream)
    while True:
        try:
            if (packet := next(packets, None)) is None:
                break
            frames = packet.decode()
        except FFmpegError:
            broken += 1
            if broken > MOST_BROKEN:
                break
            continue
        yield from frames
    if broken:
        faults.append(f"{number_of(broken, 'piece', 'pieces')} of it cannot be decoded")


def shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height of a frame when its pixels are made square, before it is turned."""
    aspect = stream.sample_aspect_ratio
    if not aspect or aspect == 1:
        return frame.width, frame.height
    return max(1, round(frame.width * aspect)), frame.height


def upright(frame: VideoFrame, size: tuple[int, int]) -> Picture:
    """A frame as RGB (H, W, 3), scaled to a size and turned as the file says."""
    width, height = size
    pixels = frame.reformat(width, height, format="rgb24").to_ndarray()
    turns = round(frame.rotation / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(pixels, turns))
