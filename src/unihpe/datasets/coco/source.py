"""Photographs of people in COCO's layout, with 2D keypoints and no 3D, in folders or in zip files.

A person is a crop of the annotated box. COCO's joints are those of its own photographs; other sets
name theirs in `categories`. Of the 17 joints of Human3.6M's skeleton 13 are COCO's own (limbs and
nose); the rest are not made up but missing. Zip files are read in place. Pixels: COCO's annotators
clicked on pictures as shown, so coordinates count from the outer corner; the half pixel that some
tools add is below what annotators agree on, and nothing is added.
"""

import json
import re
import zipfile
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from unihpe.body.batch import FEWEST_JOINTS, Frames
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, box_from_corners, crop
from unihpe.body.camera import Camera, default_focal
from unihpe.body.conversions import convert
from unihpe.body.skeleton import SKELETONS, Skeleton, get_skeleton
from unihpe.datasets.augment import Augmentation, Crop, varied
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.io.files import in_order, input_errors
from unihpe.io.zipped import (
    PICTURES,
    Place,
    annotations_in,
    images_beside,
    is_zip,
    open_folder,
    read_place,
)

COCO = get_skeleton("coco17")
HIDDEN, VISIBLE = 0.5, 1.0  # confidence of joints that are marked but hidden, and that are seen
CONFIDENCE = (0.0, HIDDEN, VISIBLE)  # by COCO's v: 0, 1, 2
# COCO's own test set has no public labels.
SPLITS = {"train": "train2017", "val": "val2017", "test": "val2017"}
# A zip file's people are for "test" where this divides the last number in their picture's name.
HELD_OUT = 24
# Joints of Human3.6M that may be made of others by the rules of `conversions`, where it is asked.
MADE = ("pelvis", "spine", "thorax", "head")


@dataclass(frozen=True)
class Annotations:
    """The people of an annotation file."""

    pictures: tuple[Place, ...]  # path of each person's picture, length N
    keypoints: Tensor  # (N, J, 2), pixels, NaN where not marked
    confidence: Tensor  # (N, J), `CONFIDENCE` by COCO's v
    corners: Tensor  # (N, 4), left, top, right, bottom of the annotated box
    size: Tensor  # of the pictures, (N, 2)
    notes: tuple[str, ...]  # who was left out, with counts
    file: str  # name of the annotation file
    joints: Skeleton = COCO  # of the keypoints

    def __len__(self) -> int:
        return len(self.pictures)

    def select(self, chosen: Tensor, note: str) -> Self:
        """The people of `chosen` (N,) bool, and a note with the number of the others."""
        lost = int((~chosen).sum())
        parts = ("keypoints", "confidence", "corners", "size")
        rows = {name: getattr(self, name)[chosen] for name in parts}
        pictures = tuple(compress(self.pictures, chosen.tolist()))
        notes = (*self.notes, f"{lost} {note}") if lost else self.notes
        return replace(self, pictures=pictures, notes=notes, **rows)


def read_annotations(
    root: Path, split: str | None = None, with_pictures: bool = True
) -> Annotations:
    """People with four marked joints or more whose picture is there; the others are counted.

    Args:
        root: COCO's folder (annotations/person_keypoints_train2017.json, train2017/), an annotation
            file, a folder with one person_keypoints*.json and its pictures in it or in images/, or
            a zip file with annotations.json and images/.
        split: train, val or test (COCO's val; of a zip file, see `HELD_OUT`); None takes the only
            file there is.
        with_pictures: False also takes people whose picture is not there.
    """
    file: Place = annotations_in(root) if is_zip(root) else _annotation_file(root, split)
    broken = f"{file}: not COCO's person keypoints"
    with input_errors(broken, "take person_keypoints_*.json as released"):
        content = json.loads(file.read_bytes().decode("utf-8-sig"))
        images = {image["id"]: image for image in content["images"]}
        joints = _joints_named(content.get("categories", []))
        notes = [note for note in content["annotations"] if "keypoints" in note]
        rows = [_person_of(note, images, joints) for note in notes]
        own = content.get("info", {}).get(PICTURES)
    if isinstance(file, zipfile.Path):
        folder: Place = images_beside(file)
    elif own is not None:
        folder = open_folder(file.parent / own)
    else:
        folder = _folder_of(file, rows, with_pictures)
    if isinstance(folder, zipfile.Path) and split in SPLITS:
        rows = [row for row in rows if _split_of(row["file"]) == SPLITS[split]]
    return replace(_usable(file, folder, rows, with_pictures), joints=joints, file=file.name)


def _split_of(picture: str) -> str:
    """The split of a zip file's picture, by COCO's name."""
    numbers = re.findall(r"\d+", picture)
    held_out = bool(numbers) and int(numbers[-1]) % HELD_OUT == 0
    return SPLITS["test" if held_out else "train"]


def _joints_named(categories: list[dict[str, Any]]) -> Skeleton:
    """The joint set that a file's categories name; COCO's where they name none."""
    names = next((tuple(one["keypoints"]) for one in categories if one.get("keypoints")), ())
    known = [one for one in SKELETONS.values() if one.joints == names]
    if names and not known:
        raise ValueError(f"its joints are of no known set: {', '.join(names)[:80]} …")
    return known[0] if known else COCO


def _folder_of(file: Path, rows: list[dict[str, Any]], with_pictures: bool) -> Path:
    """The folder of an annotation file's pictures."""
    # where the pictures of an annotation file usually lie
    parent = file.parent.parent if file.parent.name == "annotations" else file.parent
    part, names = file.stem.removeprefix("person_keypoints_"), [row["file"] for row in rows]
    folders = [parent / part, parent / "images" / part, parent / "images", parent]
    holds = (one for one in folders if any((one / name).is_file() for name in names[:100]))
    folder = next(holds, None)
    if folder is None and with_pictures:
        lost = f"{parent}: the pictures of {file.name} are not there"
        raise InputError(f"{lost}; put them into {folders[0]} or {folders[2]}")
    return folder or folders[0]


def _annotation_file(root: Path, split: str | None) -> Path:
    """The annotation file of a folder, or the file itself."""
    if root.is_file():
        return root
    part = "*" if split is None else f"_{SPLITS.get(split, split)}"
    pattern = f"person_keypoints{part}.json"
    found = annotation_files(root, pattern)
    if not found and split is not None:  # a small set without splits
        found = in_order(root.glob("person_keypoints.json"))
    if len(found) != 1:
        what = f"{f'{len(found)} files' if found else 'no'} {pattern} (nor in annotations/)"
        raise InputError(f"{root}: {what}; name the annotation file itself, or its folder")
    return found[0]


def annotation_files(root: Path, pattern: str = "person_keypoints*.json") -> list[Path]:
    """The annotation files of a folder, by name."""
    return in_order({*root.glob(pattern), *root.glob(f"annotations/{pattern}")})


def _person_of(
    note: dict[str, Any], images: dict[Any, dict[str, Any]], joints: Skeleton
) -> dict[str, Any]:
    """One annotation, checked: keypoints (J, 3), corners, picture."""
    which, image = f"annotation {note.get('id')}", images.get(note["image_id"])
    if image is None:
        raise ValueError(f"{which} is of a picture that is not listed: no {note['image_id']} in it")
    marks = np.asarray(note["keypoints"], dtype=np.float64)
    if marks.size != 3 * len(joints):
        raise ValueError(f"{which} has {marks.size} keypoint numbers, not 3 × {len(joints)}")
    marks = marks.reshape(-1, 3)
    x, y, width, height = (float(value) for value in note["bbox"])
    size = float(image["width"]), float(image["height"])
    numbers = torch.tensor([*marks.ravel(), x, y, x + width, y + height, *size]).float()  # as kept
    if not bool(numbers.isfinite().all()) or min(size) <= 0:
        raise ValueError(f"{which} holds a number that is not finite, or a picture without a size")
    if not np.isin(marks[:, 2], (0, 1, 2)).all():
        raise ValueError(f"{which} has a visibility other than 0, 1 and 2")
    corners, file = (x, y, x + width, y + height), Path(str(image["file_name"])).name
    crowd = bool(note.get("iscrowd"))
    return {"marks": marks, "corners": corners, "size": size, "file": file, "crowd": crowd}


def _usable(
    file: Place, folder: Place, rows: list[dict[str, Any]], with_pictures: bool
) -> Annotations:
    """The people that can be used."""
    names = {row["file"] for row in rows}
    there = {name: not with_pictures or (folder / name).is_file() for name in names}
    few = f"with fewer than {FEWEST_JOINTS} joints"
    lost, chosen = dict.fromkeys(("in a crowd", few, "with an empty box", "without picture"), 0), []
    for row in rows:
        left, top, right, bottom = row["corners"]
        joints, empty = int((row["marks"][:, 2] > 0).sum()), right - left < 1 or bottom - top < 1
        bad = row["crowd"], joints < FEWEST_JOINTS, empty, not there[row["file"]]
        if any(bad):
            lost[list(lost)[bad.index(True)]] += 1
        else:
            chosen.append(row)
    if not chosen:
        counts = ", ".join(f"{count} {why}" for why, count in lost.items() if count)
        raise InputError(f"{file}: nobody in it can be used ({counts})")
    marks = np.stack([row["marks"] for row in chosen])
    return Annotations(
        tuple(folder / row["file"] for row in chosen),
        torch.from_numpy(np.where(marks[..., 2:] > 0, marks[..., :2], np.nan)).float(),
        torch.tensor(CONFIDENCE)[torch.from_numpy(marks[..., 2]).long()],
        torch.tensor([row["corners"] for row in chosen]),
        torch.tensor([row["size"] for row in chosen]),
        tuple(f"{count} people {why} left out" for why, count in lost.items() if count),
        file.name,
    )


class CocoSource(Source):
    """COCO's people as a source in human36m17's joints: pictures and 2D, poses unknown (NaN)."""

    skeleton, layout = get_skeleton("human36m17"), "COCO's people"  # and of which file
    has_pictures, has_pose = True, False
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        annotations: Annotations,
        augmentation: Augmentation | None = None,
        made: Sequence[str] = (),  # joints that are made of others where they are not marked
    ) -> None:
        marked = annotations.keypoints, annotations.confidence
        own = convert(*marked, annotations.joints, self.skeleton)
        names = zip(self.skeleton.joints, own.synthesised, strict=True)
        missing = torch.tensor([other and name not in made for name, other in names])
        confidence = torch.where(missing, 0.0, own.confidence)
        enough = (confidence > 0).sum(1) >= FEWEST_JOINTS
        little = "people with too little but their face left out"
        self.annotations = annotations.select(enough, little)
        self.layout = f"COCO's people ({annotations.file})"
        self.notes, self.confidence = self.annotations.notes, confidence[enough]
        self.keypoints = torch.where(self.confidence[..., None] > 0, own.points[enough], torch.nan)
        self.box, self.augmentation = box_from_corners(self.annotations.corners), augmentation

    def __len__(self) -> int:
        return len(self.annotations)

    def sizes(self) -> Tensor:
        """The larger side of each annotated box, (len,), pixels."""
        left_top, right_bottom = self.annotations.corners.view(-1, 2, 2).unbind(1)
        return (right_bottom - left_top).amax(1)

    def without_pictures(self) -> "CocoSource":
        """The same people, their 2D only."""
        bare = copy(self)
        bare.has_pictures = False
        return bare

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,); the focal length, which nobody knows, is √(W² + H²)."""
        rows, size = indices.tolist(), self.annotations.size[indices]
        image, keypoints, box = None, self.keypoints[indices], self.box[indices]
        confidence = self.confidence[indices]
        if self.has_pictures:
            made = varied([self.crop(n) for n in rows], self.augmentation, generator)
            image, keypoints, riding, box = made
            confidence = riding[..., 2]
        camera, group = Camera.simple(size, default_focal(size)), ("photograph",) * len(rows)
        pose = keypoints.new_full((*keypoints.shape[:-1], 3), torch.nan)
        return Frames(keypoints, confidence, pose, camera, group, indices, image=image, box=box)

    def crop(self, n: int) -> Crop:
        """Person n, cut out of the picture.

        The confidence rides along as if it were the depth of a pose, so that mirroring swaps left
        and right of it too.
        """
        box = self.box[n].double().numpy()
        picture = crop(read_place(self.annotations.pictures[n]), box, CROP_WIDTH, CROP_HEIGHT)
        riding = torch.nn.functional.pad(self.confidence[n][:, None].double(), (2, 0)).numpy()
        keypoints, size = self.keypoints[n].double(), self.annotations.size[n].double()
        return Crop(picture, keypoints.numpy(), riding, box, size.numpy())
