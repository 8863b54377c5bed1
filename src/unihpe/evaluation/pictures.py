"""Scoring pictures: image → 3D and 2D beside lifting and fusion; retrieval and cosines.

Of photographs nobody knows the 3D: there image → 2D is scored, beside one constant pose.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality
from unihpe.body.boxes import extent, from_box, side
from unihpe.body.metrics import epe_2d, pck_2d
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.protocol import EVERY_JOINT, LIMBS, Words
from unihpe.diffusion.sampling import Sampler
from unihpe.errors import InputError
from unihpe.evaluation.lifting import Report, Tally
from unihpe.inference.answer import FUSED, HEAT_MAPS, Draw, answer
from unihpe.model.unihpe import UniHPE

TABLE_3_SHARE = 0.05
NOBODY = "nobody to evaluate: the batches are empty"
THRESHOLDS = (0.05, 0.1, 0.2)  # of the box's larger side
VISIBLE = 1.0  # confidence from which on a joint counts as seen; others are marked, but hidden
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
    there are any: table 3's HRNet rows. Arguments are those of `evaluate_lifting`. InputError
    for a model without an image encoder.
    """
    if model.image_encoder is None:
        raise InputError("this model has no image encoder; evaluate keypoints (--data motion)")
    tally, draw = Tally(skeleton, EVERY_JOINT), Draw(sampler, generator)
    flat: dict[str, list[dict[str, Tensor]]] = {name: [] for name in FLAT_PATHS.values()}
    for batch in batches:
        made = answer(model, skeleton, batch, tuple(Modality), draw, flip=flip)
        tally.add(batch, made, {_renamed(name, PATHS): pose for name, pose in made.poses.items()})
        for name, points in made.keypoints.items():
            flat.setdefault(_renamed(name, FLAT_PATHS), []).append(_scores_2d(points, batch))
    if not tally.groups:
        raise InputError(NOBODY)
    pairs, directions = tally.agreement(generator, gallery)
    return {
        "protocol": words,
        "poses": len(tally.groups),
        "errors_mm": tally.errors(),
        **{name: _means(parts) for name, parts in flat.items()},
        "cosine": pairs,
        "retrieval": directions,
    }


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
    answer knows more. PCK's lengths are `reference` (people,), pixels: the larger sides of the
    annotated boxes. InputError for a model without an image encoder.
    """
    if model.image_encoder is None:
        raise InputError("this model has no image encoder; photographs need one")
    columns, draw = [skeleton.index(joint) for joint in LIMBS], Draw(sampler, generator)
    estimates: dict[str, list[Tensor]] = defaultdict(list)
    truth, kinds, targets = [], [Modality.IMAGE], [Modality.POSE_2D]
    for batch in batches:
        assert batch.box is not None
        made = answer(model, skeleton, batch, kinds, draw, targets=targets, flip=flip)
        for name, points in made.keypoints.items():
            estimates[in_words(_renamed(name, FLAT_PATHS))].append(points[:, columns].cpu())
        own = batch.keypoints[:, columns], batch.confidence[:, columns], batch.box
        truth.append([x.cpu() for x in own])
    if not truth:
        raise InputError(NOBODY)
    points, seen, boxes = (torch.cat(part) for part in zip(*truth, strict=True))
    weight = (seen >= VISIBLE).float()[..., None]
    mean = (points * weight).sum(0) / weight.sum(0).clamp_min(1)
    rows = {name: torch.cat(parts) for name, parts in estimates.items()}
    rows["mean pose"] = mean.expand_as(points)
    tables: Report = {"protocol": words, "people": len(points)}
    for table, counted in {"visible": seen >= VISIBLE, "marked": seen > 0}.items():
        size = reference[:, None].expand(seen.shape)[counted]
        # (joints, 1, 2): each joint its own person to the metrics
        target = from_box(points, boxes)[counted][:, None]
        guesses = {name: from_box(row, boxes)[counted][:, None] for name, row in rows.items()}
        scored = {name: _means([_errors_2d(x, target, size)]) for name, x in guesses.items()}
        tables[table] = {name: {"joints": len(target), **row} for name, row in scored.items()}
    return tables


def _renamed(name: str, names: dict[str, str]) -> str:
    """The name of an estimate, and the flip test behind it, in a report's words."""
    first = name.partition(",")[0]
    return names[first] + name.removeprefix(first)


def in_words(name: str) -> str:
    """A report's name of 2D estimates, for people to read."""
    return name.replace("image_to_2d", "image → 2D").replace("heat_maps", "heat maps")


def _scores_2d(points: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Image → 2D, box units (B, J, 2), scored in pixels of the full picture, (B,) each."""
    assert batch.box is not None
    estimate, truth = (from_box(x, batch.box).cpu() for x in (points, batch.keypoints))
    seen, size = (batch.confidence > 0).cpu(), side(batch.box).cpu()
    table_3 = pck_2d(estimate, truth, _square(truth, seen), TABLE_3_SHARE, seen)
    own = _errors_2d(estimate, truth, size, seen)
    return {**own, f"PCK@{TABLE_3_SHARE:g}, table 3": table_3}


def _errors_2d(
    guess: Tensor, truth: Tensor, size: Tensor, seen: Tensor | None = None
) -> dict[str, Tensor]:
    """EPE and PCK of each person, (N,); keypoints (N, J, 2) and PCK's lengths (N,) in pixels."""
    pck = {f"PCK@{share:g}": pck_2d(guess, truth, size, share, seen) for share in THRESHOLDS}
    return {"EPE px": epe_2d(guess, truth, seen), **pck}


def _means(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """The mean of each score over all parts; {} of none."""
    labels = parts[0] if parts else {}
    return {label: float(torch.cat([part[label] for part in parts]).mean()) for label in labels}


def _square(keypoints: Tensor, seen: Tensor) -> Tensor:
    """Table 3's reference, MMPose's box: 1.2 times the extent of the seen joints, (N,) pixels."""
    low, high = extent(keypoints, seen)
    return 1.2 * (high - low).amax(1)
