"""Recipes: one page of TOML that says everything about a training run, and the builders that read it.

An unknown key stops with the keys that are known. `build_model` is the only place where numbers meet classes.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Protocol, assert_never

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor

from unihpe.batch import Batch, chosen, joined
from unihpe.checkpoint import Card, load_checkpoint, load_into
from unihpe.data.augment import Augmentation
from unihpe.data.coco import CocoSource, read_annotations
from unihpe.data.joints import InJoints, in_joints
from unihpe.data.motion import MotionSource, TwoD, View, open_motion
from unihpe.data.people import PeopleSource
from unihpe.data.prepare import prepare
from unihpe.data.recorded import Recorded
from unihpe.data.sets import open_recorded
from unihpe.data.source import Source
from unihpe.diffusion.parametrisation import Diffusion, Prediction
from unihpe.diffusion.sde import PathKind, build_path
from unihpe.errors import InputError
from unihpe.nn.hrnet import BranchesHead, HeatmapHead, HRNet, Width, plan_of
from unihpe.nn.image_encoder import (
    ImageEncoder,
    JointReadOut,
    ViTEncoder,
    check_size,
    pretrained_vitpose,
    vitpose_backbone,
)
from unihpe.nn.pose_decoder import GROUPS, MLPDecoder, ScoreDecoder
from unihpe.nn.pose_encoder import MLPPoseEncoder, TransformerPoseEncoder
from unihpe.nn.pretrained import fill, read_weights
from unihpe.nn.unihpe import Decoder, DiffusionDecoder, UniHPE
from unihpe.skeleton import Skeleton, get_skeleton
from unihpe.training.loop import Draw
from unihpe.training.stages import Stage
from unihpe.weights import download, public_files

PLACES = {"root", "description", "licence"}  # of data; they do not change training


class Stream(Protocol):
    """Training batches: how many people, drawn by which generator, and whether with their pictures."""

    def __call__(self, size: int, generator: torch.Generator, pictures: bool = True) -> Batch: ...


HRNETS: dict[str, Width] = {"hrnet_w18_small": "w18_small", "hrnet_w32": "w32", "hrnet_w48": "w48"}


class Settings(BaseModel):
    """A table of a recipe: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderSettings(Settings):
    """A pose encoder: `depth` is the transformer's layers or the MLP's blocks; heads and feedforward are the transformer's."""

    kind: Literal["transformer", "mlp"] = "transformer"
    width: int = Field(256, gt=0)
    depth: int = Field(3, gt=0)
    heads: int = Field(8, gt=0)
    feedforward: int = Field(512, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def heads_divide(self) -> EncoderSettings:
        if self.kind == "transformer" and self.width % self.heads:
            raise ValueError(
                f"a transformer's width must be a multiple of its heads: {self.width} is none of {self.heads}"
            )
        return self


class DecoderSettings(Settings):
    """A pose decoder; path and prediction are the diffusion's."""

    kind: Literal["diffusion", "mlp"] = "diffusion"
    width: int = Field(1024, gt=0)
    blocks: int = Field(2, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    modality_token: bool = True
    box_token: bool = False
    path: PathKind = "sub_vp"
    prediction: Prediction = "epsilon"

    @model_validator(mode="after")
    def groups_divide(self) -> DecoderSettings:
        if self.kind == "diffusion" and self.width % GROUPS:
            raise ValueError(f"a score network's width must be a multiple of {GROUPS}, not {self.width}")
        return self


class ImageEncoderSettings(Settings):
    """The image encoder.

    Attributes:
        weights: where its backbone begins: a file of public weights, or the name of one in the cache (docs/weights.md);
            empty for random ones. Their heat-map head is taken only where it is of the recipe's joints (COCO's 17 are not
            Human3.6M's); a head that the file cannot give begins at random.
        start: of the layers that heat-map checkpoints lack.
        heatmap_head: whether the model has a head for heat maps; HRNet only.
        heatmaps_from: "finest" is the official head, one layer on the finest branch; "all" branches, for small networks
            (`BranchesHead`).
        read_out: "pooled" is the paper's; "joints" begins at the keypoints that the heat maps show (`JointReadOut`).
        shrink: 2 halves the picture's sides before the backbone, for CPUs; HRNet only.
    """

    kind: Literal["hrnet_w18_small", "hrnet_w32", "hrnet_w48", "vit_small", "vit_base"] = "hrnet_w32"
    weights: str = ""
    start: Literal["identity", "random"] = "identity"
    heatmap_head: bool = False
    heatmaps_from: Literal["finest", "all"] = "finest"
    read_out: Literal["pooled", "joints"] = "pooled"
    shrink: Literal[1, 2] = 1


class ModelSettings(Settings):
    """The model's parts; without an image encoder it is a lifting model."""

    embedding: int = Field(1024, gt=0)
    image_encoder: ImageEncoderSettings | None = None
    encoder_2d: EncoderSettings = EncoderSettings()
    encoder_3d: EncoderSettings = EncoderSettings()
    decoder_2d: DecoderSettings = DecoderSettings(box_token=True)
    decoder_3d: DecoderSettings = DecoderSettings()


class DataSettings(Settings):
    """The data: where it is and how it is shown.

    Attributes:
        name: of the data set: "motion"; a recorded set; or "people", a folder of packed rendered people (train.pack, val.pack,
            test.pack); or "coco", photographs with 2D only.
        root: its file or folder; usually given on the command line.
        rig: names the joints of a BVH rig.
        skeleton: the joints that are trained on.
        split: the part that is trained on.
        held_out: the last share, in time, of what each person of a recorded set does of each action: not trained on, but validated
            with, in the place of the split 'val'. Of [data] alone: nothing else is validated with.
        apart: of the people of one view, in order of frames, a batch has one of so many at most, so that neighbouring frames are no
            false negatives of the contrastive losses: 25 is half a second at 50 Hz; 0 draws freely.
        two_d, balance, body_scale: see `MotionSource`.
        with_pose: of people; false withholds their 3D.
        keypoints: which 2D of a recorded set, see `open_recorded`.
        unknown_focal, joint_dropout, part_dropout, flip: see `prepare`.
        augmentation: of pictures.
        licence, description: of the data, for the checkpoint's card.
    """

    name: Literal["motion", "people", "coco", "human36m", "humaneva", "mpi_inf_3dhp", "threedpw"] = "motion"
    root: str = ""
    rig: str = ""
    skeleton: str = "human36m17"
    split: str = "train"
    held_out: float = Field(0.0, ge=0, lt=1)
    apart: int = Field(0, ge=0)
    two_d: TwoD = "both"
    with_pose: bool = True
    keypoints: str = "gt"
    balance: float = Field(0.0, ge=0, le=1)
    body_scale: float = Field(0.0, ge=0, lt=1)
    unknown_focal: float = Field(0.5, ge=0, le=1)
    joint_dropout: float = Field(0.0, ge=0, lt=1)
    part_dropout: float = Field(0.0, ge=0, le=1)
    flip: float = Field(0.0, ge=0, le=1)
    augmentation: Augmentation = Augmentation()
    description: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def fits_its_set(self) -> DataSettings:
        if self.held_out and self.name in ("motion", "people", "coco"):
            raise ValueError(
                f"held_out is a share of a recorded set; {self.name} has a split 'val' of its own: leave it out"
            )
        if self.apart and self.balance:
            raise ValueError("apart draws all people alike: set balance to 0")
        return self


class MixSettings(DataSettings):
    """More data: `share` of each batch comes from it."""

    share: float = Field(gt=0, lt=1)


class Recipe(Settings):
    """A training run on one page.

    Attributes:
        about: what it trains, what to expect, on which hardware, how long.
        seed: of everything random.
        pose_scale, keypoint_scale: one standard deviation of the data, mm and box units; 0 measures them.
        poses: more data without pictures, of which stages with a `pose_batch` draw beside `data`.
        mix: more data that each batch is partly drawn from; what it lacks (3D of photographs) is masked in every loss.
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
            if image is None and stage.looks:
                raise ValueError(f"stage {stage.name} needs pictures, and the model has no [model.image_encoder]")
            if stage.draws_heatmaps and not (image and image.heatmap_head):
                raise ValueError(
                    f"stage {stage.name} trains heat maps: set heatmap_head = true in [model.image_encoder]"
                )
            if stage.pose_batch and self.poses is None:
                raise ValueError(f"stage {stage.name} has a pose_batch, and the recipe no [poses]")
        if image and image.heatmap_head and image.kind not in HRNETS:
            raise ValueError("a heat-map head sits on an HRNet; set model.image_encoder.kind to one")
        if image and image.read_out == "joints" and not image.heatmap_head:
            raise ValueError("reading at the joints needs heat maps: set heatmap_head = true in [model.image_encoder]")
        if image and image.shrink > 1 and image.kind not in HRNETS:
            raise ValueError("a ViT takes pictures of one size only: leave out shrink")
        return self

    @model_validator(mode="after")
    def leaves_a_share(self) -> Recipe:
        if sum(table.share for table in self.mix) >= 1:
            raise ValueError("the shares of [[mix]] must leave some of each batch to [data]: their sum is 1 or more")
        if any(table.skeleton != self.data.skeleton for table in self.mix):
            raise ValueError("all of [data] and [[mix]] must have the same skeleton; set skeleton in each")
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
                if decoding.point and decoder.kind == "diffusion" and decoder.prediction == "epsilon":
                    raise ValueError(
                        f"stage {stage.name}: an ε-predicting decoder has no answer at t = 1;"
                        f" leave out point for {decoding.target}, or choose another prediction"
                    )
        return self

    def fingerprint(self) -> str:
        """Changes with whatever changes training: a saved state of another recipe cannot be resumed.

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
    """A shipped recipe by name, or a TOML file by path, with `key=value` changes (dotted keys; values as in TOML).

    Raises:
        InputError: for an unknown recipe or key, or a value that does not fit, naming the known ones.
    """
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise InputError(f"no recipe at {path}")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name}: not a readable text file ({error.__class__.__name__})") from error
    elif name in shipped_recipes():
        text = resources.files("unihpe").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise InputError(f"no recipe '{name}': shipped are {', '.join(shipped_recipes())}; a file must end in .toml")
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not valid TOML ({error})") from error
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
    return recipe.model_copy(update={"stage": tuple(stage for stage in recipe.stage if stage.name in names)})


def parse_recipe(fields: dict[str, Any], name: str) -> Recipe:
    """Check a recipe's fields."""
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise InputError(f"{name}: {explain(error)}") from error


def apply_change(fields: dict[str, Any], change: str) -> None:
    """Put one `key=value` into the recipe's fields; a number in the key counts tables from 0 (`stage.1.steps=10`)."""
    key, sign, value = change.partition("=")
    if not sign or not key:
        raise InputError(f"--set {change}: write it as key=value, for example data.root=FOLDER")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value  # a bare word is a string
    *parents, last = key.split(".")
    table: Any = fields
    try:
        for parent in parents:
            table = table[int(parent)] if isinstance(table, list) else table.setdefault(parent, {})
        if isinstance(table, list):
            table[int(last)] = parsed
        else:
            table[last] = parsed
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise InputError(f"--set {change}: the recipe has no place {key}") from error


def explain(error: ValidationError) -> str:
    """The first complaint on one line: where, what, and which keys are known."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return (f"{where}: " if where else "") + first["msg"].removeprefix("Value error, ")
    *parents, key = first["loc"]
    table = settings_at([part for part in parents if isinstance(part, str)])
    place = ".".join(str(part) for part in parents) or "recipe"
    return f"[{place}] has no setting {key}; it has {', '.join(table.model_fields)}"


def settings_at(parents: list[str]) -> type[BaseModel]:
    """The settings class of a table."""
    table: type[BaseModel] = Recipe
    for parent in parents:
        annotation = table.model_fields[parent].annotation
        inner = getattr(annotation, "__args__", (annotation,))[0]
        table = inner if isinstance(inner, type) else table
    return table


def build_model(recipe: Recipe) -> UniHPE:
    """The model of a recipe, freshly initialised from its seed."""
    joints, settings = len(get_skeleton(recipe.data.skeleton)), recipe.model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return UniHPE(
            build_encoder(settings.encoder_2d, joints, 2, settings.embedding),
            build_encoder(settings.encoder_3d, joints, 3, settings.embedding),
            build_decoder(settings.decoder_2d, joints, 2, settings.embedding),
            build_decoder(settings.decoder_3d, joints, 3, settings.embedding),
            pose_scale=recipe.pose_scale or 1.0,
            keypoint_scale=recipe.keypoint_scale or 1.0,
            image_encoder=build_image_encoder(settings.image_encoder, joints, settings.embedding),
            heatmap_head=build_heatmap_head(settings.image_encoder, joints),
        )


def build_image_encoder(
    settings: ImageEncoderSettings | None, joints: int, embedding: int
) -> ImageEncoder | ViTEncoder | None:
    """The image encoder with random weights; public ones are loaded by `start_image_encoder`."""
    if settings is None:
        return None
    match settings.kind:
        case "vit_small":
            return ViTEncoder(vitpose_backbone("small"), embedding)
        case "vit_base":
            return ViTEncoder(vitpose_backbone("base"), embedding)
        case _:
            backbone = HRNet(HRNETS[settings.kind])
            at_joints = settings.read_out == "joints"
            read_out = JointReadOut(backbone.channels, joints, embedding=embedding) if at_joints else None
            encoder = ImageEncoder(backbone, embedding, shrink=settings.shrink, joints=read_out)
            return encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def start_image_encoder(model: UniHPE, recipe: Recipe) -> None:
    """Load the public weights that the recipe names into the image encoder and, where theirs is of the same joints, the heat-map head.

    Raises:
        InputError: for a file that cannot be read, or holds another architecture.
    """
    settings = recipe.model.image_encoder
    if settings is None or not settings.weights:
        return
    known = settings.weights in public_files()
    file = download(settings.weights, offline=True) if known else Path(settings.weights)
    if isinstance(model.image_encoder, ImageEncoder):
        weights = read_weights(file)
        given = model.heatmap_head if weights.joints == recipe.data.skeleton else None
        head = given if isinstance(given, HeatmapHead) else None
        fill(model.image_encoder.backbone, weights, head, settings.start)
    elif model.image_encoder is not None:
        backbone = pretrained_vitpose(file)
        check_size(backbone, model.image_encoder.backbone, file)
        model.image_encoder.backbone = backbone


def build_heatmap_head(settings: ImageEncoderSettings | None, joints: int) -> HeatmapHead | BranchesHead | None:
    """The heat-map head, where the recipe asks for one."""
    if settings is None or not settings.heatmap_head:
        return None
    plan = plan_of(HRNETS[settings.kind])
    if settings.heatmaps_from == "finest":
        return HeatmapHead(plan.channels, joints)
    head = BranchesHead(plan.branches, joints)
    return head.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def build_encoder(
    settings: EncoderSettings, joints: int, coordinates: int, embedding: int
) -> TransformerPoseEncoder | MLPPoseEncoder:
    """A pose encoder; the 2D one has the box token (B.2)."""
    box_token = coordinates == 2
    match settings.kind:
        case "transformer":
            return TransformerPoseEncoder(
                joints,
                coordinates,
                box_token=box_token,
                width=settings.width,
                depth=settings.depth,
                heads=settings.heads,
                feedforward=settings.feedforward,
                dropout=settings.dropout,
                embedding=embedding,
            )
        case "mlp":
            return MLPPoseEncoder(
                joints,
                coordinates,
                box_token=box_token,
                width=settings.width,
                blocks=settings.depth,
                dropout=settings.dropout,
                embedding=embedding,
            )
        case _:
            assert_never(settings.kind)


def build_decoder(settings: DecoderSettings, joints: int, coordinates: int, embedding: int) -> Decoder:
    """A pose decoder."""
    network = ScoreDecoder if settings.kind == "diffusion" else MLPDecoder
    built = network(
        joints,
        coordinates,
        box_token=settings.box_token,
        modality_token=settings.modality_token,
        width=settings.width,
        blocks=settings.blocks,
        dropout=settings.dropout,
        embedding=embedding,
    )
    if isinstance(built, MLPDecoder):
        return built
    return DiffusionDecoder(built, Diffusion(build_path(settings.path), settings.prediction))


def open_source(
    data: DataSettings,
    *,
    split: str | None,
    view: View,
    two_d: TwoD | None = None,
    stride: int = 1,
    part: Literal["whole", "trained", "held out"] = "whole",
) -> Source:
    """The recipe's data as a source.

    Args:
        part: of a recorded set whose settings hold a part out.

    Raises:
        InputError: if no root is named or it cannot be read.
    """
    if not data.root:
        raise InputError("the recipe names no data: add --set data.root=FOLDER (docs/data.md says where to get some)")
    root = Path(data.root)
    if not root.exists():
        raise InputError(f"no data at {root}: check data.root (docs/data.md says where to get some)")
    random_view = view == "random"
    if data.name == "people":
        return PeopleSource(root / f"{split}.pack", data.augmentation if random_view else None, data.with_pose)
    if data.name == "coco":
        return CocoSource(read_annotations(root, split), data.augmentation if random_view else None)
    if data.name != "motion":
        recorded = open_recorded(data.name, root, data.keypoints, split, stride)
        if data.held_out and part != "whole":
            recorded = recorded.held_out(data.held_out)[part == "held out"]
        return in_joints(recorded, get_skeleton(data.skeleton))
    motion = open_motion(root, Path(data.rig) if data.rig else None).converted(get_skeleton(data.skeleton))
    return MotionSource(
        motion.select(split, stride),
        view,
        two_d or data.two_d,
        balance=data.balance if random_view else 0.0,
        body_scale=data.body_scale if random_view else 0.0,
    )


def stage_stream(data: Stream, mix: Sequence[tuple[float, Stream]], poses: Stream | None) -> Draw:
    """What each step of a stage draws: people of `data` and, by their shares, of `mix` in one batch; its `pose_batch` in another."""

    def batches(stage: Stage, generator: torch.Generator) -> list[Batch]:
        counts = [round(share * stage.batch_size) for share, _ in mix]
        people = data(stage.batch_size - sum(counts), generator, stage.looks)
        for count, (_, more) in zip(counts, mix, strict=True):
            people = joined(people, more(count, generator, stage.looks)) if count else people
        if any(counts) and any(decoding.share < 1 for decoding in stage.decode):
            # such a path takes the first people of the batch, who would all be of `data`
            people = chosen(people, alternating([stage.batch_size - sum(counts), *counts]))
        return [people, poses(stage.pose_batch, generator)] if poses is not None and stage.pose_batch else [people]

    return batches


def alternating(counts: Sequence[int]) -> Tensor:
    """An order of the people of several sources, who stand one source after the other: however few are taken, all sources are in it."""
    return torch.cat([(torch.arange(count) + 0.5) / max(count, 1) for count in counts]).argsort(stable=True)


def open_stream(data: DataSettings) -> Stream:
    """The training stream of a table of the recipe."""
    return training_stream(open_source(data, split=data.split, view="random", part="trained"), data)


def training_stream(source: Source, data: DataSettings) -> Stream:
    """Batches drawn from a source by its weights or, where the settings ask for it, apart; prepared for training."""
    blind = source.without_pictures() if isinstance(source, PeopleSource) else source
    pick = apart(in_time(source), data.apart) if data.apart else by_weights(source.weights())

    def draw(size: int, generator: torch.Generator, pictures: bool = True) -> Batch:
        return prepare(
            (source if pictures else blind).read(pick(size, generator), generator),
            source.skeleton,
            generator=generator,
            unknown_focal=data.unknown_focal,
            joint_dropout=data.joint_dropout,
            part_dropout=data.part_dropout,
            flip=data.flip,
        )

    return draw


def by_weights(weights: Tensor) -> Callable[[int, torch.Generator], Tensor]:
    """Draws indices with the odds of `weights` (N,), each on its own."""
    cumulative = weights.double().cumsum(0)
    cumulative = cumulative / cumulative[-1]

    def pick(size: int, generator: torch.Generator) -> Tensor:
        position = torch.rand(size, generator=generator, dtype=torch.float64)
        return torch.searchsorted(cumulative, position).clamp_max(len(cumulative) - 1)

    return pick


def in_time(source: Source) -> Tensor:
    """The indices (N,) of a source, those of one view side by side and in time, as far as it knows views."""
    recorded = source.source if isinstance(source, InJoints) else source
    if not isinstance(recorded, Recorded):
        return torch.arange(len(source))  # packed people: in the order they were packed in
    return (recorded.view * (recorded.frame.max() + 1) + recorded.frame).argsort(stable=True)


def apart(order: Tensor, distance: int) -> Callable[[int, torch.Generator], Tensor]:
    """Draws from the indices `order` (N,), any two of one draw a multiple of `distance` apart in it.

    One random offset, then none twice.
    """
    count = len(order)

    def pick(size: int, generator: torch.Generator) -> Tensor:
        offset = int(torch.randint(min(distance, count), (), generator=generator))
        steps = torch.randperm((count - offset - 1) // distance + 1, generator=generator)[:size]
        if len(steps) < size:
            raise InputError(
                f"{count} people, {distance} apart, are too few for a batch of {size}: lower batch_size or data.apart"
            )
        return order[offset + distance * steps]

    return pick


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


def load_model(path: Path, device: str = "cpu") -> tuple[UniHPE, Recipe, Card]:
    """A trained model, its recipe and its card, from a checkpoint file or a training folder.

    Raises:
        InputError: as `load_checkpoint`, or if the recipe in the checkpoint is not understood.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    tensors, card = load_checkpoint(file, device)
    recipe = parse_recipe(card.recipe, f"{file} (its recipe)")
    model = build_model(recipe)
    load_into(model, tensors, file)
    return model.to(device).eval(), recipe, card


def check_skeleton(recipe: Recipe, skeleton: Skeleton, what: str) -> None:
    """Raise where data and model have different joints."""
    if recipe.data.skeleton != skeleton.name:
        raise InputError(f"{what} has the joints of {skeleton.name}, the checkpoint those of {recipe.data.skeleton}")
