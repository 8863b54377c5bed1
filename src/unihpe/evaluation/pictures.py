"""Scoring a model on pictures: image to 3D and to 2D, beside lifting and fusion; retrieval and cosines of all pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import combinations, permutations
from typing import Any

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality, evenly_spaced
from unihpe.body.boxes import from_box, side
from unihpe.body.metrics import epe_2d, pck_2d
from unihpe.body.mirror import mirrored_batch
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.diffusion.sampling import Sampler
from unihpe.errors import InputError
from unihpe.evaluation.lifting import METRICS, Report, by_group
from unihpe.evaluation.retrieval import cosines, retrieve
from unihpe.evaluation.words import Protocol
from unihpe.inference.answer import FLIP_TEST, Estimator, Way, fuse_beside_mirrored
from unihpe.model.heatmaps import soft_argmax
from unihpe.model.unihpe import UniHPE

TABLE_3_SHARE = 0.05
THRESHOLDS = (0.05, 0.1, 0.2)  # of the box's larger side


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
    flip: bool = False,
) -> Report:
    """Every path of a model with an image encoder, over batches with pictures, 2D and 3D; a report
    ready for JSON.

    Joints that are NaN in the truth, of sets that lack them, do not count.

    EPE is in pixels of the full picture; PCK counts joints nearer than a share of the box's larger
    side, or, as in table 3, of a square 1.2 times as large as the person. "heat_maps" is the same
    from the heat maps, where there are any: table 3's HRNet rows.

    Args:
        sampler: makes the estimate where the decoder has no point estimate.
        flip: adds the flip test (`estimates.Estimator`) of the pictures, of lifting and of both; of
            heat maps it is the mean of both maps.

    Raises:
        InputError: for a model without an image encoder.
    """
    if model.image_encoder is None:
        raise InputError(
            "this model has no image encoder; evaluate it on keypoints, such as --data motion"
        )
    estimator = Estimator(model, skeleton, sampler, generator)
    errors: dict[str, list[Tensor]] = {}
    flat: dict[str, dict[str, list[Tensor]]] = {"image_to_2d": {}, "heat_maps": {}}
    kept: dict[Modality, list[Tensor]] = {modality: [] for modality in Modality}
    poses: list[Tensor] = []
    groups: list[str] = []
    for batch in batches:
        assert batch.pose is not None
        truth = batch.pose.cpu()
        seen = torch.isfinite(truth).all(-1)
        image, heatmaps = model.encode_image(batch)
        poses_of = {
            modality: model.encode(batch, modality)
            for modality in (Modality.POSE_2D, Modality.POSE_3D)
        }
        embeddings = {Modality.IMAGE: image, **poses_of}
        again = look_again(model, batch, skeleton) if flip else None
        for name, pose in answers(estimator, embeddings, batch, again).items():
            for label, metric in METRICS.items():
                score = metric(root_relative(pose, skeleton).cpu(), truth, seen)
                errors.setdefault(f"{label} {name}", []).append(score)
        for name, points in answers_2d(estimator, image, heatmaps, batch, again).items():
            for label, score in scores_2d(points, batch).items():
                flat.setdefault(name, {}).setdefault(label, []).append(score)
        for modality, embedding in embeddings.items():
            kept[modality].append(embedding.cpu())
        poses.append(truth)
        groups += batch.group
    whole = {modality: torch.cat(parts) for modality, parts in kept.items()}
    return {
        "protocol": protocol.model_dump(),
        "poses": len(groups),
        "errors_mm": {name: by_group(torch.cat(parts), groups) for name, parts in errors.items()},
        **{
            name: {label: float(torch.cat(parts).mean()) for label, parts in rows.items()}
            for name, rows in flat.items()
        },
        "cosine": pair_cosines(whole, generator),
        "retrieval": retrievals(whole, torch.cat(poses), gallery),
    }


@dataclass(frozen=True)
class Again:
    """What a model makes of the mirrored people: embeddings (B, D), and heat maps where it has any."""

    embeddings: dict[Modality, Tensor]
    heatmaps: Tensor | None


def look_again(model: UniHPE, batch: Batch, skeleton: Skeleton) -> Again:
    """The embeddings of the mirrored pictures and keypoints; heat maps as they would be of the picture itself."""
    seen = mirrored_batch(batch, skeleton)
    image, heatmaps = model.encode_image(seen)
    if heatmaps is not None:
        heatmaps = heatmaps[:, list(skeleton.mirror)].flip(-1)
    return Again(
        {Modality.IMAGE: image, Modality.POSE_2D: model.encode(seen, Modality.POSE_2D)}, heatmaps
    )


def both(
    estimator: Estimator, name: str, way: Way, embedding: Tensor, batch: Batch, again: Again | None
) -> dict[str, Tensor]:
    """The answer by its name, and its flip test where the mirrored people are given."""
    if again is None:
        return {name: estimator(embedding, way, batch.box_token)}
    plain, mean = estimator.beside_mirrored(
        embedding, way, batch.box_token, again.embeddings[way[0]]
    )
    return {name: plain, f"{name}, {FLIP_TEST}": mean}


def answers(
    estimator: Estimator, embeddings: dict[Modality, Tensor], batch: Batch, again: Again | None
) -> dict[str, Tensor]:
    """3D from the picture, from the keypoints, and, where there are point estimates, from both: (B, J, 3), mm."""
    image, pose_2d, target = Modality.IMAGE, Modality.POSE_2D, Modality.POSE_3D
    found: dict[str, Tensor] = {}
    for name, source in (("image", image), ("lifting", pose_2d)):
        found |= both(estimator, name, (source, target), embeddings[source], batch, again)
    if estimator.model.has_point_estimate(target):
        found["image and 2D"] = fused = estimator.model.fuse(
            {kind: embeddings[kind] for kind in (image, pose_2d)}, target, batch.box_token
        )
        if again is not None:
            found[f"image and 2D, {FLIP_TEST}"] = fuse_beside_mirrored(
                estimator.model,
                estimator.skeleton,
                target,
                batch.box_token,
                fused,
                again.embeddings,
            )
    return found


def answers_2d(
    estimator: Estimator, image: Tensor, heatmaps: Tensor | None, batch: Batch, again: Again | None
) -> dict[str, Tensor]:
    """2D in box units, (B, J, 2): decoded from the picture's embedding, and the heat maps' own."""
    found = both(estimator, "image_to_2d", (Modality.IMAGE, Modality.POSE_2D), image, batch, again)
    if heatmaps is not None:
        found["heat_maps"] = soft_argmax(heatmaps)
        if again is not None:
            assert again.heatmaps is not None
            found[f"heat_maps, {FLIP_TEST}"] = soft_argmax((heatmaps + again.heatmaps) / 2)
    return found


def in_words(name: str) -> str:
    """The name of an answer of `answers_2d`, for people to read."""
    return name.replace("image_to_2d", "image → 2D").replace("heat_maps", "heat maps")


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


def pair_cosines(
    embeddings: dict[Modality, Tensor], generator: torch.Generator
) -> dict[str, dict[str, float]]:
    """Mean cosine of matched and of unmatched embeddings, for every pair of modalities (fig. 5)."""
    found = {}
    for a, b in combinations(Modality, 2):
        matched, unmatched = cosines(embeddings[a], embeddings[b], generator)
        found[f"{a.label}–{b.label}"] = {"matched": matched, "unmatched": unmatched}
    return found


def retrievals(embeddings: dict[Modality, Tensor], poses: Tensor, gallery: int) -> dict[str, Any]:
    """Retrieval in all six directions, among people evenly spread over the data."""
    if not gallery:
        return {}
    chosen = evenly_spaced(len(poses), gallery)
    return {
        f"{a.label}→{b.label}": asdict(
            retrieve(embeddings[a][chosen], embeddings[b][chosen], poses[chosen])
        )
        for a, b in permutations(Modality, 2)
    }
