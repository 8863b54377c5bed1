"""HRNet, the paper's image backbone (§3.1), with the parameter names of the official code.

The official COCO and ImageNet files load as they are (`hrnet_weights.py`). Where the official code
has an empty slot (a branch that needs no transition, a branch's path to itself) there is an
identity here; neither has parameters.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from unihpe.errors import InputError
from unihpe.model.backbones.backbone import Backbone, Start, check_sides

BRANCHES = 4
STEM = 64  # channels after the two strided convolutions


@dataclass(frozen=True)
class _Plan:
    """How large one HRNet is."""

    bottleneck: int  # inner channels of layer1's blocks; they put out four times as many
    bottlenecks: int  # blocks in layer1
    channels: int  # of the first branch; each further branch has twice as many
    blocks: int  # basic blocks a branch, in each module
    modules: tuple[int, int, int]  # in stages 2, 3 and 4


PLANS = {
    "w18_small": _Plan(32, 1, 16, 2, (1, 1, 1)),  # "small v1": 16 channels, not 18
    "w32": _Plan(64, 4, 32, 4, (1, 4, 3)),
    "w48": _Plan(64, 4, 48, 4, (1, 4, 3)),
}


class _Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions round a shortcut; puts out 4 × `inner` channels."""

    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        outputs = 4 * inner
        self.conv1, self.bn1 = _layer(inputs, inner, 1)
        self.conv2, self.bn2 = _layer(inner, inner)
        self.conv3, self.bn3 = _layer(inner, outputs, 1)
        # empty: the input itself
        self.downsample = nn.Sequential(*_layer(inputs, outputs, 1) if inputs != outputs else ())

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, 4 · inner, H, W)."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + self.downsample(x), inplace=True)


class _BasicBlock(nn.Module):
    """Two 3×3 convolutions round a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _layer(channels, channels)
        self.conv2, self.bn2 = _layer(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + x, inplace=True)


class _FusionModule(nn.Module):
    """Parallel branches of basic blocks, then each output adds up what comes from all of them."""

    def __init__(self, channels: list[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*[_BasicBlock(c) for _ in range(blocks)]) for c in channels
        )
        every = range(len(channels))
        rows = (
            nn.ModuleList(_path(channels, source, target) for source in every) for target in every
        )
        self.fuse_layers = nn.ModuleList(rows)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """One map a branch, each half the size of the one before → the same, fused."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for row in self.fuse_layers:
            terms = [way(x) for way, x in zip(cast(nn.ModuleList, row), maps, strict=True)]
            fused.append(F.relu(sum(terms[1:], start=terms[0])))
        return fused


class HRNet(Backbone):
    """The backbone with all four branches of its last stage, which the paper pools."""

    strides = (4, 8, 16, 32)
    any_size = True  # sides must be multiples of 32

    def __init__(self, width: str) -> None:
        super().__init__()
        if width not in PLANS:
            raise InputError(f"no HRNet is named {width!r}: take one of {', '.join(PLANS)}")
        self.width, self.plan = width, (plan := PLANS[width])
        every = [plan.channels << branch for branch in range(BRANCHES)]
        self.channels = every
        self.conv1, self.bn1 = _layer(3, STEM, stride=2)
        self.conv2, self.bn2 = _layer(STEM, STEM, stride=2)
        stem = 4 * plan.bottleneck
        inputs = [STEM, *[stem] * (plan.bottlenecks - 1)]
        self.layer1 = nn.Sequential(*[_Bottleneck(c, plan.bottleneck) for c in inputs])
        self.transition1 = _transition([stem], every[:2])
        self.stage2 = _fusion(every[:2], plan.blocks, plan.modules[0])
        self.transition2 = _transition(every[:2], every[:3])
        self.stage3 = _fusion(every[:3], plan.blocks, plan.modules[1])
        self.transition3 = _transition(every[:3], every)
        self.stage4 = _fusion(every, plan.blocks, plan.modules[2])
        self.apply(_start_convolution)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Normalised RGB (B, 3, H, W) → maps (B, C · 2ᵏ, H / 2ᵏ⁺², W / 2ᵏ⁺²), finest first."""
        check_sides("HRNet", picture, self.strides[-1])
        x = F.relu(self.bn1(self.conv1(picture)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        maps = self.stage2(_widen(self.transition1, [self.layer1(x)]))
        maps = self.stage3(_widen(self.transition2, maps))
        return cast(list[Tensor], self.stage4(_widen(self.transition3, maps)))

    def layers(self) -> list[nn.Module]:
        """The stem, layer1 and the stages, the picture's end first."""
        stem = nn.ModuleList([self.conv1, self.bn1, self.conv2, self.bn2])
        rest = [[self.transition1, self.stage2], [self.transition2, self.stage3]]
        rest += [[self.transition3, self.stage4]]
        return [stem, self.layer1, *map(nn.ModuleList, rest)]

    def load_public(
        self, path: Path, head: nn.Module | None, skeleton: str, start: Start = "identity"
    ) -> None:
        """Fill it from a public file, see `hrnet_weights`."""
        from unihpe.model.backbones import hrnet_weights  # here: that module needs this class

        weights = hrnet_weights.read_weights(path)
        hrnet_weights.fill(self, weights, head if weights.joints == skeleton else None, start)


def _layer(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution without bias, padded so that stride 1 keeps the size, and its batch norm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs)


def _path(channels: list[int], source: int, target: int) -> nn.Module:
    """From one branch to another's size and channels: up by nearest neighbours, or strided down."""
    before, after = channels[source], channels[target]
    if source == target:
        return nn.Identity()
    if source > target:
        larger = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*_layer(before, after, 1), larger)
    halvings = range(target - source - 1)
    steps = [nn.Sequential(*_layer(before, before, stride=2), nn.ReLU()) for _ in halvings]
    return nn.Sequential(*steps, nn.Sequential(*_layer(before, after, stride=2)))


def _transition(before: list[int], after: list[int]) -> nn.ModuleList:
    """What leads into each branch of the next stage: nothing, other channels, or half the size."""
    ways: list[nn.Module] = []
    for branch, channels in enumerate(after):
        if branch >= len(before):
            halved = nn.Sequential(*_layer(before[-1], channels, stride=2), nn.ReLU())
            ways.append(nn.Sequential(halved))
        elif before[branch] == channels:
            ways.append(nn.Identity())
        else:
            ways.append(nn.Sequential(*_layer(before[branch], channels), nn.ReLU()))
    return nn.ModuleList(ways)


def _widen(ways: nn.ModuleList, maps: list[Tensor]) -> list[Tensor]:
    """Maps of one stage → maps for the next, whose new branch is made from the coarsest."""
    return [way(maps[min(branch, len(maps) - 1)]) for branch, way in enumerate(ways)]


def _fusion(channels: list[int], blocks: int, modules: int) -> nn.Sequential:
    """A stage: fusion modules in a row."""
    return nn.Sequential(*[_FusionModule(channels, blocks) for _ in range(modules)])


def _start_convolution(module: nn.Module) -> None:
    """He's initialisation for training from nothing; batch norms already start at 1 and 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def coarse_fuse_prefixes(network: HRNet) -> tuple[str, ...]:
    """Name prefixes of what leads to outputs 1 to 3 of the last module; COCO files lack these."""
    last = len(network.stage4) - 1
    return tuple(f"stage4.{last}.fuse_layers.{target}." for target in range(1, BRANCHES))


def start_coarse_fuse_layers(network: HRNet, how: Start = "identity") -> None:
    """Start what leads to outputs 1 to 3 of the last module, in place.

    A network trained for heat maps puts out the finest branch only, so its checkpoint lacks these.

    Args:
        how: "identity": each output starts as its own trained branch; the cross terms start at zero
            (the scale of their last batch norm) and grow in training. The branch is behind a ReLU,
            so the ReLU after the sum leaves it as it is. "random": the cross terms start anywhere,
            which disturbs three trained branches; most likely what the paper's authors did, whose
            code had these layers at their default start.
    """
    last = cast(_FusionModule, network.stage4[-1])
    for row in list(last.fuse_layers)[1:]:  # the first is in every checkpoint
        for way in cast(nn.ModuleList, row):
            way.apply(_start_convolution)
            norms = [m for m in way.modules() if isinstance(m, nn.BatchNorm2d)]
            for norm in norms:
                norm.reset_parameters()
            if how == "identity" and norms:
                nn.init.zeros_(norms[-1].weight)
