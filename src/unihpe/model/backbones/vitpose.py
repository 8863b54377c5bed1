"""ViTPose's backbone, through transformers."""

import importlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor, nn

from unihpe.errors import InputError, one_line
from unihpe.model.backbones.backbone import Backbone, Start

WIDTHS = {"small": 384, "base": 768}
DEPTH = HEADS = 12
SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads")  # as transformers names them


class ViTPose(Backbone):
    """A ViTPose backbone, one of `WIDTHS` or the `VitPoseBackbone` given: its tokens after the last
    LayerNorm as one map."""

    strides = (16,)
    vit: Any

    def __init__(self, variant: str, vit: nn.Module | None = None) -> None:
        super().__init__()
        self.adopt(_new_vit(WIDTHS[variant], self.size) if vit is None else vit)

    def adopt(self, vit: Any) -> None:
        """Take the parts of a network for one's own, under the names that they have there."""
        for name, part in vit.named_children():
            self.add_module(name, part)
        object.__setattr__(self, "vit", vit)  # past nn.Module, or each name would begin with "vit."
        self.channels = (vit.config.hidden_size,)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Normalised RGB (B, 3, 256, 192) → one map (B, C, 16, 12)."""
        tokens = self.vit(pixel_values=picture).feature_maps[-1]  # (B, 192, C)
        rows = picture.shape[-2] // self.strides[0]
        return [tokens.transpose(1, 2).unflatten(2, (rows, -1))]

    def load_public(
        self, path: Path, head: nn.Module | None, skeleton: str, start: Start = "identity"
    ) -> None:
        """Take the backbone of a ViTPose model as Hugging Face keeps it, a folder."""
        vit = _pretrained_vit(path)
        _check_size(vit.config, self.vit.config, path)
        self.adopt(vit)


def _transformers() -> Any:
    """The transformers library, imported only where it is needed."""
    try:
        library = importlib.import_module("transformers")
        _ = library.VitPoseBackbone
    except (ImportError, AttributeError) as error:
        what = "a ViT image encoder needs transformers 4.48 or newer"
        raise InputError(f"{what}: pip install 'unihpe[vit]'") from error
    return library


def _new_vit(width: int, size: tuple[int, int]) -> Any:
    """A backbone with random weights."""
    library = _transformers()
    sizes = dict(zip(SIZES, (width, DEPTH, HEADS), strict=True))
    picture = {"image_size": list(size[::-1]), "out_indices": [DEPTH]}
    return library.VitPoseBackbone(library.VitPoseBackboneConfig(**sizes, **picture))


def _pretrained_vit(folder: Path) -> Any:
    """The backbone in a folder with config.json and model.safetensors; not ViTPose+ models, which
    have a set of experts for each data set."""
    library = _transformers()
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no config.json; give the folder of a downloaded ViTPose model")
    how = {"output_loading_info": True, "local_files_only": True, "use_safetensors": True}
    try:
        model, info = library.VitPoseForPoseEstimation.from_pretrained(folder, **how)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: not a ViTPose model ({one_line(error, 200)})") from error
    if lacking := sorted(n for n in info["missing_keys"] if n.startswith("backbone.")):
        what = f"lacks {len(lacking)} tensors of the backbone (first: {lacking[0]})"
        raise InputError(f"{folder}: {what}; download it again")
    if (experts := model.backbone.config.num_experts) > 1:
        raise InputError(f"{folder}: a ViTPose+ model with {experts} experts; take a plain one")
    return model.backbone


def _check_size(found: Any, wanted: Any, folder: Path) -> None:
    """Raise where a ViT is of another size than the one whose place it is to take."""
    for name in SIZES:
        size, needed = getattr(found, name), getattr(wanted, name)
        if size == needed:
            continue
        known = [kind for kind, w in WIDTHS.items() if name == "hidden_size" and w == size]
        what = f"ViT-{known[0]}" if known else "another ViT"
        remedy = f"give those, or set kind to vit_{known[0]}" if known else "give those"
        sizes = f"({name} {size}), wanted is one of {name} {needed}"
        raise InputError(f"{folder}: weights of {what} {sizes}; {remedy}")
