"""How right the labels of `unihpe data label` are, on people whose joints were marked by hand.

    python benchmarks/labels.py --sports LSPET.zip --json labels.json

People of the split `train` whose picture's number divided by 24 leaves 12; the 12 limb joints.
PCK by the longer side of the annotated box, of the joints that are kept, and how many those are:
for one look of MoveNet Thunder, and for most of four looks.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lifting import where
from photographs import PARTS, SHARES, SPORTS

from unihpe.body.skeleton import get_skeleton, without_side
from unihpe.datasets.coco.source import read_annotations
from unihpe.io.files import write_text
from unihpe.io.picture import Picture
from unihpe.io.zipped import read_place
from unihpe.people.find import Floats, keypoints_in_each
from unihpe.people.label import SURE, agreed_keypoints_in_each

COCO, CPU = get_skeleton("coco17"), torch.device("cpu")
NUMBER, REST = 24, 12


def one_look(pictures: list[Picture], boxes: Floats) -> tuple[Floats, Floats]:
    points, scores = keypoints_in_each(pictures, boxes, CPU)
    return points, np.where(scores > SURE, scores, 0.0)


def four_looks(pictures: list[Picture], boxes: Floats) -> tuple[Floats, Floats]:
    return agreed_keypoints_in_each(pictures, boxes, CPU)


def measure(file: Path, most: int | None) -> dict[str, Any]:
    people = read_annotations(file, "train")
    numbers = [int("".join(filter(str.isdigit, place.name))) for place in people.pictures]
    rows = [n for n, number in enumerate(numbers) if number % NUMBER == REST][:most]
    limbs = [joint for joint in people.joints.joints if without_side(joint) in PARTS]
    ours = [COCO.index(joint) for joint in limbs]
    theirs = [people.joints.index(joint) for joint in limbs]
    pictures = [read_place(people.pictures[n]) for n in rows]
    boxes = people.corners[rows].double().numpy()
    truth = people.keypoints[rows][:, theirs].numpy()
    marked = (people.confidence[rows][:, theirs] > 0).numpy()
    side = (boxes[:, 2:] - boxes[:, :2]).max(1)[:, None]
    report: dict[str, Any] = {"people": len(rows), "marked": int(marked.sum())}
    for name, look in {"one look": one_look, "most of four": four_looks}.items():
        begin = time.process_time()
        points, scores = (part[:, ours] for part in look(pictures, boxes))
        seconds = (time.process_time() - begin) / len(rows)
        kept, error = (scores > 0) & marked, np.linalg.norm(points - truth, axis=-1) / side
        pck = {f"PCK@{share}": round(float((error[kept] < share).mean()), 3) for share in SHARES}
        report[name] = {"kept": int(kept.sum()), **pck, "cpu_seconds_a_person": round(seconds, 3)}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sports", type=Path, default=SPORTS)
    parser.add_argument("--people", type=int, help="at most so many")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {**where(), **measure(options.sports, options.people)}
    print(json.dumps(result, indent=2))
    if options.json is not None:
        write_text(options.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
