"""Heat maps: the heads that make them, where their cells lie in a box, and what they point at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARPNESS = 25.0  # of heat maps, see `_soft_argmax`
CELL_CENTRE = 0.5  # cell i covers a stride of pixels from i on: its middle is at i + .5
FAINTEST = 0.1  # height of a heat map, of 1, that shows a joint


@dataclass(frozen=True)
class JointMaps:
    """Where a head sees the joints of B people."""

    heatmaps: Tensor  # (B, J, h, w)
    keypoints: Tensor  # (B, J, 2), box units
    confidence: Tensor  # (B, J), 0 to 1, 0 where the map shows nothing

    @property
    def shares(self) -> Tensor:
        """How much each cell has to do with a joint, (B, J, h, w); they add up to 1."""
        return _sharpened(self.heatmaps)

    def with_mirrored(self, other: Self, mirror: Sequence[int]) -> "JointMaps":
        """The flip test with what is seen of the mirrored people: the mean of the maps."""
        return joint_maps((self.heatmaps + other.heatmaps[:, list(mirror)].flip(-1)) / 2)


def joint_maps(heatmaps: Tensor) -> JointMaps:
    """What heat maps (B, J, h, w) show: soft-argmax, and the map's height as confidence."""
    return JointMaps(heatmaps, *_keypoints_of(heatmaps))


def _keypoints_of(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Heat maps (B, J, h, w) as keypoints (B, J, 2), box units, and their confidence (B, J): the
    map's height, at most 1, and 0 up to `FAINTEST`, as for a missing joint."""
    height = heatmaps.float().amax((2, 3))
    return _soft_argmax(heatmaps), torch.where(height > FAINTEST, height.clamp(max=1.0), 0.0)


class HeatmapHead(nn.Module):
    """One heat map a joint from the finest map: a 1×1 convolution, with its official name."""

    def __init__(self, channels: int, joints: int) -> None:
        super().__init__()
        self.final_layer = nn.Conv2d(channels, joints, 1)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        nn.init.zeros_(cast(Tensor, self.final_layer.bias))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """A backbone's maps, finest first → heat maps (B, J, h, w) of the finest's size."""
        return cast(Tensor, self.final_layer(maps[0]))


class BranchesHead(nn.Module):
    """Heat maps from all maps of a backbone, as HRNetV2 reads them (Wang et al., TPAMI 2020).

    The finest branch of a small network has fewer channels than there are joints, and what tells
    left from right lies in the coarse ones: all branches, brought to the finest's size, are mixed
    into `width` channels, as a convolution of all would, before the joints are told apart.
    """

    def __init__(self, channels: Sequence[int], joints: int, width: int = 64) -> None:
        super().__init__()
        self.mix = nn.ModuleList(nn.Conv2d(c, width, 1, bias=False) for c in channels)
        self.norm = nn.BatchNorm2d(width)
        self.heatmaps = HeatmapHead(width, joints)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """A backbone's maps, finest first → heat maps (B, J, h, w) of the finest's size."""
        size = maps[0].shape[-2:]
        mixed = [F.interpolate(mix(x), size=size) for mix, x in zip(self.mix, maps, strict=True)]
        return cast(Tensor, self.heatmaps([F.relu(self.norm(torch.stack(mixed).sum(0)))]))


def cells_to_box(cells: Tensor, width: int, height: int) -> Tensor:
    """Positions (..., 2) in a heat map of so many cells, cell i at i → box units (..., 2), see
    `boxes`: 0 is the middle. The map shows a box of the crop's own aspect, as `boxes.pad` makes."""
    size = cells.new_tensor([width, height])
    return (cells + CELL_CENTRE - size / 2) / (max(width, height) / 2)


def _box_to_cells(points: Tensor, width: int, height: int) -> Tensor:
    """The inverse of `cells_to_box`."""
    size = points.new_tensor([width, height])
    return points * (max(width, height) / 2) + size / 2 - CELL_CENTRE


def gaussian_heatmaps(
    points: Tensor, confidence: Tensor, width: int = 48, height: int = 64, sigma: float = 0.0
) -> Tensor:
    """Target heat maps (B, J, height, width) of points (B, J, 2), box units: bells of height 1 and
    `sigma` cells (0 is 2 for 48 × 64, and in proportion), float32.

    The joint is not rounded to a cell (the official code rounds, which costs up to half a cell),
    nor is the bell cut: of a joint outside the box its flank is seen, or nothing. A joint of
    confidence (B, J) 0 has an empty map, and a loss should leave it out.
    """
    sigma = sigma or height / 32
    cells = _box_to_cells(points.float(), width, height)  # (B, J, 2)
    across = torch.arange(width, device=points.device) - cells[..., :1]  # (B, J, w)
    down = torch.arange(height, device=points.device) - cells[..., 1:]  # (B, J, h)
    column, row = torch.exp(-(across**2) / (2 * sigma**2)), torch.exp(-(down**2) / (2 * sigma**2))
    bells = row[..., :, None] * column[..., None, :]
    return torch.where(confidence[..., None, None] > 0, bells, 0.0)


def _sharpened(heatmaps: Tensor) -> Tensor:
    """softmax(sharpness × heat) over each map, (B, J, h, w), float32."""
    return (heatmaps.float().flatten(2) * SHARPNESS).softmax(-1).view(heatmaps.shape)


def _soft_argmax(heatmaps: Tensor) -> Tensor:
    """The expected position under softmax(sharpness × heat): (B, J, h, w) → (B, J, 2), box units.

    The sharpness is a balance, measured on 48 × 64 bells with sigma 2. Too low, and the flat rest
    of the map draws the joint to the middle; too high, and it snaps to cells. 25 errs by .05 cells
    on average for bells of height 1, by .06 for height .5; 15 by .01, but by 3.3 for height .5.
    """
    height, width = heatmaps.shape[-2:]
    share = _sharpened(heatmaps)
    x = (share.sum(-2) * torch.arange(width, device=heatmaps.device)).sum(-1)
    y = (share.sum(-1) * torch.arange(height, device=heatmaps.device)).sum(-1)
    return cells_to_box(torch.stack([x, y], dim=-1), width, height)
