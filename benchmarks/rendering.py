"""What the shares of rendered people are worth: the same short training on people rendered with and
without them.

    python benchmarks/rendering.py --skins SKINS --backgrounds BACKGROUNDS --skins-test S_TEST \\
        --backgrounds-test B_TEST --json rendering.json

Each arm renders people in the same poses, with the shares of `Settings` that it names at their
defaults and the others at 0. The included model's backbone, as it is, looks at them once, augmented
as in training; a new read-out learns from what it saw, beside the frozen pose encoders and decoders
of that model, by the losses of the recipe `photographs`, but of rendered people alone.

Scores: picture → 3D of held-out people (motions, skins, backgrounds) as they were rendered before
there were these shares, and as they are now; and of real people in sports, whose marked limb joints
the pose is laid over: scaled and moved to where it fits best. Of those, the people whose number
leaves 12 when divided by 24 are looked at: none of the scored ones of docs/results.md. It goes on
arm by arm where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import reduce
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from lifting import DATA, where
from photographs import SPORTS
from torch import Tensor

from unihpe.body.batch import Batch, Modality, joined
from unihpe.body.metrics import mpjpe, pa_mpjpe
from unihpe.body.prepare import prepare
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.coco.source import CocoSource
from unihpe.datasets.motion.source import open_motion
from unihpe.datasets.packed import PeopleSource, pack
from unihpe.datasets.protocol import LIMBS
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.io.files import write_text
from unihpe.model.checkpoint import load_into
from unihpe.model.unihpe import UniHPE, as_seen
from unihpe.recipe import Recipe, build_model, load_recipe
from unihpe.rendering.scene import render
from unihpe.rendering.settings import SHARES, Settings
from unihpe.runs.start import load_start
from unihpe.training.looking import look_once
from unihpe.training.loop import train
from unihpe.training.stage import Decoding
from unihpe.training.state import STATE_FILE, Run
from unihpe.training.streams import StageStream, open_stream

OLD = ("wild", "truncated")  # shares that there were before
ARMS: dict[str, tuple[str, ...]] = {
    "before": (),
    "costumes": ("costumes",),
    "company": ("company",),
    "things": ("things", "seated", "carried"),
    "lenses": ("close",),
    "faults": ("shallow", "shaken", "dark", "toned", "shared"),
    "all": tuple(SHARES),
}
BEFORE_OCCLUDED = 0.25  # what the share was then
REACHES = (1.0, 0.1)  # by which what the read-out adds is scaled, one after the other
FEW = 0.1  # of the annotated box's longer side, for PCK
APART, LEFT = 24, 12  # which of the people in sports are looked at
AHEAD: dict[str, Any] = {"draws": 0, "point": 2.0, "point_loss": "distance"}
STAGE: dict[str, Any] = {
    "trains": ("image_encoder",),
    "decode": (
        Decoding(source="image", target="pose_3d", **AHEAD),
        Decoding(source="image", target="pose_2d", **AHEAD),
    ),
    "batch_size": 64,
    "pose_batch": 0,
    "kept": 0.0,
    "reach": 1.0,
    "ema": 0.98,
}


# What begins anew; how many numbers of a joint's features remain was learned.
READ_OUT = (
    "image_encoder.project.",
    *(f"image_encoder.joints.{part}." for part in ("stem", "block", "project")),
)


class Seen(NamedTuple):
    """People whom the backbone has looked at."""

    batch: Batch  # with what was seen, and the truth
    size: Tensor  # of the annotated box's longer side, box units, (N,)


def settings_of(arm: str, seed: int, skins: Path | None, backgrounds: Path | None) -> Settings:
    now = Settings(seed=seed, skins=skins, backgrounds=backgrounds)
    shares = {name: 0.0 for name in SHARES if name not in (*OLD, *ARMS[arm])}
    old = {} if arm == "all" else {"occluded": BEFORE_OCCLUDED}
    return replace(now, **{**shares, **old})


def packed(folder: Path, poses: Tensor, settings: Settings, count: int) -> Path:
    """The folder with people in train.pack, rendered unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (file := folder / "train.pack").exists():
        pack(render(poses, settings, range(count)), file, asdict(settings))
    return folder


def shuffled(motion: Path, split: str) -> Tensor:
    poses = open_motion(motion).select(split).poses
    return poses[torch.randperm(len(poses), generator=torch.Generator().manual_seed(0))]


def recipe_of(folder: Path, seed: int, args: argparse.Namespace) -> Recipe:
    """The recipe `photographs`, of an arm's people alone, with its joint stage alone."""
    recipe = load_recipe("photographs", (f"data.root={folder}", f"seed={seed}"))
    joint = next(stage for stage in recipe.stage if stage.name == "joint")
    size = {"looks": args.count // STAGE["batch_size"], "steps": args.steps}
    stage = joint.model_copy(update={**STAGE, **size})
    return recipe.model_copy(update={"poses": None, "mix": (), "stage": (stage,)})


def begun(recipe: Recipe) -> UniHPE:
    """The included model, whose read-out has yet to learn."""
    model, start = build_model(recipe), load_start(recipe, "shipped")
    taken = {name: x for name, x in start.tensors.items() if not name.startswith(READ_OUT)}
    load_into(model, taken, start.file, may_lack=READ_OUT)
    return model.eval()


@torch.no_grad()
def look(model: UniHPE, source: Source, rows: Tensor, size: Tensor | None = None) -> Seen:
    """People of a source, and the length (N,), pixels, that their PCK is relative to."""
    batches = []
    for some in rows.split(32):
        batch = prepare(source.read(some, torch.Generator()), source.skeleton)
        batches.append(replace(batch, image=None, group=(), seen=model.look(batch)))
    batch = reduce(joined, batches)
    assert batch.box is not None
    length = batch.box[:, 3] if size is None else size
    return Seen(batch, length / (batch.box[:, 2:].amax(1) / 2))


def in_sports(file: Path, most: int) -> tuple[CocoSource, Tensor]:
    """People in sports, and the rows of those that are looked at."""
    source = open_source(DataSettings(name="coco", root=str(file)), Part("train"))
    assert isinstance(source, CocoSource)
    names = [Path(place.name).stem for place in source.annotations.pictures]
    numbers = [int(re.findall(r"\d+", name)[-1]) for name in names]
    rows = [n for n, number in enumerate(numbers) if number % APART == LEFT]
    return source, torch.tensor(rows[:most])


@torch.no_grad()
def answers(model: UniHPE, batch: Batch) -> tuple[Tensor, Tensor]:
    """Picture → 3D, (N, J, 3), mm, and 2D, (N, J, 2), box units."""
    assert batch.seen is not None
    image = Modality.IMAGE
    embedding = model.encode_seen(batch.seen, batch.box_token)
    found = as_seen(batch)
    pose = model.estimate(embedding, image, Modality.POSE_3D, found)
    return pose - pose[:, :1], model.estimate(embedding, image, Modality.POSE_2D, found)


def laid_over(pose: Tensor, keypoints: Tensor, seen: Tensor) -> Tensor:
    """Poses (N, J, 3) in 2D, scaled and moved to keypoints (N, J, 2) that are seen (N, J)."""
    weight = seen.float()[..., None]
    total = weight.sum(1, keepdim=True)
    flat, means = pose[..., :2], []
    for points in (flat, keypoints):
        means.append((points * weight).sum(1, keepdim=True) / total)
    p, k = (flat - means[0]) * weight, (keypoints - means[1]) * weight
    scale = (p * k).sum((1, 2)) / p.square().sum((1, 2)).clamp_min(1e-9)
    return scale.clamp_min(0)[:, None, None] * (flat - means[0]) + means[1]


def pck(guess: Tensor, seen: Seen, columns: Sequence[int]) -> float:
    """The share of marked joints near their place."""
    apart = (guess - seen.batch.keypoints)[:, columns].norm(dim=-1) / seen.size[:, None]
    return float((apart < FEW)[seen.batch.confidence[:, columns] > 0].float().mean())


def scored(model: UniHPE, held: dict[str, Seen], columns: Sequence[int]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, seen in held.items():
        pose, points = answers(model, seen.batch)
        found[f"{name}, embedding's 2D PCK@{FEW}"] = pck(points, seen, columns)
        if (truth := seen.batch.pose) is not None and bool(truth.isfinite().all()):
            found[f"{name}, MPJPE"] = float(mpjpe(pose, truth).mean())
            found[f"{name}, PA-MPJPE"] = float(pa_mpjpe(pose, truth).mean())
        limbs = seen.batch.confidence.clone()
        limbs[:, [n for n in range(limbs.shape[1]) if n not in columns]] = 0
        over = laid_over(pose, seen.batch.keypoints, limbs > 0)
        found[f"{name}, 3D laid over, PCK@{FEW}"] = pck(over, seen, columns)
    return found


def run_arm(arm: str, held: dict[str, Seen], args: argparse.Namespace) -> dict[str, Any]:
    """Render an arm's people, train on them, and score."""
    settings = settings_of(arm, 1, args.skins, args.backgrounds)
    folder = packed(args.runs / arm, shuffled(args.motion, "train"), settings, args.count)
    recipe = recipe_of(folder, 0, args)
    stream = StageStream(open_stream(recipe.data))
    run = Run(folder, recipe.fingerprint())
    draw = look_once(begun(recipe), recipe.stage[0], stream, run, 0)
    columns = [get_skeleton(recipe.data.skeleton).index(joint) for joint in LIMBS]
    runs: dict[str, list[dict[str, float]]] = {f"reach {reach:g}": [] for reach in REACHES}
    for seed in args.seeds:
        out = folder / f"seed {seed}"
        out.mkdir(exist_ok=True)
        own = recipe_of(folder, seed, args)
        run, resume = Run(out, own.fingerprint(), seed), (out / STATE_FILE).exists()
        model, _ = train(begun(own), own.stage, draw, run, resume=resume)
        for reach, before in zip(REACHES, (1.0, *REACHES), strict=False):
            assert model.image_encoder is not None
            model.image_encoder.restrain(reach / before)
            runs[f"reach {reach:g}"].append(scored(model, held, columns))
    means = {
        reach: {name: fmean(run[name] for run in found) for name in found[0]}
        for reach, found in runs.items()
    }
    return {"means": means, "seeds": runs}


def held_out(args: argparse.Namespace) -> dict[str, Seen]:
    """The held-out people, as the included model's backbone sees them."""
    poses, held = shuffled(args.motion, "val"), dict[str, Seen]()
    model = begun(recipe_of(args.runs, 0, args))
    for arm in ("before", "all"):
        settings = settings_of(arm, 102, args.skins_test, args.backgrounds_test)
        folder = packed(args.runs / f"held out, {arm}", poses, settings, args.held)
        people = PeopleSource(folder / "train.pack")
        held[f"rendered {arm}"] = look(model, people, torch.arange(len(people)))
    source, rows = in_sports(args.sports, args.held)
    held["sports"] = look(model, source, rows, source.sizes()[rows])
    return held


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--motion", type=Path, default=DATA, help="the motion npz (docs/data.md)")
    parser.add_argument("--sports", type=Path, default=SPORTS, help="people with joints, lspet.zip")
    for what in ("skins", "backgrounds", "skins-test", "backgrounds-test"):
        parser.add_argument(f"--{what}", type=Path, help="a folder (docs/synthetic.md)")
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--count", type=int, default=1536, help="people rendered by each arm")
    parser.add_argument("--held", type=int, default=300, help="held-out people of each kind")
    parser.add_argument("--steps", type=int, default=300, help="of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of training")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/rendering"), help="where people and trainings go"
    )
    return parser.parse_args()


def main() -> None:
    args = parse()
    torch.set_num_threads(1)
    arms: dict[str, Any] = {}
    if args.json.exists():
        arms = json.loads(args.json.read_text(encoding="utf-8"))["arms"]
    try:
        held = held_out(args)
        for arm in args.arms:
            if arm not in arms:
                arms[arm] = run_arm(arm, held, args)
                print(f"{arm}: {json.dumps(arms[arm]['means'])}", flush=True)
                size = {"count": args.count, "held": args.held, "steps": args.steps}
                write_text(args.json, json.dumps({**where(), **size, "arms": arms}, indent=2))
    except InputError as error:
        sys.exit(f"rendering: {error}")


if __name__ == "__main__":
    main()
