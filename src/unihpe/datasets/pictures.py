"""Where the pictures of a recorded set lie: extracted files, as several projects name them, or the set's own videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from unihpe.datasets.human36m.cameras import INTRINSICS
from unihpe.datasets.human36m.views import OTHER_NAMES, take_of
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError
from unihpe.io.picture import Picture, read_picture

Names = Callable[[View, int], list[str]]


def human36m_pictures(view: View, frame: int) -> list[str]:
    """MMPose's, MMHuman3D's, SPIN's, h36m-fetch's and H36M-Toolbox's names; frames count from 1."""
    found, number = [], frame + 1
    for sequence in written(view):
        stem = f"{view.subject}_{sequence.replace(' ', '_')}.{view.camera}"
        file = f"{stem}_{number:06d}.jpg"
        found += [
            f"images/{view.subject}/{stem}/{file}",
            f"{view.subject}/images/{stem}/{file}",
            f"images/{file}",
        ]
    if take := take_of(view.subject, view.sequence):
        folder = f"{view.subject}/{take.listed_name}-{take.number}/imageSequence/{view.camera}"
        place = CAMERAS.index(view.camera) + 1 if view.camera in CAMERAS else 0
        name = f"s_{int(view.subject[1:]):02d}_act_{take.action:02d}_subact_{take.number:02d}_ca_{place:02d}"
        found += [f"{folder}/img_{number:06d}.jpg", f"{name}/{name}_{number:06d}.jpg"]
    return found


def human36m_videos(view: View, frame: int) -> list[str]:
    """The release's."""
    return [f"{view.subject}/Videos/{sequence}.{view.camera}.mp4" for sequence in written(view)]


def written(view: View) -> list[str]:
    """A sequence of Human3.6M as this subject's files may call it."""
    action, _, number = view.sequence.partition(" ")
    other = OTHER_NAMES.get(action)
    return [view.sequence, *([f"{other} {number}".strip()] if other else [])]


def mpi_inf_3dhp_pictures(view: View, frame: int) -> list[str]:
    """SPIN's, VIBE's and MMPose's names and the test set's own; frames count from 1."""
    number = frame + 1
    if view.split == "test":
        inner = f"{view.sequence}/imageSequence/img_{number:06d}.jpg"
        flat = f"images/{view.sequence}_{number:06d}.jpg"
        return [inner, f"mpi_inf_3dhp_test_set/{inner}", f"test/{inner}", flat]
    base, file = f"{view.subject}/{view.sequence}", f"video_{view.camera}/frame_{number:06d}.jpg"
    flat = f"images/{view.subject}_{view.sequence}_Cam{view.camera}_{number:06d}.jpg"
    return [
        f"{base}/imageFrames/{file}",
        f"{base}/{file}",
        flat,
        f"train/{base}/imageFrames/{file}",
    ]


def mpi_inf_3dhp_videos(view: View, frame: int) -> list[str]:
    """The training set's own; the test set has pictures."""
    video = f"{view.subject}/{view.sequence}/imageSequence/video_{view.camera}.avi"
    return [video, f"train/{video}"] if view.split == "train" else []


def threedpw_pictures(view: View, frame: int) -> list[str]:
    """The set's own names; frames count from 0."""
    return [f"imageFiles/{view.sequence}/image_{frame:05d}.jpg"]


CAMERAS = tuple(INTRINSICS)
VIDEOS = (".mp4", ".avi")
SLACK = 2  # pixels
PICTURES: dict[str, tuple[Names, Names]] = {
    "human36m": (human36m_pictures, human36m_videos),
    "mpi_inf_3dhp": (mpi_inf_3dhp_pictures, mpi_inf_3dhp_videos),
    "threedpw": (threedpw_pictures, lambda view, frame: []),
}


class Pictures:
    """The pictures of a recorded set under a folder.

    Args:
        name: of the set.
        root: the folder that the names above begin at.

    Raises:
        InputError: for a set whose pictures nobody has.
    """

    def __init__(self, name: str, root: Path) -> None:
        if name not in PICTURES:
            raise InputError(
                f"pictures of {name} cannot be read; there are those of {', '.join(PICTURES)}"
            )
        self.names, self.videos = PICTURES[name]
        self.root, self.first, self.video = root, 0, Video()

    def find(self, view: View, frame: int) -> Path | None:
        """The file that shows a frame (counted from 0): a picture if there is one, else a video that is long enough, or None."""
        names = self.names(view, frame)
        for n in (
            min(self.first, len(names) - 1),
            *range(len(names)),
        ):  # the kind that was there last time, first
            file: Path = self.root / names[n]
            if file.is_file():
                self.first = n
                return file
        videos = [self.root / name for name in self.videos(view, frame)]
        return next(
            (video for video in videos if video.is_file() and self.video.reaches(video, frame)),
            None,
        )

    def read(self, view: View, frame: int) -> Picture:
        """The picture of a frame, RGB (H, W, 3). Frames of a video are fast in rising order.

        Raises:
            InputError: where it is not there, or cannot be read.
        """
        file = self.find(view, frame)
        if file is None:
            raise InputError(
                f"{self.root / self.names(view, frame)[0]}: not there, nor under another known name"
            )
        return self.video.read(file, frame) if file.suffix in VIDEOS else read_picture(file)


def near_the_beginning(source: Recorded, pictures: Pictures, row: int) -> int:
    """The same person, or, where frames come out of a video, which is slow far inside, the first of that view."""
    view = int(source.view[row])
    file = pictures.find(source.views[view], int(source.frame[row]))
    return (
        int((source.view == view).nonzero()[0, 0])
        if file is not None and file.suffix in VIDEOS
        else row
    )


def require_size(
    picture: Picture, size: Tensor, pictures: Pictures, view: View, frame: int
) -> None:
    """Raise for a picture that is not of its camera's size (2,), pixels: its annotation would mean
    other places in it.

    Cameras of one set differ by two pixels (Human3.6M: 1000 and 1002), which some extractions level
    out.
    """
    height, width = picture.shape[:2]
    wanted = [int(side) for side in size.tolist()]
    if max(abs(width - wanted[0]), abs(height - wanted[1])) > SLACK:
        raise InputError(
            f"{pictures.find(view, frame)}: is {width} × {height}, its annotation is of {wanted[0]} × {wanted[1]};"
            " extract the pictures at their own size"
        )


class Video:
    """Frames of videos, one video at a time."""

    def __init__(self) -> None:
        self.file: Path | None = None
        self.capture = cv2.VideoCapture()
        self.next = 0
        self.lengths: dict[Path, int] = {}

    def reaches(self, file: Path, frame: int) -> bool:
        """Whether a video is as long as that, by what its container says; one that says nothing may be."""
        if file not in self.lengths:
            video = cv2.VideoCapture(str(file))
            self.lengths[file] = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
            video.release()
        return frame < self.lengths[file] or self.lengths[file] < 0

    def read(self, file: Path, frame: int) -> Picture:
        """A frame, counted from 0, RGB; decoded from the beginning, since seeking is not exact in
        every container.

        Raises:
            InputError: where the video cannot be read, or ends before.
        """
        if file != self.file or frame < self.next:
            self.capture.open(str(file))
            self.file, self.next = file, 0
        while self.next < frame and self.capture.grab():
            self.next += 1
        read, picture = self.capture.read() if self.next == frame else (False, None)
        if not read or picture is None:
            raise InputError(
                f"{file}: frame {frame} cannot be read (it ends at {self.next}); copy it again, or take it away and use --skip-missing"
            )
        self.next += 1
        return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)
