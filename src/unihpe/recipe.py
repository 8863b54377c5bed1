"""Recipes: one page of TOML says everything about a training run (docs/recipes.md)."""

import copy
import hashlib
import json
import tomllib
from collections.abc import Iterator
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, model_validator

from unihpe.datasets.settings import DataSettings, MixSettings
from unihpe.datasets.variety import Variety
from unihpe.errors import InputError
from unihpe.model import build
from unihpe.model.build import ModelSettings
from unihpe.model.unihpe import UniHPE
from unihpe.settings import Settings, parse
from unihpe.training.stage import Stage
from unihpe.training.streams import Stream

# Tables of a [[stage]] that only put keys which belong together on one line.
GROUPS = ("losses", "batches", "optimiser")
# Tables that may be `like` another recipe's, and which of its tables that is.
LIKE = {"poses": "data", "model": "model"}
RECIPES = resources.files("unihpe").joinpath("recipes")
Fields = dict[str, Any]  # of a table
Keys = tuple[str, ...]  # the path to a setting, from table to table
# Settings that older recipes do not have, and what those did.
ADDED: dict[str, Fields] = {
    "data": {"variety": Variety().model_dump(), "made_joints": False},
    "augmentation": {"upright": 0.0},
    "model": {"frame": "camera", "error_head": False},
    "image": {"read_out_width": 1024, "read_out_dropout": 0.0},
    "decoder": {"about_estimate": False},
    "stage": {"still": 0, "looks": 0, "kept": 0.0, "reach": 1.0, "joints": []},
    "decode": {"errors": 0.0, "among": "all"},
}
PLACES = {"root", "also", "description", "licence"}  # of data; they do not change training


class Recipe(Settings):
    """A training run on one page."""

    about: str  # what it trains, what to expect, on which hardware, for how long
    seed: int = Field(0, ge=0, le=2**62)  # of everything random
    # One standard deviation of the data, mm and box units; 0 measures it.
    pose_scale: float = Field(0.0, ge=0)
    keypoint_scale: float = Field(0.0, ge=0)
    data: DataSettings = DataSettings()
    # More data without pictures, drawn beside `data` by stages with a `pose_batch`.
    poses: DataSettings | None = None
    # More data in each batch; what it lacks (3D of photographs) is masked in every loss.
    mix: tuple[MixSettings, ...] = ()
    model: ModelSettings = ModelSettings()
    stage: tuple[Stage, ...]

    @model_validator(mode="after")
    def makes_sense(self) -> Self:
        for complaint in (*self.complaints_of_data(), *self.complaints_of_stages()):
            raise ValueError(complaint)
        return self

    def complaints_of_data(self) -> Iterator[str]:
        if sum(table.share for table in self.mix) >= 1:
            yield "the shares of [[mix]] sum to 1 or more: leave some of each batch to [data]"
        if any(table.skeleton != self.data.skeleton for table in self.mix):
            yield "all of [data] and [[mix]] must have the same skeleton; set skeleton in each"
        if any(table is not None and table.held_out for table in (*self.mix, self.poses)):
            remedy = "leave held_out out of [[mix]] and [poses], or make that set [data]"
            yield f"only [data] is validated with: {remedy}"

    def complaints_of_stages(self) -> Iterator[str]:
        if not self.stage:
            yield "a recipe needs at least one [[stage]]"
        image = self.model.image_encoder
        decoders = {"pose_2d": self.model.decoder_2d, "pose_3d": self.model.decoder_3d}
        for stage in self.stage:
            name = f"stage {stage.name}"
            if image is None and stage.needs_pictures:
                yield f"{name} needs pictures, and the model has no [model.image_encoder]"
            if stage.needs_heatmaps and not (image and image.heatmap_head):
                yield f"{name} trains heat maps: set heatmap_head = true in [model.image_encoder]"
            if stage.pose_batch and self.poses is None:
                yield f"{name} has a pose_batch, and the recipe no [poses]"
            if not stage.pose_batch and any(one.among == "poses" for one in stage.decode):
                yield f'{name} has a path among = "poses", and no pose_batch'
            for target in (decoding.target for decoding in stage.decode if decoding.point):
                decoder = decoders[target]
                if decoder.kind == "diffusion" and decoder.prediction == "epsilon":
                    remedy = f"leave out point for {target}, or choose another prediction"
                    yield f"{name}: an ε-predicting decoder has no answer at t = 1; {remedy}"
        yield from self.complaints_of_errors()

    def complaints_of_errors(self) -> Iterator[str]:
        learns = any(decoding.errors for stage in self.stage for decoding in stage.decode)
        if learns and not self.model.error_head:
            yield "a decode path has errors, and the model no error head: set model.error_head"
        if learns and self.model.decoder_3d.kind == "mlp":
            yield "errors are learned of a diffusion decoder's answers: leave them out"
        if self.model.error_head and not learns:
            yield "no decode path teaches the error head: set errors of one from pose_2d to pose_3d"

    def fingerprint(self) -> str:
        """Changes with what changes training, by which a saved state knows its recipe.

        The data's place may change: a copy elsewhere is the same data. A setting that is added must
        not change the fingerprints of older recipes: leave it out here where it is at its default.
        """
        places: dict[str, Any] = {"data": PLACES, "poses": PLACES, "mix": {"__all__": PLACES}}
        fields = self.model_dump(mode="json", exclude={"about": True, **places})
        datas = [fields["data"], fields["poses"] or {}, *fields["mix"]]
        if not self.model.error_head:  # "all parts" of older recipes had none
            for stage in fields["stage"]:
                stage["trains"] = [part for part in stage["trains"] if part != "error_head"]
        paths = [path for stage in fields["stage"] for path in stage["decode"]]
        model = fields["model"]
        tables = {
            "data": datas,
            "augmentation": [data["augmentation"] for data in datas if data],
            "model": [model],
            "image": [model["image_encoder"] or {}],
            "decoder": [model["decoder_2d"], model["decoder_3d"]],
            "stage": fields["stage"],
            "decode": paths,
        }
        for kind, added in ADDED.items():
            for table, (key, default) in product(tables[kind], added.items()):
                if table.get(key) == default:
                    del table[key]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def shipped_recipes() -> list[str]:
    """Names of the recipes in the package."""
    return sorted(Path(file.name).stem for file in RECIPES.iterdir() if file.name.endswith(".toml"))


def load_recipe(name: str, changes: tuple[str, ...] = ()) -> Recipe:
    """A shipped recipe by name, or a TOML file by path; `changes` as in `_apply_change`."""
    fields = _fields_of(name)
    if isinstance(stages := fields.get("stage"), list) and all(type(s) is dict for s in stages):
        fields["stage"] = _whole_stages(stages, name)
    for table, theirs in LIKE.items():
        if isinstance(own := fields.get(table), dict):
            fields[table] = _whole_table(own, theirs, name)
    for change in changes:
        _apply_change(fields, change)
    return parse(Recipe, fields, name)


def _fields_of(name: str) -> Fields:
    """What a shipped recipe or a file says, as it is written."""
    try:
        return tomllib.loads(_text_of(name))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not valid TOML ({error})") from error


def _text_of(name: str) -> str:
    """The TOML of a shipped recipe or of a file."""
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(f"no recipe at {path}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name}: not readable as text ({type(error).__name__})") from error
    if name not in (shipped := shipped_recipes()):
        known = f"shipped are {', '.join(shipped)}; a file must end in .toml"
        raise InputError(f"no recipe '{name}': {known}")
    return RECIPES.joinpath(f"{name}.toml").read_text(encoding="utf-8")


def with_stages(recipe: Recipe, names: tuple[str, ...]) -> Recipe:
    """The recipe with these stages only, in its own order; others than it has are an InputError."""
    own = [stage.name for stage in recipe.stage]
    if unknown := [name for name in names if name not in own]:
        raise InputError(f"the recipe has no stage '{unknown[0]}'; it has {', '.join(own)}")
    kept = tuple(stage for stage in recipe.stage if stage.name in names)
    return recipe.model_copy(update={"stage": kept})


def _whole_stages(stages: list[Fields], name: str) -> list[Fields]:
    """The stages with all their keys, where the page gives them in short.

    `like = "joint"` takes the keys of that earlier stage, but for those that the stage sets itself
    (`decode.2.weight = 1.5` sets one of a path that it takes); `also_decode` are paths beside those
    taken. The tables of `GROUPS` only put keys on one line.
    """
    whole: list[Fields] = []
    for stage in stages:
        earlier = {str(keys.get("name")): keys for keys in whole}
        if (like := str(stage.pop("like", ""))) and like not in earlier:
            stranger = f"stage {stage.get('name')} is like '{like}'"
            raise InputError(f"{name}: {stranger}, which is no stage before it")
        whole.append(copy.deepcopy(earlier[like]) if like else {})
        more = stage.pop("also_decode", None)
        for path, value in _settings_in(stage):
            _put(whole[-1], path, value, name)
        if more is not None:
            paths = whole[-1].get("decode", [])
            if not (isinstance(more, list) and isinstance(paths, list)):
                raise InputError(f"{name}: also_decode must be a list of paths, as decode is")
            whole[-1]["decode"] = paths + more
    return whole


def _whole_table(table: Fields, theirs: str, name: str, takers: tuple[str, ...] = ()) -> Fields:
    """A table with all its keys: `like = "lifting"` takes those of that recipe's table `theirs`,
    but for what only a checkpoint's card says. That recipe's table may be like another's."""
    if (like := table.pop("like", None)) is None:
        return table
    if like in takers:
        raise InputError(f"{name}: its table {theirs} is like {like}'s, which is like its own")
    taken = _fields_of(str(like)).get(theirs, {})
    if not isinstance(taken, dict):
        raise InputError(f"{like}: {theirs} is no table")
    if theirs in LIKE:
        taken = _whole_table(taken, LIKE[theirs], str(like), (*takers, name))
    whole = {key: value for key, value in taken.items() if key not in ("description", "licence")}
    for path, value in _settings_in(table):
        _put(whole, path, value, name)
    return whole


def _settings_in(table: Fields, parents: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """The paths of a stage's settings, groups left out, and their values."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _settings_in(value, parents if key in GROUPS else (*parents, key))
        else:
            yield (*parents, key), value


def _apply_change(fields: Fields, change: str) -> None:
    """Put one `key=value`, the value as in TOML, in its place; `stage.1.steps=10` counts from 0."""
    key, sign, value = change.partition("=")
    if not sign or not key:
        raise InputError(f"--set {change}: write it as key=value, for example data.root=FOLDER")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value  # a bare word is a string
    _put(fields, tuple(key.split(".")), parsed, f"--set {change}")


def _put(fields: Fields, path: Keys, value: Any, where: str) -> None:
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
    scales = recipe.pose_scale or 1.0, recipe.keypoint_scale or 1.0
    return build.build_model(recipe.model, recipe.data.skeleton, recipe.seed, scales)


def measure_scales(recipe: Recipe, draw: Stream) -> Recipe:
    """The recipe with its two scales measured where they are 0; `draw` must draw freely."""
    batch = draw(8192, torch.Generator().manual_seed(recipe.seed), False)
    scales = {}
    if not recipe.pose_scale and batch.pose is not None:
        pose = batch.pose[torch.isfinite(batch.pose).all(-1)]
        scales["pose_scale"] = round(float(pose.std()), 3)
    if not recipe.keypoint_scale:
        scales["keypoint_scale"] = round(float(batch.keypoints[batch.confidence > 0].std()), 5)
    return recipe.model_copy(update=scales)
