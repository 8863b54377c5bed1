"""What `unihpe predict photo.jpg` makes of people whose boxes are known: 2D, and 3D.

    python benchmarks/photographs.py --photos FOLDER --sports LSPET.zip --people PACK \\
        --json photographs.json

2D: FOLDER holds person_keypoints.json in COCO's layout and images/; LSPET.zip people in sports, of
whom the split `test` counts. PCK of the picture model's joints, and of MoveNet Thunder's, in the
annotated boxes, 12 limb joints, visible ones, by the box's longer side; how often joints lie within
a tenth of it, by their confidence; and who is marked with the other side's joints where the model
sees a side's.
3D: PACK holds rendered people (docs/results.md). Thunder sees their crops, and `shipped:lifting`
lifts its joints; beside it what the picture model makes of the same crops. True focal lengths.
Time: of `predict` for FOLDER's pictures in which one person is found, from the file on, the median;
and over the time inside the networks during the same calls. On a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from lifting import DATA, where
from stopwatch import networks
from torch import Tensor

import unihpe
from unihpe.body.batch import FEWEST_JOINTS
from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH, PADDING
from unihpe.body.metrics import mpjpe, pa_mpjpe
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.packed import PackedPeople, PeopleSource
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.errors import InputError
from unihpe.inputs.detections import MIN_CONFIDENCE
from unihpe.inputs.keypoints import checked_keypoints, liftable_rows
from unihpe.io.files import write_text
from unihpe.people import people_in
from unihpe.runs.evaluate import evaluate_checkpoint

PHOTOS = DATA.parents[1] / "photos"
SPORTS = DATA.parents[1] / "people_photos" / "lspet.zip"
SHARES = (0.05, 0.1, 0.2)  # of the box's longer side
CONFIDENCES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.01)  # edges
PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
VISIBLE = 2  # COCO's flag
MIRRORED = 0.4  # of a person's joints: if so many more are right with the sides changed
METRICS = {"MPJPE": mpjpe, "PA-MPJPE": pa_mpjpe}


def on_photographs(folder: Path) -> dict[str, Any]:
    """The 2D of annotated people."""
    content = json.loads((folder / "person_keypoints.json").read_text(encoding="utf-8"))
    errors, kept, liftable, people_count = [], [], [], 0
    columns = get_skeleton("coco17").columns_of(PARTS)
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


def of_model(checkpoint: str, root: Path) -> dict[str, Any]:
    """The picture model's 2D of the annotated people of a set's split `test`."""
    report = evaluate_checkpoint(checkpoint, "coco", root, flip=True)
    return {"people": report["people"], "visible": report["visible"]}


@dataclass(frozen=True)
class Seen:
    """The picture model's joints of a set's split `test` beside the marked ones: N people, the 12
    limb joints, distances over the box's longer side."""

    apart: Tensor  # (N, 12), from the marked joint
    mirrored: Tensor  # (N, 12), from the marked joint of the other side
    marked: Tensor  # (N, 12), hidden or not
    confidence: Tensor  # (N, 12)


def look_at(checkpoint: str, root: Path) -> Seen:
    """What the picture model sees of a set's people."""
    source = open_source(DataSettings(name="coco", root=str(root)), Part("test"))
    frames = source.read(torch.arange(len(source)), torch.Generator())
    results = unihpe.load(checkpoint).predict_crops(frames)
    columns, size = source.skeleton.columns_of(PARTS), source.sizes()[:, None]
    other = [source.skeleton.mirror[joint] for joint in columns]
    apart, mirrored = (
        (results.keypoints[:, own] - frames.keypoints[:, columns]).norm(dim=-1) / size
        for own in (columns, other)
    )
    return Seen(apart, mirrored, frames.confidence[:, columns] > 0, results.confidence[:, columns])


def reliability(seen: Seen) -> list[dict[str, float]]:
    """How often a joint lies within a tenth of its box's side, by its confidence; marked joints,
    hidden or not."""
    right, said = (seen.apart < SHARES[1])[seen.marked], seen.confidence[seen.marked]
    rows = []
    for low, high in pairwise(CONFIDENCES):
        inside = (said >= low) & (said < high)
        share = round(float(right[inside].float().mean()), 3)
        rows.append({"from": low, "to": high, "joints": int(inside.sum()), "PCK@0.1": share})
    return rows


def sides(seen: Seen) -> dict[str, float]:
    """Of how many people many more joints are right with the sides changed, and PCK@0.1 of the
    others: people, or the model, take one side for the other."""
    right, changed = ((x < SHARES[1]) & seen.marked for x in (seen.apart, seen.mirrored))
    gained = (changed.sum(1) - right.sum(1)) / seen.marked.sum(1)
    others = gained <= MIRRORED
    share = float(right[others].sum() / seen.marked[others].sum())
    return {"mirrored": int((~others).sum()), "people": len(others), "PCK@0.1": round(share, 3)}


def pck(errors: np.ndarray) -> dict[str, float]:
    return {f"PCK@{share}": round(float((errors < share).mean()), 3) for share in SHARES}


def on_rendered(file: Path, checkpoint: str) -> dict[str, Any]:
    """The 3D of rendered people, mm."""
    packed, source = PackedPeople(file), PeopleSource(file)
    frames = source.read(torch.arange(len(source)), torch.Generator())
    assert frames.pose is not None
    truth, name = root_relative(frames.pose, source.skeleton), source.skeleton.name
    lifter, pictures = unihpe.load("shipped:lifting"), unihpe.load(checkpoint)
    poses = {"picture model": pictures.predict_crops(frames).pose}
    seen = [thunder(packed[n]) for n in range(len(packed))]
    sizes, focals = frames.camera.size, frames.camera.focal[:, 0].tolist()
    people = checked_keypoints(torch.stack(seen), sizes, "coco17", None)
    enough = liftable_rows(people, source.skeleton)[0]
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


def speed(folder: Path, checkpoint: str, pictures: int) -> dict[str, Any]:
    """Milliseconds from a picture's file to its one person's pose; over those of the networks."""
    predictor = unihpe.load(checkpoint)
    paths = sorted((folder / "images").glob("*.jpg"))
    predictor.predict(paths[0], boxes="whole")  # opens what is opened once
    times: list[tuple[float, float]] = []
    for path in paths:
        with networks(time.perf_counter) as watch:
            begin = time.perf_counter()
            try:
                people = len(predictor.predict(path))
            except InputError:  # nobody
                continue
            whole = time.perf_counter() - begin
        if people == 1:
            times.append((whole, watch.seconds))
        if len(times) == pictures:
            break
    return {
        "photo_ms": round(1000 * median(whole for whole, _ in times), 1),
        "photo_ms_over_networks": round(median(whole / inside for whole, inside in times), 3),
        "photo_ms_pictures": len(times),
    }


def mean(errors: Tensor) -> float:
    return round(float(errors.mean()), 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    parser.add_argument("--sports", type=Path, default=SPORTS)
    parser.add_argument("--checkpoint", default="shipped", help="the picture model")
    parser.add_argument("--people", type=Path, help="a pack of rendered people, for 3D")
    parser.add_argument(
        "--timed", type=int, default=30, help="pictures, for the time of one; 0: untimed"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model, photos, sports = options.checkpoint, options.photos, options.sports
    seen = {"photographs": of_model(model, photos), "sports": of_model(model, sports)}
    rows = {name: own["visible"] for name, own in seen.items()}
    joints = {"photographs": look_at(model, photos), "sports": look_at(model, sports)}
    result = {
        **where(),
        "photo_pck_0_1": rows["photographs"]["heat maps"]["PCK@0.1"],
        "photo_pck_0_1_embedding": rows["photographs"]["image → 2D"]["PCK@0.1"],
        "lspet_pck_0_1": rows["sports"]["heat maps"]["PCK@0.1"],
        **(speed(photos, model, options.timed) if options.timed else {}),
        "picture model": seen,
        "reliability": {name: reliability(own) for name, own in joints.items()},
        "sides": {name: sides(own) for name, own in joints.items()},
        "Thunder": on_photographs(photos),
    }
    if options.people is not None:
        result["rendered"] = on_rendered(options.people, model)
    print(json.dumps(result, indent=2))
    if options.json is not None:
        write_text(options.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
