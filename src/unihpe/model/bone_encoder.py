"""Joints and the bones between them to one unit embedding: what lifts best on a CPU.

SimpleBaseline's residual layers must find out that two joints make a bone; here each bone's vector,
length and direction come in beside the joints (docs/notebook/lifting.md has what each part brings).
"""

import torch
from torch import Tensor, nn

from unihpe.body.rays import Trunk, centred
from unihpe.body.skeleton import Skeleton
from unihpe.model.pose_encoder import JointInput, require_box, unit

SHORTEST = 1e-3  # of a bone, keeps its direction finite
PLACE = 5  # numbers that say where somebody is, see `rays.centred`


class BonePoseEncoder(nn.Module):
    """Residual layers, normalised first, over joints and bones; 2D in the person's frame."""

    ends: Tensor  # (2, bones), joints

    def __init__(
        self,
        joint_input: JointInput,
        skeleton: Skeleton,
        embedding: int,
        width: int,
        blocks: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.joint_input, self.box_token = joint_input, joint_input.box_token
        bones, self.trunk = skeleton.bones, Trunk.of(skeleton)
        self.register_buffer("ends", torch.tensor(bones).T.contiguous(), persistent=False)
        of_bone = 2 * (joint_input.channels - 1) + 1  # vector, direction and length
        numbers = joint_input.joints * joint_input.channels + len(bones) * of_bone
        self.stem = nn.Linear(numbers + PLACE * self.box_token, width)
        self.blocks = nn.ModuleList(_residual(width, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, embedding)

    def forward(self, pose: Tensor, confidence: Tensor, box: Tensor | None = None) -> Tensor:
        """pose (B, J, C), confidence (B, J), box token (B, 3) → unit embedding (B, D)."""
        if self.box_token:
            pose, box = centred(pose, confidence, require_box(box), self.trunk)
        parts = [self.joint_input(pose, confidence), self._bones(pose, confidence)]
        numbers = [part.flatten(1) for part in parts]
        x = self.stem(torch.cat(numbers if box is None else [*numbers, box], dim=1))  # (B, W)
        for block in self.blocks:
            x = x + block(x)
        return unit(self.project(self.norm(x)))

    def _bones(self, pose: Tensor, confidence: Tensor) -> Tensor:
        """Vector, length and direction of each bone, 0 where an end is missing: (B, bones, ·)."""
        seen = (confidence[:, self.ends] > 0).all(1)
        upper, lower = pose[:, self.ends].unbind(1)
        vector = (lower - upper) * seen[..., None]
        length = vector.norm(dim=-1, keepdim=True)
        return torch.cat([vector, length, vector / (length + SHORTEST)], dim=-1)


def _residual(width: int, dropout: float) -> nn.Sequential:
    """The inside of a residual block."""
    layers = nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width)
    return nn.Sequential(nn.LayerNorm(width), *layers)
