"""The included model on held-out rendered people and on photographs: errors, retrieval, cost.

    python benchmarks/pictures.py --people FOLDER --start LIFTING --json pictures.json
    python benchmarks/pictures.py --people FOLDER --start LIFTING --train --json pictures.json

The second trains the model first (hours; resumable). LIFTING is the checkpoint of the recipe
`lifting` that pictures are added to; it is also trained further without pictures, to compare.
FOLDER holds train.pack, val.pack and test.pack; docs/results.md has the commands that render them,
and the meaning of each key. alignment.py measures whether alignment pays; its recorded result is
repeated here.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lifting import DATA, HERE, MEAN, where
from short_runs import shortened, trained

from unihpe.body.batch import FEWEST_JOINTS, Batch
from unihpe.body.prepare import prepare
from unihpe.datasets import get_data_set
from unihpe.datasets.augment import Augmentation
from unihpe.datasets.motion.source import open_motion
from unihpe.datasets.packed import SEEN, PeopleSource, pack
from unihpe.datasets.protocol import Scored
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError
from unihpe.evaluation.lifting import EVALUATION_BATCH
from unihpe.evaluation.pictures import evaluate_pictures
from unihpe.io.files import write_text
from unihpe.model.build import load_model
from unihpe.model.checkpoint import checkpoint_file, load_checkpoint
from unihpe.recipe import load_recipe
from unihpe.rendering.scene import render
from unihpe.rendering.settings import Settings
from unihpe.runs.evaluate import evaluate_checkpoint

PHOTOS = DATA.parents[1] / "photos"
ALIGNMENT = HERE / "results" / "alignment.json"
# People of the speed test; the first ones, while workers start, are not timed.
RENDERED, UNTIMED = 1200, 200
# Joints beyond the picture or behind something, at most.
OUT_OF_SIGHT = {"0": 0, "1 to 3": 3, "4 to 6": 6, "7 or more": 17}
PAIRS = {"cosine_image_2d": "image–2d", "cosine_image_3d": "image–3d", "cosine_2d_3d": "2d–3d"}


FLAT = ("image_to_2d", "heat_maps")  # 2D of pictures, as reports name it
KEYS = (
    *("alignment_ratio", "lifting_ratio", *PAIRS, "cosine_unmatched", "recall_at_1", "gallery"),
    *("image_mm", "image_over_lifting", "image_over_lifting_in_sight"),
    *("photo_pck_0_1", "photo_pck_0_1_embedding", "photo_pck_0_1_mean_pose", "samples_per_s"),
)


def on_people(checkpoint: Path, people: Path) -> dict[str, Any]:
    """The held-out rendered people."""
    report = evaluate_checkpoint(
        checkpoint, "people", people, split="test", gallery=2000, flip=True
    )
    errors = {name: value[MEAN] for name, value in report["errors_mm"].items()}
    directions = report["retrieval"]
    return {
        "people": report["poses"],
        "image_mm": errors["MPJPE image"],
        "image_over_lifting": errors["MPJPE image"] / errors["MPJPE lifting"],
        "fusion_over_better_path": errors["MPJPE image and 2D"]
        / min(errors["MPJPE image"], errors["MPJPE lifting"]),
        **{key: report["cosine"][pair]["matched"] for key, pair in PAIRS.items()},
        "cosine_unmatched": max(pair["unmatched"] for pair in report["cosine"].values()),
        "recall_at_1": directions["image→3d"]["recall"][1],
        "gallery": directions["image→3d"]["gallery"],
        "errors_mm": errors,
        **{name: report[name] for name in report if name.startswith(FLAT)},
        "retrieval": directions,
    }


def in_sight(checkpoint: Path, people: Path) -> dict[str, Any]:
    """Lifting from the visible joints alone, which is what a picture shows, by how many are not."""
    model = load_model(checkpoint)[0]
    source = PeopleSource(people / "test.pack")
    hidden = torch.from_numpy(source.packed.visibility != SEEN)
    out = hidden.sum(1)
    labels = [next(name for name, most in OUT_OF_SIGHT.items() if n <= most) for n in out.tolist()]
    enough = (out <= len(source.skeleton) - FEWEST_JOINTS).nonzero()[:, 0]

    def batches() -> Iterator[Batch]:
        for rows in enough.split(EVALUATION_BATCH):
            frames = source.read(rows, torch.Generator().manual_seed(0))
            shown = torch.where(hidden[rows], 0.0, frames.confidence)
            frames = replace(
                frames, confidence=shown, group=tuple(labels[n] for n in rows.tolist())
            )
            yield prepare(frames, source.skeleton)

    scored = Scored(count=len(source.skeleton), focal="true")
    protocol = get_data_set("people").default.words(scored)
    report = evaluate_pictures(
        model,
        batches(),
        protocol,
        skeleton=source.skeleton,
        generator=torch.Generator().manual_seed(1),
        sampler=build_sampler("auto", 0),
        gallery=0,
    )
    count = Counter(labels[n] for n in enough.tolist())
    by_group = {way: report["errors_mm"][f"MPJPE {way}"] for way in ("image", "lifting")}
    mean = {
        way: sum(errors[name] * n for name, n in count.items()) / count.total()
        for way, errors in by_group.items()
    }
    groups = {
        name: {"people": n, **{way: errors[name] for way, errors in by_group.items()}}
        for name, n in count.items()
    }
    return {
        "image_over_lifting_in_sight": mean["image"] / mean["lifting"],
        "in_sight": {"people": count.total(), **mean, "by joints out of sight": groups},
    }


def on_motion(checkpoint: Path, lifting: Path, poses: Path) -> dict[str, Any]:
    """Lifting of motion capture, beside a model that had as many poses and no pictures."""
    found = {}
    for name, file in (("with_pictures", checkpoint), ("lifting_only", lifting)):
        report = evaluate_checkpoint(file, "motion", poses, gallery=0)
        point = next(
            errors for label, errors in report["errors_mm"].items() if label.startswith("MPJPE")
        )
        found[name] = point[MEAN]
    return {"lifting_ratio": found["with_pictures"] / found["lifting_only"], "lifting_mm": found}


def on_photographs(checkpoint: Path, photos: Path) -> dict[str, Any]:
    """Real photographs, ground-truth boxes, visible joints."""
    report = evaluate_checkpoint(checkpoint, "coco", photos, flip=True)
    visible = report["visible"]
    return {
        "photo_pck_0_1": visible["heat maps"]["PCK@0.1"],
        "photo_pck_0_1_embedding": visible["image → 2D"]["PCK@0.1"],
        "photo_pck_0_1_mean_pose": visible["mean pose"]["PCK@0.1"],
        "photographs": {"people": report["people"], "visible": visible, "marked": report["marked"]},
    }


def speed(poses: Path) -> dict[str, float]:
    """Finished training samples a second, two processes: rendered, then read and augmented."""
    motion = open_motion(poses).select("train").poses
    clock: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "speed.pack"
        settings = Settings(seed=99)
        people = render(motion, settings, range(RENDERED), 2)
        pack(people, file, {}, done=lambda n: clock.setdefault(n, time.perf_counter()))
        rendered = (RENDERED - UNTIMED) / (clock[RENDERED] - clock[UNTIMED])
        source, generator = PeopleSource(file, Augmentation()), torch.Generator().manual_seed(0)
        begin = time.perf_counter()
        source.read(torch.arange(RENDERED), generator)
        augmented = 2 * RENDERED / (time.perf_counter() - begin)  # two processes read side by side
    return {
        "samples_per_s": 1 / (1 / rendered + 1 / augmented),
        "rendered_per_s": rendered,
        "augmented_per_s": augmented,
    }


def train_both(args: argparse.Namespace) -> tuple[Path, Path]:
    """The recipe `pictures`, and lifting trained for as many more poses without pictures."""
    changes = (f"data.root={args.people}", f"poses.root={args.poses}")
    recipe = load_recipe("pictures", changes)
    model = trained(recipe, args.runs / "pictures", args.start)
    return model, more_lifting(args)


def more_lifting(args: argparse.Namespace) -> Path:
    """The lifting checkpoint trained as in the longest stage, for the poses of all stages."""
    stages = load_recipe("pictures").stage
    drawn = [stage.steps * stage.accumulate * stage.pose_batch for stage in stages]
    recipe = load_recipe("lifting", (f"data.root={args.poses}",))
    longest = stages[drawn.index(max(drawn))]
    same = {
        name: getattr(longest, name)
        for name in ("learning_rate", "ema", "schedule", "embedding_dropout")
    }
    stage = recipe.stage[-1].model_copy(update={**same, "batch_size": longest.step_samples})
    stage = shortened(stage, sum(drawn))
    return trained(recipe.model_copy(update={"stage": (stage,)}), args.runs / "lifting", args.start)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--people", type=Path, required=True, help="folder of train.pack, val.pack and test.pack"
    )
    parser.add_argument("--poses", type=Path, default=DATA, help="the motion npz (docs/data.md)")
    parser.add_argument(
        "--photos", type=Path, default=PHOTOS, help="COCO photographs with their annotations"
    )
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--checkpoint", type=Path, help="default: the one in the package")
    parser.add_argument(
        "--lifting", type=Path, help="the lifting model to compare with; default: trained now"
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="the checkpoint of the recipe `lifting` that trainings start from",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/pictures-benchmark"), help="where trainings go"
    )
    parser.add_argument("--train", action="store_true", help="train the recipe first")
    return parser.parse_args()


def main() -> None:
    try:
        measure(parse())
    except InputError as error:
        sys.exit(f"pictures: {error}")


def measure(args: argparse.Namespace) -> None:
    """Train if asked, measure, and write the figures."""
    if args.start is None and (args.train or args.lifting is None):
        raise InputError(
            "--start must name the checkpoint of the recipe `lifting` (unihpe train lifting)"
        )
    if args.train:
        checkpoint, lifting = train_both(args)
    else:
        checkpoint = args.checkpoint or checkpoint_file()
        lifting = args.lifting or more_lifting(args)
    recorded = json.loads(ALIGNMENT.read_text())
    result = {
        **where(),
        "checkpoint": "the package's" if checkpoint == checkpoint_file() else checkpoint.name,
        "training_samples": load_checkpoint(checkpoint)[1].samples,
        "alignment_ratio": recorded["alignment_ratio"],
        **on_motion(checkpoint, lifting, args.poses),
        **on_people(checkpoint, args.people),
        **in_sight(checkpoint, args.people),
        **on_photographs(checkpoint, args.photos),
        **speed(args.poses),
    }
    write_text(args.json, json.dumps(result, indent=2) + "\n")
    for key in KEYS:
        print(f"{key}: {result[key]:.4g}")


if __name__ == "__main__":
    main()
