"""Heat maps of the one person in the middle, by MoveNet's heads, which stay as they were published.

A heat map shows everybody, so it is sought near where the person's centre says that the joint is
(`backbones.movenet_reading`). All four heads go on learning so (`objective`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn

from unihpe.body.skeleton import get_skeleton
from unihpe.model.backbones.movenet import HeadMaps, Heads
from unihpe.model.backbones.movenet_reading import read_peaks, sought
from unihpe.model.heatmaps import (
    CELL_CENTRE,
    FAINTEST,
    JointMaps,
    cells_to_box,
    gaussian_heatmaps,
)

SIGMA = 1.3  # cells: of the bells that MoveNet's heat maps are
AROUND = 1.5  # cells: deviation of the weights of features about a joint
NEARBY = 0.1  # box units: within it, offsets say how far a joint is
SAME = 0.094  # box units, 12 of 256 pixels: two views of a joint that agree


@dataclass(frozen=True)
class OnePersonMaps(JointMaps):
    """`JointMaps` of the person in the middle alone."""

    @property
    def shares(self) -> Tensor:
        """Bells about the keypoints, (B, J, h, w), which add up to 1."""
        height, width = self.heatmaps.shape[-2:]
        edge = self.keypoints.new_tensor([width, height]) / max(width, height)
        inside = self.keypoints.detach().clamp(-edge, edge)
        bells = gaussian_heatmaps(inside, torch.ones_like(self.confidence), width, height, AROUND)
        return bells / bells.sum((2, 3), keepdim=True).clamp_min(1e-6)

    def with_mirrored(self, other: Self, mirror: Sequence[int]) -> JointMaps:
        """The flip test: the mean where both agree, within `SAME`, else what this one says."""
        flipped = other.keypoints[:, list(mirror)] * other.keypoints.new_tensor([-1.0, 1.0])
        agree = (flipped - self.keypoints).norm(dim=-1, keepdim=True) < SAME
        keypoints = torch.where(agree, (self.keypoints + flipped) / 2, self.keypoints)
        maps = (self.heatmaps + other.heatmaps[:, list(mirror)].flip(-1)) / 2
        confidence = (self.confidence + other.confidence[:, list(mirror)]) / 2
        return JointMaps(maps, keypoints, confidence)


@dataclass(frozen=True)
class PersonMaps(OnePersonMaps):
    """`OnePersonMaps` with what they came from, for training."""

    expected: Tensor  # where the centre says that the joints are, (B, J, 2), box units
    said: HeadMaps


class PersonHead(nn.Module):
    """MoveNet's heads, for the joints of any skeleton, by name, that COCO's can begin."""

    def __init__(self, skeleton: str) -> None:
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.published = Heads(len(self.skeleton))

    def among(self, joints: Sequence[str]) -> Tensor:
        """1 for these joints, 0 for the others, (J,); InputError for one that it lacks."""
        chosen = torch.zeros(len(self.skeleton))
        chosen[[self.skeleton.index(joint) for joint in joints]] = 1.0
        return chosen

    def forward(self, maps: list[Tensor]) -> PersonMaps:
        """MoveNet's maps, finest first → where the joints of the person in the middle are."""
        with torch.autocast(maps[0].device.type, enabled=False):  # bfloat16 is too coarse for cells
            said = cast(HeadMaps, self.published(maps[0].float()))
        weighed, expected = sought(said)
        cells, score = read_peaks(said, weighed)
        height, width = weighed.shape[-2:]
        # MoveNet counts from a cell's number, not from its middle
        places = (x - CELL_CENTRE for x in (cells, expected.flip(-1)))
        keypoints, nearby = (cells_to_box(x, width, height) for x in places)
        seen = torch.where(score > FAINTEST, score, 0.0)
        return PersonMaps(weighed, keypoints, seen, nearby, said)
