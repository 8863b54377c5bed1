"""How heat maps become an embedding: that of the keypoints they show, moved by what is there."""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unihpe.model.pose_encoder import BOX_NUMBERS, double_layer, linear_layer


@dataclass(frozen=True)
class ShownJoints:
    """What heat maps say about a batch of people."""

    keypoints: Tensor  # (B, J, 2), box units, see `heatmaps.JointMaps`
    confidence: Tensor  # (B, J), 0 where the map shows nothing
    box: Tensor  # token, (B, 3)
    embedding: Tensor  # of the keypoints, by the 2D encoder, (B, D)


class JointReadOut(nn.Module):
    """What a network saw at each joint: where the heat map points, its height, the features there.

    `kept` numbers a joint remain of the `channels` of all maps. The box token comes in as in the 2D
    encoder: how a pose lies before the camera depends on where it is seen.
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

    def forward(self, features: Tensor, shown: ShownJoints) -> Tensor:
        """Features (B, J, ΣC) by `features_at` and what heat maps show → (B, D), 0 at first."""
        seen = [self.reduce(features), shown.keypoints, shown.confidence[..., None]]
        x = self.stem(torch.cat([torch.cat(seen, dim=-1).flatten(1), shown.box], dim=1))
        return cast(Tensor, self.project(x + self.block(x)))


def start_at_nothing(layer: nn.Linear) -> None:
    """Make a layer that puts out 0 until it has learned."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def features_at(maps: list[Tensor], shares: Tensor) -> Tensor:
    """Maps (B, C, h, w), finest first, averaged by shares (B, J, h, w), which add up to 1:
    (B, J, ΣC), as part attention does (Kocabas et al., PARE, ICCV 2021)."""
    return torch.cat([_averaged(x.float(), shares) for x in maps], dim=-1)


def _averaged(features: Tensor, share: Tensor) -> Tensor:
    """Features (B, C, h, w) averaged by weights (B, J, n·h, n·w) that add up to 1 → (B, J, C)."""
    height, width = features.shape[-2:]
    pooled = F.adaptive_avg_pool2d(share, (height, width)).flatten(2)
    return pooled / pooled.sum(-1, keepdim=True) @ features.flatten(2).transpose(1, 2)
