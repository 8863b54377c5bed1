"""MoveNet, Google's open pose network (Apache-2.0), in three sizes: a MobileNetV2 trunk, a pyramid
up to stride 4, and heads that name each person's centre, joints and box there.

The published graphs have their batch norms folded into the convolutions: every convolution has a
bias, and nothing needs holding still in training. TensorFlow pads an even side at stride 2 on the
right and at the bottom only.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unihpe.body.conversions import convert
from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.io.downloads import download
from unihpe.io.files import input_errors
from unihpe.model.backbones.backbone import Backbone, Start, check_sides
from unihpe.model.backbones.public import public_file
from unihpe.model.checkpoint import read_safetensors, whole_state

REPEATS = (1, 2, 3, 4, 3, 3, 1)  # blocks in each group of MobileNetV2
HALVING = (False, True, True, True, False, True, False)  # whether a group halves the map
EXPANSION = 6  # of a block's inner channels
TAPS = (1, 2, 3)  # groups whose last map goes into the pyramid: strides 4, 8 and 16
BESIDE = 4  # the last group at stride 16, whose map goes beside the pyramid's
LAST = 1280  # channels of the trunk's last map
PYRAMID = (64, 32, 24, 24)  # channels that meet at strides 32 and 16, 8, 4, and that leave
STRIDE = 4  # pixels a cell of what the heads say
HEAD = 96  # inner channels of a head
OWN, HEADS = "backbone.", "heads.heads."  # how names begin in a file
HEADER = "movenet"  # of a file: what it holds and where it comes from
REMEDY = "make it with tools/convert_movenet.py (docs/weights.md)"
JOINTS = len(get_skeleton("coco17"))


@dataclass(frozen=True)
class _Plan:
    """How large one MoveNet is."""

    stem: int
    groups: tuple[int, ...]  # channels that each group of blocks puts out


PLANS = {
    "lightning": _Plan(32, (16, 24, 32, 64, 96, 160, 320)),
    "thunder": _Plan(56, (32, 40, 56, 112, 168, 280, 560)),
    "multipose": _Plan(48, (24, 40, 48, 96, 144, 240, 480)),
}


class _Block(nn.Module):
    """An inverted residual: widened, one convolution a channel, narrowed without an activation."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.keeps = stride == 1 and inputs == outputs
        self.expand = nn.Conv2d(inputs, inner, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _SameConv(inner, inner, stride, groups=inner)
        self.project = nn.Conv2d(inner, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H / stride, W / stride)."""
        y = x if isinstance(self.expand, nn.Identity) else _active(F.relu6, self.expand(x))
        y = self.project(self.depthwise(y))
        return cast(Tensor, y.add_(x) if self.keeps else y)


class _SameConv(nn.Conv2d):
    """A 3×3 convolution with TensorFlow's SAME padding of even sides, and ReLU6."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride, padding=stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H / stride, W / stride)."""
        if self.stride == (1, 1):
            return _active(F.relu6, super().forward(x))
        learns = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        # SAME pads on the right and below alone. With two pixels all round, the first row and
        # column are too many and the others the same: in a third of the time of a padded copy.
        return F.relu6(self._learning(x) if learns else super().forward(x)[..., 1:, 1:])

    def _learning(self, x: Tensor) -> Tensor:
        """Of a padded copy, and on CPUs, one convolution a channel, in float32: oneDNN's gradients
        (torch 2.13) take up to four times as long with two pixels all round, and up to ten times in
        bfloat16."""
        wide = F.pad(x, (0, 1, 0, 1))
        if self.groups == 1 or not x.is_cpu:
            return F.conv2d(wide, self.weight, self.bias, self.stride, groups=self.groups)
        with torch.autocast("cpu", enabled=False):
            wide = wide.to(self.weight.dtype)
            made = F.conv2d(wide, self.weight, self.bias, self.stride, groups=self.groups)
        return made.to(x.dtype)


def _active(function: Callable[..., Tensor], made: Tensor) -> Tensor:
    """`F.relu` or `F.relu6` of what a convolution made, which nobody else reads: in its place, as
    maps are large, but for bfloat16, whose kernels take twice as long there (torch 2.13)."""
    return function(made, inplace=made.dtype == torch.float32)


class _Separable(nn.Module):
    """One 3×3 convolution a channel without bias, then 1×1 across them, then ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H, W)."""
        return _active(F.relu, self.pointwise(self.depthwise(x)))


class MoveNet(Backbone):
    """Trunk and pyramid, one of `PLANS`: the pyramid's maps at strides 4, 8 and 16, that of 16 with
    the trunk's own beside it, and the trunk's last."""

    strides = (4, 8, 16, 32)
    any_size = True  # sides must be multiples of 32
    mean = std = (0.5, 0.5, 0.5)  # RGB from -1 to 1

    def __init__(self, variant: str) -> None:
        super().__init__()
        if variant not in PLANS:
            raise InputError(f"no MoveNet is named {variant!r}: take one of {', '.join(PLANS)}")
        self.variant, plan = variant, PLANS[variant]
        groups = plan.groups
        self.channels = (PYRAMID[3], PYRAMID[2], PYRAMID[1] + groups[BESIDE], LAST)
        self.stem = _SameConv(3, plan.stem, stride=2)
        inputs = (plan.stem, *groups)
        rows = zip(inputs, groups, REPEATS, HALVING, strict=False)
        self.groups = nn.ModuleList(
            _group(*row, EXPANSION if n else 1) for n, row in enumerate(rows)
        )
        self.last = nn.Conv2d(groups[-1], LAST, 1)
        taps = (LAST, *(groups[n] for n in reversed(TAPS)))
        meeting = (PYRAMID[0], *PYRAMID[:3])
        self.lateral = nn.ModuleList(
            nn.Conv2d(c, width, 1) for c, width in zip(taps, meeting, strict=True)
        )
        self.smooth = nn.ModuleList(_Separable(*pair) for pair in pairwise(PYRAMID))
        self.apply(_start_convolution)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """RGB (B, 3, H, W) from -1 to 1 → maps (B, C, H / 2ᵏ⁺², W / 2ᵏ⁺²), finest first."""
        check_sides("MoveNet", picture, self.strides[-1])
        x, trunk = self.stem(picture), []
        for group in self.groups:
            trunk.append(x := group(x))
        last = _active(F.relu6, self.last(x))
        pyramid = self._climb(last, [trunk[n] for n in reversed(TAPS)])
        pyramid[0] = torch.cat([pyramid[0], trunk[BESIDE]], dim=1)
        return [*reversed(pyramid), last]

    def load_public(
        self, path: Path, head: nn.Module | None, skeleton: str, start: Start = "identity"
    ) -> None:
        """Fill it from a file that `tools/convert_movenet.py` made, and `Heads` from its heads."""
        weights = _read_weights(path, self.variant)
        own = {n.removeprefix(OWN): t for n, t in weights.items() if n.startswith(OWN)}
        self.load_state_dict(whole_state(self, own, path, what=f"MoveNet {self.variant}"))
        if isinstance(head, Heads):
            heads = {n.removeprefix(HEADS): t for n, t in weights.items() if n.startswith(HEADS)}
            head.start_from(heads, skeleton)

    def layers(self) -> list[nn.Module]:
        """The stem and the groups of blocks, the picture's end first."""
        return [self.stem, *self.groups]

    def _climb(self, last: Tensor, taps: list[Tensor]) -> list[Tensor]:
        """The pyramid's maps at strides 16, 8 and 4, from the trunk's."""
        first, *laterals = self.lateral
        x, maps = first(last), []
        for tap, lateral, smooth in zip(taps, laterals, self.smooth, strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear") + lateral(tap)
            maps.append(x := smooth(x))
        return maps


def _group(inputs: int, outputs: int, repeats: int, halving: bool, expansion: int) -> nn.Sequential:
    """Blocks in a row, of which the first may halve the map."""
    first = _Block(inputs, outputs, 2 if halving else 1, expansion)
    return nn.Sequential(
        first, *(_Block(outputs, outputs, 1, EXPANSION) for _ in range(repeats - 1))
    )


def _start_convolution(module: nn.Module) -> None:
    """He's initialisation, for training from nothing: there are no norms to mend another."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@dataclass(frozen=True)
class HeadMaps:
    """What the heads say, at stride 4; positions are cells, y before x, as published."""

    centre: Tensor  # (B, 1, h, w), 0 to 1: the middle of a person
    heatmaps: Tensor  # (B, 17, h, w), 0 to 1: a joint of anybody
    regress: Tensor  # (B, 17, 2, h, w): from a centre to each joint
    offset: Tensor  # (B, 17, 2, h, w): from a cell's number to the joint in it
    box: Tensor | None = None  # (B, 4, h, w): from a centre's cell to the box's, its size


class Heads(nn.Module):
    """The heads on the finest map, for COCO's joints or other ones."""

    def __init__(self, joints: int = JOINTS, boxes: bool = False) -> None:
        super().__init__()
        self.joints = joints
        sizes = {"center": 1, "kpt_heatmap": joints, "kpt_regress": 2 * joints}
        sizes |= {"kpt_offset": 2 * joints} | ({"box_offset": 2, "box_scale": 2} if boxes else {})
        self.heads = nn.ModuleDict({name: _head(outputs) for name, outputs in sizes.items()})

    def forward(self, finest: Tensor) -> HeadMaps:
        """The backbone's finest map (B, 24, h, w) → what the heads say."""
        said = {name: head(finest) for name, head in self.heads.items()}
        regress, offset = (
            said[f"kpt_{n}"].unflatten(1, (self.joints, 2)) for n in ("regress", "offset")
        )
        boxed = "box_scale" in said
        box = torch.cat([said["box_offset"], said["box_scale"]], dim=1) if boxed else None
        centre, heatmaps = said["center"].sigmoid(), said["kpt_heatmap"].sigmoid()
        return HeadMaps(centre, heatmaps, regress, offset, box)

    def last_layers(self) -> list[nn.Module]:
        """The last layers of the heads that speak of joints."""
        heads = (head for name, head in self.heads.items() if name.startswith("kpt"))
        return [cast(nn.Sequential, head)[-1] for head in heads]

    def start_from(self, published: dict[str, Tensor], skeleton: str) -> None:
        """Begin as the published heads (their tensors by name) for the joints of a skeleton.

        Joints that COCO has are its own. The others are expected where the rules of `conversions`
        put them, and look like the joints that they are made from until they are learned.
        """
        made = _made_of(skeleton)  # (J, 17)
        alike = made.clamp(min=0) / made.clamp(min=0).sum(1, keepdim=True)
        mixed = dict(published)
        for head, rows in {"kpt_heatmap": alike, "kpt_regress": made, "kpt_offset": alike}.items():
            for part in ("weight", "bias"):
                own = published[f"{head}.1.{part}"]  # of COCO's joints, one or two rows each
                by_joint = own.reshape(JOINTS, -1)
                mixed[f"{head}.1.{part}"] = (rows @ by_joint).reshape(-1, *own.shape[1:])
        self.heads.load_state_dict(mixed)


def _made_of(skeleton: str) -> Tensor:
    """Each joint of a skeleton as a sum of COCO's: (J, 17). InputError where one cannot be made."""
    coco, other = get_skeleton("coco17"), get_skeleton(skeleton)
    made = convert(torch.eye(JOINTS), torch.ones(JOINTS), coco, other)
    if lacking := [j for j, c in zip(other.joints, made.confidence, strict=True) if not c]:
        raise InputError(f"MoveNet's heads cannot begin with {', '.join(lacking)} of {skeleton}")
    return made.points


def _head(outputs: int) -> nn.Sequential:
    return nn.Sequential(_Separable(PYRAMID[-1], HEAD), nn.Conv2d(HEAD, outputs, 1))


class PoseNetwork(nn.Module):
    """A MoveNet with its heads."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        self.backbone = MoveNet(variant)
        self.heads = Heads(boxes=variant == "multipose")

    def forward(self, picture: Tensor) -> HeadMaps:
        """RGB (B, 3, H, W) from -1 to 1 → what the heads say at stride 4."""
        return cast(HeadMaps, self.heads(self.backbone(picture)[0]))


def open_pose_network(variant: str) -> PoseNetwork:
    """A published network, in evaluation mode, from the package or the cache; else InputError."""
    path = download(public_file(f"movenet_{variant}"), offline=True)
    network = PoseNetwork(variant)
    state = whole_state(network, _read_weights(path, variant), path, what=f"MoveNet {variant}")
    network.load_state_dict(state)
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def _read_weights(path: Path, variant: str) -> dict[str, Tensor]:
    """The tensors of a file, which must say that it is of this variant."""
    tensors, said = read_safetensors(path, REMEDY)
    with input_errors(f"{path}: not a MoveNet's weights", REMEDY):
        found = json.loads(said[HEADER])["variant"]
    if found != variant:
        what = f"weights of MoveNet {found}, wanted are {variant}'s"
        raise InputError(f"{path}: {what}; give those, or choose another kind")
    return {name: tensor.float() for name, tensor in tensors.items()}
