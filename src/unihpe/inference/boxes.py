"""People's boxes in: JSON by picture, or COCO's annotations and results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unihpe.errors import InputError

Corners = list[list[float]]


def read_boxes(path: Path) -> dict[str, Corners]:
    """Boxes by the picture's file name: lists of left, top, right, bottom in pixels.

    Understood are {"a.jpg": [[left, top, right, bottom], …]} and COCO's annotation files (boxes are
    x, y, width, height there).

    Raises:
        InputError: for a file that is neither.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        if isinstance(content, dict) and "annotations" in content:
            return coco_boxes(content)
        return {
            Path(str(name)).name: [four(box) for box in boxes] for name, boxes in content.items()
        }
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise InputError(
            f'{path}: no boxes as we know them; write {{"a.jpg": [[left, top, right, bottom]]}} or COCO\'s annotations'
        ) from error


def coco_boxes(content: dict[str, Any]) -> dict[str, Corners]:
    """COCO's annotations; crowds are left out."""
    names = {image["id"]: Path(str(image["file_name"])).name for image in content["images"]}
    found: dict[str, Corners] = {}
    for note in content["annotations"]:
        if not note.get("iscrowd"):
            x, y, width, height = four(note["bbox"])
            found.setdefault(names[note["image_id"]], []).append([x, y, x + width, y + height])
    return found


def four(box: Any) -> list[float]:
    """Four numbers."""
    left, top, right, bottom = (float(value) for value in box)
    return [left, top, right, bottom]
