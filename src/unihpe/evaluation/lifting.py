"""Scoring 2D → 3D: errors by group, many hypotheses, retrieval, agreement of the embeddings."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality, evenly_spaced
from unihpe.body.metrics import mpjpe
from unihpe.body.prepare import prepare, root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.protocol import EVERY_JOINT, Protocol, Words
from unihpe.datasets.source import Source
from unihpe.diffusion.sampling import Sampler
from unihpe.evaluation.retrieval import pair_cosines, retrievals
from unihpe.evaluation.scores import scores
from unihpe.inference.answer import Answer, Draw, answer
from unihpe.model.error_head import SHARES
from unihpe.model.unihpe import UniHPE

EVALUATION_BATCH = 2048  # people; a detector's noise is drawn batch by batch: scores depend on it
Report = dict[str, Any]  # ready for JSON


def prepared(
    source: Source, generator: torch.Generator, device: str, focal_known: bool = True, most: int = 0
) -> Iterator[Batch]:
    """The people of a source, or `most` of them evenly spaced, in batches, in order."""
    joints, unknown = source.skeleton, 0.0 if focal_known else 1.0
    for rows in evenly_spaced(len(source), most or len(source)).split(EVALUATION_BATCH):
        frames = source.read(rows, generator)
        yield prepare(frames, joints, generator=generator, unknown_focal=unknown).to(device)


class Tally:
    """Errors, embeddings and true poses of people who come in batches."""

    def __init__(self, skeleton: Skeleton, protocol: Protocol) -> None:
        self.skeleton, self.protocol = skeleton, protocol
        self.groups: list[str] = []
        self.poses: list[Tensor] = []
        self.embeddings: dict[Modality, list[Tensor]] = defaultdict(list)
        self.values: dict[str, list[Tensor]] = defaultdict(list)
        self.covered: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, batch: Batch, made: Answer, estimates: Mapping[str, Tensor]) -> None:
        """One batch, its answer, and what of it is scored: poses (B, J, 3), mm, by name."""
        assert batch.pose is not None
        truth = batch.pose.cpu()
        for name, pose in estimates.items():
            for figure, values in scores(pose.cpu(), truth, self.skeleton, self.protocol).items():
                self.values[f"{figure} {name}"].append(values)
        if made.radii is not None:
            point = next(iter(estimates.values())).cpu()
            for share, within in zip(SHARES, self.within(point, truth, made.radii), strict=True):
                self.covered[f"{share:.0%}"].append(within)
        for kind, embedding in made.embeddings.items():
            self.embeddings[kind].append(embedding.cpu())
        self.poses.append(truth)
        self.groups += batch.group

    def errors(self) -> dict[str, dict[str, float]]:
        """Means of each figure by group, and over all."""
        groups, averaging = self.groups, self.protocol.averaging
        return {n: by_group(torch.cat(x), groups, averaging) for n, x in self.values.items()}

    def within(self, pose: Tensor, truth: Tensor, radii: Tensor) -> Tensor:
        """The share of each person's joints that lie within their radii (N, J, 2): (2, N). The root
        is left out, which is where it is."""
        error = (root_relative(pose, self.skeleton) - truth).norm(dim=-1)
        counts = torch.isfinite(error)
        if self.skeleton.root:
            counts[:, self.skeleton.index(self.skeleton.root)] = False
        inside = (error[..., None] <= radii.cpu()) & counts[..., None]
        return torch.div(inside.sum(1), counts.sum(1, keepdim=True).clamp_min(1)).mT

    def coverage(self) -> dict[str, dict[str, float]]:
        """The shares of joints within the stated radii, by what was stated and by group."""
        averaging = self.protocol.averaging
        return {n: by_group(torch.cat(x), self.groups, averaging) for n, x in self.covered.items()}

    def agreement(self, generator: torch.Generator, gallery: int) -> tuple[Report, Report]:
        """Cosines of all pairs of modalities, and retrieval in all directions."""
        whole = {kind: torch.cat(parts) for kind, parts in self.embeddings.items()}
        return pair_cosines(whole, generator), retrievals(whole, torch.cat(self.poses), gallery)


@torch.no_grad()
def evaluate_lifting(
    model: UniHPE,
    batches: Iterable[Batch],
    words: Words,
    *,
    generator: torch.Generator,
    sampler: Sampler | None = None,
    samples: int = 0,
    gallery: int = 2000,
    skeleton: Skeleton,
    flip: bool = False,
    protocol: Protocol = EVERY_JOINT,
) -> Report:
    """2D → 3D over batches that carry 3D poses.

    Args:
        sampler: draws the hypotheses; needed where `samples` is above 0, and for the estimate of a
            decoder that has no point estimate.
        samples: hypotheses for each pose; adds their mean, geometric median and best. The best
            (marked *) needs ground truth: it is a bound, not a prediction.
        flip: adds the flip test.
        protocol: which figures are measured, over which joints, and how they are averaged.
        gallery: people among whom is retrieved, evenly spaced over the data; 0 leaves it out.
    """
    tally, draw = Tally(skeleton, protocol), Draw(sampler, generator, samples, alike=False)
    kinds, target = (Modality.POSE_2D, Modality.POSE_3D), Modality.POSE_3D
    kind = "point" if model.has_point_estimate(target) else "sample"
    for batch in batches:
        made = answer(model, skeleton, batch, kinds, draw, targets=[target], flip=flip)
        estimates = {name.replace("2d", kind): pose for name, pose in made.poses.items()}
        if (drawn := made.hypotheses) is not None:
            middle = {"mean of": drawn.mean(0), "median of": _geometric_median(drawn)}
            estimates |= {f"{name} {samples}": pose for name, pose in middle.items()}
            estimates[f"best of {samples}*"] = _best(drawn, batch)
        tally.add(batch, made, estimates)
    pairs, directions = tally.agreement(generator, gallery)
    return {
        "protocol": words,
        "poses": len(tally.groups),
        "errors_mm": tally.errors(),
        **({"within_stated": coverage} if (coverage := tally.coverage()) else {}),
        "cosine_2d_3d": pairs["2d–3d"],
        **({"retrieval": directions} if gallery else {}),
    }


def _geometric_median(samples: Tensor, iterations: int = 20, floor: float = 1e-3) -> Tensor:
    """The point with the least summed distance to the samples: (S, ..., C) → (..., C).

    It minimises the expected MPJPE as the mean minimises the expected squared error. Weiszfeld's
    iteration from the mean; `floor`, in the samples' unit, keeps its weights finite.
    """
    median = samples.mean(0)
    for _ in range(iterations):
        weight = 1 / (samples - median).norm(dim=-1, keepdim=True).clamp_min(floor)
        median = (weight * samples).sum(0) / weight.sum(0)
    return median


def _best(samples: Tensor, batch: Batch) -> Tensor:
    """The sample (S, B, J, 3) nearest to the truth, by MPJPE: not a prediction, a bound."""
    assert batch.pose is not None
    seen = torch.isfinite(batch.pose).all(-1).expand(samples.shape[:-1])
    nearest = mpjpe(samples, batch.pose.expand_as(samples), seen).argmin(0)  # (B,)
    return samples[nearest, torch.arange(samples.shape[1], device=samples.device)]


def by_group(values: Tensor, groups: Sequence[str], averaging: str = "groups") -> dict[str, float]:
    """The mean of each group; and the plain "mean over groups", or the "mean over poses"."""
    rows = {group: [g == group for g in groups] for group in sorted(set(groups))}
    means = {group: float(values[torch.tensor(own)].mean()) for group, own in rows.items()}
    whole = float(values.mean()) if averaging == "poses" else sum(means.values()) / len(means)
    return {**means, f"mean over {averaging}": whole}
