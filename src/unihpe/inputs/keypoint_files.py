"""2D keypoints as the tools of the field write them; the layout is told from the content.

Missing joints (whatever a tool writes for them) come out with confidence 0, NaN.
"""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.errors import InputError, listing, one_line
from unihpe.inputs.detections import Detections, Hints, Size
from unihpe.inputs.joints import in_numbers
from unihpe.inputs.keypoints import Keypoints
from unihpe.inputs.pixels import in_pixels
from unihpe.inputs.readers import KNOWN, read_arrays, reader_of
from unihpe.inputs.recognised import recognised
from unihpe.io.files import BROKEN, in_order, read_json

HOW = Hints()


def read_keypoints(
    path: Path, skeleton: str | None = None, image_size: Size | None = None, how: Hints = HOW
) -> Keypoints:
    """Read a keypoint file, or a folder of files of one picture each.

    Args:
        skeleton: the file's joints, where the layout does not tell (npy, npz) or tells wrong.
        image_size: width and height in pixels, where the file does not hold them.
        how: what else people know of the file.

    Raises:
        InputError: for a file that cannot be read or understood, or that holds nobody who can be
            read, or joints that do not look like their set; or no picture size. Of several people,
            those who cannot be read are `left_out`.
    """
    how = replace(how, skeleton=skeleton or how.skeleton, size=image_size or how.size)
    if how.size is not None and not (min(how.size) > 0 and np.isfinite(how.size).all()):
        size = f"{how.size[0]:g}x{how.size[1]:g}"
        raise InputError(f"the picture size must be above 0, not {size}")
    return in_pixels(read_detections(path, how), f"{path}: ", how.size)


def read_detections(path: Path, how: Hints = HOW) -> Detections:
    """The people of a file or folder, of a known joint set, missing joints as NaN; and checked."""
    if not path.exists():
        raise InputError(f"no keypoint file at {path}")
    try:
        found = in_numbers(_read(path))
        if not found.people:
            raise InputError(f"{path}: {listing(found.left_out, 1) or 'nobody in it'}")
        return recognised(found, path, how)
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"{path}: {_not_as_said(error)}; docs/formats.md") from error


def _not_as_said(error: Exception) -> str:
    return f"not as its layout says ({error.__class__.__name__}: {one_line(error, 80)})"


def _read(path: Path) -> Detections:
    if path.is_dir():
        return _read_folder(path)
    if path.suffix.lower() in (".npy", ".npz"):
        return read_arrays(path)
    return _read_json(path)


def _read_json(path: Path) -> Detections:
    content = read_json(path)
    if (reader := reader_of(content)) is None:
        raise InputError(f"{path}: not a known keypoint layout; known are {KNOWN}")
    try:
        return reader(content, path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_folder(path: Path) -> Detections:
    """The files of a folder, one a picture; what cannot be read of them is left out."""
    frames, left_out = [], []
    for file in in_order(path.glob("*.json")):
        try:
            frames.append(_read_json(file))
        except InputError as error:
            left_out.append(str(error))
        except BROKEN as error:
            left_out.append(f"{file}: {_not_as_said(error)}")
    if not frames:
        raise InputError(left_out[0] if left_out else f"{path}: no .json files in it")
    people = list(chain.from_iterable(frame.people for frame in frames))
    first = next((frame for frame in frames if frame.people), frames[0])
    if odd := [own for own in frames if own.people and _kind(own) != _kind(first)]:
        other = f"{odd[0].people[0].image} is not of the kind of {first.people[0].image}"
        raise InputError(f"{path}: a folder must hold the files of one tool; {other}")
    notes = tuple(dict.fromkeys(chain.from_iterable(frame.notes for frame in frames)))
    left_out += chain.from_iterable(frame.left_out for frame in frames)
    return replace(first, people=people, left_out=tuple(left_out), notes=notes)


def _kind(detections: Detections) -> tuple[Any, ...]:
    return detections.sets, detections.skeleton, detections.what, detections.units
