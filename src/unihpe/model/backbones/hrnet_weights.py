"""Public HRNet weights as they are: the official COCO and ImageNet files, MMPose's and timm's.

All use the names of the official code. MMPose puts `backbone.` before them and `head.` (0.x:
`keypoint_head.`) before the heat-map head; ImageNet files carry a classifier, which is left out. A
COCO file lacks the layers to outputs 1 to 3 of the last module (`hrnet.start_coarse_fuse_layers`
starts them); anything else missing or left over is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError, one_line
from unihpe.io.downloads import public_files
from unihpe.model.backbones.hrnet import (
    PLANS,
    HRNet,
    Start,
    coarse_fuse_prefixes,
    start_coarse_fuse_layers,
)
from unihpe.model.heatmaps import HeatmapHead

CLASSIFIER = ("incre_modules.", "downsamp_modules.", "final_layer.", "classifier.")
HEADS = ("keypoint_head.", "head.")
COUNTER = ".num_batches_tracked"  # batch norm's step counter: older files lack it, and nothing here reads it
NORMALISER = "data_preprocessor."  # MMPose's picture mean and deviation, which are ours too


@dataclass(frozen=True)
class Weights:
    """What a file holds, by the names of `HRNet` and `HeatmapHead`.

    Attributes:
        path: where it was read from.
        layout: "COCO", "ImageNet" or "MMPose".
        backbone: tensors of the network.
        head: tensors of the heat-map head; empty in ImageNet files.
        joints: the skeleton of that head by name; "" without a head, or where nobody says which.
    """

    path: Path
    layout: str
    backbone: dict[str, Tensor]
    head: dict[str, Tensor]
    joints: str


def load_pretrained(
    network: HRNet, path: Path, head: HeatmapHead | None = None, start: Start = "identity"
) -> Weights:
    """Fill a network, and if given its heat-map head, from a public file; see `fill`.

    Raises:
        InputError: for a file that cannot be read, or holds another network; nothing is changed
            then.
    """
    return fill(network, read_weights(path), head, start)


def fill(
    network: HRNet, weights: Weights, head: HeatmapHead | None = None, start: Start = "identity"
) -> Weights:
    """Fill a network, and if given its heat-map head, with what a file holds.

    Args:
        head: to be filled too; the file must have one for as many joints. Whether they are the same
            joints, `Weights.joints` says.
        start: how the layers start that a COCO file lacks, see `hrnet.start_coarse_fuse_layers`.

    Raises:
        InputError: for weights of another network or head; nothing is changed then.
    """
    backbone, lacks_coarse = match_backbone(network, weights)
    filled = None if head is None else match_head(head, weights)
    network.load_state_dict(backbone)
    if lacks_coarse:
        start_coarse_fuse_layers(network, start)
    if head is not None and filled is not None:
        head.load_state_dict(filled)
    return weights


def read_weights(path: Path) -> Weights:
    """Read a file and find out which layout it has.

    Raises:
        InputError: for a file that cannot be read or is no HRNet.
    """
    tensors = {name.removeprefix("module."): tensor for name, tensor in read_tensors(path).items()}
    if any(name.startswith("backbone.") for name in tensors):
        parts = tuple(name for name in tensors if not name.startswith((NORMALISER, *HEADS)))
        backbone = {name.removeprefix("backbone."): tensors[name] for name in parts}
        head = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            for prefix in HEADS
            if name.startswith(prefix)
        }
        layout = "MMPose"
    else:
        backbone = {
            name: tensor for name, tensor in tensors.items() if not name.startswith(CLASSIFIER)
        }
        head = {
            name: tensors[name]
            for name in ("final_layer.weight", "final_layer.bias")
            if name in tensors
        }
        layout = "COCO" if head else "ImageNet"
    if not any(name.startswith("stage4.") for name in backbone):
        first = next(iter(tensors), "nothing")
        raise InputError(
            f"{path}: not the weights of an HRNet (it holds {first}); `unihpe.io.downloads.public_files` lists public ones"
        )
    return Weights(path, layout, backbone, head, joints_of(path, layout, head))


def joints_of(path: Path, layout: str, head: Mapping[str, Tensor]) -> str:
    """The skeleton of a file's heat-map head by name, "" where nobody says which: of a public file,
    and of the official code's.

    The number of joints alone does not tell: COCO and Human3.6M both have 17, in another order.
    """
    if not head:
        return ""
    for public in public_files().values():
        if public.file == path.name:
            return public.joints
    coco = get_skeleton(
        "coco17"
    )  # the official code publishes heads for COCO, and for MPII's 16 joints
    return (
        coco.name
        if layout == "COCO" and all(len(tensor) == len(coco) for tensor in head.values())
        else ""
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth file that holds nothing but tensors and
    plain values.

    Raises:
        InputError: for a missing, damaged or refused file.
    """
    if not path.is_file():
        raise InputError(f"no weights at {path}")
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(
                f"{path}: not a whole safetensors file ({one_line(error, 200)}); download it again"
            ) from error
    content = read_pickle(path)
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: holds no table of tensors; give a checkpoint of weights")
    other = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if other:
        raise InputError(f"{path}: {other[0]!r} in it is no tensor; give a checkpoint of weights")
    return {str(name): tensor for name, tensor in content.items()}


def read_pickle(path: Path) -> Any:
    """A .pth file by torch's restricted reader, which runs no code; besides torch's own list only
    NumPy's plain arrays.

    MMPose writes such arrays (joint weights, colours) beside the tensors.

    Raises:
        InputError: for what the reader refuses.
    """
    remedy = "save its tensors as .safetensors where you trust it, or download it again"
    with torch.serialization.safe_globals(numpy_arrays()):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle raises whatever its bytes happen to ask for
            raise InputError(
                f"{path}: refused, damaged or with more than weights in it ({reason(error)}); {remedy}"
            ) from error


def numpy_arrays() -> list[Any]:
    """What it takes to read plain NumPy arrays and numbers, under the module names of NumPy 1 and 2."""
    array: Any = np.zeros(1).__reduce__()[0]  # the public way to a function whose module has moved
    number: Any = np.float64(0).__reduce__()[0]
    kinds = [
        type(np.dtype(kind))
        for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "U1")
    ]
    moved = [
        (f, f"numpy.{core}.multiarray.{f.__name__}")
        for f in (array, number)
        for core in ("core", "_core")
    ]
    return [np.ndarray, np.dtype, *kinds, *moved]


def reason(error: Exception) -> str:
    """Why torch refused: the name of the class it would have had to run, or the first sentence."""
    text = one_line(error)
    _, found, after = text.partition("Unsupported global: GLOBAL ")
    return f"it asks for {after.split()[0]}" if found else text.partition(". ")[0][:120]


def match_backbone(network: HRNet, weights: Weights) -> tuple[dict[str, Tensor], bool]:
    """A whole state for the network, and whether the file lacks the coarse fuse layers (they stay
    as they are).

    Raises:
        InputError: naming the first tensor that is missing, left over or of another shape.
    """
    check_width(network, weights)
    coarse = coarse_fuse_prefixes(network)
    wanted, given = network.state_dict(), weights.backbone
    if not network.multi_scale:
        last = f"stage4.{len(network.stage4) - 1}.fuse_layers."
        given = {
            name: t
            for name, t in given.items()
            if not name.startswith(last) or name.startswith(f"{last}0.")
        }
    missing = [name for name in wanted if name not in given and not name.endswith(COUNTER)]
    lacks_coarse = bool(coarse) and not any(name.startswith(coarse) for name in given)
    if lacks_coarse:
        missing = [name for name in missing if not name.startswith(coarse)]
    compare(
        weights.path,
        missing,
        [name for name in given if name not in wanted],
        f"HRNet {network.width}",
    )
    for name, tensor in given.items():
        if tensor.shape != wanted[name].shape:
            raise InputError(
                f"{weights.path}: {name} is {tuple(tensor.shape)}, HRNet {network.width} needs"
                f" {tuple(wanted[name].shape)}; give weights of this network"
            )
    return {**wanted, **given}, lacks_coarse


def check_width(network: HRNet, weights: Weights) -> None:
    """A clear word where the weights are of another HRNet, before a list of tensors that do not
    fit.

    Raises:
        InputError: if they are.
    """
    first = weights.backbone.get("stage2.0.branches.0.0.conv1.weight")
    channels, wanted = (
        (len(first) if first is not None and first.ndim else 0),
        PLANS[network.width].channels,
    )
    if channels != wanted:
        known = [name for name, plan in PLANS.items() if plan.channels == channels]
        what = (
            f"HRNet {known[0]}"
            if known
            else f"another network ({channels} channels in its first branch)"
        )
        raise InputError(
            f"{weights.path}: weights of {what}, wanted are HRNet {network.width}'s; give those, or change the width"
        )


def match_head(head: HeatmapHead, weights: Weights) -> dict[str, Tensor]:
    """A whole state for the heat-map head.

    Raises:
        InputError: if the file has none, or one for other joints.
    """
    if not weights.head:
        raise InputError(
            f"{weights.path}: no heat-map head in it ({weights.layout}); give COCO or MMPose weights"
        )
    wanted = head.state_dict()
    missing = [name for name in wanted if name not in weights.head]
    compare(
        weights.path,
        missing,
        [name for name in weights.head if name not in wanted],
        "a heat-map head of one layer",
    )
    for name, tensor in weights.head.items():
        if tensor.shape != wanted[name].shape:
            raise InputError(
                f"{weights.path}: its head has {len(tensor)} joints, wanted are {len(wanted[name])};"
                " take a head of that size, or start it afresh"
            )
    return dict(weights.head)


def compare(path: Path, missing: list[str], left_over: list[str], what: str) -> None:
    """Nothing may be missing or left over.

    Raises:
        InputError: naming the first.
    """
    for first in (missing + left_over)[:1]:
        raise InputError(
            f"{path}: {len(missing)} tensors missing, {len(left_over)} left over (first: {first});"
            f" these are not the weights of {what}, or a damaged copy of them: download them again"
        )
