"""Reading people's own pictures: whatever a camera or a program wrote, as plain RGB."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from unihpe.errors import InputError, one_line

Picture = NDArray[np.uint8]
LARGEST = 100_000_000  # pixels; more is refused before anything is unpacked
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
PAPER = (255, 255, 255)  # shows through what is transparent
# What Pillow raises for damaged files: it unpacks them with struct, looks up tags, and divides by
# what it finds.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
)
ORIENTATION = 0x0112  # EXIF's tag for how the camera was held
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(path: Path) -> Picture:
    """A picture as RGB (H, W, 3), turned as its EXIF says; grey, 16 bit, CMYK and transparency are
    brought to RGB.

    Raises:
        InputError: for a file that is missing, empty, truncated or no picture, or above 100
            megapixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # our own limit is below Pillow's error
            with Image.open(path) as image:
                if image.width * image.height > LARGEST:
                    raise InputError(
                        f"{path}: {image.width} × {image.height} is above {LARGEST // 10**6} megapixels; make it smaller"
                    )
                image.load()
                return to_rgb(upright(image))
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: above {LARGEST // 10**6} megapixels; make it smaller") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: not a picture, or an unknown kind; known are JPEG, PNG, WebP, BMP and TIFF"
        ) from error
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(
            f"{path}: cannot be read ({one_line(error, 100)}); copy it again"
        ) from error


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says; as it lies where EXIF says nothing or cannot be read.

    Pillow's own `exif_transpose` also writes the EXIF anew, which fails for a tag of the wrong type
    that no pixel needs.
    """
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except DAMAGED:
        return image
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> Picture:
    """Any mode of Pillow's as (H, W, 3)."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        top = white(image.mode, values.max(where=np.isfinite(values), initial=0))
        grey = (np.nan_to_num(values).clip(0, top) * (255 / top)).round().astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", above.size, PAPER), above)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def white(mode: str, largest: float) -> float:
    """The value of white in a grey picture: what the mode says, else (I, F) what its largest value lets suppose."""
    if mode.startswith("I;16"):
        return 65535.0
    if mode == "F" and largest <= 1:
        return 1.0
    return 255.0 if largest <= 255 else 65535.0


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
