"""2D → 3D lifting on motion capture: the recipe `lifting` against SimpleBaseline.

    python benchmarks/lifting.py --checkpoint RUN --json lifting.json   # recorded baseline
    python benchmarks/lifting.py --train --json lifting.json            # trains both first

Training takes hours and resumes. Test splits, every 10th frame, four fixed cameras or one free
camera a frame, seed 0. A group's score is the mean over its poses; an overall score is the plain
mean over groups. The keys of the JSON are explained in docs/notebook/lifting.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from simple_baseline import LEARNING_RATES, SimpleBaseline, train_baseline
from torch import Tensor

from unihpe.body.batch import Batch, Modality, chosen, evenly_spaced
from unihpe.body.metrics import mpjpe, n_mpjpe
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.motion.source import Motion, MotionSource, open_motion, together
from unihpe.datasets.settings import Part, open_source
from unihpe.diffusion.sampling import build_sampler, evaluations
from unihpe.errors import InputError
from unihpe.evaluation.lifting import by_group, prepared
from unihpe.evaluation.retrieval import retrieve
from unihpe.inference.results import spread
from unihpe.io.files import write_text
from unihpe.model.build import load_model
from unihpe.model.error_head import SHARES
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import load_recipe, measure_scales
from unihpe.runs.train import train_recipe
from unihpe.training.streams import Stream, training_stream

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "data"
DATA = SHARED / "cmu_mocap" / "cmu_h36m17_30fps.npz"
MORE = SHARED / "more_motion" / "more_motion_h36m17_30fps.npz"
BASELINE = HERE / "results" / "simple_baseline.json"
DROPOUTS = (0.1, 0.5)  # the best we found for it on this data, and as published
TUNED_ON = 409_600  # samples on which learning rate and dropout are chosen
MEAN = "mean over groups"
SUBSET, HYPOTHESES, GALLERY = 1000, 20, 2000
SIZES = {"small": 0.8, "large": 1.2}  # of people
UNSURE = 0.6  # a score for joints that are exact
RARE = ("sitting", "lying", "inverted")  # whose scores are compared with upright people's
SKELETON = get_skeleton("human36m17")

Estimator = Callable[[Batch], Tensor]
Tests = Mapping[str, Batch]


def read_tests(path: Path, more: Path) -> Tests:
    """The test splits as the models see them, one batch each; noise is seeded with 0."""
    motion = open_motion(path).select("test", 10)
    both = together([motion, open_motion(more).select("test", 10)])

    def whole(motion: Motion, *how: Any, **more: Any) -> Batch:
        source = MotionSource(motion, *how, **more)
        batches = list(prepared(source, torch.Generator().manual_seed(0), "cpu"))
        columns = ("keypoints", "confidence", "box_token", "pose")
        parts = {name: torch.cat([getattr(batch, name) for batch in batches]) for name in columns}
        return Batch(**parts, group=tuple(group for batch in batches for group in batch.group))

    exact = whole(motion, "fixed", "exact")
    sized = {
        name: whole(replace(motion, poses=size * motion.poses), "fixed", "exact")
        for name, size in SIZES.items()
    }
    return {
        "exact": exact,
        "detected": whole(motion, "fixed", "detected"),
        "coco": whole(motion, "fixed", "coco"),
        "free": whole(motion, "free", "exact"),
        "unsure": replace(exact, confidence=UNSURE * exact.confidence),
        **sized,
        "postures": whole(both, "fixed", "exact", by="posture"),
        "free_detected": whole(both, "free", "detected", by="posture"),
        "free_coco": whole(both, "free", "coco", by="posture"),
    }


@torch.no_grad()
def in_parts(function: Estimator, batch: Batch) -> Tensor:
    """A function of a batch, 2048 people at a time."""
    parts = torch.arange(len(batch)).split(2048)
    return torch.cat([function(chosen(batch, part)) for part in parts])


def errors(
    estimate: Estimator, batch: Batch, metric: Callable[[Tensor, Tensor], Tensor] = mpjpe
) -> dict[str, float]:
    """MPJPE, or another metric, in mm, by group and overall."""
    assert batch.pose is not None
    pose = root_relative(in_parts(estimate, batch), SKELETON)
    return by_group(metric(pose, batch.pose), list(batch.group))


def scores(estimate: Estimator, tests: Tests) -> dict[str, dict[str, float]]:
    """Errors on every test split; N-MPJPE beside where people's size is what is tested."""
    found = {name: errors(estimate, batch) for name, batch in tests.items()}
    for name in ("exact", "free", *SIZES):
        found[f"{name}, N-MPJPE"] = errors(estimate, tests[name], n_mpjpe)
    return found


def point_of(model: UniHPE) -> Estimator:
    """The model's point estimate."""

    def estimate(batch: Batch) -> Tensor:
        embedding = model.encode(batch, Modality.POSE_2D)
        return model.estimate(embedding, Modality.POSE_2D, Modality.POSE_3D, batch)

    return estimate


@torch.no_grad()
def against_samplers(model: UniHPE, batch: Batch) -> dict[str, Any]:
    """The point estimate against samplers, on one fixed subset."""
    part = chosen(batch, evenly_spaced(len(batch), SUBSET))
    embedding = model.encode(part, Modality.POSE_2D)
    assert part.pose is not None
    truth = part.pose

    def score(pose: Tensor) -> float:
        return float(mpjpe(root_relative(pose, SKELETON), truth).mean())

    def draw(name: str, samples: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        sampler = build_sampler(name, 0, generator)
        path = (Modality.POSE_2D, Modality.POSE_3D)
        return model.sample(embedding, *path, part, sampler, samples, generator)

    found = {"point": score(point_of(model)(part))}
    for name, samples in (
        ("zero-temperature", 1),
        ("dpm-solver++", HYPOTHESES),
    ):
        drawn = draw(name, samples)
        label = f"mean of {samples}, {name} {evaluations(name)} evaluations"
        found[label] = score(drawn.mean(0))
        print(f"{label}: {found[label]:.2f} mm", flush=True)
    reference = next(value for name, value in found.items() if "zero-temp" in name)
    return {
        "evaluations": 1,
        "mpjpe_over_reference_sampler": found["point"] / reference,
        "subset_mpjpe_mm": found,
        "subset": f"{SUBSET} poses of the test split, evenly spread, exact 2D",
    }


@torch.no_grad()
def hypotheses(model: UniHPE, tests: Tests) -> dict[str, Any]:
    """Spread and error of 20 samples on 400 poses, how the two correlate, and what their mean is
    worth beside the point estimate."""
    found = {}
    for kind in ("exact", "detected", "free_detected"):
        part = chosen(tests[kind], evenly_spaced(len(tests[kind]), 400))
        generator = torch.Generator().manual_seed(0)
        sampler = build_sampler("auto", 0, generator)
        embedding, path = model.encode(part, Modality.POSE_2D), (Modality.POSE_2D, Modality.POSE_3D)
        drawn = model.sample(embedding, *path, part, sampler, HYPOTHESES, generator)
        drawn = root_relative(drawn.flatten(0, 1), SKELETON).unflatten(0, drawn.shape[:2])
        assert part.pose is not None
        error, width = mpjpe(drawn.mean(0), part.pose), spread(drawn).mean(1)
        point = mpjpe(root_relative(point_of(model)(part), SKELETON), part.pose)
        found[kind] = {
            "rms_error_mm": float((drawn.mean(0) - part.pose).square().sum(-1).mean().sqrt()),
            "rms_spread_mm": float(spread(drawn).square().mean().sqrt()),
            "correlation": float(torch.corrcoef(torch.stack([width, error]))[0, 1]),
            "mean_over_point": float(error.mean() / point.mean()),
        }
    return found


@torch.no_grad()
def coverage(model: UniHPE, batch: Batch) -> dict[str, dict[str, float]]:
    """Shares of the joints, the pelvis left out, within the radii stated for 50 and 90 %."""
    assert batch.pose is not None
    pose = root_relative(in_parts(point_of(model), batch), SKELETON)
    error = (pose - batch.pose).norm(dim=-1)[:, 1:]

    def radii(part: Batch) -> Tensor:
        made = model.radii(model.encode(part, Modality.POSE_2D), Modality.POSE_2D)
        if made is None:
            raise InputError("this model states no radii: its recipe lacks error_head")
        return made

    inside = (error[..., None] <= in_parts(radii, batch)[:, 1:]).float().mean(1)  # (N, 2)
    groups = list(batch.group)
    found = {f"{share:.0%}": inside[:, n] for n, share in enumerate(SHARES)}
    return {
        name: {**by_group(values, groups), "all": float(values.mean())}
        for name, values in found.items()
    }


def retrieval(model: UniHPE, batch: Batch) -> dict[str, Any]:
    """2D → 3D retrieval, overall and within each source."""
    a = in_parts(lambda part: model.encode(part, Modality.POSE_2D), batch)
    b = in_parts(lambda part: model.encode(part, Modality.POSE_3D), batch)
    assert batch.pose is not None

    def among(people: Tensor) -> dict[str, Any]:
        spread = people[evenly_spaced(len(people), GALLERY)]
        found = retrieve(a[spread], b[spread], batch.pose[spread])  # type: ignore[index]
        return {
            "recall_at_1": found.recall[1],
            "gallery": found.gallery,
            "retrieved_mpjpe_mm": found.pose_error,
        }

    sources = sorted(set(batch.group))
    mask = {
        source: torch.tensor([g == source for g in batch.group]).nonzero()[:, 0]
        for source in sources
    }
    return {
        **among(torch.arange(len(batch))),
        "per_source": {source: among(mask[source]) for source in sources},
    }


def rate(estimate: Estimator, batch: Batch, seconds: float = 3.0) -> float:
    """Poses a second: from prepared keypoints to a pose; the median of many calls."""
    times: list[float] = []
    with torch.no_grad():
        estimate(batch)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 10:
            begin = time.perf_counter()
            estimate(batch)
            times.append(time.perf_counter() - begin)
    return len(batch) / median(times)


def speeds(model: UniHPE, batch: Batch, pose_scale: float) -> dict[str, float]:
    """Rates at batch 1 and 1024, the baseline's beside ours in turn."""
    ours, theirs = point_of(model), SimpleBaseline(batch.keypoints.shape[1], pose_scale).eval()
    found = {}
    for size in (1, 1024):
        part = chosen(batch, torch.arange(size))
        found[f"poses_per_s_batch{size}"] = rate(ours, part)
        found[f"baseline_poses_per_s_batch{size}"] = rate(theirs, part)
    return found


def train_baselines(args: argparse.Namespace, tests: Tests) -> dict[str, Any]:
    """Choose the baseline's learning rate and dropout in short runs, train the best as long as
    ours, and score all; the record is rewritten after each, so a stop loses none."""
    recipe = recipe_of(args)
    draw = training_stream(open_source(recipe.data, Part("train", training=True)), recipe.data)
    pose_scale = measure_scales(recipe, draw).pose_scale
    record: dict[str, Any] = {**where(), "samples": args.samples, "tuning": []}

    def run(samples: int, rate: float, dropout: float) -> dict[str, Any]:
        return one_baseline(args, draw, samples, rate, dropout, pose_scale, tests)

    for dropout in DROPOUTS:
        for rate in LEARNING_RATES:
            record["tuning"].append(run(TUNED_ON, rate, dropout))
            write_text(args.runs / "simple_baseline.json", json.dumps(record, indent=2) + "\n")
    best = min(record["tuning"], key=lambda one: one["scores"]["exact"][MEAN])
    record |= run(args.samples, best["learning_rate"], best["dropout"])
    write_text(args.runs / "simple_baseline.json", json.dumps(record, indent=2) + "\n")
    return record


def one_baseline(
    args: argparse.Namespace,
    draw: Stream,
    samples: int,
    rate: float,
    dropout: float,
    pose_scale: float,
    tests: Tests,
) -> dict[str, Any]:
    """Train one, or load what was trained, and score it."""
    file = args.runs / f"baseline_{samples}_{rate:g}_{dropout:g}.safetensors"
    model = train_baseline(draw, samples, rate, dropout, pose_scale, file)
    found = scores(model, tests)
    figures = ", ".join(f"{name} {found[name][MEAN]:.2f}" for name in ("exact", "detected", "free"))
    print(f"baseline dropout {dropout:g}, {rate:g}, {samples}: {figures}", flush=True)
    return {"learning_rate": rate, "dropout": dropout, "scores": found}


def recipe_of(args: argparse.Namespace) -> Any:
    """The recipe on this data."""
    return load_recipe("lifting", (f"data.root={args.data}", f'data.also=["{args.more}"]'))


def train_ours(args: argparse.Namespace) -> Path:
    """The lifting recipe for as many samples, alignment included."""
    recipe = recipe_of(args)
    align, joint = recipe.stage
    joint = joint.model_copy(update={"steps": (args.samples - align.samples) // joint.batch_size})
    out = args.runs / f"unihpe_{args.samples}"
    resume = (out / "training.pt").exists()
    train_recipe(recipe.model_copy(update={"stage": (align, joint)}), out, resume=resume, half=True)
    return out / "model.safetensors"


def compared(ours: dict[str, Any], baseline: dict[str, Any]) -> dict[str, Any]:
    """Our scores, and over those of the baseline; sizes and postures against themselves."""
    found: dict[str, Any] = {}
    for name in ("exact", "detected", "coco", "free"):
        found[f"mpjpe_{name}"] = ours[name][MEAN]
        found[f"mpjpe_{name}_ratio"] = ours[name][MEAN] / baseline["scores"][name][MEAN]
    relative = {
        name: ours[f"{name}, N-MPJPE"][MEAN] / size for name, size in (("exact", 1), *SIZES.items())
    }
    found["size_ratio"] = max(relative[name] / relative["exact"] for name in SIZES)
    postures = ours["postures"]
    found["posture_ratio"] = max(postures[kind] for kind in RARE) / postures["upright"]
    found["unsure_costs_mm"] = ours["unsure"][MEAN] - ours["exact"][MEAN]
    return found


def where() -> dict[str, str]:
    """Machine, commit and time of a measurement."""
    command = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    machine = (
        f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    return {
        "machine": machine,
        "commit": commit or "unknown",
        "time": datetime.now().astimezone().isoformat("T", "minutes"),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the motion npz (docs/data.md)")
    parser.add_argument("--more", type=Path, default=MORE, help="another, trained on beside it")
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--checkpoint", type=Path, help="of the recipe, if it is not trained now")
    parser.add_argument(
        "--train", action="store_true", help="train the baselines and the recipe first"
    )
    parser.add_argument(
        "--samples", type=int, default=26_316_800, help="training samples of each model"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/lifting-benchmark"), help="where trainings go"
    )
    parser.add_argument(
        "--baseline-only", action="store_true", help="with --train: train the baselines and stop"
    )
    return parser.parse_args()


def main() -> None:
    try:
        measure(parse())
    except InputError as error:
        sys.exit(f"lifting: {error}")


def measure(args: argparse.Namespace) -> None:
    """Train if asked, measure, and write the figures."""
    if args.checkpoint is None and not args.train:
        raise InputError(
            "name a run of the recipe: --checkpoint RUN (unihpe train lifting), or --train"
        )
    tests = read_tests(args.data, args.more)
    baseline = train_baselines(args, tests) if args.train else json.loads(BASELINE.read_text())
    if args.baseline_only:
        return write_text(args.json, json.dumps(baseline, indent=2) + "\n")
    checkpoint = train_ours(args) if args.train else args.checkpoint
    model, card = load_model(checkpoint)
    ours = scores(point_of(model), tests)
    matched = retrieval(model, tests["exact"])
    covered = {name: coverage(model, tests[name]) for name in ("free_detected", "free_coco")}
    result = {
        **where(),
        "checkpoint": checkpoint.name,
        "training_samples": card.samples,
        "baseline_samples": baseline["samples"],
        **compared(ours, baseline),
        "within_50": covered["free_detected"]["50%"]["all"],
        "within_90": covered["free_detected"]["90%"]["all"],
        **{key: value for key, value in matched.items() if key != "per_source"},
        **speeds(model, tests["exact"], float(model.pose_scale)),
        **against_samplers(model, tests["exact"]),
        "hypotheses": hypotheses(model, tests),
        "coverage": covered,
        "scores_mm": ours,
        "baseline_scores_mm": baseline["scores"],
        "retrieval_per_source": matched["per_source"],
    }
    write_text(args.json, json.dumps(result, indent=2) + "\n")
    for key, value in result.items():
        if isinstance(value, float):
            print(f"{key}: {value:.3f}")


if __name__ == "__main__":
    main()
