"""HRNet, the paper's image backbone (§3.1), with the parameter names of the official code, and its
heat-map head.

Names are those of the official COCO and ImageNet files, so these load as they are
(`nn/pretrained.py`). Where the official code has an empty slot (a branch that needs no transition,
a branch's path to itself) there is an identity here; neither has parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from unihpe.errors import InputError

Width = Literal["w18_small", "w32", "w48"]
Start = Literal["identity", "random"]
BRANCHES = 4
LARGEST_STRIDE = 32
STEM = 64  # channels after the two strided convolutions


@dataclass(frozen=True)
class Plan:
    """How large one HRNet is.

    Attributes:
        bottleneck: inner channels of layer1's bottleneck blocks; they put out four times as many.
        bottlenecks: blocks in layer1.
        channels: of the first branch; each further branch has twice as many.
        blocks: basic blocks a branch, in each module.
        modules: in stages 2, 3 and 4.
    """

    bottleneck: int
    bottlenecks: int
    channels: int
    blocks: int
    modules: tuple[int, int, int]

    @property
    def branches(self) -> list[int]:
        """Channels of all branches, finest first."""
        return [self.channels << branch for branch in range(BRANCHES)]


PLANS: dict[Width, Plan] = {
    "w18_small": Plan(
        32, 1, 16, 2, (1, 1, 1)
    ),  # "small v1", whose first branch has 16 channels, not 18
    "w32": Plan(64, 4, 32, 4, (1, 4, 3)),
    "w48": Plan(64, 4, 48, 4, (1, 4, 3)),
}


def plan_of(width: Width) -> Plan:
    """The sizes of a network by its name.

    Raises:
        InputError: for a name there is none of.
    """
    if width not in PLANS:
        raise InputError(f"no HRNet is named {width!r}: take one of {', '.join(PLANS)}")
    return PLANS[width]


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions round a shortcut; puts out 4 × `inner` channels."""

    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        outputs = 4 * inner
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, inner)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Sequential()  # empty: the input itself
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, 4 · inner, H, W)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        result: Tensor = self.relu(y + self.downsample(x))
        return result


class BasicBlock(nn.Module):
    """Two 3×3 convolutions round a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        y = self.relu(self.bn1(self.conv1(x)))
        result: Tensor = self.relu(self.bn2(self.conv2(y)) + x)
        return result


class FusionModule(nn.Module):
    """Parallel branches, then every output adds up what comes to it from all branches.

    Args:
        channels: of each branch, finest first.
        blocks: basic blocks a branch.
        outputs: how many branches are put out, finest first; the last module of a heat-map network
            needs only one.
    """

    def __init__(self, channels: list[int], blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*[BasicBlock(c) for _ in range(blocks)]) for c in channels
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(path(channels, source, target) for source in range(len(channels)))
            for target in range(outputs)
        )
        self.relu = nn.ReLU()

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """One map a branch, each half the size of the one before → the first `outputs` of them, fused."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for row in self.fuse_layers:
            assert isinstance(row, nn.ModuleList)
            terms = [way(x) for way, x in zip(row, maps, strict=True)]
            fused.append(self.relu(sum(terms[1:], start=terms[0])))
        return fused


class HRNet(nn.Module):
    """The backbone.

    Args:
        width: which network.
        multi_scale: all four branches are put out (the paper's pooled features); otherwise only the
            finest, which is what COCO checkpoints hold and a heat-map head needs.
    """

    def __init__(self, width: Width, multi_scale: bool = True) -> None:
        super().__init__()
        plan = plan_of(width)
        self.width = width
        self.multi_scale = multi_scale
        every = plan.branches
        self.channels = every if multi_scale else every[:1]
        self.conv1 = conv3x3(3, STEM, stride=2)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.conv2 = conv3x3(STEM, STEM, stride=2)
        self.bn2 = nn.BatchNorm2d(STEM)
        self.relu = nn.ReLU(inplace=True)
        stem = 4 * plan.bottleneck
        self.layer1 = nn.Sequential(
            *[
                Bottleneck(STEM if n == 0 else stem, plan.bottleneck)
                for n in range(plan.bottlenecks)
            ]
        )
        self.transition1 = transition([stem], every[:2])
        self.stage2 = stage(every[:2], plan.blocks, plan.modules[0], outputs=2)
        self.transition2 = transition(every[:2], every[:3])
        self.stage3 = stage(every[:3], plan.blocks, plan.modules[1], outputs=3)
        self.transition3 = transition(every[:3], every)
        self.stage4 = stage(every, plan.blocks, plan.modules[2], outputs=len(self.channels))
        self.apply(start_convolution)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Normalised RGB (B, 3, H, W) → maps (B, C · 2ᵏ, H / 2ᵏ⁺², W / 2ᵏ⁺²), finest first: strides
        4, 8, 16, 32.

        Raises:
            InputError: if H or W is no multiple of 32.
        """
        if picture.shape[-1] % LARGEST_STRIDE or picture.shape[-2] % LARGEST_STRIDE:
            raise InputError(
                f"HRNet takes pictures whose sides are multiples of {LARGEST_STRIDE},"
                f" not {picture.shape[-1]} × {picture.shape[-2]}: crop to 192 × 256"
            )
        x = self.relu(self.bn1(self.conv1(picture)))
        x = self.relu(self.bn2(self.conv2(x)))
        maps: list[Tensor] = self.stage2(widen(self.transition1, [self.layer1(x)]))
        maps = self.stage3(widen(self.transition2, maps))
        maps = self.stage4(widen(self.transition3, maps))
        return maps


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3×3 convolution without bias, padded so that stride 1 keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


def strided(inputs: int, outputs: int, *, relu: bool) -> nn.Sequential:
    """Half the size: a strided 3×3 convolution with batch norm, and ReLU or not."""
    layers: list[nn.Module] = [conv3x3(inputs, outputs, stride=2), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


def path(channels: list[int], source: int, target: int) -> nn.Module:
    """From one branch to another's size and channels: up by nearest neighbours, down by strided convolutions."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(
            nn.Conv2d(channels[source], channels[target], 1, bias=False),
            nn.BatchNorm2d(channels[target]),
            nn.Upsample(scale_factor=2 ** (source - target), mode="nearest"),
        )
    steps = target - source
    between = [strided(channels[source], channels[source], relu=True) for _ in range(steps - 1)]
    return nn.Sequential(*between, strided(channels[source], channels[target], relu=False))


def transition(before: list[int], after: list[int]) -> nn.ModuleList:
    """What leads into each branch of the next stage: nothing, other channels, or a new branch at half the size."""
    ways: list[nn.Module] = []
    for branch, channels in enumerate(after):
        if branch >= len(before):
            ways.append(nn.Sequential(strided(before[-1], channels, relu=True)))
        elif before[branch] == channels:
            ways.append(nn.Identity())
        else:
            ways.append(
                nn.Sequential(
                    conv3x3(before[branch], channels), nn.BatchNorm2d(channels), nn.ReLU()
                )
            )
    return nn.ModuleList(ways)


def widen(ways: nn.ModuleList, maps: list[Tensor]) -> list[Tensor]:
    """Maps of one stage → maps for the next, which has one branch more, made from the coarsest."""
    return [way(maps[min(branch, len(maps) - 1)]) for branch, way in enumerate(ways)]


def stage(channels: list[int], blocks: int, modules: int, outputs: int) -> nn.Sequential:
    """Fusion modules in a row; all but the last put out every branch."""
    return nn.Sequential(
        *[
            FusionModule(channels, blocks, len(channels) if n < modules - 1 else outputs)
            for n in range(modules)
        ]
    )


def start_convolution(module: nn.Module) -> None:
    """He's initialisation, which suits what is trained here from nothing; batch norms already start at 1 and 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def coarse_fuse_prefixes(network: HRNet) -> tuple[str, ...]:
    """Name prefixes of what leads to outputs 1 to 3 of the last module; COCO checkpoints do not have these."""
    last = len(network.stage4) - 1
    return tuple(
        f"stage4.{last}.fuse_layers.{target}." for target in range(1, len(network.channels))
    )


def start_coarse_fuse_layers(network: HRNet, how: Start = "identity") -> None:
    """Start what leads to outputs 1 to 3 of the last module, in place.

    A network trained for heat maps puts out the finest branch only, so its checkpoint lacks these
    layers.

    Args:
        how: "identity": each of these outputs starts as its own branch, trained through and
            through, and the cross terms start at zero (the scale of their last batch norm) and grow
            in training. The branch is behind a ReLU, so the ReLU after the sum leaves it as it is.
            "random": the cross terms start anywhere, which disturbs three of the four trained
            branches; most likely what the paper's authors did, whose code had these layers at their
            default start.
    """
    last = network.stage4[-1]
    assert isinstance(last, FusionModule)
    for target, row in enumerate(last.fuse_layers):
        if target == 0:
            continue  # in every checkpoint
        assert isinstance(row, nn.ModuleList)
        for way in row:
            way.apply(start_afresh)
            norms = [m for m in way.modules() if isinstance(m, nn.BatchNorm2d)]
            if how == "identity" and norms:
                nn.init.zeros_(norms[-1].weight)


def start_afresh(module: nn.Module) -> None:
    """A convolution or batch norm as after construction."""
    start_convolution(module)
    if isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
