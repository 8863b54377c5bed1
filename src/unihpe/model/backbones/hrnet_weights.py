"""Public HRNet weights as they are: the official COCO and ImageNet files, MMPose's and timm's.

All use the names of the official code. MMPose puts `backbone.` before them and `head.` (0.x:
`keypoint_head.`) before the heat-map head; ImageNet files carry a classifier, which is left out. A
COCO file lacks the layers to outputs 1 to 3 of the last module (`hrnet.start_coarse_fuse_layers`
starts them); anything else missing or left over is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError, one_line
from unihpe.model.backbones.backbone import Start
from unihpe.model.backbones.hrnet import (
    PLANS,
    HRNet,
    coarse_fuse_prefixes,
    start_coarse_fuse_layers,
)
from unihpe.model.backbones.public import public_files
from unihpe.model.checkpoint import read_safetensors, whole_state

CLASSIFIER = ("incre_modules.", "downsamp_modules.", "final_layer.", "classifier.")
FINAL = ("final_layer.weight", "final_layer.bias")  # the official code's heat-map head
HEADS = ("keypoint_head.", "head.")  # MMPose's
NORMALISER = "data_preprocessor."  # MMPose's picture mean and deviation, which are ours too
COUNTER = ".num_batches_tracked"  # of batch norms: older files lack it, and nothing here reads it


@dataclass(frozen=True)
class _Weights:
    """What a file holds, by the names of `HRNet` and `HeatmapHead`."""

    path: Path
    layout: str  # "COCO", "ImageNet" or "MMPose"
    backbone: dict[str, Tensor]
    head: dict[str, Tensor]  # of the heat-map head; empty in ImageNet files
    joints: str  # the skeleton of that head; "" without one, or where nobody says which


def fill(
    network: HRNet, weights: _Weights, head: nn.Module | None = None, start: Start = "identity"
) -> None:
    """Fill a network, and if given its heat-map head, with what a file holds, or change nothing.

    Whether the head is for the same joints as the file's, `Weights.joints` says.
    """
    _check_width(network, weights)
    counters = {n: t for n, t in network.state_dict().items() if n.endswith(COUNTER)}
    coarse = coarse_fuse_prefixes(network)
    lacks_coarse = not any(name.startswith(coarse) for name in weights.backbone)
    may_lack, what = coarse if lacks_coarse else (), f"HRNet {network.width}"
    state = whole_state(network, counters | weights.backbone, weights.path, may_lack, what)
    head_state = {} if head is None else _match_head(head, weights)
    network.load_state_dict(state)
    if lacks_coarse:
        start_coarse_fuse_layers(network, start)
    if head is not None:
        head.load_state_dict(head_state)


def read_weights(path: Path) -> _Weights:
    """Read a file and find out which layout it has."""
    tensors = {name.removeprefix("module."): tensor for name, tensor in _read_tensors(path).items()}
    if any(name.startswith("backbone.") for name in tensors):
        layout = "MMPose"
        parts = {n: t for n, t in tensors.items() if not n.startswith((NORMALISER, *HEADS))}
        backbone = {name.removeprefix("backbone."): tensor for name, tensor in parts.items()}
        heads = {name: tensor for name, tensor in tensors.items() if name.startswith(HEADS)}
        head = {name.partition(".")[2]: tensor for name, tensor in heads.items()}
    else:
        backbone = {n: t for n, t in tensors.items() if not n.startswith(CLASSIFIER)}
        head = {name: tensors[name] for name in FINAL if name in tensors}
        layout = "COCO" if head else "ImageNet"
    if not any(name.startswith("stage4.") for name in backbone):
        first = next(iter(tensors), "nothing")
        what = f"not the weights of an HRNet (it holds {first})"
        raise InputError(f"{path}: {what}; `unihpe weights list` has public ones")
    return _Weights(path, layout, backbone, head, _joints_of(path, layout, head))


def _joints_of(path: Path, layout: str, head: Mapping[str, Tensor]) -> str:
    """The skeleton of a file's heat-map head, where its name or layout says which; "" elsewhere.

    The number of joints alone does not: COCO and Human3.6M both have 17, in another order.
    """
    if not head:
        return ""
    for public in public_files().values():
        if public.file == path.name:
            return public.joints
    coco = get_skeleton("coco17")  # the official code has heads for COCO, and for MPII's 16 joints
    of_coco = layout == "COCO" and all(len(tensor) == len(coco) for tensor in head.values())
    return coco.name if of_coco else ""


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth file that holds tensors and plain values."""
    if not path.is_file():
        raise InputError(f"no weights at {path}")
    if path.suffix == ".safetensors":
        return read_safetensors(path, "download it again")[0]
    content = _read_pickle(path)
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: holds no table of tensors; give a checkpoint of weights")
    if other := [name for name, value in content.items() if not isinstance(value, Tensor)]:
        raise InputError(f"{path}: {other[0]!r} in it is no tensor; give a checkpoint of weights")
    return {str(name): tensor for name, tensor in content.items()}


def _read_pickle(path: Path) -> Any:
    """A .pth file by torch's restricted reader, which runs no code; besides torch's own list it
    reads NumPy's plain arrays: MMPose writes joint weights and colours beside the tensors."""
    with torch.serialization.safe_globals(_numpy_arrays()):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle raises whatever its bytes happen to ask for
            what = f"{path}: refused, damaged or with more than weights in it ({_reason_of(error)})"
            remedy = "save its tensors as .safetensors where you trust it, or download it again"
            raise InputError(f"{what}; {remedy}") from error


def _numpy_arrays() -> list[Any]:
    """What reading plain NumPy arrays takes, under the module names of NumPy 1 and 2."""
    array: Any = np.zeros(1).__reduce__()[0]  # the public way to a function whose module has moved
    number: Any = np.float64(0).__reduce__()[0]
    kinds = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "U1"]
    places = [f"numpy.{core}.multiarray." for core in ("core", "_core")]
    moved = [(make, place + make.__name__) for make in (array, number) for place in places]
    return [np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in kinds), *moved]


def _reason_of(error: Exception) -> str:
    """Why torch refused: the class that it would have had to run, or the first sentence."""
    text = one_line(error)
    _, found, after = text.partition("Unsupported global: GLOBAL ")
    return f"it asks for {after.split()[0]}" if found else text.partition(". ")[0][:120]


def _check_width(network: HRNet, weights: _Weights) -> None:
    """Raise where weights are of another HRNet, before tensors are listed that do not fit."""
    first = weights.backbone.get("stage2.0.branches.0.0.conv1.weight")
    channels = first.shape[0] if first is not None and first.ndim else 0
    if channels == network.plan.channels:
        return
    known = [f"HRNet {name}" for name, plan in PLANS.items() if plan.channels == channels]
    what = known[0] if known else f"another network ({channels} channels in its first branch)"
    wanted = f"wanted are HRNet {network.width}'s; give those, or change the width"
    raise InputError(f"{weights.path}: weights of {what}, {wanted}")


def _match_head(head: nn.Module, weights: _Weights) -> dict[str, Tensor]:
    """A whole state for the heat-map head."""
    if not weights.head:
        what = f"{weights.path}: no heat-map head in it ({weights.layout})"
        raise InputError(f"{what}; give COCO or MMPose weights")
    bias, own = weights.head.get(FINAL[1]), head.state_dict()[FINAL[1]]
    if bias is not None and bias.shape != own.shape:
        what = f"its head has {bias.numel()} joints, wanted are {len(own)}"
        raise InputError(f"{weights.path}: {what}; take a head of that size, or start it afresh")
    return whole_state(head, weights.head, weights.path, what="a heat-map head of one layer")
