"""A person's picture to one unit embedding (§3.1): a backbone's maps, pooled, and one linear layer.

Beside the paper's read-out there is one at the joints, for networks that learn from few pictures:
an average over the picture has to learn anew where things are, and a heat map says it. There an
embedding begins as that of the keypoints that the heat maps show, and what else is seen moves it.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unihpe.model.backbones import AT_ONCE, Backbone
from unihpe.model.heatmap_embedding import (
    JointReadOut,
    ShownJoints,
    features_at,
    start_at_nothing,
)
from unihpe.model.heatmaps import JointMaps
from unihpe.model.pose_encoder import unit


class ImageEncoder(nn.Module):
    """A backbone's maps, each averaged over the picture, concatenated (of HRNet-w32's four branches
    480 numbers, of w48's 720, of w18_small's 240), → linear → unit length.

    Args:
        shrink: 2 averages 2 × 2 pixels of the picture into one first, and costs a quarter.
        joints: what it reads at the joints is added to the embedding of the keypoints seen.
        dropout: share of people in training to whose embedding of the keypoints nothing is added.
    """

    def __init__(
        self,
        backbone: Backbone,
        embedding: int,
        shrink: int = 1,
        joints: JointReadOut | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone, self.shrink = backbone, shrink
        self.project = nn.Linear(sum(backbone.channels), embedding)
        self.joints = joints  # after it: training states number parameters in this order
        self.dropout = dropout
        if joints is not None:
            start_at_nothing(self.project)

    def forward(self, image: Tensor) -> Tensor:
        """RGB (B, 3, H, W), 0 to 255 → unit embedding (B, D), float32; pooled read-out only."""
        return self.read_out(self.features(self.maps(image)))

    @torch.no_grad()
    def restrain(self, reach: float) -> None:
        """Scale what the read-out adds to the embedding of the keypoints seen."""
        added = [self.project] if self.joints is None else [self.project, self.joints.project]
        for layer in added:
            layer.weight.mul_(reach)
            layer.bias.mul_(reach)

    def maps(self, image: Tensor) -> list[Tensor]:
        """The backbone's maps of RGB (B, 3, H, W), 0 to 255, finest first."""
        picture = self.prepared(image)
        if not picture.is_cpu or self.backbone.training or torch.is_grad_enabled():
            return cast(list[Tensor], self.backbone(picture))
        parts = [self.backbone(few) for few in picture.split(AT_ONCE)]
        return [torch.cat(maps) for maps in zip(*parts, strict=True)]

    def prepared(self, image: Tensor) -> Tensor:
        """RGB (B, 3, H, W), 0 to 255, as the backbone wants it: its size, mean and deviation."""
        backbone, picture = self.backbone, image.float()
        if not backbone.any_size:
            picture = _fitted(picture, *backbone.size)
        mean, std = (picture.new_tensor(x)[:, None, None] for x in (backbone.mean, backbone.std))
        picture = ((picture / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
        return F.avg_pool2d(picture, self.shrink) if self.shrink > 1 else picture

    def features(self, maps: list[Tensor], shown: JointMaps | None = None) -> Tensor:
        """What is read of the backbone's maps, (B, 1, ΣC): their means; and where it reads at the
        joints, before those the features there, (B, J + 1, ΣC)."""
        pooled = [x.mean(dim=(2, 3), dtype=torch.float32) for x in maps]
        whole = torch.cat(pooled, dim=1)[:, None]
        if self.joints is None:
            return whole
        if shown is None:
            raise ValueError("this image encoder reads at the joints: pass what the heat maps show")
        return torch.cat([features_at(maps, shown.shares), whole], dim=1)

    def read_out(self, features: Tensor, shown: ShownJoints | None = None) -> Tensor:
        """`features` → unit embedding (B, D); at the joints with what heat maps show."""
        read = self.project(features[:, -1])
        if self.joints is None or shown is None:
            return unit(read)
        added = read + self.joints(features[:, :-1], shown)
        if self.training and self.dropout:
            added = added * (torch.rand(len(added), 1, device=added.device) >= self.dropout)
        return unit(shown.embedding + added)


def _fitted(picture: Tensor, width: int, height: int) -> Tensor:
    """Pictures (B, 3, H, W) → (B, 3, height, width): as large as fits, in the middle of black."""
    scale = min(width / picture.shape[-1], height / picture.shape[-2])
    if scale != 1:
        size = [round(side * scale) for side in picture.shape[-2:]]
        picture = F.interpolate(picture, size, mode="bilinear", antialias=True)
    right, below = width - picture.shape[-1], height - picture.shape[-2]
    return F.pad(picture, (right // 2, right - right // 2, below // 2, below - below // 2))
