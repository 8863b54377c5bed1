"""Scores during training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from unihpe.datasets import get_data_set
from unihpe.datasets.settings import Part, open_source
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError
from unihpe.evaluation.lifting import evaluate_lifting, prepared
from unihpe.evaluation.pictures import evaluate_pictures
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe
from unihpe.training.loop import Scores

VALIDATED = 400  # people with pictures, each time a model is validated
HELD_OUT = 4000  # people of a held-out part, likewise
MEAN = "mean over groups"


def validation(recipe: Recipe, device: str) -> Callable[[UniHPE], Scores] | None:
    """Scores on the part of [data] that is held out, or on its validation split.

    None where there is neither, or no 3D. Motion capture is seen with exact 2D; recorded sets have
    the 2D that they are trained on, and [[mix]] takes no part. MPJPE and cosines of every path:
    lifting alone without pictures; with them image → 3D too, on at most 400 people. InputError for
    a validation part that is there and cannot be read, or a held-out one that is empty.
    """
    data, held = recipe.data, recipe.data.held_out > 0
    # 3D may be withheld in training; it is scored all the same
    known = data if held else data.model_copy(update={"with_pose": True})
    split = Part(data.split, held_out=True) if held else Part("val", stride=10, two_d="exact")
    try:
        source = open_source(known, split)
    except InputError:
        if held or get_data_set(data.name).has_own_files(Path(data.root), "val"):
            raise
        return None
    if not source.has_pose:  # nothing to be scored against
        return None
    pictures = source.has_pictures and recipe.model.image_encoder is not None
    most = VALIDATED if pictures else HELD_OUT if held else 0
    sampler = build_sampler("zero-temperature", 50)
    how: dict[str, Any] = {"skeleton": source.skeleton, "sampler": sampler, "gallery": 0}

    def score(model: UniHPE) -> Scores:
        generator = torch.Generator().manual_seed(recipe.seed)
        batches = prepared(source, generator, device, most=most)
        evaluate = evaluate_pictures if pictures else evaluate_lifting
        return _scores(evaluate(model, batches, {}, generator=generator, **how), pictures)

    return score


def _scores(report: dict[str, Any], pictures: bool) -> Scores:
    """What is logged of an evaluation, with pictures or without."""
    errors = report["errors_mm"]
    if not pictures:
        mpjpe = next(errors[name][MEAN] for name in errors if name.startswith("MPJPE"))
        return {"validation mpjpe": mpjpe, "validation cosine": report["cosine_2d_3d"]["matched"]}
    image, lifting = (errors[f"MPJPE {name}"][MEAN] for name in ("image", "lifting"))
    found = {"validation mpjpe": image, "validation mpjpe lifting": lifting}
    for pair, cosines in report["cosine"].items():
        found |= {f"validation cosine {pair} {kind}": value for kind, value in cosines.items()}
    return found
