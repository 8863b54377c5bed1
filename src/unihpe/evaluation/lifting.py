"""Scoring a model on prepared people: errors by group, many hypotheses, retrieval, agreement of the embeddings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality, evenly_spaced
from unihpe.body.metrics import mpjpe, n_mpjpe, pa_mpjpe
from unihpe.body.mirror import mirrored_batch
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.diffusion.sampling import Sampler
from unihpe.evaluation.retrieval import cosines, retrieve
from unihpe.evaluation.rules import Rules, every_joint, scores
from unihpe.evaluation.words import Protocol
from unihpe.inference.answer import FLIP_TEST, Estimator
from unihpe.inference.hypotheses import geometric_median
from unihpe.model.unihpe import UniHPE

Report = dict[str, Any]
METRICS = {"MPJPE": mpjpe, "PA-MPJPE": pa_mpjpe, "N-MPJPE": n_mpjpe}
EVERY_JOINT = every_joint("")


@torch.no_grad()
def evaluate_lifting(
    model: UniHPE,
    batches: Iterable[Batch],
    protocol: Protocol,
    *,
    generator: torch.Generator,
    sampler: Sampler | None = None,
    samples: int = 0,
    gallery: int = 2000,
    skeleton: Skeleton,
    flip: bool = False,
    rules: Rules = EVERY_JOINT,
) -> Report:
    """2D → 3D over batches that carry 3D poses, as a report ready for JSON.

    Args:
        sampler: draws the hypotheses; needed where `samples` is above 0, and the point estimate of
            a decoder that has none.
        samples: hypotheses for each pose; adds their mean, geometric median and best. The best
            (marked *) needs ground
            truth: it is a bound, not a prediction.
        skeleton: the joints.
        flip: adds the flip test (`estimates.Estimator`).
        rules: which figures are measured, over which joints, and how they are averaged.
        gallery: people in the retrieval gallery: that many, evenly spread over the data; 0 leaves
            retrieval out.
    """
    rows: dict[str, list[Tensor]] = {}
    groups: list[str] = []
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    estimator = Estimator(model, skeleton, sampler, generator)
    for batch in batches:
        embedding = model.encode(batch, Modality.POSE_2D)
        guesses = lift(estimator, embedding, batch, samples, flip)
        guesses = {name: root_relative(guess, skeleton) for name, guess in guesses.items()}
        assert batch.pose is not None
        for name, guess in guesses.items():
            for label, values in scores(guess.cpu(), batch.pose.cpu(), skeleton, rules).items():
                rows.setdefault(f"{label} {name}", []).append(values)
        groups += batch.group
        kept.append((embedding, model.encode(batch, Modality.POSE_3D), batch.pose))
    errors = {name: torch.cat(parts) for name, parts in rows.items()}
    embedding_2d, embedding_3d, poses = (torch.cat(parts) for parts in zip(*kept, strict=True))
    matched, unmatched = cosines(embedding_2d, embedding_3d, generator)
    report: Report = {
        "protocol": protocol.model_dump(),
        "poses": len(groups),
        "errors_mm": {
            name: by_group(values, groups, rules.averaging) for name, values in errors.items()
        },
        "cosine_2d_3d": {"matched": matched, "unmatched": unmatched},
    }
    if gallery:
        chosen = evenly_spaced(len(poses), gallery)
        a, b, poses = embedding_2d[chosen], embedding_3d[chosen], poses[chosen]
        report["retrieval"] = {
            "2d→3d": asdict(retrieve(a, b, poses)),
            "3d→2d": asdict(retrieve(b, a, poses)),
        }
    return report


def lift(
    estimator: Estimator, embedding: Tensor, batch: Batch, samples: int, flip: bool
) -> dict[str, Tensor]:
    """Every answer asked for, by name: 2D embeddings (B, D) → poses (B, J, 3), mm."""
    source, target, box = Modality.POSE_2D, Modality.POSE_3D, batch.box_token
    model, sampler = estimator.model, estimator.sampler
    answers: dict[str, Tensor] = {}
    name = "point" if model.has_point_estimate(target) else "sample"
    if name == "sample" and sampler is None:
        return answers
    if flip:
        seen = model.encode(mirrored_batch(batch, estimator.skeleton), source)
        answers[name], answers[f"{name}, {FLIP_TEST}"] = estimator.beside_mirrored(
            embedding, (source, target), box, seen
        )
    else:
        answers[name] = estimator(embedding, (source, target), box)
    if samples and sampler is not None and model.can_be_sampled(target):
        drawn = model.sample(embedding, source, target, box, sampler, samples, estimator.generator)
        answers[f"mean of {samples}"] = drawn.mean(0)
        answers[f"median of {samples}"] = geometric_median(drawn)
        answers[f"best of {samples}*"] = best(drawn, batch)
    return answers


def best(samples: Tensor, batch: Batch) -> Tensor:
    """The sample (S, B, J, 3) nearest to the truth, by MPJPE: not a prediction, a bound."""
    assert batch.pose is not None
    seen = torch.isfinite(batch.pose).all(-1)
    chosen = mpjpe(samples, batch.pose.expand_as(samples), seen.expand(samples.shape[:-1])).argmin(
        0
    )  # (B,)
    return samples[chosen, torch.arange(samples.shape[1], device=samples.device)]


def by_group(values: Tensor, groups: list[str], averaging: str = "groups") -> dict[str, float]:
    """Mean of each group, and the plain mean over groups as "mean over groups", or over all poses as "mean over poses"."""
    means = {}
    for group in sorted(set(groups)):
        means[group] = float(values[torch.tensor([g == group for g in groups])].mean())
    if averaging == "poses":
        return {**means, "mean over poses": float(values.mean())}
    return {**means, "mean over groups": sum(means.values()) / len(means)}
