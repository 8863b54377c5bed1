"""A video's sound as its file has it: packets to copy into another file, never decoded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet

from unihpe.io.video import VideoFile, opened_video

COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")  # in MP4, and players know them


@dataclass(frozen=True)
class Sound:
    """The sound of an open video."""

    container: InputContainer
    stream: AudioStream
    begin: float  # when the video begins by the file's own clock, seconds

    def obstacle(self) -> str | None:
        """Why it cannot be copied into an MP4 file; None where it can."""
        name = self.stream.codec_context.name
        if name not in COPIED:
            return f"{name} is not copied into MP4"
        try:
            with av.open(BytesIO(), "w", "mp4") as trial:
                copy = trial.add_stream_from_template(self.stream)
                for _, packet in self.packets(0.0):
                    packet.stream = copy
                    trial.mux(packet)
                    return None
        except FFmpegError as error:
            return f"{name}: {error.strerror if isinstance(error, OSError) else error}"
        return "none of it can be read"

    def packets(self, start: float) -> Iterator[tuple[float, "Packet[AudioStream]"]]:
        """Those from a second of the video on, each with its time, seconds from `start`; so count
        their own times. A broken file ends them."""
        unit, last = self.stream.time_base, -1
        assert unit is not None
        first = round((start + self.begin) / unit)
        try:
            self.container.seek(first, stream=self.stream)
            for packet in self.container.demux(self.stream):
                if packet.pts is not None and packet.pts - first > last:
                    last = packet.pts - first
                    packet.pts = packet.dts = last
                    yield float(last * unit), packet
        except FFmpegError:
            return


@contextmanager
def opened_sound(source: VideoFile) -> Iterator[Sound | None]:
    """The sound of a video file, by its path or its bytes; None where it has none."""
    with opened_video(source) as video:
        stream, sound = video.stream, video.container.streams.best("audio")
        assert stream.time_base is not None
        begin = float((stream.start_time or 0) * stream.time_base)
        yield Sound(video.container, sound, begin) if isinstance(sound, AudioStream) else None
