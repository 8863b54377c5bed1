"""Short texts on pictures: captions and people's labels."""

import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from unihpe.io.picture import Picture
from unihpe.show.colours import INK, Colour

SPELT = str.maketrans({"×": "x", "→": ">", "°": " deg", "–": "-", "ß": "ss"})
WHITE: Colour = (255, 255, 255)


def write(
    picture: Picture, text: str, left: float, baseline: float, size: int, colour: Colour = INK
) -> None:
    """Text whose line stands at `baseline`, in place; `size` is the letters' height, pixels."""
    cover = _letters(_plain(text), size)
    _blend(picture, cover, colour, left, baseline - size)


def label(picture: Picture, text: str, x: float, bottom: float, size: int, colour: Colour) -> None:
    """A name in white on a rounded plate, centred at `x`, in place; cut at the picture's edge."""
    plate, letters = _plate(_plain(text)[:16], size)
    left, top = x - plate.shape[1] / 2, bottom - plate.shape[0]
    _blend(picture, plate, colour, left, top)
    _blend(picture, letters, WHITE, left, top)


def _plain(text: str) -> str:
    """Text in the font's letters, ASCII: accents go, others become question marks."""
    apart = unicodedata.normalize("NFKD", text.translate(SPELT))
    kept = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return kept.encode("ascii", "replace").decode()


@lru_cache(maxsize=16)
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


@lru_cache(maxsize=256)
def _letters(text: str, size: int) -> Picture:
    """How much of each pixel the letters cover, (H, W), 0 to 255."""
    font = _font(size)
    width = max(1, round(font.getlength(text)) + 2)
    paper = Image.new("L", (width, round(1.4 * size)))
    ImageDraw.Draw(paper).text((0, size), text, fill=255, font=font, anchor="ls")
    return np.asarray(paper)


@lru_cache(maxsize=256)
def _plate(text: str, size: int) -> tuple[Picture, Picture]:
    """What a label's plate and its letters cover, (H, W) each."""
    font = _font(size)
    height = round(1.5 * size)
    width = max(height, round(font.getlength(text) + 0.9 * size))
    plate, paper = (Image.new("L", (width, height)) for _ in range(2))
    corner = (0, 0, width - 1, height - 1)
    ImageDraw.Draw(plate).rounded_rectangle(corner, radius=height // 3, fill=235)
    middle = (width / 2, height / 2)
    ImageDraw.Draw(paper).text(middle, text, fill=255, font=font, anchor="mm")
    return np.asarray(plate), np.asarray(paper)


def _blend(picture: Picture, cover: Picture, colour: Colour, left: float, top: float) -> None:
    """Colour where `cover` (H, W) says, with its corner at (left, top), as far as it is inside."""
    x, y = round(left), round(top)
    height, width = cover.shape
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, picture.shape[1]), min(y + height, picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    share = cover[y0 - y : y1 - y, x0 - x : x1 - x, None] / np.float32(255)
    under = picture[y0:y1, x0:x1]
    under[:] = np.rint(under + (np.array(colour, dtype=np.float32) - under) * share)
