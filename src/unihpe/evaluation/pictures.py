"""Scoring a model on pictures: image to 3D and to 2D, beside lifting and fusion; retrieval and cosines of all pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import combinations, permutations
from typing import Any

import torch
from torch import Tensor

from unihpe.batch import Batch, Modality
from unihpe.boxes import from_box, side
from unihpe.data.prepare import root_relative
from unihpe.errors import InputError
from unihpe.evaluation.protocols import Protocol
from unihpe.evaluation.report import METRICS, Report, by_group
from unihpe.evaluation.retrieval import cosines, retrieve
from unihpe.metrics import epe_2d, pck_2d
from unihpe.nn.hrnet import soft_argmax
from unihpe.nn.unihpe import Sampler, UniHPE
from unihpe.skeleton import Skeleton

TABLE_3_SHARE = 0.05
THRESHOLDS = (0.05, 0.1, 0.2)  # of the box's larger side
NAMES = {Modality.IMAGE: "image", Modality.POSE_2D: "2d", Modality.POSE_3D: "3d"}


@torch.no_grad()
def evaluate_pictures(
    model: UniHPE,
    batches: Iterable[Batch],
    protocol: Protocol,
    *,
    skeleton: Skeleton,
    generator: torch.Generator,
    sampler: Sampler,
    gallery: int = 2000,
) -> Report:
    """Every path of a model with an image encoder, over batches with pictures, 2D and 3D; a report ready for JSON.

    EPE is in pixels of the full picture; PCK counts joints nearer than a share of the box's larger side, or, as in table 3, of a
    square 1.2 times as large as the person. "heat_maps" is the same from the heat maps, where there are any: table 3's HRNet rows.

    Args:
        sampler: makes the estimate where the decoder has no point estimate.

    Raises:
        InputError: for a model without an image encoder.
    """
    if model.image_encoder is None:
        raise InputError("this model has no image encoder; evaluate it on keypoints, such as --data motion")
    errors: dict[str, list[Tensor]] = {}
    flat: dict[str, list[Tensor]] = {}
    heat: dict[str, list[Tensor]] = {}
    kept: dict[Modality, list[Tensor]] = {modality: [] for modality in Modality}
    poses: list[Tensor] = []
    groups: list[str] = []
    for batch in batches:
        assert batch.pose is not None
        image, heatmaps = model.look(batch)
        poses_of = {modality: model.embed(batch, modality) for modality in (Modality.POSE_2D, Modality.POSE_3D)}
        embeddings = {Modality.IMAGE: image, **poses_of}
        for name, pose in answers(model, embeddings, batch, sampler, generator).items():
            for label, metric in METRICS.items():
                score = metric(root_relative(pose, skeleton).cpu(), batch.pose.cpu())
                errors.setdefault(f"{label} {name}", []).append(score)
        flat_estimate = estimate(
            model, embeddings[Modality.IMAGE], Modality.IMAGE, Modality.POSE_2D, batch, sampler, generator
        )
        for name, score in scores_2d(flat_estimate, batch).items():
            flat.setdefault(name, []).append(score)
        if heatmaps is not None:
            for name, score in scores_2d(soft_argmax(heatmaps), batch).items():
                heat.setdefault(name, []).append(score)
        for modality, embedding in embeddings.items():
            kept[modality].append(embedding.cpu())
        poses.append(batch.pose.cpu())
        groups += batch.group
    whole = {modality: torch.cat(parts) for modality, parts in kept.items()}
    return {
        "protocol": protocol.model_dump(),
        "poses": len(groups),
        "errors_mm": {name: by_group(torch.cat(parts), groups) for name, parts in errors.items()},
        "image_to_2d": {name: float(torch.cat(parts).mean()) for name, parts in flat.items()},
        "heat_maps": {name: float(torch.cat(parts).mean()) for name, parts in heat.items()},
        "cosine": pair_cosines(whole, generator),
        "retrieval": retrievals(whole, torch.cat(poses), gallery),
    }


def estimate(
    model: UniHPE,
    embedding: Tensor,
    source: Modality,
    target: Modality,
    batch: Batch,
    sampler: Sampler,
    generator: torch.Generator,
) -> Tensor:
    """The point estimate (B, J, C), mm or box units; one sample where the decoder has none."""
    if model.has_point_estimate(target):
        return model.estimate(embedding, source, target, batch.box_token)
    return model.sample(embedding, source, target, batch.box_token, sampler, 1, generator)[0]


def answers(
    model: UniHPE, embeddings: dict[Modality, Tensor], batch: Batch, sampler: Sampler, generator: torch.Generator
) -> dict[str, Tensor]:
    """3D from the picture, from the keypoints, and, where there are point estimates, from both: (B, J, 3), mm."""
    image, pose_2d, target = Modality.IMAGE, Modality.POSE_2D, Modality.POSE_3D
    found = {
        name: estimate(model, embeddings[source], source, target, batch, sampler, generator)
        for name, source in (("image", image), ("lifting", pose_2d))
    }
    if model.has_point_estimate(target):
        both = {modality: embeddings[modality] for modality in (image, pose_2d)}
        found["image and 2D"] = model.fuse(both, target, batch.box_token)
    return found


def scores_2d(points: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Image → 2D, box units (B, J, 2), scored in pixels of the full picture, (B,) each."""
    assert batch.box is not None
    found, truth = (from_box(x, batch.box).cpu() for x in (points, batch.keypoints))
    seen, size = (batch.confidence > 0).cpu(), side(batch.box).cpu()
    pck = {f"PCK@{share:g}": pck_2d(found, truth, size, share, seen) for share in THRESHOLDS}
    table_3 = pck_2d(found, truth, square(truth, seen), TABLE_3_SHARE, seen)
    return {"EPE px": epe_2d(found, truth, seen), **pck, f"PCK@{TABLE_3_SHARE:g}, table 3": table_3}


def square(keypoints: Tensor, seen: Tensor) -> Tensor:
    """The side of MMPose's box of each person, (N,) pixels: 1.2 times the larger extent of the seen joints; table 3's reference."""
    low = torch.where(seen[..., None], keypoints, torch.inf).amin(1)
    high = torch.where(seen[..., None], keypoints, -torch.inf).amax(1)
    return 1.2 * (high - low).amax(1)


def pair_cosines(embeddings: dict[Modality, Tensor], generator: torch.Generator) -> dict[str, dict[str, float]]:
    """Mean cosine of matched and of unmatched embeddings, for every pair of modalities (fig. 5)."""
    found = {}
    for a, b in combinations(Modality, 2):
        matched, unmatched = cosines(embeddings[a], embeddings[b], generator)
        found[f"{NAMES[a]}–{NAMES[b]}"] = {"matched": matched, "unmatched": unmatched}
    return found


def retrievals(embeddings: dict[Modality, Tensor], poses: Tensor, gallery: int) -> dict[str, Any]:
    """Retrieval in all six directions, among people evenly spread over the data."""
    if not gallery:
        return {}
    chosen = torch.linspace(0, len(poses) - 1, min(gallery, len(poses))).long()
    return {
        f"{NAMES[a]}→{NAMES[b]}": asdict(retrieve(embeddings[a][chosen], embeddings[b][chosen], poses[chosen]))
        for a, b in permutations(Modality, 2)
    }
