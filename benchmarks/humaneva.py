"""HumanEva-I: the recipe `humaneva` against SimpleBaseline at equal samples.

    python benchmarks/humaneva.py --root DIR --json FILE           # VideoPose3D's files
    python benchmarks/humaneva.py --motion NPZ --json FILE         # humaneva_stand_in.py's stand-in

Both train on Train without the part that the recipe holds out, see the same stream of people and as
many of them, and keep averaged weights (the recipe those that did best on the held-out part). Both
are scored by the protocol `actions` with the flip test.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from humaneva_stand_in import write_stand_in
from lifting import where
from simple_baseline import SimpleBaseline, train_baseline
from torch import Tensor

from unihpe.body.batch import Batch
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets import get_data_set
from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.evaluation.lifting import by_group, prepared
from unihpe.evaluation.scores import scores
from unihpe.io.files import write_text
from unihpe.model.checkpoint import checkpoint_file, load_checkpoint
from unihpe.recipe import Recipe, load_recipe, parse_recipe
from unihpe.runs.evaluate import evaluate_checkpoint, open_by_protocol
from unihpe.runs.train import train_recipe
from unihpe.training.state import Schedule, read_log
from unihpe.training.streams import training_stream

SKELETON = get_skeleton("humaneva15")
FIGURES = ("MPJPE", "PA-MPJPE")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="the set's folder (docs/data.md)")
    parser.add_argument("--motion", type=Path, help="the motion npz, to make a stand-in of")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/humaneva"), help="where trainings go"
    )
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the recipe",
    )
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[1e-3], help="the baseline's learning rates"
    )
    parser.add_argument(
        "--dropouts", type=float, nargs="+", default=[0.5, 0.2], help="and dropouts"
    )
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    args = parser.parse_args()
    torch.set_num_threads(1)
    try:
        measure(args)
    except InputError as error:
        sys.exit(f"humaneva: {error}")


def measure(args: argparse.Namespace) -> None:
    """Train both, score both, and write the figures."""
    root = args.root or args.runs / "stand-in"
    if args.root is None and not (root / "data_3d_humaneva15.npz").is_file():
        write_stand_in(args.motion, root)
    recipe = load_recipe("humaneva", (f"data.root={root}", *args.changes))
    run = args.runs / "ours"
    if not (run / "model.safetensors").is_file():
        train_recipe(
            recipe, run, resume=(run / "training.pt").is_file(), schedule=Schedule(log_every=100)
        )
    _, card = load_checkpoint(checkpoint_file(run))
    trained = parse_recipe(card.recipe, str(run))
    report = evaluate_checkpoint(run, "humaneva", root, protocol="actions", flip=True, gallery=0)
    result: dict[str, Any] = {
        **where(),
        "data": report["protocol"]["data"] if args.root else "stand-in of CMU motion capture",
        "changes": args.changes,
        "samples": card.samples,
        "validated": [
            [row["samples"], row["validation mpjpe"]]
            for row in read_log(run / "log.jsonl")
            if "validation mpjpe" in row
        ],
        "unihpe": report["errors_mm"],
        "baselines": [],
    }
    print(
        {
            name: round(errors["mean over groups"], 2)
            for name, errors in report["errors_mm"].items()
        },
        flush=True,
    )
    full = trained.model_copy(update={"data": recipe.data})
    for dropout in args.dropouts:
        for rate in args.rates:
            result["baselines"].append(baseline(full, card.samples, rate, dropout, args.runs))
            write_text(args.json, json.dumps(result, indent=2) + "\n")


def baseline(
    recipe: Recipe, samples: int, rate: float, dropout: float, runs: Path
) -> dict[str, Any]:
    """One SimpleBaseline on the recipe's own stream, scored."""
    data = recipe.data
    stream = training_stream(open_source(data, Part("train", training=True)), data)
    file, begin = runs / f"baseline-{rate:g}-{dropout:g}.safetensors", time.time()
    model = train_baseline(
        stream, samples, rate, dropout, recipe.pose_scale, file, joints=len(SKELETON)
    )
    found = {
        "learning_rate": rate,
        "dropout": dropout,
        **scored(model, recipe),
        "seconds": round(time.time() - begin),
    }
    print(
        {
            key: value if isinstance(value, float | int) else round(value["mean over groups"], 2)
            for key, value in found.items()
        }
    )
    return found


@torch.no_grad()
def scored(model: SimpleBaseline, recipe: Recipe) -> dict[str, dict[str, float]]:
    """The protocol's errors of a baseline, with the flip test, mm."""
    rules = get_data_set("humaneva").protocol("actions")
    source, _ = open_by_protocol(recipe.data, rules)
    rows: dict[str, list[Tensor]] = {name: [] for name in FIGURES}
    groups: list[str] = []
    for batch in prepared(source, torch.Generator().manual_seed(0), "cpu"):
        guess = root_relative((model(batch) + mirrored(model, batch)) / 2, SKELETON)
        assert batch.pose is not None
        for name, values in scores(guess, batch.pose, SKELETON, rules).items():
            rows[name].append(values)
        groups += batch.group
    return {
        f"{name}, flip test": by_group(torch.cat(parts), groups) for name, parts in rows.items()
    }


def mirrored(model: SimpleBaseline, batch: Batch) -> Tensor:
    """The estimate of the mirrored keypoints, mirrored back, (B, J, 3)."""
    columns = list(SKELETON.mirror)
    flat, deep = torch.tensor([-1.0, 1.0]), torch.tensor([-1.0, 1.0, 1.0])
    seen = Batch(
        batch.keypoints[:, columns] * flat, batch.confidence[:, columns], batch.box_token * deep
    )
    return model(seen)[:, columns] * deep


if __name__ == "__main__":
    main()
