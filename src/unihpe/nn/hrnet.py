"""HRNet, the paper's image backbone (§3.1), with the parameter names of the official code, and its heat-map head.

Names are those of the official COCO and ImageNet files, so these load as they are (`nn/pretrained.py`). Where the
official code has an empty slot (a branch that needs no transition, a branch's path to itself) there is an identity
here; neither has parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unihpe.errors import InputError

Width = Literal["w18_small", "w32", "w48"]
Start = Literal["identity", "random"]
Convention = Literal["centre", "official"]

BRANCHES = 4
LARGEST_STRIDE = 32
SHARPNESS = 25.0  # of heat maps, see `soft_argmax`
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
    "w18_small": Plan(32, 1, 16, 2, (1, 1, 1)),  # "small v1", whose first branch has 16 channels, not 18
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
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

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
        outputs: how many branches are put out, finest first; the last module of a heat-map network needs only one.
    """

    def __init__(self, channels: list[int], blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*[BasicBlock(c) for _ in range(blocks)]) for c in channels)
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
        multi_scale: all four branches are put out (the paper's pooled features); otherwise only the finest, which is
            what COCO checkpoints hold and a heat-map head needs.
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
            *[Bottleneck(STEM if n == 0 else stem, plan.bottleneck) for n in range(plan.bottlenecks)]
        )
        self.transition1 = transition([stem], every[:2])
        self.stage2 = stage(every[:2], plan.blocks, plan.modules[0], outputs=2)
        self.transition2 = transition(every[:2], every[:3])
        self.stage3 = stage(every[:3], plan.blocks, plan.modules[1], outputs=3)
        self.transition3 = transition(every[:3], every)
        self.stage4 = stage(every, plan.blocks, plan.modules[2], outputs=len(self.channels))
        self.apply(start_convolution)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Normalised RGB (B, 3, H, W) → maps (B, C · 2ᵏ, H / 2ᵏ⁺², W / 2ᵏ⁺²), finest first: strides 4, 8, 16, 32.

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
            ways.append(nn.Sequential(conv3x3(before[branch], channels), nn.BatchNorm2d(channels), nn.ReLU()))
    return nn.ModuleList(ways)


def widen(ways: nn.ModuleList, maps: list[Tensor]) -> list[Tensor]:
    """Maps of one stage → maps for the next, which has one branch more, made from the coarsest."""
    return [way(maps[min(branch, len(maps) - 1)]) for branch, way in enumerate(ways)]


def stage(channels: list[int], blocks: int, modules: int, outputs: int) -> nn.Sequential:
    """Fusion modules in a row; all but the last put out every branch."""
    return nn.Sequential(
        *[FusionModule(channels, blocks, len(channels) if n < modules - 1 else outputs) for n in range(modules)]
    )


def start_convolution(module: nn.Module) -> None:
    """He's initialisation, which suits what is trained here from nothing; batch norms already start at 1 and 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def coarse_fuse_prefixes(network: HRNet) -> tuple[str, ...]:
    """Name prefixes of what leads to outputs 1 to 3 of the last module; COCO checkpoints do not have these."""
    last = len(network.stage4) - 1
    return tuple(f"stage4.{last}.fuse_layers.{target}." for target in range(1, len(network.channels)))


def start_coarse_fuse_layers(network: HRNet, how: Start = "identity") -> None:
    """Start what leads to outputs 1 to 3 of the last module, in place.

    A network trained for heat maps puts out the finest branch only, so its checkpoint lacks these layers.

    Args:
        how: "identity": each of these outputs starts as its own branch, trained through and through, and the cross
            terms start at zero (the scale of their last batch norm) and grow in training. The branch is behind a
            ReLU, so the ReLU after the sum leaves it as it is. "random": the cross terms start anywhere, which
            disturbs three of the four trained branches; most likely what the paper's authors did, whose code had
            these layers at their default start.
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


class HeatmapHead(nn.Module):
    """One heat map a joint from the finest branch: a 1×1 convolution, `final_layer` as in the official files."""

    def __init__(self, channels: int, joints: int) -> None:
        super().__init__()
        self.final_layer = nn.Conv2d(channels, joints, 1)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        assert self.final_layer.bias is not None
        nn.init.zeros_(self.final_layer.bias)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """HRNet's maps, finest first → heat maps (B, J, H / 4, W / 4)."""
        heat: Tensor = self.final_layer(maps[0])
        return heat


class BranchesHead(nn.Module):
    """Heat maps from all branches, as HRNetV2 reads them (Wang et al., TPAMI 2020).

    The finest branch of a small network has fewer channels than there are joints, and what tells left from right lies in the
    coarse ones: all branches, brought to the finest's size, are mixed into `width` channels before the joints are told apart.

    Args:
        channels: of the branches, finest first.
    """

    def __init__(self, channels: list[int], joints: int, width: int = 64) -> None:
        super().__init__()
        self.mix = nn.ModuleList(
            nn.Conv2d(c, width, 1, bias=False) for c in channels
        )  # adding = mixing a concatenation
        self.norm = nn.BatchNorm2d(width)
        self.heatmaps = HeatmapHead(width, joints)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """HRNet's maps, finest first → heat maps (B, J, H / 4, W / 4)."""
        size = maps[0].shape[-2:]
        mixed = [F.interpolate(mix(x), size=size) for mix, x in zip(self.mix, maps, strict=True)]
        heat: Tensor = self.heatmaps([F.relu(self.norm(torch.stack(mixed).sum(0)))])
        return heat


# Heat-map cells and box coordinates. Cell i covers input pixels 4i to 4i + 4 (origin at the outer corner of the first
# pixel), so its centre lies at 4 (i + .5): "centre", and heads trained here. The official code and MMPose without UDP
# take cell i as the input pixel of index 4i, whose centre lies at 4i + .5 = 4 (i + .125): "official", for their weights.
CELL_POINT: dict[Convention, float] = {"centre": 0.5, "official": 0.125}


def cells_to_box(cells: Tensor, width: int, height: int, convention: Convention = "centre") -> Tensor:
    """Positions in cells (..., 2), cell i at i → box units (..., 2), see `boxes`: 0 is the middle.

    Args:
        width: of the heat map, in cells; like `height` it must show a box of the crop's own aspect, as `boxes.pad` makes.
        convention: where in its cell a position lies, see above.
    """
    size = cells.new_tensor([width, height])
    return (cells + CELL_POINT[convention] - size / 2) / (max(width, height) / 2)


def box_to_cells(points: Tensor, width: int, height: int, convention: Convention = "centre") -> Tensor:
    """The inverse of `cells_to_box`."""
    size = points.new_tensor([width, height])
    return points * (max(width, height) / 2) + size / 2 - CELL_POINT[convention]


def gaussian_heatmaps(
    points: Tensor,
    confidence: Tensor,
    width: int = 48,
    height: int = 64,
    sigma: float | None = None,
    convention: Convention = "centre",
) -> Tensor:
    """Target heat maps (B, J, height, width), float32, 1 at the joint.

    The joint is not rounded to a cell (the official code rounds, which costs up to half a cell), nor is the bell cut.

    Args:
        points: (B, J, 2), box units; outside the box only the bell's flank is seen, or nothing.
        confidence: (B, J); a joint of confidence 0 has an empty map, and a loss should leave it out.
        sigma: in cells; without it 2 for 48 × 64, and in proportion.
    """
    sigma = height / 32 if sigma is None else sigma
    cells = box_to_cells(points.float(), width, height, convention)  # (B, J, 2)
    across = torch.arange(width, device=points.device) - cells[..., :1]  # (B, J, w)
    down = torch.arange(height, device=points.device) - cells[..., 1:]  # (B, J, h)
    column, row = torch.exp(-(across**2) / (2 * sigma**2)), torch.exp(-(down**2) / (2 * sigma**2))
    bells = row[..., :, None] * column[..., None, :]
    return torch.where(confidence[..., None, None] > 0, bells, 0.0)


def sharpened(heatmaps: Tensor, sharpness: float = SHARPNESS) -> Tensor:
    """softmax(sharpness × heat) over each map, (B, J, h, w), float32."""
    return (heatmaps.float().flatten(2) * sharpness).softmax(-1).view(heatmaps.shape)


def soft_argmax(heatmaps: Tensor, sharpness: float = SHARPNESS, convention: Convention = "centre") -> Tensor:
    """The expected position under softmax(sharpness × heat), (B, J, h, w) → (B, J, 2) box units; differentiable.

    Args:
        sharpness: a balance, measured on 48 × 64 bells with sigma 2. Too low, and the flat rest of the map draws the
            joint to the middle; too high, and it snaps to cells. 25 errs by .05 cells on average for bells of height
            1 and .06 for height .5; 15 by .01, but by 3.3 for height .5.
    """
    height, width = heatmaps.shape[-2:]
    share = sharpened(heatmaps, sharpness)
    x = (share.sum(-2) * torch.arange(width, device=heatmaps.device)).sum(-1)
    y = (share.sum(-1) * torch.arange(height, device=heatmaps.device)).sum(-1)
    return cells_to_box(torch.stack([x, y], dim=-1), width, height, convention)


def argmax_quarter(heatmaps: Tensor, convention: Convention = "centre") -> tuple[Tensor, Tensor]:
    """The highest cell, moved a quarter of a cell to its higher neighbour in x and in y.

    As in the official code but for cells at the border: only the axis that lacks a neighbour stays unmoved.

    Args:
        heatmaps: (B, J, h, w).

    Returns:
        (B, J, 2), box units, and the heights there, (B, J), cut to [0, 1]: 0 says that nothing was found.
    """
    heat = heatmaps.float()
    height, width = heat.shape[-2:]
    peak, place = heat.flatten(2).max(-1)  # (B, J)
    x, y = place % width, place.div(width, rounding_mode="floor")
    rows = heat.flatten(2)

    def at(column: Tensor, row: Tensor) -> Tensor:
        return rows.gather(-1, (row.clamp(0, height - 1) * width + column.clamp(0, width - 1))[..., None])[..., 0]

    shift_x = torch.sign(at(x + 1, y) - at(x - 1, y)) * ((x > 0) & (x < width - 1))
    shift_y = torch.sign(at(x, y + 1) - at(x, y - 1)) * ((y > 0) & (y < height - 1))
    cells = torch.stack([x + 0.25 * shift_x, y + 0.25 * shift_y], dim=-1)
    return cells_to_box(cells, width, height, convention), peak.clamp(0, 1)
