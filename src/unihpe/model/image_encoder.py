"""A person's picture to one unit embedding (§3.1): pooled HRNet branches, or a ViT's mean token,
and one linear layer.

Beside the paper's read-out there is one at the joints, for networks that learn from few pictures:
an average over the picture has to learn anew where things are, and a heat map says it. There a
picture's embedding is that of the keypoints its heat maps show, moved by what else the picture
tells; it begins as the former alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unihpe.model.backbones.hrnet import HRNet
from unihpe.model.heatmap_embedding import JointReadOut, ShownJoints, start_at_nothing
from unihpe.model.pose_encoder import unit


class ImageEncoder(nn.Module):
    """HRNet's branches, each averaged over the picture, concatenated, → linear → unit length.

    With all four branches of w32 that is 480 numbers, of w48 720, of w18_small 240.

    Args:
        shrink: pixels of the picture, along each side, that are averaged into one first; 2 makes 96
            × 128 of 192 × 256 and costs a quarter.
        joints: adds what it reads at the joints to the embedding of the keypoints seen; needs heat
            maps.
    """

    def __init__(
        self,
        backbone: HRNet,
        embedding: int = 1024,
        *,
        shrink: int = 1,
        joints: JointReadOut | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.shrink = backbone, shrink
        self.project = nn.Linear(sum(backbone.channels), embedding)
        self.joints = joints
        if joints is not None:
            start_at_nothing(self.project)

    def forward(self, picture: Tensor) -> Tensor:
        """Normalised RGB (B, 3, H, W), sides multiples of 32 · shrink → unit embedding (B, D), float32; pooled read-out only."""
        return self.read_out(self.maps(picture))

    def maps(self, picture: Tensor) -> list[Tensor]:
        """The backbone's maps of normalised RGB (B, 3, H, W), finest first."""
        maps: list[Tensor] = self.backbone(
            F.avg_pool2d(picture, self.shrink) if self.shrink > 1 else picture
        )
        return maps

    def read_out(self, maps: list[Tensor], shown: ShownJoints | None = None) -> Tensor:
        """The backbone's maps → unit embedding (B, D).

        Args:
            shown: what the heat maps show; for the read-out at the joints, which needs it.
        """
        pooled = torch.cat(
            [x.mean(dim=(2, 3), dtype=torch.float32) for x in maps], dim=1
        )  # (B, ΣC)
        read = self.project(pooled)
        if self.joints is None:
            return unit(read)
        if shown is None:
            raise ValueError("this image encoder reads at the joints: pass what the heat maps show")
        return unit(shown.embedding + read + self.joints(maps, shown))
