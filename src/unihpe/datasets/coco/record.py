"""COCO's photographs of people, with 2D alone; everything about it that the package asks for."""

from pathlib import Path
from typing import Any

import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.coco import source as coco
from unihpe.datasets.dataset import DataSet
from unihpe.datasets.protocol import Protocol
from unihpe.datasets.settings import DataSettings, Part
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.io.zipped import Place, annotations_in, is_zip, read_place

INSIDE_BOX = 0.95  # of the joints: annotators' boxes cut hands and feet now and then
OPENED = 50  # pictures that are opened


def _open_set(data: DataSettings, part: Part) -> Source:
    """The people of a split, or of the first annotation file; augmented in training."""
    root = Path(data.root)
    several = coco.annotation_files(root) if part.split is None and root.is_dir() else []
    people = coco.read_annotations(several[0] if several else root, part.split)
    made = coco.MADE if data.made_joints else ()
    return coco.CocoSource(people, data.augmentation if part.training else None, made)


def _has_own_files(root: Path, split: str) -> bool:
    """Whether a split's pictures are there: annotations of all come in one archive."""
    name = coco.SPLITS[split]
    pictures = any((folder / name).is_dir() for folder in (root, root / "images"))
    return pictures and bool(coco.annotation_files(root, f"person_keypoints_{name}.json"))


def _files(root: Path) -> list[Path]:
    """The annotation files of a folder, or one."""
    if root.is_file():
        labelled = is_zip(root) and annotations_in(root).is_file()
        return [root] if labelled or root.name.startswith("person_keypoints") else []
    return coco.annotation_files(root)


def _check_coco(root: Path, rig: Path | None = None) -> dict[str, Any]:
    """What `check` says of COCO's photographs, with those of its keys that mean something here."""
    if rig is not None:
        raise InputError("--rig names the joints of BVH files; coco has none")
    files = [root] if root.is_file() else coco.annotation_files(root)
    if not files:
        nothing = f"{root}: no person_keypoints*.json (nor in annotations/)"
        raise InputError(f"{nothing}; name COCO's folder, or the file itself")
    parts = {file: coco.read_annotations(file, with_pictures=False) for file in files}
    pictures = dict[Place, bool]()
    notes, partial, problems = list[str](), list[str](), list[str]()
    for file, part in parts.items():
        there = {picture: picture.is_file() for picture in part.pictures}
        pictures |= there
        problems += _coco_problems(file, part)
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
        "joints_visible": round(float((seen == coco.VISIBLE).float().mean()), 4),
        "joints_hidden": round(float((seen == coco.HIDDEN).float().mean()), 4),
        "notes": [*notes, *partial],
        "problems": problems,
    }


def _coco_problems(file: Path, people: coco.Annotations) -> list[str]:
    """What is wrong with the people of one file."""
    problems = []
    low, high = people.corners[:, None, :2], people.corners[:, None, 2:]
    marked = people.confidence > 0
    slack = 0.1 * (high - low).amax(-1, keepdim=True)
    inside = ((people.keypoints >= low - slack) & (people.keypoints <= high + slack)).all(-1)
    share = float((inside & marked).sum() / marked.sum())
    if share < INSIDE_BOX:
        odd = f"{file.name}: only {share:.0%} of the joints lie in their boxes"
        problems.append(f"{odd}; boxes or joints are of another picture")
    sizes = dict(zip(people.pictures, people.size.int().tolist(), strict=True))
    there = [path for path in sizes if path.is_file()]
    for path in there[:: max(1, len(there) // OPENED)]:
        try:
            height, width = read_place(path).shape[:2]
            if [width, height] != sizes[path]:
                stated = " × ".join(map(str, sizes[path]))
                odd = f"{path.name} is {width} × {height}, its annotation says {stated}"
                problems.append(f"{odd}; use the picture as released")
        except InputError as error:
            problems.append(str(error))
    return problems


PHOTOGRAPHS = Protocol(
    "photographs",
    texts={
        "data": "{layout}, crops of the annotated boxes; focal length in the box token: assumed"
        " √(W² + H²)",
        "joints": "the 12 limb joints: shoulders, elbows, wrists, hips, knees, ankles; visible"
        " (v = 2), and all marked (v > 0)",
        "root": "none: pixels of the picture",
        "alignment": "none; PCK by the larger side of the annotated box, EPE in pixels of the"
        " picture",
        "averaging": "mean over all joints of all people together",
        "exclusions": "{notes}",
    },
)
DATA_SET = DataSet(
    "coco",
    "cocodataset.org: train2017, val2017, annotations_trainval2017",
    "annotations CC BY 4.0; photographs: Flickr's terms",
    _open_set,
    _files,
    check=_check_coco,
    has_own_files=_has_own_files,
    default=PHOTOGRAPHS,
)
