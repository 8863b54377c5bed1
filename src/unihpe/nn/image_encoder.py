"""A person's picture to one unit embedding (§3.1): pooled HRNet branches, or a ViT's mean token, and one linear layer."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from unihpe.errors import InputError
from unihpe.nn.hrnet import HRNet
from unihpe.nn.pose_encoder import unit

VIT_WIDTHS = {"small": 384, "base": 768}
VIT_DEPTH = 12
VIT_HEADS = 12
VIT_INPUT = (256, 192)  # H, W


class ImageEncoder(nn.Module):
    """HRNet's branches, each averaged over the picture, concatenated, → linear → unit length.

    With all four branches of w32 that is 480 numbers, of w48 720, of w18_small 240.
    """

    def __init__(self, backbone: HRNet, embedding: int = 1024) -> None:
        super().__init__()
        self.backbone = backbone
        self.project = nn.Linear(sum(backbone.channels), embedding)

    def forward(self, picture: Tensor) -> Tensor:
        """Normalised RGB (B, 3, H, W), sides multiples of 32 → unit embedding (B, D), float32."""
        return self.read_out(self.backbone(picture))

    def read_out(self, maps: list[Tensor]) -> Tensor:
        """The backbone's maps → unit embedding (B, D); for a caller who needs the maps for a heat-map head as well."""
        pooled = torch.cat([x.mean(dim=(2, 3), dtype=torch.float32) for x in maps], dim=1)  # (B, ΣC)
        return unit(self.project(pooled))


class ViTEncoder(nn.Module):
    """A ViTPose backbone, its tokens after the last LayerNorm averaged, → linear → unit length.

    Args:
        backbone: transformers' VitPoseBackbone, see `vitpose_backbone` and `pretrained_vitpose`.
    """

    def __init__(self, backbone: nn.Module, embedding: int = 1024) -> None:
        super().__init__()
        self.backbone = backbone
        config: Any = backbone.config
        self.project = nn.Linear(config.hidden_size, embedding)

    def forward(self, picture: Tensor) -> Tensor:
        """Normalised RGB (B, 3, 256, 192) → unit embedding (B, D), float32."""
        tokens = self.backbone(pixel_values=picture).feature_maps[-1]  # (B, 192, W), normed by the backbone
        return unit(self.project(tokens.mean(dim=1, dtype=torch.float32)))


def vitpose_backbone(size: Literal["small", "base"]) -> nn.Module:
    """A ViTPose backbone with random weights.

    Raises:
        InputError: if transformers is not installed.
    """
    library = transformers()
    width = VIT_WIDTHS[size]
    config = library.VitPoseBackboneConfig(
        hidden_size=width,
        num_hidden_layers=VIT_DEPTH,
        num_attention_heads=VIT_HEADS,
        image_size=list(VIT_INPUT),
        out_indices=[VIT_DEPTH],
    )
    backbone: nn.Module = library.VitPoseBackbone(config)
    return backbone


def pretrained_vitpose(folder: Path) -> nn.Module:
    """The backbone of a ViTPose model as Hugging Face keeps it: a folder with config.json and model.safetensors.

    Raises:
        InputError: if transformers is not installed, the folder is not such a model, it lacks tensors, or it is a
            ViTPose+ model, which has one set of experts a data set instead of one backbone.
    """
    library = transformers()
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no config.json there; give the folder of a downloaded ViTPose model")
    try:
        model, found = library.VitPoseForPoseEstimation.from_pretrained(
            folder, output_loading_info=True, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: not a ViTPose model ({' '.join(str(error).split())[:200]})") from error
    lacking = sorted(name for name in found["missing_keys"] if name.startswith("backbone."))
    if lacking:
        raise InputError(
            f"{folder}: lacks {len(lacking)} tensors of the backbone (first: {lacking[0]}); download it again"
        )
    backbone: nn.Module = model.backbone
    config: Any = backbone.config
    if config.num_experts > 1:
        raise InputError(f"{folder}: a ViTPose+ model with {config.num_experts} experts; take a plain ViTPose one")
    return backbone


def transformers() -> Any:
    """The transformers library, imported only where it is needed.

    Raises:
        InputError: if it is not installed, or too old for ViTPose.
    """
    try:
        library = importlib.import_module("transformers")
        _ = library.VitPoseBackbone
    except (ImportError, AttributeError) as error:
        raise InputError("a ViT image encoder needs transformers 4.48 or newer: pip install 'unihpe[vit]'") from error
    return library
