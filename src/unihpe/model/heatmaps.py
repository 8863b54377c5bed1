"""Heat maps: the heads that make them, where their cells lie in a box, and what they point at."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Convention = Literal["centre", "official"]
SHARPNESS = 25.0  # of heat maps, see `soft_argmax`


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

    The finest branch of a small network has fewer channels than there are joints, and what tells
    left from right lies in the
    coarse ones: all branches, brought to the finest's size, are mixed into `width` channels before
    the joints are told apart.

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


# Heat-map cells and box coordinates. Cell i covers input pixels 4i to 4i + 4 (origin at the outer
# corner of the first pixel), so its centre lies at 4 (i + .5): "centre", and heads trained here.
# The official code and MMPose without UDP take cell i as the input pixel of index 4i, whose centre
# lies at 4i + .5 = 4 (i + .125): "official", for their weights.
CELL_POINT: dict[Convention, float] = {"centre": 0.5, "official": 0.125}


def cells_to_box(
    cells: Tensor, width: int, height: int, convention: Convention = "centre"
) -> Tensor:
    """Positions in cells (..., 2), cell i at i → box units (..., 2), see `boxes`: 0 is the middle.

    Args:
        width: of the heat map, in cells; like `height` it must show a box of the crop's own aspect,
            as `boxes.pad` makes.
        convention: where in its cell a position lies, see above.
    """
    size = cells.new_tensor([width, height])
    return (cells + CELL_POINT[convention] - size / 2) / (max(width, height) / 2)


def box_to_cells(
    points: Tensor, width: int, height: int, convention: Convention = "centre"
) -> Tensor:
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

    The joint is not rounded to a cell (the official code rounds, which costs up to half a cell),
    nor is the bell cut.

    Args:
        points: (B, J, 2), box units; outside the box only the bell's flank is seen, or nothing.
        confidence: (B, J); a joint of confidence 0 has an empty map, and a loss should leave it
            out.
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


def soft_argmax(
    heatmaps: Tensor, sharpness: float = SHARPNESS, convention: Convention = "centre"
) -> Tensor:
    """The expected position under softmax(sharpness × heat), (B, J, h, w) → (B, J, 2) box units;
    differentiable.

    Args:
        sharpness: a balance, measured on 48 × 64 bells with sigma 2. Too low, and the flat rest of
            the map draws the joint to the middle; too high, and it snaps to cells. 25 errs by .05
            cells on average for bells of height 1 and .06 for height .5; 15 by .01, but by 3.3 for
            height .5.
    """
    height, width = heatmaps.shape[-2:]
    share = sharpened(heatmaps, sharpness)
    x = (share.sum(-2) * torch.arange(width, device=heatmaps.device)).sum(-1)
    y = (share.sum(-1) * torch.arange(height, device=heatmaps.device)).sum(-1)
    return cells_to_box(torch.stack([x, y], dim=-1), width, height, convention)


def argmax_quarter(heatmaps: Tensor, convention: Convention = "centre") -> tuple[Tensor, Tensor]:
    """The highest cell, moved a quarter of a cell to its higher neighbour in x and in y.

    As in the official code but for cells at the border: only the axis that lacks a neighbour stays
    unmoved.

    Args:
        heatmaps: (B, J, h, w).

    Returns:
        (B, J, 2), box units, and the heights there, (B, J), cut to [0, 1]: 0 says that nothing was
        found.
    """
    heat = heatmaps.float()
    height, width = heat.shape[-2:]
    peak, place = heat.flatten(2).max(-1)  # (B, J)
    x, y = place % width, place.div(width, rounding_mode="floor")
    rows = heat.flatten(2)

    def at(column: Tensor, row: Tensor) -> Tensor:
        return rows.gather(
            -1, (row.clamp(0, height - 1) * width + column.clamp(0, width - 1))[..., None]
        )[..., 0]

    shift_x = torch.sign(at(x + 1, y) - at(x - 1, y)) * ((x > 0) & (x < width - 1))
    shift_y = torch.sign(at(x, y + 1) - at(x, y - 1)) * ((y > 0) & (y < height - 1))
    cells = torch.stack([x + 0.25 * shift_x, y + 0.25 * shift_y], dim=-1)
    return cells_to_box(cells, width, height, convention), peak.clamp(0, 1)
