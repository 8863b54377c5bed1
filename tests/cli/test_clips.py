"""`unihpe predict clip.mp4`: from a video to motion files, whole stories."""

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from unihpe.datasets.packed import PackedPeople
from unihpe.errors import InputError
from unihpe.export import read_results
from unihpe.inputs.media import open_clip

RATE = 24


def somebody():
    """A person's picture, 256 high, who stands in it whole."""
    pack = PackedPeople(Path(str(resources.files("unihpe").joinpath("checkpoints", "people.pack"))))
    return next(
        one.picture
        for one in map(pack.__getitem__, range(len(pack)))
        if (one.visibility == 2).sum() > 15
    )


def write_picture(path, picture):
    Image.fromarray(picture).save(path)


def passing_by(count):
    """Frames of 360 × 256 through which a person slides."""
    person = somebody()
    for n in range(count):
        picture = np.full((256, 360, 3), 120, np.uint8)
        picture[:, 20 + 6 * n : 20 + 6 * n + person.shape[1]] = person
        yield picture


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a b'ü\"")
    return write_clip(folder / "my cl'ip ü.mp4", passing_by(14), rate=RATE)


def test_from_a_clip_to_its_files(unihpe, clip, tmp_path):
    out = tmp_path / "out"
    code, text, error = unihpe("predict", clip, "-o", out, "--no-film")
    assert (code, error) == (0, "") and "1 person in 14 frames of my cl'ip ü.mp4." in text
    names = {path.name.removeprefix("my cl'ip ü") for path in out.iterdir()}
    assert names >= {".json", ".npz", ".csv", ".trc", ".bvh"}
    assert not [name for name in names if "part" in name or "tmp" in name]
    results = read_results(out / "my cl'ip ü.json")
    assert results.frame.tolist() == list(range(14)) and set(results.person) == {"1"}
    np.testing.assert_allclose(results.time, np.arange(14) / RATE, atol=2e-3)
    assert results.frame_rate == pytest.approx(RATE) and not results.partial
    assert results.image[0] == clip.name and "smoothed (savgol); bones" in results.estimate
    middle = results.boxes[:, [0, 2]].mean(1)
    steps = np.diff(middle.numpy())
    assert np.median(steps) == pytest.approx(6, abs=1.5), "the person slides 6 pixels a frame"
    nose = results.keypoints[:, results.skeleton.index("nose"), 0]
    assert float(nose[-1] - nose[0]) == pytest.approx(13 * 6, abs=15)


def test_parts_formats_and_no_smoothing(unihpe, clip, tmp_path):
    part = ("--start", 0.2, "--end", 0.5, "--every", 2, "--smooth", "off", "--no-bones")
    code, text, error = unihpe("predict", clip, "-o", tmp_path, "-f", "trc,csv", *part)
    assert (code, error) == (0, "")
    names = {path.suffix for path in tmp_path.iterdir()}
    assert names >= {".json", ".npz", ".csv", ".trc", ".mp4"} and ".bvh" not in names
    results = read_results(tmp_path / f"{clip.stem}.npz")
    assert results.frame.tolist() == [5, 7, 9, 11] and results.frame_rate == RATE / 2
    assert "smoothed" not in results.estimate and "one length" not in results.estimate
    film = open_clip(tmp_path / f"{clip.stem}.mp4")
    assert len(list(film.frames())) == 4


def test_boxes_of_a_tracker(unihpe, clip, tmp_path):
    boxes = "".join(f"{n + 1},4,{20 + 6 * n},0,190,256,1\n" for n in range(3))
    (tmp_path / "mot.txt").write_text(boxes + f"3,9,{20},0,190,256,1\n")
    part = ("--end", 0.2, "--no-film", "-f", "csv", "-o", tmp_path)
    code, text, error = unihpe("predict", clip, "--boxes", tmp_path / "mot.txt", *part)
    assert (code, error) == (0, "") and "2 people in 5 frames" in text
    results = read_results(tmp_path / f"{clip.stem}.npz")
    assert results.frame.tolist() == [0, 1, 2, 2] and results.person == ("4", "4", "4", "9")
    np.testing.assert_allclose(results.boxes[:, 0], [20, 26, 32, 20])
    code, _, error = unihpe("predict", clip, "--keypoints", tmp_path / "mot.txt", "-o", tmp_path)
    assert code == 2 and "--keypoints go with pictures" in error


def test_ctrl_c_keeps_what_is_done(unihpe, clip, tmp_path, monkeypatch):
    from unihpe.cli import progress

    monkeypatch.setattr("unihpe.inference.clips.AT_ONCE", 2)
    usual = progress.counted

    def interrupted(name, total):
        class Bar:
            def __enter__(self):
                return self

            def __exit__(self, *how):
                return None

            def __call__(self, done):
                if done >= 4 and name == clip.name:
                    raise SystemExit(130)

        return Bar() if name == clip.name else usual(name, total)

    monkeypatch.setattr("unihpe.cli.clips.counted", interrupted)
    code, text, _ = unihpe("predict", clip, "-o", tmp_path)
    assert code == 130 and "1 person in the first 4 frames" in text
    results = read_results(tmp_path / f"{clip.stem}.partial.npz")
    assert results.partial and results.frame.tolist() == [0, 1, 2, 3]
    assert json.loads((tmp_path / f"{clip.stem}.partial.json").read_text())["partial"] is True
    assert (tmp_path / f"{clip.stem}.partial.mp4").exists()
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert files and all(".partial" in path.name for path in files)
    monkeypatch.setattr("unihpe.cli.clips.counted", usual)
    code, text, _ = unihpe("predict", clip, "-o", tmp_path, "--no-film", "--start", "0.1")
    assert code == 0 and "Removed" not in text and all(path.exists() for path in files)
    code, text, _ = unihpe("predict", clip, "-o", tmp_path, "--no-film")
    assert code == 0 and "Removed, of an earlier run" in text
    assert not [path for path in files if path.exists()]


def test_what_a_killed_run_left_is_not_lost(unihpe, clip, tmp_path, monkeypatch):
    from unihpe.inference import clips
    from unihpe.runs import clip as clip_run

    def killed(*given, **named):
        real = poses_in(*given, **named)
        yield next(real)
        raise MemoryError

    poses_in = clip_run.poses_in
    monkeypatch.setattr(clips, "AT_ONCE", 2)
    monkeypatch.setattr("unihpe.runs.parts.SECONDS", -1.0)
    monkeypatch.setattr(clip_run, "poses_in", killed)
    with pytest.raises(MemoryError):
        unihpe("predict", clip, "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{clip.stem}.parts"]
    monkeypatch.setattr(clip_run, "poses_in", poses_in)
    code, text, _ = unihpe("predict", clip, "-o", tmp_path, "--no-film", "--end", "0.04")
    assert code == 0 and f"what it had done is in {tmp_path / clip.stem}.partial.json" in text
    left = tmp_path / f"{clip.stem}.partial.json"
    assert read_results(left).frame.tolist() == [0, 1]
    assert not (tmp_path / f"{clip.stem}.parts").exists()
    code, text, _ = unihpe("predict", clip, "-o", tmp_path, "--no-film", "--end", "0.1")
    removed = f"Removed, of an earlier run: {left}, {left.with_suffix('.npz')}."
    assert code == 0 and removed in text and not left.exists()


def test_a_place_that_cannot_be_written_loses_nothing(unihpe, clip, tmp_path):
    (tmp_path / f"{clip.stem}.json").mkdir()
    part = ("--end", "0.1", "--no-film", "-o", tmp_path)
    code, _, error = unihpe("predict", clip, *part)
    assert code == 2 and "cannot write" in error and len(error.splitlines()) == 1
    names = {path.name.removeprefix(clip.stem) for path in tmp_path.iterdir()}
    assert names == {".json", ".parts"}
    (tmp_path / f"{clip.stem}.json").rmdir()
    code, text, _ = unihpe("predict", clip, *part, "--every", "2")
    assert code == 0 and "an earlier run did not end" in text
    assert len(read_results(tmp_path / f"{clip.stem}.partial.npz")) == 3


def test_a_webcam_is_recorded_until_its_end(unihpe, tmp_path, monkeypatch):
    import itertools

    import cv2

    class Capture:
        def __init__(self, number):
            self.frames = passing_by(14)

        def isOpened(self):
            return True

        def get(self, what):
            return float(RATE)

        def read(self):
            picture = next(self.frames, None)
            return picture is not None, None if picture is None else picture[..., ::-1]

        def release(self):
            pass

    clock = itertools.count()
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr("unihpe.inputs.webcam.time.monotonic", lambda: next(clock) / RATE)
    code, text, error = unihpe("predict", "0", "--end", 5.5 / RATE, "-o", tmp_path, "-f", "csv")
    assert (code, error) == (0, "") and "Camera 0 is on" in text
    results = read_results(tmp_path / "camera0.npz")
    assert results.frame.tolist()[0] == 0 and 2 <= len(results) <= 6 and not results.partial
    recording = open_clip(tmp_path / "camera0.recording.mkv")
    assert len(list(recording.frames())) == len(results.frames)
    assert (tmp_path / "camera0.mp4").exists() and (tmp_path / "camera0.html").exists()


def test_a_number_that_nobody_has_loses_nothing(unihpe, clip, tmp_path):
    part = ("--end", "0.1", "--no-film", "-o", tmp_path)
    code, text, _ = unihpe("predict", clip, *part, "--people", "7")
    assert code == 0 and "--people 7: there are all, largest, first, 1; everybody is kept" in text
    assert set(read_results(tmp_path / f"{clip.stem}.npz").person) == {"1"}


def test_nobody_in_a_clip(unihpe, tmp_path):
    empty = (np.full((120, 160, 3), 90, np.uint8) for _ in range(3))
    path = write_clip(tmp_path / "empty.mp4", empty)
    code, text, error = unihpe("predict", path, "-o", tmp_path / "out")
    assert (code, text) == (1, "") and "left out: empty.mp4: nobody found in its 3 frames" in error
    assert [*(tmp_path / "out").iterdir()] == []


def test_broken_clips(unihpe, clip, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    code, _, error = unihpe("predict", broken, "-o", tmp_path / "out")
    assert code == 2 and "broken.mp4: not a video that can be read" in error
    assert len(error.splitlines()) == 1 and not (tmp_path / "out").exists()
    code, text, error = unihpe(
        "predict", broken, clip, "-o", tmp_path / "out", "--end", "0.1", "--no-film"
    )
    assert code == 1 and "left out: broken.mp4" in error and "1 person in 3 frames" in text


def test_clips_of_which_none_can_be_read(unihpe, tmp_path):
    for name in ("one.mp4", "two.mp4"):
        (tmp_path / name).write_bytes(b"nothing")
    out = tmp_path / "out"
    code, text, error = unihpe("predict", tmp_path / "one.mp4", tmp_path / "two.mp4", "-o", out)
    assert (code, text) == (2, "") and not out.exists() and len(error.splitlines()) == 1
    assert "none of 2 clips can be used; the first: one.mp4: not a video" in error
    write_picture(tmp_path / "a.png", somebody())
    code, text, error = unihpe("predict", *sorted(tmp_path.glob("*.*")), "-o", out)
    assert code == 1 and "1 person in 1 picture" in text and error.count("left out: ") == 2


def test_a_run_takes_the_place_of_an_earlier_one(unihpe, clip, tmp_path):
    """Of files of the same kinds; and of none that somebody else wrote or changed."""
    boxes = "".join(f"{n + 1},{who},{20 + 6 * n},0,190,256,1\n" for n in range(3) for who in (4, 9))
    (tmp_path / "mot.txt").write_text(boxes)
    own, out = clip.stem, tmp_path / "out"
    part = ("--end", 0.1, "--no-film", "-o", out)
    code, text, _ = unihpe("predict", clip, "--boxes", tmp_path / "mot.txt", *part, "-f", "trc,bvh")
    assert code == 0 and "Removed" not in text
    (out / f"{own}_7.trc").write_text("somebody's own")
    changed = out / f"{own}_4.trc"
    changed.write_text(changed.read_text() + "\n")
    code, text, _ = unihpe("predict", clip, *part, "-f", "trc")
    assert code == 0 and f"Removed, of an earlier run: {out / own}_9.trc.\n" in text
    kept = {"_7.trc", "_4.trc", "_4.bvh", "_9.bvh", ".trc", ".json", ".npz", ".html"}
    assert {p.name.removeprefix(own) for p in out.iterdir() if p.is_file()} == kept
    code, text, _ = unihpe("predict", clip, *part, "-f", "bvh")
    assert code == 0 and f"{own}_4.bvh, " in text and not (out / f"{own}_9.bvh").exists()
    assert (out / f"{own}.trc").exists() and (out / f"{own}.bvh").exists()


def test_a_damaged_list_removes_nothing(unihpe, clip, tmp_path):
    part = ("--end", 0.05, "--no-film", "-o", tmp_path / "out", "-f", "trc")
    unihpe("predict", clip, *part)
    stranger, own = tmp_path / "stranger.trc", tmp_path / "out" / f"{clip.stem}_2.trc"
    listed = tmp_path / "out" / ".unihpe" / f"{clip.stem}.json"
    for path in (stranger, own):
        path.write_text("not ours")
    state = [stranger.stat().st_size, stranger.stat().st_mtime_ns]
    for content in ("[", "[1]", json.dumps({"../stranger.trc": state, own.name: [8, 1]})):
        listed.write_text(content)
        code, text, _ = unihpe("predict", clip, *part)
        assert code == 0 and "Removed" not in text and stranger.exists() and own.exists()


def test_a_film_never_replaces_its_clip(unihpe, clip):
    before = clip.read_bytes()
    code, _, error = unihpe("predict", clip, "-o", clip.parent)
    assert code == 2 and "the film would replace" in error and clip.read_bytes() == before
    assert [*clip.parent.iterdir()] == [clip]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--people", "x"), "people are all, largest, first, or a number, not 'x'"),
        (("--smooth", "kalman"), "smoothing is savgol, one-euro, off"),
        (("--start", "5"), "no frame from 5 s"),
        (("-f", "xyz"), "no format 'xyz'"),
    ],
)
def test_options_that_are_none(unihpe, clip, tmp_path, options, message):
    end = () if "--start" in options else ("--end", "0.1")
    code, _, error = unihpe("predict", clip, "-o", tmp_path / "out", *end, *options)
    assert code == 2 and message in error and len(error.splitlines()) == 1


def test_waiting_frames_hold_no_pictures(monkeypatch):
    """Thirty-two frames of 8K would be three gigabytes."""
    import unihpe
    from unihpe.inference import clips
    from unihpe.inference.predictor import Options

    held, usual = [], clips._poses

    def poses(predictor, clip, frames, *rest):
        held.extend(frame.people.shown.picture.nbytes for frame in frames)
        return usual(predictor, clip, frames, *rest)

    monkeypatch.setattr(clips, "_poses", poses)
    opened = open_clip(list(passing_by(3)), frame_rate=RATE)
    for model in ("shipped:lifting", "shipped"):
        held.clear()
        ((count, results),) = clips.poses_in(unihpe.load(model), opened, Options())
        assert count == 3 and len(results) == 3 and held == [0, 0, 0]
        assert results.pose.isfinite().all() and results.frame.tolist() == [0, 1, 2]


def test_clips_in_python():
    """Frames as arrays, and their film's bytes, are the same people."""
    import unihpe

    model, frames = unihpe.load("shipped:lifting"), list(passing_by(6))
    results = model.predict_clip(frames, frame_rate=RATE)
    assert results.frame.tolist() == list(range(6)) and results.image[0] == "the frames"
    np.testing.assert_allclose(results.time, np.arange(6) / RATE)
    every = model.predict_clip(np.stack(frames), frame_rate=RATE, every=3, smooth="off")
    assert every.frame.tolist() == [0, 3] and every.frame_rate == RATE / 3
    with pytest.raises(InputError, match="nobody found in it"):
        model.predict_clip([np.zeros((90, 120, 3), np.uint8)], frame_rate=1)
    with pytest.raises(InputError, match="frame_rate, which frames need, must be"):
        model.predict_clip(frames)
    with pytest.raises(InputError, match="uint8 RGB"):
        model.predict_clip([np.zeros((90, 120))], frame_rate=1)
    with pytest.raises(InputError, match="is open already: give start, end, every and frame_rate"):
        model.predict_clip(open_clip(frames, frame_rate=RATE), end=0.1)
    with pytest.raises(InputError, match="without a frame"):
        model.predict_clip([], frame_rate=1)
