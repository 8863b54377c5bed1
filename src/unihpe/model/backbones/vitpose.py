"""ViTPose's backbone, through transformers."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from unihpe.errors import InputError, one_line
from unihpe.model.pose_encoder import unit

VIT_WIDTHS = {"small": 384, "base": 768}
VIT_DEPTH = 12
VIT_HEADS = 12
VIT_INPUT = (256, 192)  # H, W
VIT_SIZE = ("hidden_size", "num_hidden_layers", "num_attention_heads")  # as transformers names them


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
        tokens = self.backbone(pixel_values=picture).feature_maps[
            -1
        ]  # (B, 192, W), normed by the backbone
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
    """The backbone of a ViTPose model as Hugging Face keeps it: a folder with config.json and
    model.safetensors.

    Raises:
        InputError: if transformers is not installed, the folder is not such a model, it lacks
            tensors, or it is a ViTPose+ model, which has one set of experts a data set instead of
            one backbone.
    """
    library = transformers()
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: no config.json there; give the folder of a downloaded ViTPose model"
        )
    try:
        model, found = library.VitPoseForPoseEstimation.from_pretrained(
            folder, output_loading_info=True, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: not a ViTPose model ({one_line(error, 200)})") from error
    lacking = sorted(name for name in found["missing_keys"] if name.startswith("backbone."))
    if lacking:
        raise InputError(
            f"{folder}: lacks {len(lacking)} tensors of the backbone (first: {lacking[0]}); download it again"
        )
    backbone: nn.Module = model.backbone
    config: Any = backbone.config
    if config.num_experts > 1:
        raise InputError(
            f"{folder}: a ViTPose+ model with {config.num_experts} experts; take a plain ViTPose one"
        )
    return backbone


def check_size(backbone: nn.Module, wanted: nn.Module, folder: Path) -> None:
    """A clear word where a ViT is of another size than the one whose place it is to take.

    Raises:
        InputError: if it is.
    """
    for name in VIT_SIZE:
        found, needed = (getattr(vit.config, name) for vit in (backbone, wanted))
        if found != needed:
            known = [
                size
                for size, width in VIT_WIDTHS.items()
                if name == "hidden_size" and width == found
            ]
            what, remedy = (
                (f"ViT-{known[0]}", f", or set kind to vit_{known[0]}")
                if known
                else ("another ViT", "")
            )
            raise InputError(
                f"{folder}: weights of {what} ({name} {found}), wanted is one of {name} {needed}; give those{remedy}"
            )


def transformers() -> Any:
    """The transformers library, imported only where it is needed.

    Raises:
        InputError: if it is not installed, or too old for ViTPose.
    """
    try:
        library = importlib.import_module("transformers")
        _ = library.VitPoseBackbone
    except (ImportError, AttributeError) as error:
        raise InputError(
            "a ViT image encoder needs transformers 4.48 or newer: pip install 'unihpe[vit]'"
        ) from error
    return library
