"""Settings to parts: the only place where numbers meet classes."""

from __future__ import annotations

from typing import Literal, assert_never

import torch
from pydantic import Field, model_validator

from unihpe.diffusion.parametrisation import Diffusion, Prediction
from unihpe.diffusion.sde import PathKind, build_path
from unihpe.model.backbones.hrnet import HRNet, Width, plan_of
from unihpe.model.backbones.vitpose import ViTEncoder, vitpose_backbone
from unihpe.model.heatmap_embedding import JointReadOut
from unihpe.model.heatmaps import BranchesHead, HeatmapHead
from unihpe.model.image_encoder import ImageEncoder
from unihpe.model.pose_decoder import GROUPS, MLPDecoder, ScoreDecoder
from unihpe.model.pose_encoder import MLPPoseEncoder, TransformerPoseEncoder
from unihpe.model.unihpe import Decoder, DiffusionDecoder
from unihpe.settings import Settings

HRNETS: dict[str, Width] = {"hrnet_w18_small": "w18_small", "hrnet_w32": "w32", "hrnet_w48": "w48"}


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
            raise ValueError(
                f"a score network's width must be a multiple of {GROUPS}, not {self.width}"
            )
        return self


class ImageEncoderSettings(Settings):
    """The image encoder.

    Attributes:
        weights: where its backbone begins: a file of public weights, or the name of one in the
            cache (docs/weights.md); empty for random ones. Their heat-map head is taken only where
            it is of the recipe's joints (COCO's 17 are not Human3.6M's); a head that the file
            cannot give begins at random.
        start: of the layers that heat-map checkpoints lack.
        heatmap_head: whether the model has a head for heat maps; HRNet only.
        heatmaps_from: "finest" is the official head, one layer on the finest branch; "all"
            branches, for small networks (`BranchesHead`).
        read_out: "pooled" is the paper's; "joints" begins at the keypoints that the heat maps show
            (`JointReadOut`).
        shrink: 2 halves the picture's sides before the backbone, for CPUs; HRNet only.
    """

    kind: Literal["hrnet_w18_small", "hrnet_w32", "hrnet_w48", "vit_small", "vit_base"] = (
        "hrnet_w32"
    )
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
            read_out = (
                JointReadOut(backbone.channels, joints, embedding=embedding) if at_joints else None
            )
            encoder = ImageEncoder(backbone, embedding, shrink=settings.shrink, joints=read_out)
            return encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def build_heatmap_head(
    settings: ImageEncoderSettings | None, joints: int
) -> HeatmapHead | BranchesHead | None:
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


def build_decoder(
    settings: DecoderSettings, joints: int, coordinates: int, embedding: int
) -> Decoder:
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
