"""What MoveNet's heads say, read: the joints of the person in the middle, and everybody's boxes.

Written as in the published graphs, but for the limit to six people.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from unihpe.model.backbones.movenet import JOINTS, STRIDE, HeadMaps

AROUND = 5  # cells
BLUNT = 1.8  # cells: a map is weighed by this / (distance + this)


def single_pose(maps: HeadMaps) -> tuple[Tensor, Tensor]:
    """The joints of the person in the middle: (B, 17, 2), x and y in pixels of the network's
    picture, and how sure the heat maps are, (B, 17), 0 to 1.

    A heat map shows everybody, so each is weighed by the distance to where the person's centre says
    that the joint should be.
    """
    points, score = read_peaks(maps, sought(maps)[0])
    return points * STRIDE, score


def sought(maps: HeadMaps) -> tuple[Tensor, Tensor]:
    """Heat maps (B, J, h, w), 0 to 1, weighed by how near a cell lies to where the centre of the
    person in the middle says that the joint is; and these places, (B, J, 2), y and x in cells."""
    batch, joints, height, width = maps.heatmaps.shape
    middle = maps.centre.new_tensor([height // 2, width // 2]).expand(batch, 1, 2)
    centre = _peak(maps.centre * _nearness(middle, height, width))  # (B, 1)
    said = maps.regress.flatten(3).gather(3, centre[:, :, None, None].expand(-1, joints, 2, 1))
    expected = _cell(centre, width) + said[..., 0]
    return maps.heatmaps * _nearness(expected, height, width), expected


def read_peaks(maps: HeadMaps, weighed: Tensor) -> tuple[Tensor, Tensor]:
    """Where weighed heat maps are highest: (B, J, 2), x and y in cells, the offset there added; and
    how high the heat maps are, (B, J)."""
    peaks = _peak(weighed)  # (B, J)
    offset = maps.offset.flatten(3).gather(3, peaks[:, :, None, None].expand(-1, -1, 2, 1))
    points = _cell(peaks, weighed.shape[-1]) + offset[..., 0]
    score = maps.heatmaps.flatten(2).gather(2, peaks[..., None])[..., 0]
    return points.flip(-1), score


class Seen(NamedTuple):
    """N people of one picture, the surest first; pixels of the network's picture."""

    corners: Tensor  # of their boxes, (N, 4): left, top, right, bottom
    scores: Tensor  # (N,), 0 to 1: of their centres
    points: Tensor  # where the centres say that the joints are, (N, 17, 2)
    joints: Tensor  # how high the heat maps are about there, (N, 17), 0 to 1


def everybody(maps: HeadMaps, threshold: float) -> list[Seen]:
    """The people of each picture whose centres score above the threshold."""
    if maps.box is None:
        raise ValueError("this network has no head for boxes: take multipose")
    highest = maps.centre == F.max_pool2d(maps.centre, 3, stride=1, padding=1)
    around = F.max_pool2d(maps.heatmaps, AROUND, stride=1, padding=AROUND // 2)
    height, width = maps.centre.shape[-2:]
    last, found = maps.centre.new_tensor([height - 1, width - 1]), []
    for n, centre in enumerate(maps.centre[:, 0]):
        cells = (highest[n, 0] & (centre > threshold)).nonzero()  # (N, 2), row and column
        cells = cells[centre[cells.unbind(1)].argsort(descending=True)]
        at = (..., *cells.unbind(1))
        offset, size = maps.box[n][at].T.split(2, dim=1)  # (N, 2) each, y and x
        middle, half = cells + offset, size.clamp(min=0) / 2
        corners = torch.cat([(middle - half).flip(1), (middle + half).flip(1)], dim=1)
        points = cells[:, None] + maps.regress[n][at].permute(2, 0, 1)  # (N, 17, 2), y and x
        y, x = points.round().clamp(torch.zeros_like(last), last).long().unbind(-1)
        joints = around[n, torch.arange(JOINTS, device=y.device), y, x]
        found.append(Seen(corners * STRIDE, centre[at], points.flip(-1) * STRIDE, joints))
    return found


def _peak(maps: Tensor) -> Tensor:
    """The number of the highest cell of each map (B, K, h, w): (B, K)."""
    return maps.flatten(2).argmax(-1)


def _cell(numbers: Tensor, width: int) -> Tensor:
    """Cell numbers (...) as row and column, (..., 2)."""
    return torch.stack([numbers // width, numbers % width], dim=-1)


def _nearness(points: Tensor, height: int, width: int) -> Tensor:
    """A weight for each cell, 1 at points (B, K, 2), y and x in cells, and less away from them:
    (B, K, height, width)."""
    down = torch.arange(height, device=points.device) - points[..., :1]
    across = torch.arange(width, device=points.device) - points[..., 1:]
    square = down.square()[..., :, None] + across.square()[..., None, :]
    distance = square.clamp_min(1e-12).sqrt()  # a root has no gradient at 0
    return BLUNT / (distance + BLUNT)
