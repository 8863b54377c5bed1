"""Settings to parts: the only place where numbers meet classes."""

import sys
from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import Field, field_validator, model_validator

from unihpe.body.skeleton import get_skeleton
from unihpe.diffusion.parametrisation import Diffusion, Prediction
from unihpe.diffusion.sde import PathKind, build_path
from unihpe.errors import InputError
from unihpe.io.downloads import download
from unihpe.model.backbones import DEFAULT, KINDS, Backbone, Start, build_backbone, public_files
from unihpe.model.checkpoint import Card, checkpoint_file, load_checkpoint, load_into
from unihpe.model.heatmap_embedding import JointReadOut
from unihpe.model.heatmaps import BranchesHead, HeatmapHead
from unihpe.model.image_encoder import ImageEncoder
from unihpe.model.pose_decoder import (
    GROUPS,
    Condition,
    Decoder,
    DiffusionDecoder,
    MLPDecoder,
    ScoreDecoder,
)
from unihpe.model.pose_encoder import JointInput, MLPPoseEncoder, TransformerPoseEncoder
from unihpe.model.unihpe import UniHPE
from unihpe.settings import Settings, parse

COARSEST_HEAT = 8  # pixels a cell of heat maps may cover


class EncoderSettings(Settings):
    """A pose encoder."""

    kind: Literal["transformer", "mlp"] = "transformer"
    width: int = Field(256, gt=0)
    depth: int = Field(3, gt=0)  # the transformer's layers or the MLP's blocks
    heads: int = Field(8, gt=0)  # the transformer's, like `feedforward`
    feedforward: int = Field(512, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def heads_divide(self) -> Self:
        if self.kind == "transformer" and self.width % self.heads:
            raise ValueError(f"a transformer's width must be a multiple of its {self.heads} heads")
        return self


class DecoderSettings(Settings):
    """A pose decoder."""

    kind: Literal["diffusion", "mlp"] = "diffusion"
    width: int = Field(1024, gt=0)
    blocks: int = Field(2, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    modality_token: bool = True
    box_token: bool = False
    path: PathKind = "sub_vp"  # of the diffusion, like `prediction`
    prediction: Prediction = "epsilon"

    @model_validator(mode="after")
    def groups_divide(self) -> Self:
        if self.kind == "diffusion" and self.width % GROUPS:
            raise ValueError(f"a score network's width must be a multiple of {GROUPS}")
        return self


class ImageEncoderSettings(Settings):
    """The image encoder."""

    kind: str = DEFAULT  # one of `KINDS`, or my_module:build for one from outside the package
    # Where the backbone begins: a file of public weights, or the name of one in the cache
    # (docs/weights.md); empty for random ones. Their heat-map head is taken only where it is of the
    # recipe's joints (COCO's 17 are not Human3.6M's); a head that the file cannot give begins at
    # random.
    weights: str = ""
    start: Start = "identity"  # of the layers that heat-map checkpoints lack
    heatmap_head: bool = False
    # "finest" is the official head, one layer on the finest map; "all" maps, for small networks
    # (`BranchesHead`)
    heatmaps_from: Literal["finest", "all"] = "finest"
    # "pooled" is the paper's; "joints" begins at the keypoints that the heat maps show
    # (`JointReadOut`)
    read_out: Literal["pooled", "joints"] = "pooled"
    shrink: Literal[1, 2] = 1  # 2 halves the picture's sides before the backbone, for CPUs

    @field_validator("kind")
    @classmethod
    def is_known(cls, kind: str) -> str:
        if kind not in KINDS and ":" not in kind:
            raise ValueError(f"there are {', '.join(KINDS)}, and my_module:build; not {kind}")
        return kind

    @model_validator(mode="after")
    def parts_fit(self) -> Self:
        if self.kind in KINDS:
            check_parts(self, KINDS[self.kind][0])
        if self.read_out == "joints" and not self.heatmap_head:
            raise ValueError("reading at the joints needs heat maps: set heatmap_head = true")
        return self


class ModelSettings(Settings):
    """The model's parts; without an image encoder it is a lifting model."""

    embedding: int = Field(1024, gt=0)
    image_encoder: ImageEncoderSettings | None = None
    encoder_2d: EncoderSettings = EncoderSettings()
    encoder_3d: EncoderSettings = EncoderSettings()
    decoder_2d: DecoderSettings = DecoderSettings(box_token=True)
    decoder_3d: DecoderSettings = DecoderSettings()


def check_parts(settings: ImageEncoderSettings, backbone: Backbone | type[Backbone]) -> None:
    """Raise InputError where a backbone lacks what the settings ask of it."""
    if settings.heatmap_head and (finest := backbone.strides[0]) > COARSEST_HEAT:
        raise InputError(
            f"a heat-map head needs a map of {COARSEST_HEAT} pixels a cell or finer,"
            f" {settings.kind} has {finest}: leave out heatmap_head, or choose another kind"
        )
    if settings.shrink > 1 and not backbone.any_size:
        raise InputError(f"{settings.kind} takes pictures of one size only: leave out shrink")


def build_model(
    settings: ModelSettings,
    skeleton: str,
    *,
    seed: int = 0,
    pose_scale: float = 1.0,
    keypoint_scale: float = 1.0,
) -> UniHPE:
    """The model of these settings for a skeleton's joints, freshly initialised from the seed."""
    joints, embedding = len(get_skeleton(skeleton)), settings.embedding
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = (
            build_encoder(settings.encoder_2d, joints, 2, embedding),
            build_encoder(settings.encoder_3d, joints, 3, embedding),
            build_decoder(settings.decoder_2d, joints, 2, embedding),
            build_decoder(settings.decoder_3d, joints, 3, embedding),
        )
        image = settings.image_encoder
        seeing = (None, None) if image is None else build_image_parts(image, joints, embedding)
        for part in filter(None, seeing):  # channels last, as pictures come, is faster
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return UniHPE(*parts, *seeing, pose_scale=pose_scale, keypoint_scale=keypoint_scale)


def build_image_parts(
    settings: ImageEncoderSettings, joints: int, embedding: int
) -> tuple[ImageEncoder, HeatmapHead | BranchesHead | None]:
    """The image encoder and, where the settings ask for one, the heat-map head; random weights."""
    backbone = build_backbone(settings.kind)
    check_parts(settings, backbone)
    channels, at_joints = backbone.channels, None
    if settings.read_out == "joints":
        at_joints = JointReadOut(sum(channels), joints, embedding)
    encoder = ImageEncoder(backbone, embedding, settings.shrink, at_joints)
    if not settings.heatmap_head:
        return encoder, None
    if settings.heatmaps_from == "finest":
        return encoder, HeatmapHead(channels[0], joints)
    return encoder, BranchesHead(channels, joints)


def build_encoder(
    settings: EncoderSettings, joints: int, coordinates: int, embedding: int
) -> TransformerPoseEncoder | MLPPoseEncoder:
    """A pose encoder; the 2D one has the box token (B.2)."""
    joint_input = JointInput(joints, coordinates, box_token=coordinates == 2)
    width, depth, dropout = settings.width, settings.depth, settings.dropout
    if settings.kind == "mlp":
        return MLPPoseEncoder(joint_input, embedding, width, depth, dropout)
    inner = settings.heads, settings.feedforward
    return TransformerPoseEncoder(joint_input, embedding, width, depth, *inner, dropout)


def build_decoder(
    settings: DecoderSettings, joints: int, coordinates: int, embedding: int
) -> Decoder:
    """A pose decoder."""
    tokens = {"modality_token": settings.modality_token, "box_token": settings.box_token}
    condition, shape = Condition(embedding, **tokens), (joints, coordinates)
    network = MLPDecoder if settings.kind == "mlp" else ScoreDecoder
    built = network(condition, shape, settings.width, settings.blocks, settings.dropout)
    if isinstance(built, MLPDecoder):
        return built
    return DiffusionDecoder(built, Diffusion(build_path(settings.path), settings.prediction))


def load_public_weights(
    model: UniHPE, settings: ImageEncoderSettings | None, skeleton: str
) -> None:
    """Load the public weights that the settings name into the image encoder and, where theirs is
    of the same joints, the heat-map head.

    Raises:
        InputError: for a file that cannot be read, or holds another architecture.
    """
    if settings is None or model.image_encoder is None or not settings.weights:
        return
    public = public_files().get(settings.weights)
    file = Path(settings.weights) if public is None else download(public, offline=True)
    head = model.heatmap_head if isinstance(model.heatmap_head, HeatmapHead) else None
    model.image_encoder.backbone.load_public(file, head, skeleton, settings.start)


def load_model(checkpoint: str | Path | None = None, device: str = "cpu") -> tuple[UniHPE, Card]:
    """A trained model in evaluation mode, and its card.

    Args:
        checkpoint: see `checkpoint_file`.

    Raises:
        InputError: as `load_checkpoint`, for settings in the checkpoint that are not understood,
            or for a backbone from a module that nobody imported: a checkpoint runs no code.
    """
    file = checkpoint_file(checkpoint)
    tensors, card = load_checkpoint(file, device)
    settings = parse(ModelSettings, card.recipe.get("model", {}), f"{file} (its recipe's model)")
    if (image := settings.image_encoder) and image.kind not in KINDS:
        module = image.kind.partition(":")[0]
        if module not in sys.modules:
            raise InputError(
                f"{file} has an image encoder from the module {module}: if you trust it, `import"
                f" {module}` first, or on the command line `unihpe --import {module} …`"
            )
    model = build_model(settings, card.skeleton)
    load_into(model, tensors, file)
    return model.to(device).eval(), card
