"""Scoring pictures: image to 3D and 2D, beside lifting and fusion; retrieval and cosines."""

from collections.abc import Iterable

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality
from unihpe.body.boxes import from_box, side
from unihpe.body.metrics import epe_2d, pck_2d
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.protocol import EVERY_JOINT, Words
from unihpe.diffusion.sampling import Sampler
from unihpe.errors import InputError
from unihpe.evaluation.lifting import Report, Tally
from unihpe.inference.answer import FUSED, HEAT_MAPS, Draw, answer
from unihpe.model.unihpe import UniHPE

TABLE_3_SHARE = 0.05
THRESHOLDS = (0.05, 0.1, 0.2)  # of the box's larger side
# An answer's estimates, as reports name them.
PATHS = {"image": "image", "2d": "lifting", FUSED: "image and 2D"}
FLAT_PATHS = {"image": "image_to_2d", HEAT_MAPS: "heat_maps"}


@torch.no_grad()
def evaluate_pictures(
    model: UniHPE,
    batches: Iterable[Batch],
    words: Words,
    *,
    skeleton: Skeleton,
    generator: torch.Generator,
    sampler: Sampler | None,
    gallery: int = 2000,
    flip: bool = False,
) -> Report:
    """Every path of a model with an image encoder, over batches with pictures, 2D and 3D.

    Joints that are NaN in the truth, of sets that lack them, do not count. EPE is in pixels of the
    full picture; PCK counts joints nearer than a share of the box's larger side, or, as in table 3,
    of a square 1.2 times as large as the person. "heat_maps" is the same from the heat maps, where
    there are any: table 3's HRNet rows. Arguments are those of `evaluate_lifting`.

    Raises:
        InputError: for a model without an image encoder.
    """
    if model.image_encoder is None:
        remedy = "evaluate it on keypoints, such as --data motion"
        raise InputError(f"this model has no image encoder; {remedy}")
    tally, draw = Tally(skeleton, EVERY_JOINT), Draw(sampler, generator)
    flat: dict[str, dict[str, list[Tensor]]] = {name: {} for name in FLAT_PATHS.values()}
    for batch in batches:
        made = answer(model, skeleton, batch, tuple(Modality), draw, flip=flip)
        estimates = {renamed(name, PATHS): pose for name, pose in made.poses.items()}
        tally.add(batch, made, estimates)
        for name, points in made.keypoints.items():
            rows = flat.setdefault(renamed(name, FLAT_PATHS), {})
            for label, score in scores_2d(points, batch).items():
                rows.setdefault(label, []).append(score)
    pairs, directions = tally.agreement(generator, gallery)
    return {
        "protocol": words,
        "poses": len(tally.groups),
        "errors_mm": tally.errors(),
        **{
            name: {label: float(torch.cat(parts).mean()) for label, parts in rows.items()}
            for name, rows in flat.items()
        },
        "cosine": pairs,
        "retrieval": directions,
    }


def renamed(name: str, names: dict[str, str]) -> str:
    """The name of an estimate, and the flip test behind it, in a report's words."""
    first, comma, rest = name.partition(",")
    return names[first] + comma + rest


def in_words(name: str) -> str:
    """A report's name of 2D estimates, for people to read."""
    return name.replace("image_to_2d", "image → 2D").replace("heat_maps", "heat maps")


def scores_2d(points: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Image → 2D, box units (B, J, 2), scored in pixels of the full picture, (B,) each."""
    assert batch.box is not None
    estimate, truth = (from_box(x, batch.box).cpu() for x in (points, batch.keypoints))
    seen, size = (batch.confidence > 0).cpu(), side(batch.box).cpu()
    pck = {f"PCK@{share:g}": pck_2d(estimate, truth, size, share, seen) for share in THRESHOLDS}
    table_3 = pck_2d(estimate, truth, square(truth, seen), TABLE_3_SHARE, seen)
    epe = epe_2d(estimate, truth, seen)
    return {"EPE px": epe, **pck, f"PCK@{TABLE_3_SHARE:g}, table 3": table_3}


def square(keypoints: Tensor, seen: Tensor) -> Tensor:
    """Table 3's reference, MMPose's box: 1.2 times the extent of the seen joints, (N,) pixels."""
    low = torch.where(seen[..., None], keypoints, torch.inf).amin(1)
    high = torch.where(seen[..., None], keypoints, -torch.inf).amax(1)
    return 1.2 * (high - low).amax(1)
