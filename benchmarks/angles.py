"""How well joint angles are known from 2D keypoints: mean absolute errors, degrees.

    python benchmarks/angles.py MOTION.npz --json benchmarks/results/angles.json

`shipped:lifting` lifts people of the test split, in four fixed cameras: exact 2D, and 2D with a
COCO detector's errors. Each angle (docs/measures.md) is compared with that of the true pose; the
vertical is the true one for both. Beside it, how widely the true angle varies: the mean absolute
distance from its median, which is the error of whoever does not look.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

import unihpe
from unihpe.body.angles import angles
from unihpe.body.batch import Frames, evenly_spaced
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton, without_side
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.inference.predictor import Predictor
from unihpe.io.files import write_text

PEOPLE = 8000
KINDS = ("exact", "coco")  # of the 2D


def upright(pose: Tensor, frames: Frames) -> Tensor:
    """Poses (N, J, 3) from camera axes to the world's, in which y is up."""
    return pose.double() @ frames.camera.rotation.double()


def lifted(model: Predictor, frames: Frames, skeleton: Skeleton) -> Tensor:
    """Poses (N, J, 3), mm, of 2D; the focal length is given."""
    size, seen = frames.camera.size, frames.confidence
    focal = float(frames.camera.focal[0, 0])
    return model.lift(frames.keypoints, size, skeleton.name, confidence=seen, focal=focal).pose


def pooled(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Angles of both sides together, by their name without the side."""
    names = dict.fromkeys(map(without_side, values))
    return {
        name: torch.cat([x for k, x in values.items() if without_side(k) == name]) for name in names
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("motion", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    model, rows = unihpe.load("shipped:lifting", "cpu"), dict[str, dict[str, float]]()
    for kind in KINDS:
        source = open_source(DataSettings(root=str(given.motion)), Part(split="test", two_d=kind))
        chosen = evenly_spaced(len(source), PEOPLE)
        frames = source.read(chosen, torch.Generator().manual_seed(0))
        assert frames.pose is not None
        true = upright(root_relative(frames.pose, source.skeleton), frames)
        made = upright(lifted(model, frames, source.skeleton), frames)
        truth, found = (angles(pose, source.skeleton) for pose in (true, made))
        turns = {name: (angle - truth[name] + 180) % 360 - 180 for name, angle in found.items()}
        for name, turn in pooled(turns).items():
            rows.setdefault(name, {})[kind] = round(float(turn.abs().nanmean()), 1)
        if kind == KINDS[0]:
            for name, angle in pooled(truth).items():
                varies = (angle - angle.nanmedian()).abs().nanmean()
                rows[name]["varies"] = round(float(varies), 1)
    for name, row in rows.items():
        print(f"{name:24}" + "".join(f"{key:>8} {value:5.1f}" for key, value in row.items()))
    if given.json:
        write_text(given.json, json.dumps({"people": PEOPLE, "degrees": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
