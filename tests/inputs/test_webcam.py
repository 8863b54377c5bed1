"""Webcams: frames as they come, recorded; and cameras that are not there."""

import itertools
from typing import ClassVar

import cv2
import numpy as np
import pytest

from unihpe.errors import InputError
from unihpe.inputs.media import open_clip
from unihpe.inputs.webcam import open_camera


class Capture:
    """OpenCV's, of a camera that shows BGR frames, some of which are lost."""

    opened: ClassVar[list] = []
    frames = 9

    def __init__(self, number):
        self.number, self.read_so_far = number, 0
        self.opened.append(self)

    def isOpened(self):
        return self.number == 0

    def get(self, what):
        return 25.0 if what == cv2.CAP_PROP_FPS else 0.0

    def read(self):
        self.read_so_far += 1
        if self.read_so_far > self.frames or self.read_so_far % 4 == 3:
            return False, None
        picture = np.zeros((61, 81, 3), np.uint8)
        picture[..., 0] = 200  # blue
        return True, picture

    def release(self):
        self.opened.remove(self)


@pytest.fixture(autouse=True)
def camera(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    yield
    assert Capture.opened == [] or all(one.number for one in Capture.opened)
    Capture.opened.clear()


def test_what_it_shows_is_given_and_recorded(tmp_path):
    camera = open_camera(0, tmp_path / "a" / "camera.mkv")
    assert camera.size == (80, 60) and camera.frame_rate == 25 and camera.count is None
    shown = list(itertools.islice(camera.frames(), 5))
    assert [one.index for one in shown] == list(range(5))
    assert all(a.time < b.time for a, b in itertools.pairwise(shown))
    assert (shown[0].picture == (0, 0, 200)).all() and shown[0].picture.shape == (60, 80, 3)
    recorded = list(open_clip(tmp_path / "a" / "camera.mkv").frames())
    assert [one.index for one in recorded] == list(range(5))
    np.testing.assert_allclose(
        [one.time for one in recorded], [one.time - shown[0].time for one in shown], atol=0.02
    )
    with pytest.raises(InputError, match="camera.mkv would be lost: move it"):
        open_camera(0, tmp_path / "a" / "camera.mkv")


def test_it_ends_in_time_and_takes_every_nth(tmp_path, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr("time.monotonic", lambda: next(clock) * 0.5)
    camera = open_camera(0, tmp_path / "camera.mkv", end=2.9, every=2)
    assert len(list(camera.frames())) == 3 and camera.frame_rate == 12.5


def test_cameras_that_show_nothing(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="camera 1 cannot be opened"):
        open_camera(1, tmp_path / "camera.mkv")
    camera = open_camera(0, tmp_path / "camera.mkv")
    with pytest.raises(InputError, match="gives no frames"):
        list(camera.frames())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        open_camera(0, tmp_path / "file" / "camera.mkv")
