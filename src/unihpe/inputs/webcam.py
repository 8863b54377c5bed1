"""A webcam as a clip: its frames as they come, and recorded, so that they can be read again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from unihpe.errors import InputError
from unihpe.inputs.media import Clip, Shown
from unihpe.io.picture import Picture

TICKS, BITS = 1000, 8_000_000  # a second, of the recording's times and size
MOST_LOST = 50  # frames that a camera may fail to give, one after the other
USUAL_RATE = 30.0  # frames a second, where the camera does not tell


@dataclass(frozen=True)
class _Camera(Clip):
    """A webcam; `open_camera` makes one. `source` is where it is recorded."""

    number: int = 0

    def frames(self) -> Iterator[Shown]:
        """What the camera sees from now on, each frame recorded, until `end`; frames that come
        while nobody asks are lost."""
        capture, index, begin = _opened(self.number), 0, time.monotonic()
        try:
            with _recording(self) as record:
                for n, picture in enumerate(_pictures(capture)):
                    seconds = time.monotonic() - begin
                    if seconds >= self.end:
                        break
                    if n % self.every == 0:
                        record(picture, seconds)
                        yield Shown(index, seconds, picture)
                        index += 1
        finally:
            capture.release()


@contextmanager
def _recording(camera: _Camera) -> Iterator[Callable[[Picture, float], None]]:
    """A function that adds a frame at its time, seconds, to the camera's recording."""
    with av.open(str(camera.source), "w", format="matroska") as file:
        stream: Any = file.add_stream("mpeg4", rate=Fraction(round(camera.frame_rate) or 1))
        stream.width, stream.height, stream.pix_fmt = *camera.size, "yuv420p"
        stream.bit_rate, stream.codec_context.time_base = BITS, Fraction(1, TICKS)
        last = -1

        def record(picture: Picture, seconds: float) -> None:
            nonlocal last
            last = max(last + 1, round(seconds * TICKS))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = last, Fraction(1, TICKS)
            file.mux(stream.encode(frame))

        try:
            yield record
        finally:
            file.mux(stream.encode(None))


def open_camera(number: int, recording: Path, end: float | None = None, every: int = 1) -> _Camera:
    """A webcam by its number, 0 for the first, recorded to a file, for `end` seconds.

    InputError for a camera that is not there or shows nothing, or a file that cannot be written or
    holds something already.
    """
    if recording.exists() and recording.stat().st_size:
        raise InputError(f"{recording} would be lost: move it, or choose another folder with -o")
    capture = _opened(number)
    try:
        height, width = next(_pictures(capture)).shape[:2]
        rate = float(capture.get(cv2.CAP_PROP_FPS)) or USUAL_RATE
    finally:
        capture.release()
    try:
        recording.parent.mkdir(parents=True, exist_ok=True)
        recording.touch()
    except OSError as error:
        raise InputError(f"cannot write {recording}: {error.strerror or error}") from error
    until, size, name = (inf if end is None else end), (width, height), f"camera {number}"
    count = None if end is None else max(1, round(end * rate / every))
    return _Camera(name, size, rate / every, count, recording, 0.0, until, every, number=number)


def _opened(number: int) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        remedy = "is it plugged in, free, and may this user read it?"
        raise InputError(f"camera {number} cannot be opened: {remedy}")
    return capture


def _pictures(capture: cv2.VideoCapture) -> Iterator[Picture]:
    """Frames, RGB; InputError where the camera gives none any more."""
    lost = 0
    while lost < MOST_LOST:
        there, picture = capture.read()
        lost = 0 if there else lost + 1
        if there:
            even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2, ::-1]
            yield np.ascontiguousarray(even, dtype=np.uint8)
    raise InputError("the camera gives no frames; is it covered by another program?")
