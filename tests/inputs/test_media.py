"""Clips: every frame with its number and time, upright; parts of them; and what is no clip."""

import itertools

import av
import numpy as np
import pytest
from clips import number_of, numbered, write_clip

from unihpe.errors import InputError
from unihpe.inputs.media import is_clip, open_clip

KINDS = [("mp4", "libx264"), ("mkv", "libx264"), ("ts", "libx264"), ("avi", "mpeg4")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind[0])
def clip(request, folder):
    suffix, codec = request.param
    return write_clip(folder / f"a.{suffix}", numbered(60), codec=codec)


def test_all_frames_in_order(clip):
    opened = open_clip(clip)
    assert opened.size == (160, 120) and opened.name == clip.name
    assert opened.frame_rate == pytest.approx(30, rel=0.01) and abs(opened.count - 60) <= 1
    for _ in range(2):  # it can be read again
        frames = list(opened.frames())
        assert [frame.index for frame in frames] == list(range(60))
        assert [number_of(frame.picture) for frame in frames] == list(range(60))
        np.testing.assert_allclose([f.time for f in frames], np.arange(60) / 30, atol=2e-3)
    assert frames[0].picture.shape == (120, 160, 3) and frames[0].picture.dtype == np.uint8
    assert opened.faults == []


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"start": 1.0}, range(30, 60)),
        ({"start": 0.99, "end": 1.5}, range(30, 45)),
        ({"end": 0.2}, range(6)),
        ({"every": 7}, range(0, 60, 7)),
        ({"start": 1.9, "every": 2}, range(57, 60, 2)),
        ({"start": 0.4, "end": 0.41}, range(12, 13)),  # a key frame
    ],
)
def test_parts_keep_the_numbers_of_the_whole(clip, part, expected):
    opened = open_clip(clip, **part)
    frames = list(opened.frames())
    assert [frame.index for frame in frames] == list(expected)
    assert [number_of(frame.picture) for frame in frames] == list(expected)
    np.testing.assert_allclose([f.time for f in frames], np.array(expected) / 30, atol=2e-3)
    assert opened.frame_rate == pytest.approx(30 / part.get("every", 1), rel=0.01)
    assert abs(opened.count - len(expected)) <= 1


def test_bytes_are_a_clip_too(folder):
    path = write_clip(folder / "bytes.mp4", numbered(5))
    frames = list(open_clip(path.read_bytes(), start=0.1).frames())
    assert [number_of(frame.picture) for frame in frames] == [3, 4]


def test_times_may_be_uneven(folder):
    times = np.cumsum(np.where(np.arange(40) % 9, 0.03, 0.2))
    times -= times[0]
    for suffix in ("mp4", "mkv"):
        path = write_clip(folder / f"uneven.{suffix}", numbered(40), times=times)
        frames = list(open_clip(path).frames())
        np.testing.assert_allclose([frame.time for frame in frames], times, atol=2e-3)
        later = list(open_clip(path, start=1.0).frames())
        assert later[0].index == next(n for n, time in enumerate(times) if time >= 1.0 - 1e-3)
        assert number_of(later[0].picture) == later[0].index
    assert open_clip(folder / "uneven.mp4").frame_rate == pytest.approx(39 / times[-1], rel=0.05)


@pytest.mark.parametrize(
    ("turned", "corner"), [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (-90, (0, -1))]
)
def test_clips_are_turned_upright(folder, turned, corner):
    """`turned` is counter-clockwise, and the green corner goes with it."""
    path = write_clip(folder / f"turned{turned}.mp4", numbered(2), turned=turned)
    opened = open_clip(path)
    assert opened.size == ((160, 120) if turned in (0, 180) else (120, 160))
    picture = next(opened.frames()).picture
    assert picture.shape[1::-1] == opened.size
    assert picture[corner][1] > 200 and picture[corner[0], 60][1] < 90


def test_odd_sizes_and_oblong_pixels(folder):
    path = write_clip(folder / "odd.mov", numbered(3, 161, 67), codec="png")
    assert open_clip(path).size == (161, 67)
    assert [number_of(frame.picture) for frame in open_clip(path).frames()] == [0, 1, 2]
    path = write_clip(folder / "oblong.mp4", numbered(2), aspect="4/3")
    assert open_clip(path).size == (213, 120)


def test_frames_that_change_size_are_brought_to_the_first(folder):
    parts = [
        write_clip(folder / f"part{n}.ts", numbered(4, *size)).read_bytes()
        for n, size in enumerate([(160, 120), (80, 60)])
    ]
    frames = list(open_clip(b"".join(parts)).frames())
    assert {frame.picture.shape for frame in frames} == {(120, 160, 3)} and len(frames) > 5
    times = [frame.time for frame in frames]
    assert all(a < b for a, b in itertools.pairwise(times))


def test_very_large_frames(folder):
    path = write_clip(folder / "8k.mp4", numbered(1, 7680, 4320), preset="ultrafast")
    opened = open_clip(path)
    assert opened.size == (7680, 4320)
    assert next(opened.frames()).picture.shape == (4320, 7680, 3)


def test_animations(folder):
    path = write_clip(folder / "a.gif", numbered(6), rate=10, codec="gif")
    assert is_clip(path) and len(list(open_clip(path).frames())) == 6
    assert is_clip(folder / "Ä b'\".MOV") and not is_clip(folder / "a.jpg")


def test_a_cut_file_gives_what_is_there(folder):
    whole = write_clip(folder / "long.mp4", numbered(60, 320, 240), crf=1).read_bytes()
    opened = open_clip(whole[: len(whole) * 2 // 3])
    frames = list(opened.frames())
    assert 20 < len(frames) < 55
    assert [number_of(frame.picture) for frame in frames[:20]] == list(range(20))
    assert any("end at" in fault for fault in opened.faults)


def test_damage_is_passed_over_and_said(folder):
    whole = bytearray(write_clip(folder / "hurt.avi", numbered(60), codec="mpeg4").read_bytes())
    for place in range(len(whole) // 3, len(whole) // 2, 3):
        whole[place] = 0xFF
    frames = list(open_clip(bytes(whole)).frames())
    assert len(frames) > 10


def sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def headers_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height = stream.width = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    return path


def text(path):
    path.write_text("no video")
    return path


def playlist(path):
    """It would have another file opened, or an address."""
    write_clip(path.with_name("other.mp4"), numbered(2))
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n")
    return path


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (sound, "sound.mp4", "no video in it, only sound"),
        (headers_only, "none.mp4", "no video in it|without a frame"),
        (headers_only, "none.mkv", "End of file|without a frame"),
        (text, "text.mp4", "not a video that can be read"),
        (playlist, "list.m3u8", "not a video that can be read"),
        (lambda path: path.touch() or path, "empty.mp4", "not a video that can be read"),
        (lambda path: path, "absent.mp4", "no such file"),
        (lambda path: path.parent, "folder", "no such file"),
    ],
)
def test_what_is_no_clip_says_so(tmp_path, make, name, message):
    with pytest.raises(InputError, match=message) as raised:
        open_clip(make(tmp_path / name))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"start": 9}, r"no frame from 9 s on; it lasts 0.17 s"),
        ({"start": 2, "end": 1}, "0 ≤ start < end"),
        ({"start": -1}, "0 ≤ start < end"),
        ({"start": float("nan")}, "0 ≤ start < end"),
        ({"every": 0}, "every must be a whole number"),
    ],
)
def test_parts_that_are_none(folder, part, message):
    path = write_clip(folder / "short.mp4", numbered(5))
    with pytest.raises(InputError, match=message):
        open_clip(path, **part)


def test_gigantic_frames_are_refused(folder, monkeypatch):
    monkeypatch.setattr("unihpe.io.video.LARGEST", 10_000)
    path = write_clip(folder / "gigantic.mp4", numbered(1))
    with pytest.raises(InputError, match="160 × 120 is above"):
        open_clip(path)
