"""The film has its clip's sound, at the same places, without a second encoding."""

import av
import numpy as np
import pytest
from clip_results import results_of_a_clip
from clips import HERTZ, heard_in, numbered, write_with_sound

from unihpe.inputs.media import open_clip
from unihpe.show.film import write_film

LOUD = 0.1  # of a tone of half the full scale
PACKET = 1024 / HERTZ  # seconds


def film_of(path, tmp_path, results=None, **part):
    out = tmp_path / "film.mp4"
    why = write_film(out, results or results_of_a_clip(2, 1), open_clip(path, **part))
    return out, why


def begins(path):
    """When the tone begins, and when the sound ends, seconds."""
    times, samples = heard_in(path)
    return float(times[np.abs(samples) > LOUD][0]), float(times[-1])


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.ts", "aac"), ("a.mkv", "libopus")]
)
def test_a_film_sounds_as_its_clip(tmp_path, name, codec):
    path = write_with_sound(tmp_path / name, numbered(60), loud_from=1.0, codec=codec)
    film, why = film_of(path, tmp_path)
    begin, end = begins(film)
    assert why is None
    assert begin == pytest.approx(1.0, abs=2 * PACKET) and end == pytest.approx(2.0, abs=2 * PACKET)


def test_a_part_has_its_own_sound(tmp_path):
    path = write_with_sound(tmp_path / "a.mp4", numbered(60), loud_from=1.0)
    film, why = film_of(path, tmp_path, start=0.5, end=1.5)
    begin, end = begins(film)
    assert why is None
    assert begin == pytest.approx(0.5, abs=2 * PACKET) and end == pytest.approx(1.0, abs=2 * PACKET)
    with av.open(str(film)) as file:
        assert len(list(file.decode(file.streams.video[0]))) == 30
    few, _ = film_of(path.read_bytes(), tmp_path, start=0.5, end=1.5, every=10)
    begin, end = begins(few)
    assert begin == pytest.approx(0.5, abs=2 * PACKET) and end == pytest.approx(1.0, abs=2 * PACKET)


def test_packets_are_copied(tmp_path):
    path = write_with_sound(tmp_path / "a.mp4", numbered(30), loud_from=0.0)
    film, _ = film_of(path, tmp_path)

    def packets(file):
        with av.open(str(file)) as container:
            stream = container.streams.audio[0]
            return [bytes(p) for p in container.demux(stream) if p.pts is not None and p.pts >= 0]

    own, copied = packets(path), packets(film)
    assert len(copied) > 40 and copied == own[: len(copied)]


def test_sound_that_mp4_does_not_hold_is_told(tmp_path):
    path = write_with_sound(tmp_path / "a.mkv", numbered(5), loud_from=0.0, codec="pcm_s16le")
    film, why = film_of(path, tmp_path)
    assert why == "pcm_s16le is not copied into MP4" and heard_in(film) is None
    with av.open(str(film)) as file:
        assert len(list(file.decode(video=0))) == 5


def test_clips_without_sound_need_no_word(tmp_path):
    film, why = film_of([np.zeros((48, 64, 3), np.uint8)] * 3, tmp_path, frame_rate=10)
    assert why is None and heard_in(film) is None
