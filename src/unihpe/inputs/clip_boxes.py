"""People's boxes in the frames of a clip: a tracker's, COCO's annotations, or our own JSON."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unihpe.errors import InputError
from unihpe.inputs.boxes import WHOLE, look_like_sides, refuse_corners
from unihpe.io.files import input_errors, read_json, read_text

REMEDY = "write {\"0\": [[left, top, right, bottom]]} by frame, MOT's text or COCO's annotations"
MOT_COLUMNS = 6  # at least: frame, id, left, top, width, height
ENDING = re.compile(r"[0-9]+(?=\D*$)")


class _Box(NamedTuple):
    """A person's box in a frame."""

    frame: int  # from 0
    number: int | None  # who it is, from 1; None: not known
    corners: tuple[float, float, float, float]  # left, top, right, bottom, pixels


@dataclass(frozen=True)
class FrameBoxes:
    """The boxes of a clip."""

    by_frame: Mapping[int, list[_Box]]
    whole: tuple[int, int] | None = None  # width and height of frames that one person fills

    def of(self, frame: int) -> list[_Box]:
        """Those of a frame, by its number from 0."""
        if self.whole is not None:
            return [_Box(frame, 1, (0.0, 0.0, float(self.whole[0]), float(self.whole[1])))]
        return self.by_frame.get(frame, [])

    @property
    def highest(self) -> int:
        """The highest number that somebody has; 0 where nobody has one."""
        every = (box.number for boxes in self.by_frame.values() for box in boxes)
        return max((number for number in every if number is not None), default=0)


def read_clip_boxes(path: Path, size: tuple[int, int]) -> FrameBoxes:
    """The boxes of each frame of a clip.

    Understood are MOT's text (frame from 1, id, left, top, width, height, score; those with score 0
    are left out), COCO's annotations (frames by the number in the picture's name, `track_id` where
    it is there) and {"0": [[left, top, right, bottom], …]}, frames from 0. The word "whole" is one
    person who fills each frame.

    Args:
        size: width and height of the clip's frames, pixels.

    Raises:
        InputError: for a file that is none of these, or boxes that are none.
    """
    if str(path) == WHOLE:
        return FrameBoxes({}, size)
    with input_errors(f"{path}: no boxes of a clip as we know them", REMEDY):
        of_mot = path.suffix.lower() in (".txt", ".csv")
        rows = [*(_from_mot(path, size) if of_mot else _from_json(path, size))]
    boxes: dict[int, list[_Box]] = {}
    named = set[tuple[int, int]]()
    for box in rows:
        left, top, right, bottom = box.corners
        if not (np.isfinite(box.corners).all() and right > left and bottom > top):
            raise InputError(f"{path}: frame {box.frame} has a box without a size")
        if box.number is not None and (box.frame, box.number) in named:
            twice = f"frame {box.frame} has two boxes of person {box.number}"
            raise InputError(f"{path}: {twice}; give the boxes of one clip")
        if box.number is not None:
            named.add((box.frame, box.number))
        boxes.setdefault(box.frame, []).append(box)
    return FrameBoxes(boxes)


def _from_mot(path: Path, size: tuple[int, int]) -> Iterator[_Box]:
    text = read_text(path, REMEDY)
    rows = [re.split(r"[,;\s]+", line.strip()) for line in text.splitlines() if line.strip()]
    if not rows or min(map(len, rows)) < MOT_COLUMNS:
        raise InputError(f"{path}: no boxes as MOT has them: frame,id,left,top,width,height")
    numbers = [[float(cell) for cell in row if cell] for row in rows]
    table = np.array([row[:MOT_COLUMNS] for row in numbers], np.float64)
    if table[:, 0].min() < 1:
        raise InputError(f"{path}: MOT counts frames from 1, and here is one before; add 1 to all")
    _refuse_corners(table[:, 2:], size, path)
    for row, (frame, who, left, top, width, height) in zip(numbers, table.tolist(), strict=True):
        if len(row) == MOT_COLUMNS or row[MOT_COLUMNS] != 0:
            number = int(who) if who > 0 else None
            yield _Box(int(frame) - 1, number, (left, top, left + width, top + height))


def _from_json(path: Path, size: tuple[int, int]) -> Iterator[_Box]:
    content = read_json(path)
    if "annotations" in content:
        yield from _from_coco(content, size, path)
        return
    rows = [(int(frame), own) for frame, boxes in content.items() for own in boxes]
    corners = np.array([own for _, own in rows], np.float64).reshape(-1, 4)
    if len(corners) and look_like_sides(corners, *map(float, size)):
        wanted = "give left, top, right, bottom"
        raise InputError(f"{path}: boxes look like x, y, width, height; {wanted}")
    for (frame, _), (left, top, right, bottom) in zip(rows, corners.tolist(), strict=True):
        yield _Box(frame, None, (left, top, right, bottom))


def _from_coco(content: Any, size: tuple[int, int], path: Path) -> Iterator[_Box]:
    frames = {image["id"]: _frame_of(image) for image in content["images"]}
    notes = [note for note in content["annotations"] if not note.get("iscrowd")]
    boxes = np.array([note["bbox"] for note in notes], np.float64).reshape(-1, 4)
    _refuse_corners(boxes, size, path)
    for note, (left, top, width, height) in zip(notes, boxes.tolist(), strict=True):
        who = note.get("track_id")
        corners = left, top, left + width, top + height
        yield _Box(frames[note["image_id"]], None if who is None else int(who), corners)


def _frame_of(image: Any) -> int:
    """The number of a frame: the last in its picture's name, or the one that COCO-VID has."""
    if "frame_id" in image:
        return int(image["frame_id"])
    found = ENDING.search(str(image["file_name"]))
    if found is None:
        raise InputError(f"{image['file_name']}: no number of a frame in the name")
    return int(found[0])


def _refuse_corners(boxes: "np.ndarray[Any, Any]", size: tuple[int, int], path: Path) -> None:
    try:
        refuse_corners(boxes, np.array([size], np.float64))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
