"""Reading people's own pictures: whatever a camera or a program wrote, as plain RGB."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from unihpe.errors import InputError, one_line

Picture = NDArray[np.uint8]

LARGEST = 100_000_000  # pixels; more is refused before anything is unpacked
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
PAPER = (255, 255, 255)  # shows through what is transparent


def read_picture(path: Path) -> Picture:
    """A picture as RGB (H, W, 3), turned as its EXIF says; grey, 16 bit, CMYK and transparency are brought to RGB.

    Raises:
        InputError: for a file that is missing, empty, truncated or no picture, or above 100 megapixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is below Pillow's error
            with Image.open(path) as image:
                if image.width * image.height > LARGEST:
                    raise InputError(
                        f"{path}: {image.width} × {image.height} is above {LARGEST // 10**6} megapixels; make it smaller"
                    )
                image.load()
                return to_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: above {LARGEST // 10**6} megapixels; make it smaller") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: not a picture, or an unknown kind; known are JPEG, PNG, WebP, BMP and TIFF"
        ) from error
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({one_line(error, 100)}); copy it again") from error


def to_rgb(image: Image.Image) -> Picture:
    """Any mode of Pillow's as (H, W, 3)."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if values.max(initial=0) > np.iinfo(np.uint8).max else 255.0
        grey = (values.clip(0, top) * (255 / top)).round().astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", above.size, PAPER), above)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def pictures_in(path: Path) -> list[Path]:
    """A picture, or the pictures of a folder, sorted by name.

    Raises:
        InputError: if nothing is there.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{path}: a folder without pictures ({', '.join(SUFFIXES)})")
    return found
