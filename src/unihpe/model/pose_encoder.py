"""Joints to one unit embedding: the paper's transformer and residual MLP (§3.1, B.1, B.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BOX_NUMBERS = 3  # CLIFF's, see `boxes.box_token`
Shape = tuple[int, int]  # of a pose: joints and coordinates


class JointInput(nn.Module):
    """Joints with their confidence as network input; a missing joint is a learned mask token.
    Beside 2D joints, in box units, comes a box token (B.2); 3D ones are over the pose scale."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.joints, self.channels, self.box_token = shape[0], shape[1] + 1, shape[1] == 2
        self.mask_token = nn.Parameter(torch.zeros(self.joints, self.channels))

    def forward(self, pose: Tensor, confidence: Tensor) -> Tensor:
        """pose (B, J, C), confidence (B, J) → (B, J, C + 1)."""
        seen = torch.cat([pose, confidence[..., None]], dim=-1)
        return torch.where(confidence[..., None] > 0, seen, self.mask_token.to(seen.dtype))


class TransformerPoseEncoder(nn.Module):
    """A transformer over joint tokens, read out at its [CLS] token (B.2, fig. 8)."""

    def __init__(
        self,
        joint_input: JointInput,
        embedding: int,
        width: int,
        depth: int,
        heads: int,
        feedforward: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.joint_input = joint_input
        self.embed_joint = nn.Linear(joint_input.channels, width)
        self.embed_box = nn.Linear(BOX_NUMBERS, width) if joint_input.box_token else None
        self.position = nn.Parameter(torch.empty(joint_input.joints, width))
        self.cls = nn.Parameter(torch.empty(1, 1, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, feedforward, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(width)
        self.layers = nn.TransformerEncoder(layer, depth, norm, enable_nested_tensor=False)
        self.project = nn.Linear(width, embedding)
        nn.init.trunc_normal_(self.position, std=0.02)
        nn.init.trunc_normal_(self.cls, std=0.02)

    def forward(self, pose: Tensor, confidence: Tensor, box: Tensor | None = None) -> Tensor:
        """pose (B, J, C), confidence (B, J), box token (B, 3) → unit embedding (B, D)."""
        joints = self.embed_joint(self.joint_input(pose, confidence)) + self.position  # (B, J, W)
        tokens = [self.cls.expand(pose.shape[0], 1, -1), joints]
        if self.embed_box is not None:
            tokens.insert(1, self.embed_box(require_box(box))[:, None])
        read_out = self.layers(torch.cat(tokens, dim=1))[:, 0]  # (B, W)
        return unit(self.project(read_out))


class MLPPoseEncoder(nn.Module):
    """All joints at once through residual blocks, as in SimpleBaseline (B.1)."""

    def __init__(
        self, joint_input: JointInput, embedding: int, width: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        self.joint_input, self.box_token = joint_input, joint_input.box_token
        numbers = joint_input.joints * joint_input.channels + BOX_NUMBERS * self.box_token
        self.stem = linear_layer(numbers, width, dropout)
        self.blocks = nn.ModuleList(double_layer(width, dropout) for _ in range(blocks))
        self.project = nn.Linear(width, embedding)

    def forward(self, pose: Tensor, confidence: Tensor, box: Tensor | None = None) -> Tensor:
        """pose (B, J, C), confidence (B, J), box token (B, 3) → unit embedding (B, D)."""
        x = self.joint_input(pose, confidence).flatten(1)  # (B, J·(C + 1))
        if self.box_token:
            x = torch.cat([x, require_box(box)], dim=1)
        x = self.stem(x)  # (B, W)
        for block in self.blocks:
            x = x + block(x)
        return unit(self.project(x))


def linear_layer(inputs: int, outputs: int, dropout: float = 0.0) -> nn.Sequential:
    linear, norm = nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs)
    return nn.Sequential(linear, norm, nn.ReLU(), nn.Dropout(dropout))


def double_layer(width: int, dropout: float = 0.0) -> nn.Sequential:
    """Linear, batch norm, ReLU, dropout, twice: the inside of a residual block."""
    return nn.Sequential(*(linear_layer(width, width, dropout) for _ in range(2)))


def require_box(box: Tensor | None) -> Tensor:
    if box is None:
        raise ValueError("this encoder has a box token: pass box (B, 3)")
    return box


def unit(x: Tensor) -> Tensor:
    """Unit length along the last axis, float32 whatever the autocast: cosines need the digits."""
    return F.normalize(x.float(), dim=-1)
