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
    """Scores on the part of [data] that is held out, or on its validation split; None where there
    is neither, or no 3D.

    Motion capture is seen with exact 2D; recorded sets have the 2D that they are trained on, and
    [[mix]] takes no part. MPJPE and cosines of every path: lifting alone without pictures; with
    them image → 3D too, on at most 400 people.

    Raises:
        InputError: for a validation part that is there and cannot be read, or a held-out one that
            is empty.
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
    how: dict[str, Any] = {
        "skeleton": source.skeleton,
        "sampler": build_sampler("zero-temperature", 50),
        "gallery": 0,
    }

    def score(model: UniHPE) -> Scores:
        generator = torch.Generator().manual_seed(recipe.seed)
        batches = prepared(source, generator, device, most=most)
        evaluate = evaluate_pictures if pictures else evaluate_lifting
        report = evaluate(model, batches, {}, generator=generator, **how)
        return scores_of_pictures(report) if pictures else scores_of_lifting(report)

    return score


def scores_of_lifting(report: dict[str, Any]) -> Scores:
    """What is logged of an evaluation without pictures."""
    name = next(name for name in report["errors_mm"] if name.startswith("MPJPE"))
    return {
        "validation mpjpe": report["errors_mm"][name][MEAN],
        "validation cosine": report["cosine_2d_3d"]["matched"],
    }


def scores_of_pictures(report: dict[str, Any]) -> Scores:
    """What is logged of one with pictures."""
    image, lifting = (report["errors_mm"][f"MPJPE {name}"][MEAN] for name in ("image", "lifting"))
    cosines = {
        f"validation cosine {pair} {kind}": value
        for pair, found in report["cosine"].items()
        for kind, value in found.items()
    }
    return {"validation mpjpe": image, "validation mpjpe lifting": lifting, **cosines}
