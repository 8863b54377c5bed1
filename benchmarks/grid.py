"""Decoders and encoders side by side at equal numbers of samples: tables of docs/results.md.

    python benchmarks/grid.py parametrisations --checkpoint RUN --json parametrisations.json
    python benchmarks/grid.py architectures --json architectures.json     # table 4; resumable

`parametrisations` trains decoders alone, on cached embeddings of the frozen 2D encoder of a
`lifting` run; every variant sees the same embeddings, poses and noise. `architectures` trains whole
models.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lifting import DATA, MEAN, MORE, Tests, errors, point_of, read_tests, where
from torch import Tensor

from unihpe.body.batch import Batch, Modality, chosen, evenly_spaced
from unihpe.body.metrics import mpjpe
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.settings import Part, open_source
from unihpe.diffusion.parametrisation import Prediction, allowed
from unihpe.diffusion.sampling import build_sampler
from unihpe.diffusion.sde import PathKind, build_path
from unihpe.evaluation.lifting import by_group
from unihpe.io.files import write_text
from unihpe.model.build import DecoderSettings, EncoderSettings, build_decoder, load_model
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe, load_recipe
from unihpe.runs.train import train_recipe
from unihpe.settings import parse
from unihpe.training.objective import decoding_losses
from unihpe.training.stage import Decoding, Stage
from unihpe.training.streams import training_stream

PATHS: tuple[PathKind, ...] = ("sub_vp", "vp", "ve", "linear")
# Poses of the test split, evenly spread: for points, samples, 1000-step samples.
EVALUATED, SAMPLED, SLOWLY = 4000, 1000, 200
HYPOTHESES = 10
ALIGN_STEPS = 10  # of whole models; short, since a transformer takes minutes for each ten
POINTS = {"none": 0.0, "distance": 2.0}  # weight of the point term, by its kind
ENCODERS = {
    "mlp": (EncoderSettings(kind="mlp", width=1024, depth=3, dropout=0.0), 2e-3),
    "transformer": (EncoderSettings(kind="transformer", dropout=0.0), 5e-4),
}


def spread(batch: Batch, count: int) -> Batch:
    """Some people, evenly spread."""
    return chosen(batch, evenly_spaced(len(batch), count))


@torch.no_grad()
def sampled(model: UniHPE, test: Batch) -> dict[str, float]:
    """MPJPE of samples, mm, mean over sources: DPM-Solver++ (11 steps), Euler–Maruyama (1000)."""
    found = {}
    for name, people, samples in (
        ("dpm-solver++", SAMPLED, HYPOTHESES),
        ("euler-maruyama", SLOWLY, 1),
    ):
        batch, generator = spread(test, people), torch.Generator().manual_seed(0)
        sampler = build_sampler(name, 0, generator)
        embedding = model.encode(batch, Modality.POSE_2D)
        path = (Modality.POSE_2D, Modality.POSE_3D)
        drawn = model.sample(embedding, *path, batch, sampler, samples, generator)
        scored = {f"one {name} sample": drawn[0]} | (
            {f"mean of {samples}": drawn.mean(0)} if samples > 1 else {}
        )
        for label, pose in scored.items():
            assert batch.pose is not None
            found[label] = by_group(mpjpe(pose, batch.pose), list(batch.group))[MEAN]
    return found


def scores(model: UniHPE, tests: Tests) -> dict[str, float]:
    """What a model's 3D decoder can do, mm, 2D exact."""
    part = spread(tests["exact"], EVALUATED)
    found = {}
    if model.has_point_estimate(Modality.POSE_3D):
        found["point"] = errors(point_of(model), part)[MEAN]
    if not model.can_be_sampled(Modality.POSE_3D):
        return found
    return {**found, **sampled(model, tests["exact"])}


def parametrisations(args: argparse.Namespace) -> dict[str, Any]:
    """Every well-posed pair of path and prediction, with and without a point term; the MLP."""
    model, card = load_model(args.checkpoint)
    recipe = parse(Recipe, card.recipe, str(args.checkpoint))
    draw = training_stream(
        open_source(
            recipe.data.model_copy(update={"root": str(args.data)}), Part("train", training=True)
        ),
        recipe.data,
    )
    cached = cache(model, draw, args.steps, args.batch)
    tests = read_tests(args.data, MORE)
    result: dict[str, Any] = {**where(), "samples": args.steps * args.batch, "rows": []}
    pairs: Sequence[tuple[str, PathKind, Prediction]] = [
        ("diffusion", path, prediction)
        for path in PATHS
        for prediction in allowed(build_path(path))
    ]
    for kind, path, prediction in [("mlp", PATHS[0], "epsilon"), *pairs]:
        for point, weight in POINTS.items():
            if point != "none" and (kind == "mlp" or prediction == "epsilon" or path == "vp"):
                continue
            settings = DecoderSettings(
                kind=kind, width=args.width, path=path, prediction=prediction
            )
            torch.manual_seed(0)
            model.decoder_3d = build_decoder(
                settings, (len(get_skeleton(recipe.data.skeleton)), 3), recipe.model.embedding
            )
            term = "distance" if point == "distance" else "square"
            fit(
                model,
                cached,
                Decoding(source="pose_2d", target="pose_3d", point=weight, point_loss=term),
            )
            name = "MLP, mean square" if kind == "mlp" else f"{path} {prediction}"
            result["rows"].append(
                {"decoder": name, "point term": point, **scores(model.eval(), tests)}
            )
            print(result["rows"][-1], flush=True)
            write_text(args.json, json.dumps(result, indent=2) + "\n")
    return result


def cache(model: UniHPE, draw: Any, steps: int, size: int) -> list[tuple[Tensor, Batch]]:
    """Batches of the training stream with the frozen encoder's embeddings, float16."""
    cached = []
    with torch.no_grad():
        for step in range(steps):
            batch = draw(size, torch.Generator().manual_seed(1_000_000 + step))
            cached.append((model.encode(batch, Modality.POSE_2D).half(), batch))
    return cached


def fit(model: UniHPE, cached: list[tuple[Tensor, Batch]], decoding: Decoding) -> None:
    """Train the 3D decoder for one pass, AdamW 1e-3, warm-up and cosine."""
    stage = Stage(
        name="decoder", steps=len(cached), batch_size=len(cached[0][1]), embedding_dropout=0.0
    )
    optimiser = torch.optim.AdamW(model.decoder_3d.parameters(), lr=1e-3, weight_decay=0.0)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1e-3, total_steps=len(cached), pct_start=0.05, cycle_momentum=False
    )
    model.decoder_3d.train()
    for step, (embedding, batch) in enumerate(cached):
        generator = torch.Generator().manual_seed(step)
        total = sum(
            decoding_losses(model, batch, embedding.float(), decoding, stage, generator).values(),
            torch.zeros(()),
        )
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.decoder_3d.parameters(), 1.0)
        optimiser.step()
        rate.step()


def architectures(args: argparse.Namespace) -> dict[str, Any]:
    """Table 4, whole models: MLP and transformer 2D encoders with MLP and diffusion decoders."""
    tests = read_tests(args.data, MORE)
    result: dict[str, Any] = {**where(), "rows": []}
    base = load_recipe("lifting", (f"data.root={args.data}",))
    for encoder, (settings, learning_rate) in ENCODERS.items():
        for decoder in ("mlp", "diffusion"):
            align, joint = base.stage
            align = align.model_copy(update={"steps": ALIGN_STEPS})
            joint = joint.model_copy(update={"steps": args.steps, "learning_rate": learning_rate})
            decoders = {
                f"decoder_{d}d": getattr(base.model, f"decoder_{d}d").model_copy(
                    update={"kind": decoder}
                )
                for d in (2, 3)
            }
            parts = base.model.model_copy(update={"encoder_2d": settings, **decoders})
            recipe = base.model_copy(update={"model": parts, "stage": (align, joint)})
            out, begin = args.runs / f"{encoder}_{decoder}_{args.steps}", time.time()
            model, progress = train_recipe(recipe, out, resume=(out / "training.pt").exists())
            model.eval()
            detected = errors(point_of(model), spread(tests["detected"], EVALUATED))[MEAN]
            row = {
                "2D encoder": encoder,
                "decoder": decoder,
                **scores(model, tests),
                "point, 2D detected": detected,
            }
            result["samples"] = progress.samples
            result["rows"].append({**row, "minutes": round((time.time() - begin) / 60, 1)})
            print(result["rows"][-1], flush=True)
            write_text(args.json, json.dumps(result, indent=2) + "\n")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("parametrisations", "architectures"))
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--data", type=Path, default=DATA, help="the motion npz (docs/data.md)")
    parser.add_argument("--checkpoint", type=Path, help="parametrisations: whose encoder is frozen")
    parser.add_argument(
        "--steps", type=int, default=1000, help="of the decoder, or of the joint stage"
    )
    parser.add_argument(
        "--batch", type=int, default=256, help="embeddings a step (parametrisations)"
    )
    parser.add_argument("--width", type=int, default=512, help="of the decoder (parametrisations)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/architectures"), help="where whole models go"
    )
    args = parser.parse_args()
    if args.what == "parametrisations" and args.checkpoint is None:
        parser.error(
            "parametrisations need --checkpoint, a run of the recipe lifting (unihpe train lifting)"
        )
    (parametrisations if args.what == "parametrisations" else architectures)(args)


if __name__ == "__main__":
    main()
