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
ERROR_HEAD = "error_head."  # likewise


@dataclass(frozen=True)
class _Start:
    file: Path
    tensors: dict[str, Tensor]
    card: Card


def load_start(recipe: Recipe, path: Path | str) -> _Start:
    """The checkpoint at `path` (see `checkpoint_file`); joints and parts must fit the recipe."""
    tensors, card = load_checkpoint(file := checkpoint_file(path))
    if card.skeleton != (ours := recipe.data.skeleton):
        raise InputError(f"{file} has the joints of {card.skeleton}, the recipe trains on {ours}")
    if recipe.model.image_encoder is None:
        tensors = {key: t for key, t in tensors.items() if not key.startswith(PICTURE_PARTS)}
    if not recipe.model.error_head:
        tensors = {key: t for key, t in tensors.items() if not key.startswith(ERROR_HEAD)}
    start = _Start(file, tensors, card)
    _require_same_meaning(recipe, start)
    return start


def origin_of(start: _Start | None, state: Path | None) -> Origin | None:
    """What a run begins from: the checkpoint that is given, which its saved state must not deny."""
    given = None
    if start is not None:
        pose, keypoints = start.tensors["pose_scale"], start.tensors["keypoint_scale"]
        given = Origin(float(pose), float(keypoints), start.card.samples)
    if state is None or not state.exists():
        return given
    saved = saved_origin(state, otherwise=given)
    if start is not None and saved != given:
        other = f"{state.parent} did not begin from {start.file} as it is now"
        raise InputError(f"{other}: resume it without --from")
    return saved


def _require_same_meaning(recipe: Recipe, start: _Start) -> None:
    """Raise where a checkpoint's weights fit the recipe's model, but would mean something else.

    Parts that one of the two lacks do not matter; `load_into` finds what changes shapes.
    """
    theirs, ours = list[str](), list[str]()
    frame = start.card.recipe.get("model", {}).get("frame", "camera")
    if frame != recipe.model.frame:
        theirs, ours = [f"model.frame={frame}"], [recipe.model.frame]
    for part, table in start.card.recipe.get("model", {}).items():
        settings = getattr(recipe.model, part, None)
        has_weights = any(name.startswith(f"{part}.") for name in start.tensors)
        if isinstance(settings, Settings) and table and has_weights:
            table = type(settings)().model_dump() | table  # younger settings had their defaults
            for name in _meaningful_settings(settings, table):
                if table[name] != (own := getattr(settings, name)):
                    theirs.append(f"model.{part}.{name}={table[name]}".replace("True", "true"))
                    ours.append(f"{own}".replace("False", "false"))
    if theirs:
        them, us, changes = ", ".join(theirs), ", ".join(ours), " --set ".join(theirs)
        raise InputError(f"{start.file} has {them}, the recipe {us}: add --set {changes}")


def _meaningful_settings(ours: Settings, theirs: Mapping[str, Any]) -> tuple[str, ...]:
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
