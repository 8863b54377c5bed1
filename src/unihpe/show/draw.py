"""Pictures of 2D poses, and sheets of pictures."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from unihpe.body.skeleton import Skeleton
from unihpe.io.files import replacing
from unihpe.io.picture import Picture
from unihpe.show.colours import PAPER, SIDES, Colour, Palette
from unihpe.show.strokes import Points, stick_figure
from unihpe.show.text import write

FOURFOLD = 4  # drawn larger and shrunk: smoother lines than OpenCV's own
LARGEST = 1200  # pixels; larger pictures are smooth enough without
BONE = 3.2  # width, in a picture of 500 pixels
MARGIN, CAPTION, HEADING = 14, 30, 46  # of a sheet, pixels
TITLE_SIZE, CAPTION_SIZE = 19, 14  # of its letters, pixels


def blank(width: int, height: int, colour: Colour = PAPER) -> Picture:
    """An empty picture (height, width, 3)."""
    return np.full((height, width, 3), colour, dtype=np.uint8)


def draw_2d(
    picture: Picture,
    keypoints: Points,
    confidence: Points,
    skeleton: Skeleton,
    colours: Palette = SIDES,
) -> Picture:
    """Keypoints (J, 2), pixels, over a copy of a picture; joints of confidence (J,) 0 left out."""
    height, width = picture.shape[:2]
    enlarge = FOURFOLD if max(height, width) <= LARGEST else 1
    size = (width * enlarge, height * enlarge)
    canvas = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    bone = BONE * max(height, width) / 500 * enlarge
    stick_figure(canvas, keypoints * enlarge, confidence > 0, skeleton, colours, bone)
    shrunk = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, dtype=np.uint8)


def sheet(rows: Sequence[Sequence[tuple[Picture, str]]], title: str = "") -> Picture:
    """Rows of (picture, caption) on one page."""
    widths = [sum(picture.shape[1] + MARGIN for picture, _ in row) + MARGIN for row in rows]
    heights = [max(picture.shape[0] for picture, _ in row) + CAPTION + MARGIN for row in rows]
    heading = HEADING if title else 0
    page = blank(max(widths), heading + sum(heights) + MARGIN, (255, 255, 255))
    write(page, title, MARGIN, 32, TITLE_SIZE)
    top = heading + MARGIN // 2
    for row, below in zip(rows, heights, strict=True):
        left = MARGIN
        for picture, text in row:
            height, width = picture.shape[:2]
            page[top : top + height, left : left + width] = picture
            write(page, text, left + 2, top + height + 20, CAPTION_SIZE)
            left += width + MARGIN
        top += below
    return page


def save_png(path: Path, picture: Picture) -> None:
    """Write a picture as PNG, whole or not at all."""
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
