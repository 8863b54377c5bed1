"""A person's picture to one unit embedding (§3.1): pooled HRNet branches, or a ViT's mean token, and one linear layer.

Beside the paper's read-out there is one at the joints, for networks that learn from few pictures: an average over the
picture has to learn anew where things are, and a heat map says it. There a picture's embedding is that of the keypoints
its heat maps show, moved by what else the picture tells; it begins as the former alone.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from unihpe.errors import InputError, one_line
from unihpe.nn.hrnet import HRNet, sharpened, soft_argmax
from unihpe.nn.pose_encoder import BOX_NUMBERS, linear_layer, unit

FAINTEST = 0.1  # height of a heat map, of 1, that shows a joint
VIT_WIDTHS = {"small": 384, "base": 768}
VIT_DEPTH = 12
VIT_HEADS = 12
VIT_INPUT = (256, 192)  # H, W
VIT_SIZE = ("hidden_size", "num_hidden_layers", "num_attention_heads")  # as transformers names them


class ImageEncoder(nn.Module):
    """HRNet's branches, each averaged over the picture, concatenated, → linear → unit length.

    With all four branches of w32 that is 480 numbers, of w48 720, of w18_small 240.

    Args:
        shrink: pixels of the picture, along each side, that are averaged into one first; 2 makes 96 × 128 of 192 × 256
            and costs a quarter.
        joints: adds what it reads at the joints to the embedding of the keypoints seen; needs heat maps.
    """

    def __init__(
        self, backbone: HRNet, embedding: int = 1024, *, shrink: int = 1, joints: JointReadOut | None = None
    ) -> None:
        super().__init__()
        self.backbone, self.shrink = backbone, shrink
        self.project = nn.Linear(sum(backbone.channels), embedding)
        self.joints = joints
        if joints is not None:
            start_at_nothing(self.project)

    def forward(self, picture: Tensor) -> Tensor:
        """Normalised RGB (B, 3, H, W), sides multiples of 32 · shrink → unit embedding (B, D), float32; pooled read-out only."""
        return self.read_out(self.maps(picture))

    def maps(self, picture: Tensor) -> list[Tensor]:
        """The backbone's maps of normalised RGB (B, 3, H, W), finest first."""
        maps: list[Tensor] = self.backbone(F.avg_pool2d(picture, self.shrink) if self.shrink > 1 else picture)
        return maps

    def read_out(self, maps: list[Tensor], shown: ShownJoints | None = None) -> Tensor:
        """The backbone's maps → unit embedding (B, D).

        Args:
            shown: what the heat maps show; for the read-out at the joints, which needs it.
        """
        pooled = torch.cat([x.mean(dim=(2, 3), dtype=torch.float32) for x in maps], dim=1)  # (B, ΣC)
        read = self.project(pooled)
        if self.joints is None:
            return unit(read)
        if shown is None:
            raise ValueError("this image encoder reads at the joints: pass what the heat maps show")
        return unit(shown.embedding + read + self.joints(maps, shown))


@dataclass(frozen=True)
class ShownJoints:
    """What heat maps say about a batch of people.

    Attributes:
        heatmaps: (B, J, h, w).
        keypoints: (B, J, 2), box units, and confidence: (B, J), 0 where the map shows nothing; see `keypoints_of`.
        box: token, (B, 3).
        embedding: of the keypoints, by the 2D encoder, (B, D).
    """

    heatmaps: Tensor
    keypoints: Tensor
    confidence: Tensor
    box: Tensor
    embedding: Tensor


def keypoints_of(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Heat maps (B, J, h, w) as keypoints (B, J, 2), box units, and their confidence (B, J): the map's height, cut to [0, 1].

    A map lower than `FAINTEST` shows nothing: confidence 0, which the 2D encoder takes for a missing joint.
    """
    height = heatmaps.float().amax((2, 3))
    return soft_argmax(heatmaps), torch.where(height > FAINTEST, height.clamp(max=1.0), 0.0)


class JointReadOut(nn.Module):
    """What a network saw at each joint: where the heat map points, how high it is, and the features there.

    Features are averaged with the sharpened heat map as weights, as part attention does (Kocabas et al., PARE, ICCV 2021). The box
    token comes in as in the 2D encoder: how a pose lies before the camera depends on where in the picture it is seen.

    Args:
        channels: of the maps.
        reduced: numbers that are kept of each joint's features.
    """

    def __init__(
        self, channels: list[int], joints: int, *, width: int = 1024, reduced: int = 32, embedding: int = 1024
    ) -> None:
        super().__init__()
        self.reduce = nn.Linear(sum(channels), reduced)
        self.stem = linear_layer(joints * (reduced + 3) + BOX_NUMBERS, width, 0.0)
        self.block = nn.Sequential(linear_layer(width, width, 0.0), linear_layer(width, width, 0.0))
        self.project = nn.Linear(width, embedding)
        start_at_nothing(self.project)

    def forward(self, maps: list[Tensor], shown: ShownJoints) -> Tensor:
        """Maps (B, C, h, w) finest first, and what heat maps of the finest's size show → (B, D); 0 before training."""
        share = sharpened(shown.heatmaps)
        features = torch.cat([averaged(x.float(), share) for x in maps], dim=-1)  # (B, J, ΣC)
        joints = torch.cat([self.reduce(features), shown.keypoints, shown.confidence[..., None]], dim=-1)
        x = self.stem(torch.cat([joints.flatten(1), shown.box], dim=1))
        result: Tensor = self.project(x + self.block(x))
        return result


def start_at_nothing(layer: nn.Linear) -> None:
    """Make a layer that puts out 0 until it has learned."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def averaged(features: Tensor, share: Tensor) -> Tensor:
    """Features (B, C, h, w) averaged with weights (B, J, H, W) that add up to 1, H a multiple of h: (B, J, C)."""
    height, width = features.shape[-2:]
    pooled = F.adaptive_avg_pool2d(share, (height, width)).flatten(2)
    return pooled / pooled.sum(-1, keepdim=True) @ features.flatten(2).transpose(1, 2)


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
        raise InputError(f"{folder}: not a ViTPose model ({one_line(error, 200)})") from error
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


def check_size(backbone: nn.Module, wanted: nn.Module, folder: Path) -> None:
    """A clear word where a ViT is of another size than the one whose place it is to take.

    Raises:
        InputError: if it is.
    """
    for name in VIT_SIZE:
        found, needed = (getattr(vit.config, name) for vit in (backbone, wanted))
        if found != needed:
            known = [size for size, width in VIT_WIDTHS.items() if name == "hidden_size" and width == found]
            what, remedy = (f"ViT-{known[0]}", f", or set kind to vit_{known[0]}") if known else ("another ViT", "")
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
        raise InputError("a ViT image encoder needs transformers 4.48 or newer: pip install 'unihpe[vit]'") from error
    return library
