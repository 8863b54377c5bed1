"""Table 6: does alignment pay? The same model with and without it.

    python benchmarks/alignment.py --people FOLDER --labels sports.json street.json \\
        --json alignment.json

FOLDER holds train.pack and test.pack of rendered people, the labels are those of photographs
(docs/results.md makes them); --sports is lspet.zip. It goes on arm by arm where it was stopped.

Pictures, losses and model are those of the recipe `photographs`, but the backbone is MoveNet
Thunder as published, which COCO taught. It stays as it is and looks at a seed's pictures once; all
arms draw people from what it saw, equally many in equally many steps, and begin with the included
lifter. As in the paper, aligning trains the pictures' read-out alone, beside frozen pose encoders
(fig. 2, step 2); then encoders and decoders learn jointly, with L_cl beside the decoding losses
(step 3, eq. 5). End to end is jointly from the first step on, without L_cl: pictures learn from
what is decoded of them alone.

`pooled` arms read pictures out as the paper does, the others as the recipe does, which begins at
the keypoints that Thunder sees.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from lifting import MEAN, where
from photographs import PHOTOS, SPORTS
from short_runs import shortened
from torch import Tensor

from unihpe.body.batch import Modality
from unihpe.errors import InputError
from unihpe.io.files import write_text
from unihpe.model.build import load_public_weights
from unihpe.model.checkpoint import MODEL_FILE, load_into, save_checkpoint
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe, build_model, load_recipe
from unihpe.runs.evaluate import evaluate_checkpoint
from unihpe.runs.start import PICTURE_PARTS, load_start
from unihpe.runs.train import card_of
from unihpe.training.looking import look_once
from unihpe.training.loop import train
from unihpe.training.stage import Draw, Stage
from unihpe.training.state import STATE_FILE, Run, Schedule
from unihpe.training.streams import StageStream, open_stream

DECODERS = ("decoder_2d", "decoder_3d")
SHARES = (0.2, 0.15, 0.15)  # of sports and labelled people; half are rendered, who alone have 3D
# What the joint stage of all arms has of its own, and the stage before it beside that.
JOINT: dict[str, Any] = {
    "pose_batch": 0,  # as in the paper, poses are those of the pictures
    "learning_rate": 3e-4,  # of a short stage
    "ema": 0.98,
    "kept": 0.0,
    "reach": 1.0,
}
ALIGN: dict[str, Any] = {
    "name": "align",
    "trains": ("image_encoder",),
    "decode": (),
    "temperature_min": 0.1,  # §4.2
}
ALIGNING = 1 / 3  # of an arm's people


@dataclass(frozen=True)
class Arm:
    """A row of the table."""

    contrastive: float = 1.0  # weight of L_cl
    triplet: float = 1.0  # of L_triplet in it
    token: bool = False  # whether decoders are told what kind of evidence they decode
    read_out: str = "joints"


END_TO_END, PAIRS, TRIPLET = "end to end", "pairs", "pairs + triplet"
TOKEN = "pairs + triplet + modality token"
ARMS = {
    END_TO_END: Arm(contrastive=0.0, triplet=0.0),
    PAIRS: Arm(triplet=0.0),
    TRIPLET: Arm(),
    TOKEN: Arm(token=True),
    f"pooled, {END_TO_END}": Arm(contrastive=0.0, triplet=0.0, read_out="pooled"),
    f"pooled, {TOKEN}": Arm(token=True, read_out="pooled"),
}
RATIOS = {
    "alignment_ratio": (TOKEN, END_TO_END),
    "alignment_ratio_pooled": (f"pooled, {TOKEN}", f"pooled, {END_TO_END}"),
    "triplet_over_pairs": (TRIPLET, PAIRS),
    "token_over_none": (TOKEN, TRIPLET),
}


def recipe_of(arm: Arm, seed: int, args: argparse.Namespace) -> Recipe:
    """The recipe `photographs` as an arm has it, with its joint stage alone."""
    own = [f"seed={seed}", f"model.image_encoder.read_out={arm.read_out}"]
    own += [f"model.{decoder}.modality_token={str(arm.token).lower()}" for decoder in DECODERS]
    own += [f"data.root={args.people}"]
    for n, (root, share) in enumerate(zip((args.sports, *args.labels), SHARES, strict=True)):
        own += [f"mix.{n}.root={root}", f"mix.{n}.share={share}"]
    recipe = load_recipe("photographs", (*own, *args.set))
    joint = next(stage for stage in recipe.stage if stage.name == "joint")
    stated = {"errors": 0.0, "among": "all"}  # there is no error head, and there are no more poses
    change = {
        "decode": tuple(path.model_copy(update=stated) for path in joint.decode),
        "contrastive": arm.contrastive,
        "triplet": arm.triplet,
        "looks": args.looked // joint.batch_size,
    }
    model = recipe.model.model_copy(update={"error_head": False})
    stage = (joint.model_copy(update=JOINT | change),)
    return recipe.model_copy(update={"poses": None, "model": model, "stage": stage})


def stages_of(joint: Stage, people: int) -> tuple[Stage, ...]:
    """What an arm does, with so many people drawn."""
    if not joint.contrastive:
        return (shortened(joint, people),)
    first = round(ALIGNING * people)
    align = joint.model_copy(update=ALIGN)
    return shortened(align, first), shortened(joint, people - first)


def begun(recipe: Recipe) -> UniHPE:
    """The model as all arms begin: the lifter, the public backbone, and a new read-out."""
    model, lifter = build_model(recipe), load_start(recipe, "shipped:lifting")
    load_public_weights(model, recipe.model.image_encoder, recipe.data.skeleton)
    tensors = dict(lifter.tensors)
    for decoder in DECODERS:
        if getattr(recipe.model, decoder).modality_token:
            token = tensors[f"{decoder}.network.condition.modality"]
            token[Modality.IMAGE] = token[Modality.POSE_2D]
        else:
            drop_token(tensors, f"{decoder}.network")
    load_into(model, tensors, lifter.file, may_lack=PICTURE_PARTS)
    return model


def drop_token(tensors: dict[str, Tensor], network: str) -> None:
    """Make a score network without token of one that has it, which decodes all as keypoints."""
    token = tensors.pop(f"{network}.condition.modality")[Modality.POSE_2D]
    tensors[f"{network}.project.bias"] += tensors[f"{network}.project.weight"] @ token
    tensors[f"{network}.condition.null"] -= token


def looked_at(recipe: Recipe, runs: Path) -> Draw:
    """Draws people from what the backbone sees of a seed's pictures, once."""
    fingerprint = recipe.fingerprint()
    run = Run(runs / f"looked {fingerprint[:8]}", fingerprint, recipe.seed)
    run.out.mkdir(parents=True, exist_ok=True)
    mix = [(table.share, open_stream(table)) for table in recipe.mix]
    stream = StageStream(open_stream(recipe.data), mix)
    return look_once(begun(recipe), recipe.stage[0], stream, run, 0)


def trained(recipe: Recipe, draw: Draw, out: Path) -> Path:
    """An arm's checkpoint, trained unless it is there."""
    file = out / MODEL_FILE
    if not file.exists():
        run = Run(out, recipe.fingerprint(), recipe.seed, schedule=Schedule(save_every=100))
        resume = (out / STATE_FILE).exists()
        model, progress = train(begun(recipe), recipe.stage, draw, run, resume=resume)
        save_checkpoint(file, model.state_dict(), card_of(recipe, progress.samples), half=True)
    return file


def run_arm(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train one arm, and score it."""
    recipe = recipe_of(ARMS[name], seed, args)
    recipe = recipe.model_copy(update={"stage": stages_of(recipe.stage[0], args.drawn)})
    out = args.runs / f"{name}, seed {seed} {recipe.fingerprint()[:8]}"
    looking = recipe_of(ARMS[TOKEN], seed, args)  # the same for all arms
    return {"seed": seed, **measured(trained(recipe, looked_at(looking, args.runs), out), args)}


def before_training(args: argparse.Namespace) -> dict[str, Any]:
    """The figures of what arms begin as: keypoints that Thunder sees, as the lifter has them."""
    recipe = recipe_of(ARMS[TRIPLET], args.seeds[0], args)
    file = args.runs / f"begun {recipe.fingerprint()[:8]}" / MODEL_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(file, begun(recipe).state_dict(), card_of(recipe, 0), half=True)
    return measured(file, args)


def measured(checkpoint: Path, args: argparse.Namespace) -> dict[str, Any]:
    """A checkpoint's figures on held-out people and on photographs, kept beside it."""
    file = checkpoint.with_name("scores.json")
    if not file.exists():
        photographs = evaluate_checkpoint(checkpoint, "coco", args.photos)["visible"]
        found = {**scored(checkpoint, args.people), "photographs": photographs["image → 2D"]}
        write_text(file, json.dumps(found, indent=2))
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return kept


def scored(checkpoint: Path, people: Path) -> dict[str, Any]:
    """A checkpoint's figures on held-out people."""
    report = evaluate_checkpoint(checkpoint, "people", people, split="test", gallery=2000)
    return {
        "errors_mm": {name: value[MEAN] for name, value in report["errors_mm"].items()},
        "image_to_2d": report["image_to_2d"],
        "cosine": report["cosine"],
        "recall_at_1": report["retrieval"]["image→3d"]["recall"][1],
    }


def ratios(arms: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Picture → 3D MPJPE of one arm over that of another, means over seeds."""
    errors = {name: fmean(run["errors_mm"]["MPJPE image"] for run in arms[name]) for name in arms}
    return {
        ratio: errors[one] / errors[other]
        for ratio, (one, other) in RATIOS.items()
        if one in errors and other in errors
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--people", type=Path, required=True, help="folder of train.pack and test.pack"
    )
    parser.add_argument("--sports", type=Path, default=SPORTS, help="people with joints, lspet.zip")
    parser.add_argument(
        "--labels",
        type=Path,
        nargs=2,
        required=True,
        help="of sports.zip and street.zip, by `unihpe data label`",
    )
    parser.add_argument(
        "--photos", type=Path, default=PHOTOS, help="COCO photographs with their annotations"
    )
    parser.add_argument(
        "--json", type=Path, required=True, help="where the figures go, rewritten after each arm"
    )
    parser.add_argument("--looked", type=int, default=6_720, help="pictures of a seed")
    parser.add_argument("--drawn", type=int, default=48_000, help="people drawn by each arm")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument(
        "--arms", nargs="+", default=list(ARMS), choices=ARMS, metavar="ARM", help="default: all"
    )
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
    arms: dict[str, list[dict[str, Any]]] = {}
    try:
        before = before_training(args)
        for seed in args.seeds:
            for name in args.arms:
                arms.setdefault(name, []).append(found := run_arm(name, seed, args))
                print(f"{name}, seed {seed}: {json.dumps(found['errors_mm'])}", flush=True)
                figures = {"before training": before, "arms": arms, **ratios(arms)}
                result = {**where(), "looked": args.looked, "drawn": args.drawn, **figures}
                write_text(args.json, json.dumps(result, indent=2) + "\n")
    except InputError as error:
        sys.exit(f"alignment: {error}")


if __name__ == "__main__":
    main()
