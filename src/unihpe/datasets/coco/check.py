"""Is this folder COCO? Boxes should hold their joints, and pictures be of the stated size."""

from pathlib import Path
from typing import Any

import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.coco.source import (
    HIDDEN,
    VISIBLE,
    Annotations,
    annotation_files,
    read_annotations,
)
from unihpe.errors import InputError
from unihpe.io.picture import read_picture

INSIDE_BOX = 0.95  # of the joints: annotators' boxes cut hands and feet now and then
OPENED = 50  # pictures that are opened


def check_coco(root: Path) -> dict[str, Any]:
    """What `check` says of COCO's photographs, with those of its keys that mean something here."""
    files = [root] if root.is_file() else annotation_files(root)
    if not files:
        nothing = "no person_keypoints*.json (nor in annotations/)"
        raise InputError(f"{root}: {nothing}; name COCO's folder, or the file itself")
    parts = {file: read_annotations(file, with_pictures=False) for file in files}
    pictures = dict[Path, bool]()
    notes, partial, problems = list[str](), list[str](), list[str]()
    for file, part in parts.items():
        there = {picture: picture.is_file() for picture in part.pictures}
        pictures |= there
        problems += coco_problems(file, part)
        notes += [f"{file.name}: {note}" for note in part.notes]
        if lost := len(there) - sum(there.values()):
            partial.append(f"partial: {file.name}: {lost} of {len(there)} pictures are not there")
    seen = torch.cat([part.confidence for part in parts.values()])
    return {
        "layout": f"COCO person keypoints: {', '.join(file.name for file in files)}",
        "frames": len(seen),
        "partial": bool(partial),
        "pictures": {"looked_for": len(pictures), "found": sum(pictures.values())},
        "subjects": [],
        "cameras": [],
        "joints": list(get_skeleton("coco17").joints),
        "leg_order": "left first",
        "unit": "none: 2D only",
        "reprojection_px": None,
        "joints_visible": round(float((seen == VISIBLE).float().mean()), 4),
        "joints_hidden": round(float((seen == HIDDEN).float().mean()), 4),
        "notes": [*notes, *partial],
        "problems": problems,
    }


def coco_problems(file: Path, people: Annotations) -> list[str]:
    """What is wrong with the people of one file."""
    problems = []
    low, high = people.corners[:, None, :2], people.corners[:, None, 2:]
    marked = people.confidence > 0
    slack = 0.1 * (high - low).amax(-1, keepdim=True)
    inside = ((people.keypoints >= low - slack) & (people.keypoints <= high + slack)).all(-1)
    share = float((inside & marked).sum() / marked.sum())
    if share < INSIDE_BOX:
        odd = f"only {share:.0%} of the joints lie in their boxes"
        problems.append(f"{file.name}: {odd}; boxes or joints are of another picture")
    sizes = dict(zip(people.pictures, people.size.int().tolist(), strict=True))
    there = [path for path in sorted(sizes) if path.is_file()]
    for path in there[:: max(1, len(there) // OPENED)]:
        try:
            height, width = read_picture(path).shape[:2]
            if [width, height] != sizes[path]:
                stated = " × ".join(str(side) for side in sizes[path])
                odd = f"{path.name} is {width} × {height}, its annotation says {stated}"
                raise InputError(f"{odd}; use the picture as released")
        except InputError as error:
            problems.append(str(error))
    return problems
