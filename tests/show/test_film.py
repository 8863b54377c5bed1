"""Films: every frame at its time, people drawn where they are, whole or not there."""

from dataclasses import dataclass, replace

import av
import numpy as np
import pytest
from clip_results import SIZE, results_of_a_clip

from unihpe.errors import InputError
from unihpe.inputs.media import Shown
from unihpe.show.colours import PEOPLE, SIDES
from unihpe.show.film import write_film
from unihpe.show.space import Space

GREY = 120


@dataclass
class Moving:
    """A clip of grey frames at given times."""

    times: list[float]
    size: tuple[int, int] = SIZE
    frame_rate: float = 25.0
    source: tuple = ()
    breaks_at: int = -1

    def frames(self):
        for n, time in enumerate(self.times):
            if n == self.breaks_at:
                raise InputError("the clip ends here")
            picture = np.full((self.size[1], self.size[0], 3), GREY, np.uint8)
            yield Shown(n, time, picture)


def read(path):
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = [(f.time, f.to_ndarray(format="rgb24")) for f in file.decode(stream)]
        return stream.codec_context, frames


def near(picture, colour, tolerance=40):
    return int((np.abs(picture.astype(int) - colour).max(-1) < tolerance).sum())


def test_frames_keep_their_times(tmp_path):
    """A phone's video has uneven times; a part of one does not begin at 0."""
    times, done = [5.0, 5.04, 5.11, 5.12, 5.3], []
    write_film(tmp_path / "a.mp4", results_of_a_clip(5, 2), Moving(times), done.append)
    codec, frames = read(tmp_path / "a.mp4")
    assert [time for time, _ in frames] == pytest.approx([t - 5.0 for t in times], abs=1e-4)
    assert (codec.name, codec.pix_fmt, done) == ("h264", "yuv420p", [1, 2, 3, 4, 5])
    written = (tmp_path / "a.mp4").read_bytes()
    assert 0 < written.index(b"moov") < written.index(b"mdat")  # plays before it is all there


def test_people_are_drawn_where_they_are(tmp_path):
    """Two people, a hue each, left lighter than right; nobody in the third frame."""
    results = results_of_a_clip(2, 2)
    write_film(tmp_path / "a.mp4", results, Moving([0.0, 0.04, 0.08]))
    _, frames = read(tmp_path / "a.mp4")
    width, height = SIZE
    for n, (_, picture) in enumerate(frames[:2]):
        assert picture.shape == (height, width + height, 3)
        for person in (0, 1):
            left, _, right, _ = PEOPLE[person]
            row = 2 * n + person
            for colour, side in ((left, "left_knee"), (right, "right_knee")):
                x, y = results.keypoints[row, results.skeleton.index(side)].int().tolist()
                there = picture[y - 25 : y + 5, x - 12 : x + 12]
                assert near(there, colour) > 10, (n, person, side)
                assert near(picture[:, width:], colour) > 50
    nobody = frames[2][1]
    assert (np.abs(nobody[:, :width].astype(int) - GREY) < 12).all()
    assert near(nobody[:, width:], PEOPLE[0].left) == 0


def test_someone_alone_has_the_colours_of_the_sides(tmp_path):
    write_film(tmp_path / "a.mp4", results_of_a_clip(1, 1), Moving([0.0]))
    picture = read(tmp_path / "a.mp4")[1][0][1]
    assert near(picture, SIDES.left) > 100 and near(picture, SIDES.right) > 100


def test_missing_joints_are_not_drawn(tmp_path):
    results = results_of_a_clip(1, 1)
    for side in ("left", "right"):
        for joint in ("knee", "ankle"):
            results.confidence[:, results.skeleton.index(f"{side}_{joint}")] = 0
    results.keypoints[:, results.skeleton.index("left_wrist")] = float("nan")
    write_film(tmp_path / "a.mp4", results, Moving([0.0]))
    picture = read(tmp_path / "a.mp4")[1][0][1]
    hips = results.keypoints[0, results.skeleton.index("left_hip"), 1]
    assert (np.abs(picture[int(hips) + 30 :, : SIZE[0]].astype(int) - GREY) < 12).all()


def test_people_in_a_gap_are_drawn_thin_where_they_would_be(tmp_path):
    """Their keypoints have no confidence: nobody saw them."""
    results = results_of_a_clip(2, 1)
    results.confidence[1], results.filled[1] = 0, True
    write_film(tmp_path / "a.mp4", results, Moving([0.0, 0.04]))
    seen, filled = (
        near(frame[:, : SIZE[0]], SIDES.left) for _, frame in read(tmp_path / "a.mp4")[1]
    )
    assert 0.2 * seen < filled < 0.8 * seen


@pytest.mark.parametrize("size", [(321, 243), (33, 17), (3840, 2161), (1080, 1920)])
def test_sizes_are_even_and_no_larger_than_screens(tmp_path, size):
    write_film(tmp_path / "a.mp4", results_of_a_clip(1, 1), Moving([0.0], size))
    height, width, _ = read(tmp_path / "a.mp4")[1][0][1].shape
    flat = width // 2 if size[0] < size[1] else width - height
    assert height % 2 == width % 2 == 0 and 640 <= max(flat, height) <= 1280
    assert flat / height == pytest.approx(size[0] / size[1], rel=0.01)


def test_a_film_is_whole_or_not_there(tmp_path):
    results = results_of_a_clip(3, 1)
    with pytest.raises(InputError, match="the clip ends here"):
        write_film(tmp_path / "a.mp4", results, Moving([0.0, 0.1, 0.2], breaks_at=2))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_film(tmp_path / "file" / "a.mp4", results, Moving([0.0]))


def test_a_film_of_partial_results_ends_with_them(tmp_path):
    results = replace(results_of_a_clip(3, 1), partial=True)
    write_film(tmp_path / "a.mp4", results, Moving([0.04 * n for n in range(9)]))
    assert len(read(tmp_path / "a.mp4")[1]) == 3


def test_nobody_in_a_whole_clip_is_a_film_too(tmp_path):
    write_film(tmp_path / "a.mp4", results_of_a_clip(0, 1), Moving([0.0, 0.1]))
    assert len(read(tmp_path / "a.mp4")[1]) == 2


def test_people_without_a_joint_in_space_are_left_out(tmp_path):
    results = results_of_a_clip(2, 1)
    results.pose[1] = float("nan")
    write_film(tmp_path / "a.mp4", results, Moving([0.0, 0.04]))
    first, second = (picture[:, SIZE[0] :] for _, picture in read(tmp_path / "a.mp4")[1])
    assert near(first, SIDES.left) > 50 and near(second, SIDES.left) == 0


def test_results_of_pictures_are_no_film(tmp_path):
    results = results_of_a_clip(1, 1, frames=False)
    with pytest.raises(InputError, match="no frame numbers"):
        write_film(tmp_path / "a.mp4", results, Moving([0.0]))


def test_one_joint_gone_astray_does_not_shrink_the_view():
    poses = np.random.default_rng(0).normal(size=(100, 17, 3)) * [200, 500, 200]
    astray = poses.copy()
    astray[50, 3] = 80_000
    calm, wild = (Space.round(each, (400, 400)) for each in (poses, astray))
    assert wild.scale == pytest.approx(calm.scale, rel=0.05)
    assert calm.place(poses)[0].std((0, 1)).max() > 60  # pixels, of 400
