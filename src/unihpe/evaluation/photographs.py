"""Scoring image → 2D on photographs, of which nobody knows the 3D, beside one constant pose."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality
from unihpe.body.boxes import from_box
from unihpe.body.metrics import epe_2d, pck_2d
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.protocol import Words
from unihpe.diffusion.sampling import Sampler
from unihpe.errors import InputError
from unihpe.evaluation.lifting import Report
from unihpe.evaluation.pictures import FLAT_PATHS, THRESHOLDS, in_words, renamed
from unihpe.inference.answer import Draw, answer
from unihpe.model.unihpe import UniHPE

VISIBLE = 1.0  # confidence from which on a joint counts as seen; others are marked, but hidden
PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
LIMBS = [f"{side}_{part}" for side in ("left", "right") for part in PARTS]


@torch.no_grad()
def evaluate_photographs(
    model: UniHPE,
    batches: Iterable[Batch],
    words: Words,
    *,
    skeleton: Skeleton,
    reference: Tensor,
    sampler: Sampler,
    generator: torch.Generator,
    flip: bool = False,
) -> Report:
    """Image → 2D from the embedding, from the heat maps where there are any, and the mean pose.

    The mean pose is the mean of the evaluated people's own keypoints in their boxes: no constant
    answer knows more.

    Args:
        reference: PCK's length of each person, (people,), pixels: the annotated box's larger side.

    Raises:
        InputError: for a model without an image encoder.
    """
    if model.image_encoder is None:
        raise InputError("this model has no image encoder; photographs need one")
    columns, draw = [skeleton.index(joint) for joint in LIMBS], Draw(sampler, generator)
    estimates: dict[str, list[Tensor]] = {}
    truth, confidence, box = [], [], []
    for batch in batches:
        assert batch.box is not None
        targets = [Modality.POSE_2D]
        made = answer(model, skeleton, batch, [Modality.IMAGE], draw, targets=targets, flip=flip)
        for name, points in made.keypoints.items():
            row = in_words(renamed(name, FLAT_PATHS))
            estimates.setdefault(row, []).append(points[:, columns].cpu())
        truth.append(batch.keypoints[:, columns].cpu())
        confidence.append(batch.confidence[:, columns].cpu())
        box.append(batch.box.cpu())
    points, seen, boxes = torch.cat(truth), torch.cat(confidence), torch.cat(box)
    weight = (seen >= VISIBLE).float()[..., None]
    mean = (points * weight).sum(0) / weight.sum(0).clamp_min(1)
    rows = {name: torch.cat(parts) for name, parts in estimates.items()}
    rows["mean pose"] = mean.expand_as(points)

    def table(counted: Tensor) -> dict[str, dict[str, Any]]:
        return {name: scored(row, points, boxes, reference, counted) for name, row in rows.items()}

    return {
        "protocol": words,
        "people": len(points),
        "visible": table(seen >= VISIBLE),
        "marked": table(seen > 0),
    }


def scored(
    points: Tensor, truth: Tensor, box: Tensor, reference: Tensor, seen: Tensor
) -> dict[str, Any]:
    """Means over all joints (N, J) that are seen, of all people together: box units (N, J, 2)."""
    # (joints, 1, 2): each joint its own person to the metrics
    guess, target = (from_box(x, box)[seen][:, None] for x in (points, truth))
    size = reference[:, None].expand(seen.shape)[seen]
    pck = {f"PCK@{limit:g}": pck_2d(guess, target, size, limit) for limit in THRESHOLDS}
    means = {"EPE px": epe_2d(guess, target), **pck}
    return {"joints": len(guess), **{name: float(value.mean()) for name, value in means.items()}}
