"""Folders of pictures, and zip files of pictures, which are read in place.

A zip file holds its pictures in images/ and, where they have labels, annotations.json.
"""

import io
import mmap
import zipfile
from pathlib import Path

from unihpe.errors import InputError
from unihpe.io.files import input_errors
from unihpe.io.picture import Picture, read_picture

ANNOTATIONS, IMAGES = "annotations.json", "images"
PICTURES = "pictures"  # in the `info` of annotations in COCO's layout: where the pictures lie
Place = Path | zipfile.Path


def is_zip(root: Path) -> bool:
    """Whether it is named like a zip file."""
    return root.suffix.lower() == ".zip"


class _Mapped(io.RawIOBase):
    """A file whose place each process keeps for itself: forked ones share that of an open file, and
    would read from where another is."""

    def __init__(self, file: Path) -> None:
        with file.open("rb") as opened:
            self.map = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        self.name, self.place = str(file), 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + (0, self.place, len(self.map))[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def read(self, size: int | None = -1) -> bytes:
        end = None if size is None or size < 0 else self.place + size
        data = self.map[self.place : end]
        self.place += len(data)
        return data


def _zipped(file: Path) -> zipfile.Path:
    """What is in a zip file; InputError for what is none."""
    with input_errors(f"{file}: cannot be read as a zip file"):
        return zipfile.Path(zipfile.ZipFile(_Mapped(file)))


def annotations_in(file: Path) -> zipfile.Path:
    """A zip file's annotations, there or not; InputError for what is no zip file."""
    return _zipped(file) / ANNOTATIONS


def images_beside(annotations: zipfile.Path) -> zipfile.Path:
    """The folder of a zip file's pictures."""
    return zipfile.Path(annotations.root) / IMAGES


def annotations_beside(images: Place) -> zipfile.Path | None:
    """The annotations of pictures in a zip file, if it has any."""
    if isinstance(images, Path):
        return None
    found = zipfile.Path(images.root) / ANNOTATIONS
    return found if found.is_file() else None


def open_folder(place: Path) -> Place:
    """A folder of pictures, or that in a zip file; InputError for a broken one."""
    return _zipped(place) / IMAGES if is_zip(place) else place


def read_place(place: Place) -> Picture:
    """A picture in a folder or in a zip file, as `read_picture`."""
    if isinstance(place, Path):
        return read_picture(place)
    try:
        with input_errors("cannot be read"):
            return read_picture(place.read_bytes())
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
