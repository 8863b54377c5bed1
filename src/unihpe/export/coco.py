"""COCO's results, as its evaluation reads them: 2D keypoints of people."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.errors import InputError
from unihpe.export.results import Results
from unihpe.io.files import write_text

PERSON = 1  # COCO's category
NUMBER = re.compile(r"[0-9]+$")


def write_coco(path: Path, results: Results) -> None:
    """Write the 2D keypoints as COCO's 17, in pixels: a list with an entry a person and picture.

    `image_id` is the frame's number, or the number in which the picture's name ends; pictures that
    are not all numbered so are counted from 1. What is missing is 0, 0 with score 0.
    """
    if not bool(results.keypoints.isfinite().any()) and len(results):
        raise InputError(f"{path.name}: COCO's results are 2D keypoints, and there are none here")
    flat = results.to("coco17")
    ids = _image_ids(results)
    entries = [_entry(flat, n, ids[n]) for n in range(len(flat))]
    write_text(path, json.dumps(entries, ensure_ascii=False, allow_nan=False) + "\n")


def _image_ids(results: Results) -> list[int]:
    """A number for the picture or frame of each row."""
    if results.frame is not None:
        return [int(number) for number in results.frame.tolist()]
    names = list(dict.fromkeys(results.image))
    endings = [NUMBER.search(Path(name).stem) for name in names]
    numbers = [int(found[0]) for found in endings if found and len(found[0]) < 16]
    if len({*numbers}) < len(names):
        numbers = list(range(1, len(names) + 1))
    by_name = dict(zip(names, numbers, strict=True))
    return [by_name[name] for name in results.image]


def _entry(results: Results, n: int, image_id: int) -> dict[str, Any]:
    points, scores = keypoints_of(results, n)
    seen = [score for score in scores if score > 0]
    entry: dict[str, Any] = {
        "image_id": image_id,
        "category_id": PERSON,
        "keypoints": [
            value for (x, y), s in zip(points, scores, strict=True) for value in (x, y, s)
        ],
        "score": round(sum(seen) / len(seen), 4) if seen else 0.0,
        "file_name": results.image[n],
    }
    if results.boxes is not None and bool(results.boxes[n].isfinite().all()):
        left, top, right, bottom = results.boxes[n].tolist()
        entry["bbox"] = [round(value, 2) for value in (left, top, right - left, bottom - top)]
    if results.is_clip:
        entry["track_id"] = track_of(results, n)
    return entry


def track_of(results: Results, n: int) -> int | str:
    """Who one row of a clip is: a number, where it is one."""
    name = results.person[n]
    return int(name) if name.isdecimal() else name


def keypoints_of(results: Results, n: int) -> tuple[list[list[float]], list[float]]:
    """Pixels and scores of one row's joints; 0 where they are missing."""
    points, scores = results.keypoints[n].double().numpy(), results.confidence[n].double().numpy()
    seen = np.isfinite(points).all(1) & (scores > 0)
    points, scores = np.where(seen[:, None], points, 0), np.where(seen, scores, 0)
    return np.round(points, 3).tolist(), np.round(scores, 4).tolist()
