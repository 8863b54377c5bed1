"""How heat maps become an embedding: that of the keypoints they show, moved by what is there."""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unihpe.model.heatmaps import sharpened, soft_argmax
from unihpe.model.pose_encoder import BOX_NUMBERS, double_layer, linear_layer

FAINTEST = 0.1  # height of a heat map, of 1, that shows a joint


@dataclass(frozen=True)
class ShownJoints:
    """What heat maps say about a batch of people."""

    heatmaps: Tensor  # (B, J, h, w)
    keypoints: Tensor  # (B, J, 2), box units, see `keypoints_of`
    confidence: Tensor  # (B, J), 0 where the map shows nothing
    box: Tensor  # token, (B, 3)
    embedding: Tensor  # of the keypoints, by the 2D encoder, (B, D)


def keypoints_of(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Heat maps (B, J, h, w) as keypoints (B, J, 2), box units, and their confidence (B, J): the
    map's height, at most 1, and 0 up to `FAINTEST`, as for a missing joint."""
    height = heatmaps.float().amax((2, 3))
    return soft_argmax(heatmaps), torch.where(height > FAINTEST, height.clamp(max=1.0), 0.0)


class JointReadOut(nn.Module):
    """What a network saw at each joint: where the heat map points, its height, the features there.

    Features, `kept` numbers a joint of the `channels` of all maps, are averaged with the sharpened
    heat map as weights, as part attention does (Kocabas et al., PARE, ICCV 2021). The box token
    comes in as in the 2D encoder: how a pose lies before the camera depends on where it is seen.
    """

    def __init__(
        self, channels: int, joints: int, embedding: int, width: int = 1024, kept: int = 32
    ) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, kept)
        self.stem = linear_layer(joints * (kept + 3) + BOX_NUMBERS, width)
        self.block = double_layer(width)
        self.project = nn.Linear(width, embedding)
        start_at_nothing(self.project)

    def forward(self, maps: list[Tensor], shown: ShownJoints) -> Tensor:
        """Maps (B, C, h, w), finest first, and what heat maps show → (B, D), 0 before training."""
        share = sharpened(shown.heatmaps)
        features = torch.cat([_averaged(x.float(), share) for x in maps], dim=-1)  # (B, J, ΣC)
        seen = [self.reduce(features), shown.keypoints, shown.confidence[..., None]]
        x = self.stem(torch.cat([torch.cat(seen, dim=-1).flatten(1), shown.box], dim=1))
        return cast(Tensor, self.project(x + self.block(x)))


def start_at_nothing(layer: nn.Linear) -> None:
    """Make a layer that puts out 0 until it has learned."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def _averaged(features: Tensor, share: Tensor) -> Tensor:
    """Features (B, C, h, w) averaged by weights (B, J, n·h, n·w) that add up to 1 → (B, J, C)."""
    height, width = features.shape[-2:]
    pooled = F.adaptive_avg_pool2d(share, (height, width)).flatten(2)
    return pooled / pooled.sum(-1, keepdim=True) @ features.flatten(2).transpose(1, 2)
