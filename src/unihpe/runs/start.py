"""The checkpoint that a run begins from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from unihpe.errors import InputError
from unihpe.model.build import DecoderSettings, EncoderSettings, ImageEncoderSettings
from unihpe.model.checkpoint import Card, checkpoint_file, load_checkpoint
from unihpe.recipe import Recipe
from unihpe.training.state import Origin, saved_origin

EYES = (
    "image_encoder.",
    "heatmap_head.",
)  # a lifting model may grow them, and a model with them be trained on without


@dataclass(frozen=True)
class Start:
    """A checkpoint that training begins from."""

    file: Path
    tensors: dict[str, Tensor]
    card: Card

    @property
    def origin(self) -> Origin:
        """What a run keeps of it."""
        return Origin(
            float(self.tensors["pose_scale"]),
            float(self.tensors["keypoint_scale"]),
            self.card.samples,
        )


def origin_of(begun: Start | None, state: Path | None) -> Origin | None:
    """What a run begins from: the checkpoint it is given or, where it is resumed from a saved
    state, what that says.

    Raises:
        InputError: if the state says another than is given.
    """
    given = None if begun is None else begun.origin
    if state is None or not state.exists():
        return given
    saved = saved_origin(state, otherwise=given)
    if begun is not None and saved != given:
        raise InputError(
            f"{state.parent} did not begin from {begun.file} as it is now: resume it without --from"
        )
    return saved


def load_start(recipe: Recipe, path: Path | str) -> Start:
    """The checkpoint at `path`, see `checkpoint_file`.

    Raises:
        InputError: for one that cannot be read, with other joints, or with parts that the recipe
            would read another meaning into.
    """
    file = checkpoint_file(path)
    tensors, card = load_checkpoint(file)
    if card.skeleton != recipe.data.skeleton:
        raise InputError(
            f"{file} has the joints of {card.skeleton}, the recipe trains on {recipe.data.skeleton}"
        )
    wanted = recipe.model.image_encoder
    if wanted is None:
        tensors = {name: value for name, value in tensors.items() if not name.startswith(EYES)}
    require_meaning(recipe, tensors, card, file)
    return Start(file, tensors, card)


def require_meaning(recipe: Recipe, tensors: Mapping[str, Tensor], card: Card, file: Path) -> None:
    """Raise where weights of a checkpoint would fit the recipe's model by their shapes, but mean
    something else there.

    Parts that one of the two lacks are nobody's concern: a lifting model may grow eyes. What
    changes shapes, `load_into` finds.
    """
    found, wanted = [], []
    for part, settings in settings_of(recipe).items():
        table = card.recipe.get("model", {}).get(part)
        if not table or not any(name.startswith(f"{part}.") for name in tensors):
            continue
        theirs = (
            type(settings)().model_dump() | table
        )  # a setting that is younger than the checkpoint had its default
        for name in telling(settings, theirs):
            if theirs[name] != (own := getattr(settings, name)):
                found.append(f"model.{part}.{name}={theirs[name]}".replace("True", "true"))
                wanted.append(str(own).lower())
    if found:
        changes = " ".join(f"--set {change}" for change in found)
        raise InputError(
            f"{file} has {', '.join(found)}, the recipe {', '.join(wanted)}: add {changes}"
        )


PartSettings = ImageEncoderSettings | EncoderSettings | DecoderSettings


def settings_of(recipe: Recipe) -> dict[str, PartSettings]:
    """The settings of the parts that the recipe's model has, by name."""
    model = recipe.model
    poses: dict[str, PartSettings] = {
        name: getattr(model, name)
        for name in ("encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d")
    }
    return poses if model.image_encoder is None else {"image_encoder": model.image_encoder, **poses}


def telling(ours: PartSettings, theirs: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings of a part without which its weights say nothing: recipe and checkpoint must agree in them."""
    match ours:
        case ImageEncoderSettings():
            head = ("heatmap_head", *(("heatmaps_from",) if ours.heatmap_head else ()))
            return ("kind", "shrink", "read_out", *(head if theirs["heatmap_head"] else ()))
        case EncoderSettings():
            return ("kind", "heads") if ours.kind == "transformer" else ("kind",)
        case DecoderSettings():
            return ("kind", "path", "prediction") if ours.kind == "diffusion" else ("kind",)
