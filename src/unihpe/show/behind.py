"""What lies behind the 2D of a page: the pictures, or the clip as a small video."""

import base64
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import cv2
import numpy as np
from PIL import Image

from unihpe.inputs.media import Clip
from unihpe.io.files import replacing
from unihpe.io.picture import Picture
from unihpe.show.mp4 import mp4_at

Photos = Callable[[str], Picture]  # by the name that results have for a picture
SMALLEST, LARGEST = 320, 1280  # of a picture's longer side, pixels
TOGETHER = 3000.0  # longer side of one picture as large as all of them
JPEG_QUALITY = 80
VIDEO_SIDE, VIDEO_QUALITY = 640, 28
MOST_INSIDE = 8_000_000  # bytes; a larger video lies beside its page


def pictures_behind(names: Sequence[str], photo: Photos) -> list[str]:
    """The pictures as JPEG in addresses, smaller where there are many."""
    longest = min(max(TOGETHER / sqrt(max(len(names), 1)), SMALLEST), LARGEST)
    return [_address(_shrunk(photo(name), longest)) for name in names]


def _shrunk(picture: Picture, longest: float) -> Picture:
    share = longest / max(picture.shape[:2])
    if share >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * share)), max(1, round(picture.shape[0] * share)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _address(picture: Picture) -> str:
    file = BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


@dataclass(frozen=True)
class _Video:
    """A clip as a page shows it."""

    frames: Sequence[tuple[int, float]]  # number and time of each, seconds
    content: dict[str, str]  # "data": the file as base64, or "name": of the file beside the page
    beside: Sequence[Path] = ()  # that file


def video_behind(
    page: Path, clip: Clip, last: int | None, progress: Callable[[int], None] | None
) -> _Video:
    """A clip as a small video in the page, or if it is large as `<page>-video.mp4` beside it.

    Frames after the number `last` are left out.
    """
    path = page.with_name(f"{page.stem}-video.mp4")
    with TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        frames = _write_small(file, path, clip, last, progress)
        if file.stat().st_size <= MOST_INSIDE:
            return _Video(frames, {"data": base64.b64encode(file.read_bytes()).decode()})
        with replacing(path) as temporary:
            shutil.copyfile(file, temporary)
    return _Video(frames, {"name": quote(path.name)}, [path])


def _write_small(
    file: Path, path: Path, clip: Clip, last: int | None, progress: Callable[[int], None] | None
) -> list[tuple[int, float]]:
    """Write a clip in the size of pages, and say which frames it has."""
    share = min(1.0, VIDEO_SIDE / max(clip.size))
    width, height = (max(2, round(side * share / 2) * 2) for side in clip.size)
    frames: list[tuple[int, float]] = []
    with mp4_at(file, path, (width, height), clip.frame_rate, VIDEO_QUALITY) as video:
        for shown in clip.frames():
            small = cv2.resize(shown.picture, (width, height), interpolation=cv2.INTER_AREA)
            video.add(np.asarray(small, dtype=np.uint8), shown.time)
            frames.append((shown.index, shown.time))
            if progress is not None:
                progress(len(frames))
            if last is not None and shown.index >= last:
                break
    return frames
