"""The checkpoint that a run begins from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from unihpe.errors import InputError
from unihpe.model.build import DecoderSettings, EncoderSettings, ImageEncoderSettings
from unihpe.model.checkpoint import Card, checkpoint_file, load_checkpoint
from unihpe.recipe import Recipe
from unihpe.settings import Settings
from unihpe.training.state import Origin, saved_origin

# A lifting model may be given these, and a model that has them be trained on without.
PICTURE_PARTS = ("image_encoder.", "heatmap_head.")


@dataclass(frozen=True)
class Start:
    """A checkpoint that training begins from."""

    file: Path
    tensors: dict[str, Tensor]
    card: Card

    @property
    def origin(self) -> Origin:
        """What a run keeps of it."""
        pose, keypoints = self.tensors["pose_scale"], self.tensors["keypoint_scale"]
        return Origin(float(pose), float(keypoints), self.card.samples)


def load_start(recipe: Recipe, path: Path | str) -> Start:
    """The checkpoint at `path` (see `checkpoint_file`).

    Raises:
        InputError: if it cannot be read, or has other joints or parts than the recipe.
    """
    file = checkpoint_file(path)
    tensors, card = load_checkpoint(file)
    if card.skeleton != recipe.data.skeleton:
        raise InputError(
            f"{file} has the joints of {card.skeleton}, the recipe trains on {recipe.data.skeleton}"
        )
    if recipe.model.image_encoder is None:
        tensors = {key: t for key, t in tensors.items() if not key.startswith(PICTURE_PARTS)}
    start = Start(file, tensors, card)
    require_same_meaning(recipe, start)
    return start


def origin_of(start: Start | None, state: Path | None) -> Origin | None:
    """What a run begins from: the checkpoint that is given, which its saved state must not deny."""
    given = None if start is None else start.origin
    if state is None or not state.exists():
        return given
    saved = saved_origin(state, otherwise=given)
    if start is not None and saved != given:
        raise InputError(
            f"{state.parent} did not begin from {start.file} as it is now: resume it without --from"
        )
    return saved


def require_same_meaning(recipe: Recipe, start: Start) -> None:
    """Raise where a checkpoint's weights fit the recipe's model, but would mean something else.

    Parts that one of the two lacks do not matter; `load_into` finds what changes shapes.
    """
    theirs, ours = [], []
    for part, table in start.card.recipe.get("model", {}).items():
        settings = getattr(recipe.model, part, None)
        has_weights = any(name.startswith(f"{part}.") for name in start.tensors)
        if isinstance(settings, Settings) and table and has_weights:
            table = type(settings)().model_dump() | table  # younger settings had their defaults
            for name in meaningful_settings(settings, table):
                if table[name] != (own := getattr(settings, name)):
                    theirs.append(f"model.{part}.{name}={table[name]}".replace("True", "true"))
                    ours.append(f"{own}".replace("False", "false"))
    if theirs:
        changes = " ".join(f"--set {change}" for change in theirs)
        raise InputError(
            f"{start.file} has {', '.join(theirs)}, the recipe {', '.join(ours)}: add {changes}"
        )


def meaningful_settings(ours: Settings, theirs: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings of a part that give its weights their meaning, whatever their shapes."""
    match ours:
        case ImageEncoderSettings():
            head = ("heatmap_head", *(("heatmaps_from",) if ours.heatmap_head else ()))
            return ("kind", "shrink", "read_out", *(head if theirs["heatmap_head"] else ()))
        case EncoderSettings() if ours.kind == "transformer":
            return ("kind", "heads")
        case DecoderSettings() if ours.kind == "diffusion":
            return ("kind", "path", "prediction")
        case _:
            return ("kind",)
