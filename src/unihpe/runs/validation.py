"""Scores during training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from unihpe.datasets.coco.source import SPLITS as COCO_SPLITS
from unihpe.datasets.coco.source import CocoSource, annotation_files
from unihpe.datasets.people.source import PeopleSource
from unihpe.datasets.settings import DataSettings, open_source
from unihpe.datasets.threedpw.regressed import regressed_files
from unihpe.datasets.threedpw.sequences import has_sequences, sequence_files
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError
from unihpe.evaluation.batches import prepared
from unihpe.evaluation.lifting import evaluate_lifting
from unihpe.evaluation.pictures import evaluate_pictures
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe
from unihpe.runs.evaluate import protocol_of
from unihpe.training.loop import Scores

VALIDATED = 400  # people with pictures, each time a model is validated
HELD_OUT = 4000  # people of a held-out part, likewise
MEAN = "mean over groups"


def validation(recipe: Recipe, device: str) -> Callable[[UniHPE], Scores] | None:
    """Scores on the part of [data] that is held out, or on its validation split; None where there
    is neither, or no 3D.

    Motion capture is seen with exact 2D; recorded sets have the 2D that they are trained on, and
    [[mix]] takes no part.
    MPJPE and cosines of every path: lifting alone without pictures; with them image → 3D too, on at
    most 400 people.

    Raises:
        InputError: for a validation part that is there and cannot be read, or a held-out one that
            is empty.
    """
    held, most = recipe.data.held_out, None
    try:
        if held:
            source, most = (
                open_source(recipe.data, split=recipe.data.split, view="fixed", part="held out"),
                HELD_OUT,
            )
        else:
            known = recipe.data.model_copy(
                update={"with_pose": True}
            )  # withheld in training, scored all the same
            source = open_source(known, split="val", view="fixed", two_d="exact", stride=10)
    except InputError:
        if held or has_own_files(recipe.data, "val"):
            raise
        return None
    if isinstance(source, CocoSource):  # photographs have no 3D to be scored against
        return None
    sampler = build_sampler("zero-temperature", 50)
    protocol = protocol_of(source, recipe.data.name, "val", 10, "exact", recipe.seed, "true")

    def lifting(model: UniHPE) -> Scores:
        generator = torch.Generator().manual_seed(recipe.seed)
        batches = prepared(source, generator, device, most=most)
        report = evaluate_lifting(
            model,
            batches,
            protocol,
            generator=generator,
            sampler=sampler,
            gallery=0,
            skeleton=source.skeleton,
        )
        name = next(name for name in report["errors_mm"] if name.startswith("MPJPE"))
        return {
            "validation mpjpe": report["errors_mm"][name][MEAN],
            "validation cosine": report["cosine_2d_3d"]["matched"],
        }

    def pictures(model: UniHPE) -> Scores:
        generator = torch.Generator().manual_seed(recipe.seed)
        batches = prepared(source, generator, device, most=VALIDATED)
        report = evaluate_pictures(
            model,
            batches,
            protocol,
            skeleton=source.skeleton,
            generator=generator,
            sampler=sampler,
            gallery=0,
        )
        mean = {name: report["errors_mm"][f"MPJPE {name}"][MEAN] for name in ("image", "lifting")}
        cosines = {
            f"validation cosine {pair} {kind}": value
            for pair, found in report["cosine"].items()
            for kind, value in found.items()
        }
        return {
            "validation mpjpe": mean["image"],
            "validation mpjpe lifting": mean["lifting"],
            **cosines,
        }

    return pictures if isinstance(source, PeopleSource) and recipe.model.image_encoder else lifting


def has_own_files(data: DataSettings, split: str) -> bool:
    """Whether files of this split alone are there.

    Where all splits share their files, training has read them already: a split that cannot be
    opened after that is not in them.
    """
    root = Path(data.root)
    match data.name:
        case "people":
            return (root / f"{split}.pack").exists()
        case "coco":  # annotations of both splits come in one archive, their pictures do not
            pictures = any(
                (folder / COCO_SPLITS[split]).is_dir() for folder in (root, root / "images")
            )
            return pictures and bool(
                annotation_files(root, f"person_keypoints_{COCO_SPLITS[split]}.json")
            )
        case "threedpw":
            files = sequence_files(root, None) if has_sequences(root) else regressed_files(root)
            return any(part == split for _, part in files)
        case _:
            return False
