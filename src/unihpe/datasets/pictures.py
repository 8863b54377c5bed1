"""The pictures of a recorded set: extracted files, as several projects name them, or videos."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from unihpe.datasets.dataset import Recording
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError
from unihpe.io.picture import Picture, read_picture

VIDEOS = (".mp4", ".avi")
SLACK = 2  # pixels


class Pictures:
    """The pictures of a recorded set that has some; names begin at the folder `root`."""

    def __init__(self, recording: Recording, root: Path) -> None:
        assert recording.pictures is not None
        self.names, self.videos = recording.pictures, recording.videos
        self.root, self.first, self.video = root, 0, _Video()

    def find(self, view: View, frame: int) -> Path | None:
        """The file that shows a frame, counted from 0: a picture, else a video of that length."""
        names = self.names(view, frame)
        # the kind that was there last time, first
        for n in (min(self.first, len(names) - 1), *range(len(names))):
            file: Path = self.root / names[n]
            if file.is_file():
                self.first = n
                return file
        videos: Iterator[Path] = (self.root / name for name in self.videos(view, frame))
        return next((v for v in videos if v.is_file() and self.video.reaches(v, frame)), None)

    def read(self, view: View, frame: int) -> Picture:
        """The picture of a frame, RGB (H, W, 3). Frames of a video are fast in rising order."""
        if (file := self.find(view, frame)) is None:
            usual = self.root / self.names(view, frame)[0]
            raise InputError(f"{usual}: not there, nor under another known name")
        return self.video.read(file, frame) if file.suffix in VIDEOS else read_picture(file)

    def read_sized(self, view: View, frame: int, size: Tensor) -> Picture:
        """The picture of a frame, of its camera's size (2,), pixels; InputError for another size.

        Its annotation would mean other places in it. Cameras of one set differ by two pixels
        (Human3.6M: 1000 and 1002), which some extractions level out.
        """
        picture, wanted = self.read(view, frame), [int(side) for side in size.tolist()]
        height, width = picture.shape[:2]
        if max(abs(width - wanted[0]), abs(height - wanted[1])) > SLACK:
            odd = f"is {width} × {height}, its annotation is of {wanted[0]} × {wanted[1]}"
            raise InputError(f"{self.find(view, frame)}: {odd}; extract pictures at their own size")
        return picture


def near_the_beginning(source: Recorded, pictures: Pictures, row: int) -> int:
    """The same person, or the first of that view where it is a video, which is slow far inside."""
    file = pictures.find(*source.at(row))
    is_video = file is not None and file.suffix in VIDEOS
    return int((source.view == source.view[row]).nonzero()[0, 0]) if is_video else row


class _Video:
    """Frames of videos, one video at a time."""

    def __init__(self) -> None:
        self.file: Path | None = None
        self.capture, self.next = cv2.VideoCapture(), 0
        self.lengths: dict[Path, int] = {}

    def reaches(self, file: Path, frame: int) -> bool:
        """Whether a video is as long as that by its container; one that says nothing may be."""
        if file not in self.lengths:
            video = cv2.VideoCapture(str(file))
            self.lengths[file] = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
            video.release()
        return frame < self.lengths[file] or self.lengths[file] < 0

    def read(self, file: Path, frame: int) -> Picture:
        """A frame, counted from 0, RGB; decoded from the beginning: not every container seeks."""
        if file != self.file or frame < self.next:
            self.capture.open(str(file))
            self.file, self.next = file, 0
        while self.next < frame and self.capture.grab():
            self.next += 1
        read, picture = self.capture.read() if self.next == frame else (False, None)
        if not read or picture is None:
            ends = f"{file}: frame {frame} cannot be read (it ends at {self.next})"
            raise InputError(f"{ends}; copy it again, or take it away and use --skip-missing")
        self.next += 1
        return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)
