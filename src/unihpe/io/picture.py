"""Reading people's own pictures: whatever a camera or a program wrote, as plain RGB."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from unihpe.errors import InputError
from unihpe.io.extra import extra
from unihpe.io.files import BROKEN, in_order, input_errors

Picture = NDArray[np.uint8]  # RGB, (H, W, 3)
PictureFile = str | Path | bytes | BinaryIO
LARGEST = 100_000_000  # pixels; more is refused before anything is unpacked
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif")
HEIF = (b"ftypheic", b"ftypheix", b"ftypheim", b"ftypheis", b"ftypmif1", b"ftypmsf1")  # from byte 4
PAPER = (255, 255, 255)  # shows through what is transparent
ORIENTATION = 0x0112  # EXIF's tag for how the camera was held
TURNS = "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_270 TRANSVERSE ROTATE_90"
UPRIGHT = {tag: Image.Transpose[turn] for tag, turn in enumerate(TURNS.split(), 2)}


def read_picture(source: PictureFile) -> Picture:
    """A picture as RGB (H, W, 3), turned as its EXIF says; any other mode is brought to RGB.

    InputError for a file that is missing, truncated or no picture, or above 100 megapixels.
    """
    name = source if isinstance(source, str | Path) else getattr(source, "name", "the picture")
    too_large = f"is above {LARGEST // 10**6} megapixels; make it smaller"
    with input_errors(f"{name}: cannot be read"), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
        try:
            with _open(source) as image:
                if image.width * image.height > LARGEST:
                    raise InputError(f"{name}: {image.width} × {image.height} {too_large}")
                image.load()
                return _to_rgb(_upright(image))
        except Image.DecompressionBombError as error:
            raise InputError(f"{name}: {too_large}") from error
        except UnidentifiedImageError as error:
            known = "known are JPEG, PNG, WebP, BMP, TIFF and HEIC"
            raise InputError(f"{name}: not a picture, or an unknown kind; {known}") from error


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, whatever its name; those that move are none."""
    try:
        with _open(path) as image:
            return getattr(image, "n_frames", 1) == 1
    except InputError:
        return True  # of a kind that needs an extra
    except BROKEN:
        return False


def _open(source: PictureFile) -> Image.Image:
    """A picture file of any kind that Pillow or its HEIC plug-in knows."""
    try:
        return Image.open(BytesIO(source) if isinstance(source, bytes) else source)
    except UnidentifiedImageError:
        if not _head(source)[4:].startswith(HEIF):
            raise
    kind: Any = extra("pillow_heif", "heic", "pictures of phones (HEIC) need pillow-heif")
    whole = BytesIO(source) if isinstance(source, bytes) else source
    opened: Image.Image = kind.HeifImageFile(whole)
    return opened


def _head(source: PictureFile) -> bytes:
    """The first bytes."""
    if isinstance(source, bytes):
        return source[:12]
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            return file.read(12)
    source.seek(0)
    head = source.read(12)
    source.seek(0)
    return head


def _upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says; as it lies where EXIF says nothing or cannot be read."""
    # Pillow's own `exif_transpose` also writes the EXIF anew, which fails for a tag of the wrong
    # type that no pixel needs
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except BROKEN:
        return image
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Picture:
    """Any mode of Pillow's as (H, W, 3)."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        top = _white(image.mode, values.max(where=np.isfinite(values), initial=0))
        grey = (np.nan_to_num(values).clip(0, top) * (255 / top)).round().astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", above.size, PAPER), above)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _white(mode: str, largest: float) -> float:
    """White in a grey picture: what the mode says, else (I, F) what its largest value suggests."""
    if mode == "F" and largest <= 1:
        return 1.0
    return 65535.0 if mode.startswith("I;16") or largest > 255 else 255.0


def pictures_in(path: Path) -> list[Path]:
    """A picture, or the pictures of a folder, sorted by name; InputError if it holds none."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_dir():
        return [path]
    pictures = in_order(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not pictures:
        raise InputError(f"{path}: a folder without pictures ({', '.join(SUFFIXES)})")
    return pictures
