"""2D → 3D lifting on motion capture: the recipe `lifting` against SimpleBaseline.

    python benchmarks/lifting.py --checkpoint RUN --json lifting.json   # recorded baseline
    python benchmarks/lifting.py --train --json lifting.json            # trains both first

Training takes hours and resumes. Test split, every 10th frame, four fixed cameras, seed 0. A
source's score is the mean over its poses; the overall score is the plain mean over sources. The
keys of the JSON are explained in docs/notebook/lifting.md.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from simple_baseline import LEARNING_RATES, SimpleBaseline, train_baseline
from torch import Tensor

from unihpe.body.batch import Batch, Modality
from unihpe.body.metrics import mpjpe
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.motion.source import MotionSource, open_motion
from unihpe.datasets.settings import Part, TwoD, open_source
from unihpe.diffusion.sampling import build_sampler, evaluations
from unihpe.errors import InputError
from unihpe.evaluation.lifting import by_group, prepared
from unihpe.evaluation.retrieval import retrieve
from unihpe.inference.results import spread
from unihpe.io.files import write_text
from unihpe.model.build import load_model
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import load_recipe, measure_scales
from unihpe.runs.train import train_recipe
from unihpe.training.streams import training_stream

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data" / "cmu_mocap" / "cmu_h36m17_30fps.npz"
BASELINE = HERE / "results" / "simple_baseline.json"
DROPOUTS = (0.5, 0.1)  # as published; and the best we found for it on this data
MEAN = "mean over groups"
SUBSET, HYPOTHESES, GALLERY = 1000, 20, 2000

Estimator = Callable[[Batch], Tensor]


@dataclass(frozen=True)
class TestData:
    """The test split as the models see it, in one batch for each kind of 2D."""

    exact: Batch
    detected: Batch


def read_test(path: Path) -> TestData:
    """The test split, read as `unihpe eval` reads it; the detector's noise is seeded with 0."""
    motion = open_motion(path).select("test", 10)

    def whole(two_d: TwoD) -> Batch:
        batches = list(
            prepared(MotionSource(motion, "fixed", two_d), torch.Generator().manual_seed(0), "cpu")
        )
        columns = ("keypoints", "confidence", "box_token", "pose")
        parts = {name: torch.cat([getattr(batch, name) for batch in batches]) for name in columns}
        return Batch(**parts, group=tuple(group for batch in batches for group in batch.group))

    return TestData(whole("exact"), whole("detected"))


def rows(batch: Batch, chosen: Tensor) -> Batch:
    """Some of the people."""
    assert batch.pose is not None
    group = tuple(batch.group[n] for n in chosen.tolist()) if batch.group else ()
    return Batch(
        batch.keypoints[chosen],
        batch.confidence[chosen],
        batch.box_token[chosen],
        batch.pose[chosen],
        group=group,
    )


@torch.no_grad()
def in_parts(function: Estimator, batch: Batch) -> Tensor:
    """A function of a batch, 2048 people at a time."""
    return torch.cat([function(rows(batch, part)) for part in torch.arange(len(batch)).split(2048)])


def errors(estimate: Estimator, batch: Batch) -> dict[str, float]:
    """MPJPE in mm, by source and overall."""
    assert batch.pose is not None
    pose = root_relative(in_parts(estimate, batch), get_skeleton("human36m17"))
    return by_group(mpjpe(pose, batch.pose), list(batch.group))


def point_of(model: UniHPE) -> Estimator:
    """The model's point estimate."""

    def estimate(batch: Batch) -> Tensor:
        embedding = model.encode(batch, Modality.POSE_2D)
        return model.estimate(embedding, Modality.POSE_2D, Modality.POSE_3D, batch.box_token)

    return estimate


@torch.no_grad()
def against_samplers(model: UniHPE, batch: Batch) -> dict[str, Any]:
    """The point estimate against 1000-step samplers, on one fixed subset."""
    chosen = torch.linspace(0, len(batch) - 1, SUBSET).long()
    part = rows(batch, chosen)
    embedding = model.encode(part, Modality.POSE_2D)
    assert part.pose is not None
    truth = part.pose

    def score(pose: Tensor) -> float:
        return float(mpjpe(root_relative(pose, get_skeleton("human36m17")), truth).mean())

    def draw(name: str, samples: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        sampler = build_sampler(name, 0, generator)
        path = (Modality.POSE_2D, Modality.POSE_3D)
        return model.sample(embedding, *path, part.box_token, sampler, samples, generator)

    found = {"point": score(point_of(model)(part))}
    for name, samples in (
        ("zero-temperature", 1),
        ("euler-maruyama", HYPOTHESES),
        ("dpm-solver++", HYPOTHESES),
    ):
        drawn = draw(name, samples)
        label = f"mean of {samples}, {name} {evaluations(name)} evaluations"
        found[label] = score(drawn.mean(0))
        print(f"{label}: {found[label]:.2f} mm", flush=True)
    reference = min(
        value for name, value in found.items() if "zero-temp" in name or "euler" in name
    )
    return {
        "evaluations": 1,
        "mpjpe_over_reference_sampler": found["point"] / reference,
        "subset_mpjpe_mm": found,
        "subset": f"{SUBSET} poses of the test split, evenly spread, exact 2D",
    }


@torch.no_grad()
def hypotheses(model: UniHPE, test: TestData) -> dict[str, Any]:
    """Spread and error of 20 samples on 400 poses, and how the two correlate."""
    found = {}
    for kind, whole in (("exact", test.exact), ("detected", test.detected)):
        part = rows(whole, torch.linspace(0, len(whole) - 1, 400).long())
        generator = torch.Generator().manual_seed(0)
        sampler = build_sampler("auto", 0, generator)
        embedding, path = model.encode(part, Modality.POSE_2D), (Modality.POSE_2D, Modality.POSE_3D)
        drawn = model.sample(embedding, *path, part.box_token, sampler, HYPOTHESES, generator)
        assert part.pose is not None
        error, width = mpjpe(drawn.mean(0), part.pose), spread(drawn).mean(1)
        found[kind] = {
            "rms_error_mm": float((drawn.mean(0) - part.pose).square().sum(-1).mean().sqrt()),
            "rms_spread_mm": float(spread(drawn).square().mean().sqrt()),
            "correlation": float(torch.corrcoef(torch.stack([width, error]))[0, 1]),
        }
    return found


def retrieval(model: UniHPE, batch: Batch) -> dict[str, Any]:
    """2D → 3D retrieval, overall and within each source."""
    a = in_parts(lambda part: model.encode(part, Modality.POSE_2D), batch)
    b = in_parts(lambda part: model.encode(part, Modality.POSE_3D), batch)
    assert batch.pose is not None

    def among(people: Tensor) -> dict[str, Any]:
        spread = people[torch.linspace(0, len(people) - 1, min(GALLERY, len(people))).long()]
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
        part = rows(batch, torch.arange(size))
        found[f"poses_per_s_batch{size}"] = rate(ours, part)
        found[f"baseline_poses_per_s_batch{size}"] = rate(theirs, part)
    return found


def train_baselines(args: argparse.Namespace, test: TestData) -> dict[str, Any]:
    """Train and score every baseline; the record is rewritten after each, so a stop loses none."""
    recipe = load_recipe("lifting", (f"data.root={args.data}",))
    draw = training_stream(open_source(recipe.data, Part("train", training=True)), recipe.data)
    pose_scale = measure_scales(recipe, draw).pose_scale
    record: dict[str, Any] = {**where(), "samples": args.samples, "runs": []}
    for dropout in sorted(DROPOUTS):
        for learning_rate in LEARNING_RATES:
            file = args.runs / f"baseline_{args.samples}_{learning_rate:g}_{dropout:g}.safetensors"
            model = train_baseline(draw, args.samples, learning_rate, dropout, pose_scale, file)
            scores = {name: errors(model, getattr(test, name)) for name in ("exact", "detected")}
            record["runs"].append({"learning_rate": learning_rate, "dropout": dropout, **scores})
            figures = ", ".join(f"{name} {kind[MEAN]:.2f}" for name, kind in scores.items())
            print(f"baseline dropout {dropout:g}, {learning_rate:g}: {figures}")
            write_text(args.runs / "simple_baseline.json", json.dumps(record, indent=2) + "\n")
    return record


def train_ours(args: argparse.Namespace) -> Path:
    """The lifting recipe for as many samples, alignment included."""
    recipe = load_recipe("lifting", (f"data.root={args.data}",))
    align, joint = recipe.stage
    joint = joint.model_copy(update={"steps": (args.samples - align.samples) // joint.batch_size})
    out = args.runs / f"unihpe_{args.samples}"
    train_recipe(
        recipe.model_copy(update={"stage": (align, joint)}),
        out,
        resume=(out / "training.pt").exists(),
        half=True,
    )
    return out / "model.safetensors"


def ratios(ours: dict[str, dict[str, float]], baseline: dict[str, Any]) -> dict[str, Any]:
    """Our MPJPE over the best baseline's: with the published dropout, and of all runs."""
    found: dict[str, Any] = {"per_source": {}}
    for kind, scores in ours.items():
        for name, runs in (
            (
                f"mpjpe_ratio_{kind}",
                [run for run in baseline["runs"] if run["dropout"] == DROPOUTS[0]],
            ),
            (f"mpjpe_ratio_{kind}_tuned_dropout", baseline["runs"]),
        ):
            best = min((run[kind] for run in runs), key=lambda run: run[MEAN], default=None)
            found[name] = math.nan if best is None else scores[MEAN] / best[MEAN]
            for source in scores.keys() - {MEAN}:
                value = math.nan if best is None else scores[source] / best[source]
                found["per_source"].setdefault(source, {})[name] = value
        found[f"mpjpe_{kind}_mm"] = scores
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
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--checkpoint", type=Path, help="of the recipe, if it is not trained now")
    parser.add_argument(
        "--train", action="store_true", help="train the baselines and the recipe first"
    )
    parser.add_argument(
        "--samples", type=int, default=1_996_800, help="training samples of each model"
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
    test = read_test(args.data)
    baseline = train_baselines(args, test) if args.train else json.loads(BASELINE.read_text())
    if args.baseline_only:
        return write_text(args.json, json.dumps(baseline, indent=2) + "\n")
    checkpoint = train_ours(args) if args.train else args.checkpoint
    model, card = load_model(checkpoint)
    ours = {name: errors(point_of(model), getattr(test, name)) for name in ("exact", "detected")}
    print(
        f"MPJPE exact {ours['exact'][MEAN]:.2f} mm, detected {ours['detected'][MEAN]:.2f} mm",
        flush=True,
    )
    found = ratios(ours, baseline)
    matched = retrieval(model, test.exact)
    for source, figures in matched.pop("per_source").items():
        found["per_source"][source].update(figures)
    result = {
        **where(),
        "checkpoint": checkpoint.name,
        "training_samples": card.samples,
        "baseline_samples": baseline["samples"],
        **{key: value for key, value in found.items() if key != "per_source"},
        **matched,
        **speeds(model, test.exact, float(model.pose_scale)),
        **against_samplers(model, test.exact),
        "hypotheses": hypotheses(model, test),
        "per_source": found["per_source"],
    }
    write_text(args.json, json.dumps(result, indent=2) + "\n")
    for key in (
        "mpjpe_ratio_exact",
        "mpjpe_ratio_detected",
        "mpjpe_over_reference_sampler",
        "recall_at_1",
    ):
        print(f"{key}: {result[key]:.3f}")


if __name__ == "__main__":
    main()
