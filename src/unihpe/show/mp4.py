"""MP4 files that phones and browsers play: H.264, frames at their own times, the index in front."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from unihpe.errors import InputError
from unihpe.io.files import replacing
from unihpe.io.picture import Picture
from unihpe.io.sound import Sound

CODECS = ("libx264", "libopenh264", "h264_videotoolbox", "mpeg4")  # the first that is there
PRESET = "veryfast"  # of libx264
BETWEEN = 30  # frames from one that can be jumped to, to the next
TICKS = 90_000  # a second: what times are counted in


class _Writer:
    """Adds pictures, each at its time, to an MP4 file that is open."""

    def __init__(
        self, file: Any, size: tuple[int, int], frame_rate: float, quality: int, sound: Sound | None
    ) -> None:
        codec = next(name for name in CODECS if name in av.codecs_available)
        options = {"crf": str(quality), "preset": PRESET, "g": str(BETWEEN)}
        options = options if codec == "libx264" else {}
        rate = Fraction(max(frame_rate, 1.0)).limit_denominator(1001)
        self.file = file
        self.stream = file.add_stream(codec, rate=rate, options=options)
        self.stream.width, self.stream.height, self.stream.pix_fmt = *size, "yuv420p"
        self.stream.codec_context.time_base = Fraction(1, TICKS)
        self.track = None if sound is None else _Track(file, sound)
        self.begin: float | None = None
        self.last, self.step = -1, round(TICKS / rate)

    def add(self, picture: Picture, time: float) -> None:
        """A picture (height, width, 3), RGB, later than the one before by a tick at least."""
        if self.begin is None:
            self.begin = time
            if self.track is not None:
                self.track.start(time)
        self.last = max(self.last + 1, round((time - self.begin) * TICKS))
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.time_base, frame.pts = Fraction(1, TICKS), self.last
        self.file.mux(self.stream.encode(frame))
        self._copy_sound(self.last)

    def end(self) -> None:
        """What the encoder still holds, and the sound of the last picture."""
        self.file.mux(self.stream.encode(None))
        self._copy_sound(self.last + self.step)

    def _copy_sound(self, until: int) -> None:
        if self.track is not None:
            self.track.copy(until / TICKS)


class _Track:
    """The sound that goes with the pictures of a file."""

    def __init__(self, file: Any, sound: Sound) -> None:
        self.file, self.sound = file, sound
        self.stream = file.add_stream_from_template(sound.stream)
        self.packets: Iterator[tuple[float, Packet[AudioStream]]] = iter(())
        self.ahead: tuple[float, Packet[AudioStream]] | None = None  # read, and not yet copied

    def start(self, begin: float) -> None:
        """From this second of the video on."""
        self.packets = self.sound.packets(begin)
        self.ahead = next(self.packets, None)

    def copy(self, until: float) -> None:
        """The packets that begin before a second of the file; what cannot be copied ends them."""
        while self.ahead is not None and self.ahead[0] < until:
            packet, self.ahead = self.ahead[1], None
            packet.stream = self.stream
            try:
                self.file.mux(packet)
            except FFmpegError:
                return
            self.ahead = next(self.packets, None)


@contextmanager
def mp4(
    path: Path,
    size: tuple[int, int],
    frame_rate: float,
    quality: int,
    sound: Sound | None = None,
) -> Iterator[_Writer]:
    """A file to add pictures to, which is there when it is whole, or not at all.

    Args:
        size: width and height, even numbers.
        frame_rate: the mean; each picture has its own time.
        quality: the constant rate factor of H.264: lower is better and larger.
        sound: of the video whose frames, at their times there, are added; it has no `obstacle`.

    Raises:
        InputError: for a place that cannot be written.
    """
    with (
        replacing(path) as temporary,
        mp4_at(temporary, path, size, frame_rate, quality, sound) as file,
    ):
        yield file


@contextmanager
def mp4_at(
    place: Path,
    path: Path,
    size: tuple[int, int],
    frame_rate: float,
    quality: int,
    sound: Sound | None = None,
) -> Iterator[_Writer]:
    """As `mp4`, at a temporary place; messages name the path that it will have."""
    try:
        with av.open(str(place), "w", "mp4", options={"movflags": "+faststart"}) as file:
            writer = _Writer(file, size, frame_rate, quality, sound)
            yield writer
            writer.end()
    except av.error.FFmpegError as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot write {path}: {reason}") from error
