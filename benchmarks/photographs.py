"""What `unihpe predict photo.jpg` makes of people whose boxes are known: 2D, and 3D by lifting it.

    python benchmarks/photographs.py --photos FOLDER --people PACK --json photographs.json

2D: FOLDER holds person_keypoints.json in COCO's layout and images/. PCK of MoveNet Thunder's joints
in the annotated boxes, 12 limb joints, visible ones, by the box's longer side.
3D: PACK holds rendered people (docs/results.md). Thunder sees their crops, and `shipped:lifting`
lifts its joints; beside it what the picture model makes of the same crops. True focal lengths.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lifting import DATA, where
from torch import Tensor

import unihpe
from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, PADDING
from unihpe.body.metrics import mpjpe, pa_mpjpe
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.packed import PackedPeople, PeopleSource
from unihpe.inputs.detections import MIN_CONFIDENCE
from unihpe.io.files import write_text
from unihpe.people import people_in

PHOTOS = DATA.parents[1] / "photos"
SHARES = (0.05, 0.1, 0.2)  # of the box's longer side
PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
VISIBLE = 2  # COCO's flag
METRICS = {"MPJPE": mpjpe, "PA-MPJPE": pa_mpjpe}


def limbs() -> list[int]:
    joints = get_skeleton("coco17").joints
    return [n for n, joint in enumerate(joints) if joint.split("_")[-1] in PARTS]


def on_photographs(folder: Path) -> dict[str, Any]:
    """The 2D of annotated people."""
    content = json.loads((folder / "person_keypoints.json").read_text(encoding="utf-8"))
    errors, kept, liftable, people_count = [], [], [], 0
    columns = limbs()
    for image in content["images"]:
        notes = [n for n in content["annotations"] if n["image_id"] == image["id"]]
        if not (notes := [n for n in notes if not n.get("iscrowd") and n["num_keypoints"]]):
            continue
        boxes = np.array([note["bbox"] for note in notes], float)
        boxes[:, 2:] += boxes[:, :2]
        picture = folder / "images" / image["file_name"]
        people = people_in(picture, boxes, min_confidence=0.0)
        truth = np.array([note["keypoints"] for note in notes], float).reshape(len(notes), -1, 3)
        side = (boxes[:, 2:] - boxes[:, :2]).max(1)[:, None]
        apart = np.linalg.norm(people.keypoints.numpy() - truth[..., :2], axis=-1) / side
        seen = truth[:, columns, 2] == VISIBLE
        people_count += len(notes)
        errors.append(apart[:, columns][seen])
        kept.append((people.confidence.numpy() >= MIN_CONFIDENCE)[:, columns][seen])
        seen_joints = (people.confidence >= MIN_CONFIDENCE).sum(1)
        liftable.append(int((seen_joints >= FEWEST_JOINTS).sum()))
    error, sure = np.concatenate(errors), np.concatenate(kept)
    return {
        "joints": len(error),
        "pck": pck(error),
        "above_least_score": {"share": round(float(sure.mean()), 3), "pck": pck(error[sure])},
        "people": people_count,
        "with_joints_to_lift": sum(liftable),
    }


def pck(errors: np.ndarray) -> dict[str, float]:
    return {f"PCK@{share}": round(float((errors < share).mean()), 3) for share in SHARES}


def on_rendered(file: Path) -> dict[str, Any]:
    """The 3D of rendered people, mm."""
    packed, source = PackedPeople(file), PeopleSource(file)
    frames = source.read(torch.arange(len(source)), torch.Generator())
    assert frames.pose is not None
    truth, name = root_relative(frames.pose, source.skeleton), source.skeleton.name
    lifter, pictures = unihpe.load("shipped:lifting"), unihpe.load("shipped")
    poses = {"picture model": pictures.predict_crops(frames).pose}
    seen = [thunder(packed[n]) for n in range(len(packed))]
    sizes, focals = frames.camera.size, frames.camera.focal[:, 0].tolist()
    enough = [n for n, points in enumerate(seen) if (points[:, 2] > 0).sum() >= FEWEST_JOINTS]
    ways = {
        "Thunder, lifted": (lifter, seen, "coco17"),
        "Thunder, lifted by the picture model": (pictures, seen, "coco17"),
        "exact 2D, lifted": (lifter, list(frames.keypoints), name),
    }
    for way, (model, keypoints, joints) in ways.items():
        made = [model.lift(keypoints[n], sizes[n], joints, focal=focals[n]).pose for n in enough]
        poses[way] = torch.cat(made)
    poses["picture model"] = poses["picture model"][enough]
    errors = {
        way: {name: mean(of(pose, truth[enough])) for name, of in METRICS.items()}
        for way, pose in poses.items()
    }
    return {"people": len(enough), "left_out": len(packed) - len(enough), "errors_mm": errors}


def thunder(person: Any) -> Tensor:
    """What Thunder sees of a rendered person, (17, 3): pixels of the full picture, and scores."""
    size = np.array([CROP_WIDTH, CROP_HEIGHT])
    box = np.concatenate([size / 2 - size / 2 / PADDING, size / 2 + size / 2 / PADDING])
    people = people_in(person.picture, box)
    scale = torch.from_numpy(person.box[2:] / size)
    middle = torch.from_numpy(person.box[:2])
    points = (people.keypoints[0] - torch.from_numpy(size) / 2) * scale + middle
    return torch.cat([points, people.confidence[0, :, None]], dim=1)


def mean(errors: Tensor) -> float:
    return round(float(errors.mean()), 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    parser.add_argument("--people", type=Path, help="a pack of rendered people, for 3D")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {**where(), "photographs": on_photographs(options.photos)}
    if options.people is not None:
        result["rendered"] = on_rendered(options.people)
    print(json.dumps(result, indent=2))
    if options.json is not None:
        write_text(options.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
