"""Table 6 on rendered people: does alignment pay? The same model with and without it.

    python benchmarks/alignment.py --people FOLDER --start runs/lifting --json alignment.json

This takes hours and resumes arm by arm. All arms and seeds start from the same backbone, as the
paper's all start from the same COCO weights: that of the checkpoint `--backbone`, or else that of
heat maps trained once on `--heat-maps` pictures without 3D. The rest of the image encoder starts at
random. Each arm then draws `--pictures` pictures over all its stages. Its pose parts start from the
lifting checkpoint (stage 1, which needs no pictures) or at random:

    triplet        from the lifting checkpoint; align with L_pair and L_triplet, then train jointly
    pairs          the same without L_triplet
    end to end     random pose parts, no contrastive loss: table 6's first row
    warm           pose parts from the lifting checkpoint, no contrastive loss: the harder opponent

`--objective score` drops the point term from every arm, as the paper does: the decoders learn by
score matching alone (eq. 5). `--objective recipe`, the default, is the included recipe's.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from lifting import DATA, where
from torch import Tensor

from unihpe.errors import InputError
from unihpe.io.files import write_text
from unihpe.model.checkpoint import load_checkpoint, save_checkpoint
from unihpe.recipe import Recipe, build_model, load_recipe
from unihpe.runs.evaluate import evaluate_checkpoint
from unihpe.runs.start import load_start
from unihpe.runs.train import card_of, train_recipe
from unihpe.training.stage import Stage
from unihpe.training.state import Schedule

HEAT_MAPS = "heat maps"
SHARES = {"align": 1 / 3, "joint": 2 / 3}  # of an arm's pictures
ARMS = ("triplet", "end to end", "warm", "pairs")
IMAGE_PARTS = ("image_encoder.", "heatmap_head.")
BACKBONE = ("image_encoder.backbone.", "heatmap_head.")


def shortened(stage: Stage, pictures: int) -> Stage:
    """A stage with fewer pictures, its warm-up in proportion."""
    steps = max(1, pictures // (stage.batch_size * stage.accumulate))
    return stage.model_copy(update={"steps": steps, "warm_up": min(stage.warm_up, steps // 10)})


def by_score_alone(stage: Stage) -> Stage:
    """A stage whose decoders learn by score matching alone; paths without noise are dropped."""
    return stage.model_copy(
        update={
            "decode": tuple(d.model_copy(update={"point": 0.0}) for d in stage.decode if d.draws)
        }
    )


def stages_of(arm: str, stages: dict[str, Stage], pictures: int) -> tuple[Stage, ...]:
    """What an arm does after the heat maps."""
    align, joint = (
        shortened(stages[name], round(SHARES[name] * pictures)) for name in ("align", "joint")
    )
    match arm:
        case "triplet":
            return align, joint
        case "pairs":
            return tuple(stage.model_copy(update={"triplet": 0.0}) for stage in (align, joint))
        case "end to end" | "warm":
            return (
                shortened(stages["joint"], pictures).model_copy(
                    update={"contrastive": 0.0, "triplet": 0.0}
                ),
            )
        case _:
            raise InputError(f"no arm {arm!r}: {', '.join(ARMS)}")


def trained(recipe: Recipe, out: Path, start: Path | None) -> Path:
    """A recipe's checkpoint, trained unless it is there."""
    file = out / "model.safetensors"
    if not file.exists():
        resume = (out / "training.pt").exists()
        train_recipe(recipe, out, start=start, resume=resume, schedule=Schedule(save_every=200))
    return file


def with_fresh_poses(beginning: Path, recipe: Recipe, out: Path) -> Path:
    """The checkpoint with random pose parts, drawn from the recipe's seed."""
    tensors, card = load_checkpoint(beginning)
    fresh = fresh_tensors(recipe, tensors)
    mixed = {
        name: tensors[name] if name.startswith(IMAGE_PARTS) else value
        for name, value in fresh.items()
    }
    save_checkpoint(out, mixed, card)
    return out


def fresh_tensors(recipe: Recipe, like: dict[str, Tensor]) -> dict[str, Tensor]:
    """A new model's tensors, drawn from the recipe's seed, with the scales of `like`."""
    scales = {name: float(like[name]) for name in ("pose_scale", "keypoint_scale")}
    return build_model(recipe.model_copy(update=scales)).state_dict()


def with_backbone(recipe: Recipe, start: Path, backbone: Path, runs: Path) -> Path:
    """The lifting checkpoint with another's backbone and heat maps; the read-out is random."""
    lifting, seeing = (load_start(recipe, path) for path in (start, backbone))
    posed = {
        name: value for name, value in lifting.tensors.items() if not name.startswith(IMAGE_PARTS)
    }
    backbone_of = {
        name: value for name, value in seeing.tensors.items() if name.startswith(BACKBONE)
    }
    out = runs / f"beginning {backbone.stem}.safetensors"
    save_checkpoint(
        out,
        fresh_tensors(recipe, lifting.tensors) | posed | backbone_of,
        card_of(recipe, lifting.card.samples),
    )
    return out


def heat_maps(stages: dict[str, Stage], pictures: int) -> Stage:
    """The recipe's first stage with that many pictures, `integral` as in the longest stage."""
    longest = max(stages.values(), key=lambda stage: stage.steps)
    same = {
        name: getattr(longest, name)
        for name in ("integral", "batch_size", "accumulate", "schedule", "ema")
    }
    return shortened(stages[HEAT_MAPS].model_copy(update=same), pictures)


def common_beginning(stages: dict[str, Stage], base: Recipe, args: argparse.Namespace) -> Path:
    """The checkpoint that all arms start from."""
    if args.backbone:
        return with_backbone(base, args.start, args.backbone, args.runs)
    first = (heat_maps(stages, args.heat_maps),)
    return trained(
        base.model_copy(update={"stage": first}),
        args.runs / f"{HEAT_MAPS} {args.heat_maps}",
        args.start,
    )


def run_arm(
    arm: str,
    seed: int,
    stages: dict[str, Stage],
    base: Recipe,
    beginning: Path,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Train one arm, and score it on the held-out people."""
    origin = beginning.stem if args.backbone else f"{HEAT_MAPS} {args.heat_maps}"
    folder = args.runs / f"{args.objective}_{args.pictures}_{seed}_{origin}"
    recipe = base.model_copy(update={"seed": seed, "stage": stages_of(arm, stages, args.pictures)})
    afresh = arm == "end to end"
    start = (
        with_fresh_poses(beginning, recipe, folder / "fresh.safetensors") if afresh else beginning
    )
    return {"seed": seed, **scored(trained(recipe, folder / arm, start), args.people)}


def scored(checkpoint: Path, people: Path) -> dict[str, Any]:
    """A checkpoint's figures on held-out people."""
    report = evaluate_checkpoint(checkpoint, "people", people, split="test", gallery=2000)
    return {
        "errors_mm": {
            name: value["mean over groups"] for name, value in report["errors_mm"].items()
        },
        "image_to_2d": report["image_to_2d"],
        "cosine": report["cosine"],
        "recall_at_1": report["retrieval"]["image→3d"]["recall"][1],
    }


def summary(arms: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """The ratios of image → 3D MPJPE, means over seeds."""

    def mean(arm: str) -> float:
        errors = [run["errors_mm"]["MPJPE image"] for run in arms.get(arm, [])]
        return sum(errors) / len(errors) if errors else float("nan")

    return {
        "alignment_ratio": mean("triplet") / mean("end to end"),
        "alignment_ratio_warm": mean("triplet") / mean("warm"),
        "triplet_over_pairs": mean("triplet") / mean("pairs"),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--people", type=Path, required=True, help="folder of train.pack and test.pack"
    )
    parser.add_argument("--poses", type=Path, default=DATA, help="the motion npz (docs/data.md)")
    parser.add_argument(
        "--start", type=Path, required=True, help="the checkpoint of the recipe `lifting`"
    )
    parser.add_argument(
        "--json", type=Path, required=True, help="where the figures go, rewritten after each arm"
    )
    parser.add_argument(
        "--pictures", type=int, default=12_800, help="of each arm, after the heat maps"
    )
    parser.add_argument(
        "--heat-maps",
        type=int,
        default=38_400,
        help="pictures that the common backbone learns from",
    )
    parser.add_argument(
        "--backbone",
        type=Path,
        help="a checkpoint with heat maps, or `shipped`, whose backbone all arms start from",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument(
        "--objective", choices=("recipe", "score"), default="recipe", help="see above"
    )
    parser.add_argument("--arms", nargs="+", default=list(ARMS), help=f"of {', '.join(ARMS)}")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/alignment"), help="where trainings go"
    )
    parser.add_argument(
        "--set", action="append", default=[], help="changes to the recipe, as in `unihpe train`"
    )
    return parser.parse_args()


def main() -> None:
    args = parse()
    torch.set_num_threads(1)
    changes = (f"data.root={args.people}", f"poses.root={args.poses}", *args.set)
    try:
        base = load_recipe("pictures", changes)
        stages = {stage.name: stage for stage in base.stage}
        beginning = common_beginning(stages, base, args)
        if args.objective == "score":
            stages = {name: by_score_alone(stage) for name, stage in stages.items()}
        arms: dict[str, list[dict[str, Any]]] = {}
        for seed in args.seeds:
            for arm in args.arms:
                found = run_arm(arm, seed, stages, base, beginning, args)
                arms.setdefault(arm, []).append(found)
                print(f"{arm}, seed {seed}: {json.dumps(found['errors_mm'])}", flush=True)
                result = {
                    **where(),
                    "pictures": args.pictures,
                    "backbone": args.backbone.name
                    if args.backbone
                    else f"heat maps of {args.heat_maps} pictures",
                    "objective": args.objective,
                    "arms": arms,
                    **summary(arms),
                }
                write_text(args.json, json.dumps(result, indent=2) + "\n")
    except InputError as error:
        sys.exit(f"alignment: {error}")


if __name__ == "__main__":
    main()
