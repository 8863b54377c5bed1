"""How many of the people in photographs `unihpe predict` finds by itself, and what it costs.

    python benchmarks/finder.py --photos FOLDER --json finder.json

FOLDER holds person_keypoints.json in COCO's layout and images/. A person is found if a box overlaps
theirs by half (intersection over union), each box counting for one person; the other boxes are
extra, among them people whom nobody annotated. Crowds are left out. Nothing in `people/find.py` was
tuned on these photographs: its thresholds come from collages of other ones.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from lifting import DATA, where

from unihpe.io.files import write_text
from unihpe.people import find

PHOTOS = DATA.parents[1] / "photos"
SIZES = {"large": 96.0**2, "medium": 32.0**2, "small": 0.0}  # COCO's, by area, pixels
OVERLAP = 0.5


def overlaps(people: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of (P, 4) and (N, 4), corners: (P, N)."""
    low = np.maximum(people[:, None, :2], boxes[None, :, :2])
    high = np.minimum(people[:, None, 2:], boxes[None, :, 2:])
    both = (high - low).clip(0).prod(-1)
    areas = [(corners[:, 2:] - corners[:, :2]).prod(-1) for corners in (people, boxes)]
    return both / (areas[0][:, None] + areas[1] - both)


def matched(people: np.ndarray, boxes: np.ndarray) -> set[int]:
    """Who is found: the best pairs first, each person and each box once."""
    shared = overlaps(people, boxes)
    pairs = np.argwhere(shared >= OVERLAP)
    found: dict[int, int] = {}
    for person, box in sorted(pairs.tolist(), key=lambda pair: -shared[tuple(pair)]):
        if person not in found and box not in found.values():
            found[person] = box
    return set(found)


def measure(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "person_keypoints.json").read_text(encoding="utf-8"))
    people: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in content["images"]}
    for note in content["annotations"]:
        if not note.get("iscrowd"):
            people[note["image_id"]].append(note)
    counts, extra, seconds = {size: [0, 0] for size in SIZES}, 0, 0.0
    for image in content["images"]:
        start = time.process_time()
        boxes = find(folder / "images" / image["file_name"]).boxes
        seconds += time.process_time() - start
        own = people[image["id"]]
        corners = np.array([note["bbox"] for note in own], float).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        found = matched(corners, boxes)
        extra += len(boxes) - len(found)
        for n, note in enumerate(own):
            size = next(name for name, least in SIZES.items() if note["area"] > least)
            counts[size][0] += n in found
            counts[size][1] += 1
    pictures = len(content["images"])
    recall = {size: round(seen / all_, 3) for size, (seen, all_) in counts.items() if all_}
    each = {"extra_boxes": round(extra / pictures, 2), "cpu_seconds": round(seconds / pictures, 2)}
    return (
        where()
        | {"recall": recall, "people": {size: row[1] for size, row in counts.items()}}
        | each
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.photos)
    print(json.dumps(result, indent=2))
    if options.json is not None:
        write_text(options.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
