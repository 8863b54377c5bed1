"""Scoring image → 2D on photographs, whose 3D nobody knows: PCK and EPE beside what one constant pose reaches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from unihpe.body.batch import Batch
from unihpe.body.boxes import from_box
from unihpe.body.metrics import epe_2d, pck_2d
from unihpe.body.skeleton import Skeleton
from unihpe.diffusion.sampling import Sampler
from unihpe.errors import InputError
from unihpe.evaluation.lifting import Report
from unihpe.evaluation.pictures import THRESHOLDS, answers_2d, in_words, look_again
from unihpe.evaluation.words import Protocol
from unihpe.inference.answer import Estimator
from unihpe.model.unihpe import UniHPE

LIMBS = [
    f"{side}_{part}"
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]


@torch.no_grad()
def evaluate_photographs(
    model: UniHPE,
    batches: Iterable[Batch],
    protocol: Protocol,
    *,
    skeleton: Skeleton,
    reference: Tensor,
    visible: float,
    sampler: Sampler,
    generator: torch.Generator,
    flip: bool = False,
) -> Report:
    """Image → 2D from the embedding, from the heat maps where there are any, and the mean pose; a
    report ready for JSON.

    The mean pose is the mean of the evaluated people's own keypoints in their boxes: no constant
    answer knows more.

    Args:
        reference: (people,), pixels: PCK's length of each person, the larger side of the annotated
            box.
        sampler: makes the estimate where the decoder has no point estimate.
        flip: adds the flip test, as `evaluate_pictures` does.
        visible: the confidence from which on a joint counts as seen; joints below it are scored in
            a figure of their own.

    Raises:
        InputError: for a model without an image encoder.
    """
    if model.image_encoder is None:
        raise InputError("this model has no image encoder; photographs need one")
    estimator = Estimator(model, skeleton, sampler, generator)
    columns = [skeleton.index(joint) for joint in LIMBS]
    found: dict[str, list[Tensor]] = {}
    truth, confidence, box = [], [], []
    for batch in batches:
        assert batch.box is not None
        again = look_again(model, batch, skeleton) if flip else None
        for name, points in answers_2d(estimator, *model.encode_image(batch), batch, again).items():
            found.setdefault(in_words(name), []).append(points[:, columns].cpu())
        truth.append(batch.keypoints[:, columns].cpu())
        confidence.append(batch.confidence[:, columns].cpu())
        box.append(batch.box.cpu())
    points, seen, boxes = torch.cat(truth), torch.cat(confidence), torch.cat(box)
    weight = (seen >= visible).float()[..., None]
    mean = (points * weight).sum(0) / weight.sum(0).clamp_min(1)
    rows = {name: torch.cat(parts) for name, parts in found.items()} | {
        "mean pose": mean.expand_as(points)
    }
    return {
        "protocol": protocol.model_dump(),
        "people": len(points),
        "visible": {
            name: scored(row, points, boxes, reference, seen >= visible)
            for name, row in rows.items()
        },
        "marked": {
            name: scored(row, points, boxes, reference, seen > 0) for name, row in rows.items()
        },
    }


def scored(
    points: Tensor, truth: Tensor, box: Tensor, reference: Tensor, seen: Tensor
) -> dict[str, Any]:
    """Means over all joints that are seen, of all people together: box units (N, J, 2), seen (N, J)."""
    guess, there = (
        from_box(x, box)[seen] for x in (points, truth)
    )  # (joints, 2): each its own person to the metrics
    size = reference[:, None].expand(seen.shape)[seen]
    pck = {
        f"PCK@{limit:g}": pck_2d(guess[:, None], there[:, None], size, limit)
        for limit in THRESHOLDS
    }
    scores = {"EPE px": epe_2d(guess[:, None], there[:, None]), **pck}
    return {"joints": len(guess), **{name: float(value.mean()) for name, value in scores.items()}}
