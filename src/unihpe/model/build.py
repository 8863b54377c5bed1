"""Settings to parts: the only place where numbers meet classes."""

import sys
from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import nn

from unihpe.body.rays import Trunk
from unihpe.body.skeleton import get_skeleton
from unihpe.diffusion.parametrisation import Diffusion, Prediction
from unihpe.diffusion.sde import PathKind, build_path
from unihpe.errors import InputError
from unihpe.io.downloads import download
from unihpe.model.backbones import DEFAULT, KINDS, Backbone, Start, build_backbone, public_files
from unihpe.model.bone_encoder import BonePoseEncoder
from unihpe.model.checkpoint import Card, checkpoint_file, load_checkpoint, load_into
from unihpe.model.error_head import ErrorHead
from unihpe.model.heatmap_embedding import JointReadOut
from unihpe.model.heatmaps import BranchesHead, HeatmapHead
from unihpe.model.image_encoder import ImageEncoder
from unihpe.model.person_head import PersonHead
from unihpe.model.pose_decoder import GROUPS, Condition, DiffusionDecoder, MLPDecoder, ScoreDecoder
from unihpe.model.pose_encoder import JointInput, MLPPoseEncoder, Shape, TransformerPoseEncoder
from unihpe.model.unihpe import Decoder, JointHead, PoseEncoder, UniHPE
from unihpe.settings import Settings, parse

WIDEST, DEEPEST = 1 << 14, 256  # of any part: slips of the hand would fill the memory
COARSEST_HEAT = 8  # pixels a cell of heat maps may cover


class EncoderSettings(Settings):
    """A pose encoder."""

    # the paper's, or "bones": residual layers that see bones, too, and 2D in the person's frame
    kind: Literal["transformer", "mlp", "bones"] = "transformer"
    width: int = Field(256, gt=0, le=WIDEST)
    depth: int = Field(3, gt=0, le=DEEPEST)  # the transformer's layers or the others' blocks
    heads: int = Field(8, gt=0, le=DEEPEST)  # the transformer's, like `feedforward`
    feedforward: int = Field(512, gt=0, le=WIDEST)
    dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def heads_divide(self) -> Self:
        if self.kind == "transformer" and self.width % self.heads:
            raise ValueError(f"a transformer's width must be a multiple of its {self.heads} heads")
        return self


class DecoderSettings(Settings):
    """A pose decoder."""

    kind: Literal["diffusion", "mlp"] = "diffusion"
    width: int = Field(1024, gt=0, le=WIDEST)
    blocks: int = Field(2, gt=0, le=DEEPEST)
    dropout: float = Field(0.0, ge=0, lt=1)
    modality_token: bool = True
    box_token: bool = False
    path: PathKind = "sub_vp"  # of the diffusion, like `prediction`
    prediction: Prediction = "epsilon"
    # Whether several samples are moved until their mean is the point estimate: for decoders that
    # are trained to give one, which errs less than the mean of samples.
    about_estimate: bool = False

    @model_validator(mode="after")
    def groups_divide(self) -> Self:
        # a group of one number would be normed to 0, whatever it was
        if self.kind == "diffusion" and (self.width % GROUPS or self.width == GROUPS):
            least = f"a multiple of {GROUPS}, from {2 * GROUPS}"
            raise ValueError(f"a score network's width must be {least}")
        return self


class ImageEncoderSettings(Settings):
    """The image encoder."""

    kind: str = DEFAULT  # one of `KINDS`, or my_module:build for one from outside the package
    # Where the backbone begins: a file of public weights, or the name of one in the cache
    # (docs/weights.md); empty is at random. Their heat-map head is taken only where it is of the
    # recipe's joints (COCO's 17 are not Human3.6M's), and begins at random elsewhere.
    weights: str = ""
    start: Start = "identity"  # of the layers that heat-map checkpoints lack
    heatmap_head: bool = False
    # the official head, on the finest map; `BranchesHead`, on all maps, for small networks; or
    # MoveNet's own (`PersonHead`), which begin as they were published
    heatmaps_from: Literal["finest", "all", "person"] = "finest"
    # the paper's, or one that begins at the keypoints that the heat maps show (`JointReadOut`)
    read_out: Literal["pooled", "joints"] = "pooled"
    read_out_width: int = Field(1024, gt=0, le=WIDEST)  # of the latter
    # Share of people in training whose embedding is that of the keypoints seen alone: the pose
    # encoder learns to do with them, and what else is seen moves it, not more (of the latter).
    read_out_dropout: float = Field(0.0, ge=0, lt=1)
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
            _check_parts(self, KINDS[self.kind][0])
        if self.read_out == "joints" and not self.heatmap_head:
            raise ValueError("reading at the joints needs heat maps: set heatmap_head = true")
        if self.heatmaps_from == "person" and not self.kind.startswith("movenet"):
            raise ValueError('heatmaps_from = "person" are MoveNet\'s heads: choose a movenet')
        return self


class ModelSettings(Settings):
    """The model's parts; without an image encoder it is a lifting model."""

    embedding: int = Field(1024, gt=0, le=WIDEST)
    # The axes of poses inside the model: the camera's, or those of the ray to the person, upright,
    # in which the same pose looks the same to all cameras (`body.rays`).
    frame: Literal["camera", "person"] = "camera"
    image_encoder: ImageEncoderSettings | None = None
    encoder_2d: EncoderSettings = EncoderSettings()
    encoder_3d: EncoderSettings = EncoderSettings()
    decoder_2d: DecoderSettings = DecoderSettings(box_token=True)
    decoder_3d: DecoderSettings = DecoderSettings()
    error_head: bool = False  # whether the model says how far its 3D may be off


def _check_parts(settings: ImageEncoderSettings, backbone: Backbone | type[Backbone]) -> None:
    """Raise InputError where a backbone lacks what the settings ask of it."""
    if settings.heatmap_head and (finest := backbone.strides[0]) > COARSEST_HEAT:
        what = f"a heat-map head needs a map of {COARSEST_HEAT} pixels a cell or finer"
        remedy = "leave out heatmap_head, or choose another kind"
        raise InputError(f"{what}, {settings.kind} has {finest}: {remedy}")
    if settings.shrink > 1 and not backbone.any_size:
        raise InputError(f"{settings.kind} takes pictures of one size only: leave out shrink")


def build_model(
    settings: ModelSettings, skeleton: str, seed: int = 0, scales: tuple[float, float] = (1.0, 1.0)
) -> UniHPE:
    """The model of these settings for a skeleton's joints, freshly initialised from the seed, with
    its scales of poses (mm) and of keypoints (box units)."""
    joints, embedding = len(get_skeleton(skeleton)), settings.embedding
    flat, solid = (joints, 2), (joints, 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = (
            _build_encoder(settings.encoder_2d, flat, embedding, skeleton),
            _build_encoder(settings.encoder_3d, solid, embedding, skeleton),
            build_decoder(settings.decoder_2d, flat, embedding),
            build_decoder(settings.decoder_3d, solid, embedding),
        )
        encoder, head = _build_image_parts(settings.image_encoder, skeleton, embedding)
        for part in filter(None, (encoder, head)):  # channels last, as pictures come, is faster
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        errors = ErrorHead(embedding, joints) if settings.error_head else None
        trunk = Trunk.of(get_skeleton(skeleton)) if settings.frame == "person" else None
        return UniHPE(*parts, encoder, head, scales, trunk=trunk, error_head=errors)


def _build_image_parts(
    settings: ImageEncoderSettings | None, skeleton: str, embedding: int
) -> tuple[ImageEncoder | None, JointHead | None]:
    """The image encoder and the heat-map head, where the settings ask for them; random weights."""
    if settings is None:
        return None, None
    backbone, joints = build_backbone(settings.kind), len(get_skeleton(skeleton))
    _check_parts(settings, backbone)
    channels, at_joints = backbone.channels, settings.read_out == "joints"
    sizes = sum(channels), joints, embedding, settings.read_out_width
    read_out = JointReadOut(*sizes) if at_joints else None
    drop = settings.read_out_dropout
    encoder = ImageEncoder(backbone, embedding, settings.shrink, read_out, drop)
    if not settings.heatmap_head:
        return encoder, None
    match settings.heatmaps_from:
        case "finest":
            return encoder, HeatmapHead(channels[0], joints)
        case "all":
            return encoder, BranchesHead(channels, joints)
        case "person":
            return encoder, PersonHead(skeleton)


def _build_encoder(
    settings: EncoderSettings, shape: Shape, embedding: int, skeleton: str
) -> PoseEncoder:
    """A pose encoder."""
    joint_input = JointInput(shape)
    width, depth, dropout = settings.width, settings.depth, settings.dropout
    if settings.kind == "mlp":
        return MLPPoseEncoder(joint_input, embedding, width, depth, dropout)
    if settings.kind == "bones":
        joints = get_skeleton(skeleton)
        return BonePoseEncoder(joint_input, joints, embedding, width, depth, dropout)
    inner = settings.heads, settings.feedforward
    return TransformerPoseEncoder(joint_input, embedding, width, depth, *inner, dropout)


def build_decoder(settings: DecoderSettings, shape: Shape, embedding: int) -> Decoder:
    """A pose decoder."""
    condition = Condition(embedding, settings.modality_token, settings.box_token)
    sizes = settings.width, settings.blocks, settings.dropout
    if settings.kind == "mlp":
        return MLPDecoder(condition, shape, *sizes)
    diffusion = Diffusion(build_path(settings.path), settings.prediction)
    if settings.about_estimate:
        diffusion.require_posterior_mean()
    network = ScoreDecoder(condition, shape, *sizes)
    return DiffusionDecoder(network, diffusion, settings.about_estimate)


def load_public_weights(model: UniHPE, image: ImageEncoderSettings | None, skeleton: str) -> None:
    """Load the public weights that the settings name into the image encoder and, where theirs is
    of the same joints, the heat-map head."""
    if image is None or model.image_encoder is None or not image.weights:
        return
    public = public_files().get(image.weights)
    file = Path(image.weights) if public is None else download(public, offline=True)
    head: nn.Module | None = model.heatmap_head
    if isinstance(head, PersonHead):
        head = head.published
    elif not isinstance(head, HeatmapHead):
        head = None
    model.image_encoder.backbone.load_public(file, head, skeleton, image.start)


def load_model(checkpoint: str | Path | None = None, device: str = "cpu") -> tuple[UniHPE, Card]:
    """A trained model, found by `checkpoint_file`, in evaluation mode, and its card. No code of it
    runs: a backbone from a module that nobody imported is an InputError."""
    file = checkpoint_file(checkpoint)
    tensors, card = load_checkpoint(file, device)
    settings = parse(ModelSettings, card.recipe.get("model", {}), f"{file} (its recipe's model)")
    kind = DEFAULT if settings.image_encoder is None else settings.image_encoder.kind
    if kind not in KINDS and (module := kind.partition(":")[0]) not in sys.modules:
        remedy = f"`import {module}` first, or on the command line `unihpe --import {module} …`"
        what = f"{file} has an image encoder from the module {module}"
        raise InputError(f"{what}: if you trust it, {remedy}")
    model = build_model(settings, card.skeleton)
    load_into(model, tensors, file)
    return model.to(device).eval(), card
