"""Recipes: one page of TOML that says everything about a training run.

An unknown key stops with the keys that are known.
"""

from __future__ import annotations

import copy
import hashlib
import json
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, model_validator

from unihpe.datasets.settings import DataSettings, MixSettings
from unihpe.errors import InputError
from unihpe.model import build
from unihpe.model.build import ModelSettings
from unihpe.model.unihpe import UniHPE
from unihpe.settings import Settings, parse
from unihpe.training.stage import Stage
from unihpe.training.streams import Stream

# Tables of a [[stage]] that only put keys which belong together on one line.
GROUPS = ("losses", "batches", "optimiser")
Setting = tuple[tuple[str, ...], Any]  # where it stands, and its value
PLACES = {"root", "description", "licence"}  # of data; they do not change training


class Recipe(Settings):
    """A training run on one page.

    Attributes:
        about: what it trains, what to expect, on which hardware, how long.
        seed: of everything random.
        pose_scale, keypoint_scale: one standard deviation of the data, mm and box units; 0 measures
            them.
        poses: more data without pictures, of which stages with a `pose_batch` draw beside `data`.
        mix: more data that each batch is partly drawn from; what it lacks (3D of photographs) is
            masked in every loss.
    """

    about: str
    seed: int = 0
    pose_scale: float = Field(0.0, ge=0)
    keypoint_scale: float = Field(0.0, ge=0)
    data: DataSettings = DataSettings()
    poses: DataSettings | None = None
    mix: tuple[MixSettings, ...] = ()
    model: ModelSettings = ModelSettings()
    stage: tuple[Stage, ...]

    @model_validator(mode="after")
    def has_stages(self) -> Recipe:
        if not self.stage:
            raise ValueError("a recipe needs at least one [[stage]]")
        return self

    @model_validator(mode="after")
    def parts_are_there(self) -> Recipe:
        image = self.model.image_encoder
        for stage in self.stage:
            if image is None and stage.needs_pictures:
                raise ValueError(
                    f"stage {stage.name} needs pictures, and the model has no [model.image_encoder]"
                )
            if stage.needs_heatmaps and not (image and image.heatmap_head):
                raise ValueError(
                    f"stage {stage.name} trains heat maps: set heatmap_head = true in [model.image_encoder]"
                )
            if stage.pose_batch and self.poses is None:
                raise ValueError(f"stage {stage.name} has a pose_batch, and the recipe no [poses]")
        return self

    @model_validator(mode="after")
    def leaves_a_share(self) -> Recipe:
        if sum(table.share for table in self.mix) >= 1:
            raise ValueError(
                "the shares of [[mix]] must leave some of each batch to [data]: their sum is 1 or more"
            )
        if any(table.skeleton != self.data.skeleton for table in self.mix):
            raise ValueError(
                "all of [data] and [[mix]] must have the same skeleton; set skeleton in each"
            )
        return self

    @model_validator(mode="after")
    def holds_out_of_data_alone(self) -> Recipe:
        if any(table.held_out for table in (*self.mix, *([self.poses] if self.poses else []))):
            raise ValueError(
                "only [data] is validated with: leave held_out out of [[mix]] and [poses], or make that set [data]"
            )
        return self

    @model_validator(mode="after")
    def points_are_possible(self) -> Recipe:
        decoders = {"pose_2d": self.model.decoder_2d, "pose_3d": self.model.decoder_3d}
        for stage in self.stage:
            for decoding in stage.decode:
                decoder = decoders[decoding.target]
                if (
                    decoding.point
                    and decoder.kind == "diffusion"
                    and decoder.prediction == "epsilon"
                ):
                    raise ValueError(
                        f"stage {stage.name}: an ε-predicting decoder has no answer at t = 1;"
                        f" leave out point for {decoding.target}, or choose another prediction"
                    )
        return self

    def fingerprint(self) -> str:
        """Changes with whatever changes training: a saved state of another recipe cannot be
        resumed.

        The data's place may change (a copy elsewhere is the same data).
        """
        tables: dict[str, Any] = {"data": PLACES, "poses": PLACES, "mix": {"__all__": PLACES}}
        fields = self.model_dump(mode="json", exclude={"about": True, **tables})
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def shipped_recipes() -> list[str]:
    """Names of the recipes in the package."""
    files = resources.files("unihpe").joinpath("recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_recipe(name: str, changes: tuple[str, ...] = ()) -> Recipe:
    """A shipped recipe by name, or a TOML file by path, with `key=value` changes (dotted keys;
    values as in TOML).

    Raises:
        InputError: for an unknown recipe or key, or a value that does not fit, naming the known
            ones.
    """
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise InputError(f"no recipe at {path}")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{name}: not a readable text file ({error.__class__.__name__})"
            ) from error
    elif name in shipped_recipes():
        text = (
            resources.files("unihpe")
            .joinpath("recipes", f"{name}.toml")
            .read_text(encoding="utf-8")
        )
    else:
        raise InputError(
            f"no recipe '{name}': shipped are {', '.join(shipped_recipes())}; a file must end in .toml"
        )
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not valid TOML ({error})") from error
    if isinstance(stages := fields.get("stage"), list) and all(type(s) is dict for s in stages):
        fields["stage"] = whole_stages(stages, name)
    for change in changes:
        apply_change(fields, change)
    return parse_recipe(fields, name)


def with_stages(recipe: Recipe, names: tuple[str, ...]) -> Recipe:
    """The recipe with these stages only, in its own order.

    Raises:
        InputError: for a stage it does not have.
    """
    known = [stage.name for stage in recipe.stage]
    if strange := [name for name in names if name not in known]:
        raise InputError(f"the recipe has no stage '{strange[0]}'; it has {', '.join(known)}")
    return recipe.model_copy(
        update={"stage": tuple(stage for stage in recipe.stage if stage.name in names)}
    )


def parse_recipe(fields: dict[str, Any], name: str) -> Recipe:
    """Check a recipe's fields."""
    return parse(Recipe, fields, name)


def whole_stages(stages: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The stages with all their keys, where the page gives them in short.

    `like = "joint"` takes the keys of that earlier stage, but for those that the stage sets itself
    (`decode.2.weight = 1.5` sets one of a path that it takes). The tables of `GROUPS` only put keys
    on one line.
    """
    whole: list[dict[str, Any]] = []
    for stage in stages:
        earlier = {str(keys.get("name")): keys for keys in whole}
        if (like := str(stage.pop("like", ""))) and like not in earlier:
            raise InputError(
                f"{name}: stage {stage.get('name')} is like '{like}', which is no stage before it"
            )
        whole.append(copy.deepcopy(earlier[like]) if like else {})
        for path, value in settings_in(stage):
            put(whole[-1], path, value, name)
    return whole


def settings_in(table: dict[str, Any], parents: tuple[str, ...] = ()) -> Iterator[Setting]:
    """The paths of a stage's settings, groups left out, and their values."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from settings_in(value, parents if key in GROUPS else (*parents, key))
        else:
            yield (*parents, key), value


def apply_change(fields: dict[str, Any], change: str) -> None:
    """Put one `key=value` into the recipe's fields; tables count from 0 (`stage.1.steps=10`)."""
    key, sign, value = change.partition("=")
    if not sign or not key:
        raise InputError(f"--set {change}: write it as key=value, for example data.root=FOLDER")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value  # a bare word is a string
    put(fields, tuple(key.split(".")), parsed, f"--set {change}")


def put(fields: dict[str, Any], path: tuple[str, ...], value: Any, where: str) -> None:
    """Set a value in nested tables and lists; tables on the way are made."""
    *parents, last = path
    table: Any = fields
    try:
        for parent in parents:
            table = table[int(parent)] if isinstance(table, list) else table.setdefault(parent, {})
        table[int(last) if isinstance(table, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: the recipe has no place {'.'.join(path)}") from error


def build_model(recipe: Recipe) -> UniHPE:
    """The model of a recipe, freshly initialised from its seed."""
    return build.build_model(
        recipe.model,
        recipe.data.skeleton,
        seed=recipe.seed,
        pose_scale=recipe.pose_scale or 1.0,
        keypoint_scale=recipe.keypoint_scale or 1.0,
    )


def measure_scales(recipe: Recipe, draw: Stream) -> Recipe:
    """The recipe with its two scales filled in from the data, where it leaves them at 0; `draw` must draw freely."""
    batch = draw(8192, torch.Generator().manual_seed(recipe.seed), False)
    update = {}
    if not recipe.pose_scale and batch.pose is not None:
        pose = batch.pose[torch.isfinite(batch.pose).all(-1)]
        update["pose_scale"] = round(float(pose.std()), 3)
    if not recipe.keypoint_scale:
        update["keypoint_scale"] = round(float(batch.keypoints[batch.confidence > 0].std()), 5)
    return recipe.model_copy(update=update)
