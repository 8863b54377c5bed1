"""Small videos, written with FFmpeg as cameras and programs write them."""

from fractions import Fraction

import av
import numpy as np

HERTZ = 48_000  # of sound
STEP = 4  # of grey, from one frame to the next


def numbered(count, width=160, height=120):
    """Frames that tell their number by how bright they are; the left top corner is green."""
    for n in range(count):
        picture = np.full((height, width, 3), n * STEP, np.uint8)
        picture[: height // 4, : width // 4] = (0, 255, 0)
        yield picture


def number_of(picture):
    """The number that `numbered` gave to a frame."""
    return round(float(np.median(picture[..., 0])) / STEP)


def write_clip(
    path, frames, rate=30, codec="libx264", times=None, turned=0, aspect=None, **options
):
    """A video of frames at a rate, or shown at `times` (seconds), turned as a held phone says."""
    frames = iter(frames)
    first = next(frames)
    exact = "rgb24" if codec == "png" else "rgb8" if codec == "gif" else "yuv420p"
    options = {name: str(value) for name, value in options.items()}
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        keys = {} if codec in ("png", "gif") else {"g": "12"}
        stream = container.add_stream(codec, rate=rate, options=keys | options)
        stream.bit_rate = 4_000_000
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = exact
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turned:
            stream.set_display_rotation(turned)
        for n, picture in enumerate([first, *frames]):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[n] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_with_sound(path, frames, loud_from, codec="aac", rate=30):
    """A video of frames with a tone from a second on, and silence before."""
    frames = list(frames)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"g": "12"})
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        sound = container.add_stream(codec, rate=HERTZ, layout="mono")
        for picture in frames:
            shown = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(video.encode(shown))
        container.mux(video.encode())
        times = np.arange(round(len(frames) / rate * HERTZ)) / HERTZ
        tone = np.where(times >= loud_from, np.sin(2 * np.pi * 440 * times) / 2, 0.0)
        heard = av.AudioFrame.from_ndarray((tone[None] * 32767).astype(np.int16), "s16", "mono")
        heard.sample_rate, heard.pts, heard.time_base = HERTZ, 0, Fraction(1, HERTZ)
        for resampled in av.AudioResampler(sound.codec_context.format, "mono", HERTZ).resample(
            heard
        ):
            container.mux(sound.encode(resampled))
        container.mux(sound.encode())
    return path


def heard_in(path):
    """The sound of a video: seconds of each sample, and the samples; None without sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        to_float = av.AudioResampler("flt", "mono", HERTZ)
        times, samples = [], []
        for frame in container.decode(container.streams.audio[0]):
            for one in to_float.resample(frame):
                own = one.to_ndarray()[0]
                times.append(float(frame.pts * frame.time_base) + np.arange(len(own)) / HERTZ)
                samples.append(own)
        return np.concatenate(times), np.concatenate(samples)
