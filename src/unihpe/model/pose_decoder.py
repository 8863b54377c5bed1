"""Embeddings to poses: the score network (§3.1, B.3) and the residual MLP (B.1)."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from unihpe.body.batch import Modality
from unihpe.diffusion.parametrisation import Denoiser, Diffusion
from unihpe.diffusion.sampling import posterior_mean
from unihpe.model.pose_encoder import BOX_NUMBERS, Shape, require_box

TIME = 512  # channels of its embedding
GROUPS = 32  # of the group norms; widths are multiples of it


class Condition(nn.Module):
    """What a decoder is told: the embedding, where it came from (the modality token), and the box.

    Unit embeddings are multiplied by √D first: at unit norm their coordinates, about 0.03 each,
    would drown in the time embedding beside them.
    """

    def __init__(self, embedding: int, modality_token: bool, box_token: bool) -> None:
        super().__init__()
        self.width, self.scale = embedding, math.sqrt(embedding)
        tokens = torch.zeros(len(Modality), embedding)
        self.modality = nn.Parameter(tokens) if modality_token else None
        self.embed_box = nn.Linear(BOX_NUMBERS, embedding) if box_token else None
        self.null = nn.Parameter(torch.zeros(embedding))  # "no embedding": decodes the pose prior

    def forward(
        self, embedding: Tensor, modality: Modality, box: Tensor | None, drop: Tensor | None = None
    ) -> Tensor:
        """Unit embeddings (B, D) of one modality, box token (B, 3), who loses the embedding, (B,)
        bool → (B, D)."""
        x = embedding * self.scale
        if self.modality is not None:
            x = x + self.modality[modality]
        if drop is not None:
            x = torch.where(drop[:, None], self.null, x)
        if self.embed_box is not None:
            x = x + self.embed_box(require_box(box))
        return x


class _VectorGroupNorm(nn.GroupNorm):
    """Group norm of vectors, by the kernel of layer norm: the same numbers, and on CPUs forward and
    backward in a tenth of the time."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, W) → (B, W)."""
        groups = x.unflatten(1, (self.num_groups, -1))
        alike = nn.functional.layer_norm(groups, groups.shape[2:], eps=self.eps)
        return alike.flatten(1) * self.weight + self.bias


class ScoreDecoder(nn.Module):
    """GFPose's score network: residual blocks, condition and time added in each layer.

    The condition enters each layer through its own projection. Projections are linear: the part
    that does not depend on time is made once, by `prepare`, and used for every step or noise draw.
    """

    def __init__(
        self, condition: Condition, shape: Shape, width: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        self.shape, self.condition = shape, condition
        numbers, embedding = math.prod(shape), condition.width
        self.time = nn.Sequential(nn.Linear(TIME, TIME), nn.SiLU(), nn.Linear(TIME, embedding))
        self.stem = nn.Linear(numbers, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(2 * blocks))
        self.project = nn.Linear(embedding, (2 * blocks + 1) * width)  # slices for stem and layers
        self.norms = nn.ModuleList(_VectorGroupNorm(GROUPS, width) for _ in range(2 * blocks + 1))
        self.activate = nn.Sequential(nn.SiLU(), nn.Dropout(dropout))
        self.head = nn.Linear(width, numbers)

    def prepare(
        self, embedding: Tensor, modality: Modality, box: Tensor | None, drop: Tensor | None = None
    ) -> Tensor:
        """The time-independent part of every layer, (B, layers · width); see `Condition`."""
        return cast(Tensor, self.project(self.condition(embedding, modality, box, drop)))

    def forward(self, x: Tensor, t: Tensor, prepared: Tensor) -> Tensor:
        """Network output for noisy poses x (B, J, C) at times t (B,) or (1,): (B, J, C)."""
        time = nn.functional.linear(self.time(_sinusoid(t)), self.project.weight)
        return self._through(x, prepared + time)

    def once(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """As `forward`, of a `Condition` that is asked at no other time, (B, D): what depends on
        time and what does not go through the projection together."""
        return self._through(x, self.project(condition + self.time(_sinusoid(t))))

    def _through(self, x: Tensor, conditions: Tensor) -> Tensor:
        """Poses x (B, J, C), and every layer's condition (B, layers · width): (B, J, C)."""
        added = conditions.chunk(len(self.norms), dim=1)
        h = self.activate(self.norms[0](self.stem(x.flatten(1)) + added[0]))
        for i in range(0, len(self.layers), 2):
            y = h
            for k in (i, i + 1):
                y = self.activate(self.norms[k + 1](self.layers[k](y) + added[k + 1]))
            h = h + y
        return cast(Tensor, self.head(h).unflatten(1, self.shape))


class DiffusionDecoder(nn.Module):
    """A score network and the meaning of its output (path and prediction)."""

    def __init__(
        self, network: ScoreDecoder, diffusion: Diffusion, about_estimate: bool = False
    ) -> None:
        super().__init__()
        self.network, self.diffusion, self.shape = network, diffusion, network.shape
        self.about_estimate = about_estimate  # whether samples lie about the point estimate

    def estimate(self, condition: Tensor) -> Tensor:
        """x̂₀ at t = 1 and at the centre of the noise: (B, D), see `Condition`, → (B, J, C).
        InputError with ε-prediction, which has no answer there."""
        centre = condition.new_zeros(condition.shape[0], *self.shape)
        ask = self.diffusion.denoiser(lambda x, t: self.network.once(x, t, condition).float())
        return posterior_mean(ask, self.diffusion, centre)

    def moved(self, samples: Tensor, condition: Tensor) -> Tensor:
        """Samples (S, B, J, C) of a condition (B, D), moved until their mean is the estimate.

        Their own mean is known from S of them alone, so they lie √((S − 1) / S) too near to it.
        """
        count = samples.shape[0]
        if not self.about_estimate or count < 2:
            return samples
        own = (samples - samples.mean(0)) * math.sqrt(count / (count - 1))
        return self.estimate(condition) + own

    def conditioned(self, prepared: Tensor) -> Denoiser:
        """The network's output at (scaled x_t, t), float32, with its condition held fixed."""
        return lambda x, t: self.network(x, t, prepared).float()

    def denoiser(self, prepared: Tensor) -> Denoiser:
        """x̂₀(x_t, t) with the condition held fixed."""
        return self.diffusion.denoiser(self.conditioned(prepared))


class MLPDecoder(nn.Module):
    """Embedding straight to pose, through residual blocks (B.1)."""

    def __init__(
        self, condition: Condition, shape: Shape, width: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        self.shape, self.condition = shape, condition
        self.stem = nn.Linear(condition.width, width)
        self.blocks = nn.Sequential(*(_ResidualBlock(width, dropout) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, math.prod(shape))

    def forward(self, embedding: Tensor, modality: Modality, box: Tensor | None = None) -> Tensor:
        """Unit embedding (B, D), box token (B, 3) → pose (B, J, C)."""
        x = self.blocks(self.stem(self.condition(embedding, modality, box)))
        return cast(Tensor, self.head(self.norm(x)).unflatten(1, self.shape))


class _ResidualBlock(nn.Module):
    """Two linear layers round a skip, normalised first: by layer norm, not the encoders' batch
    norm, as a decoder sees embeddings of several modalities, one kind a call."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        first = nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout)
        second = nn.Linear(width, width), nn.Dropout(dropout)
        self.layers = nn.Sequential(nn.LayerNorm(width), *first, *second)

    def forward(self, x: Tensor) -> Tensor:
        """(B, W) → (B, W)."""
        return cast(Tensor, x + self.layers(x))


def _sinusoid(t: Tensor) -> Tensor:
    """Sines and cosines of t·999 at geometric periods, as in score_sde: (B,) → (B, 512)."""
    half = TIME // 2
    steps = torch.arange(half, device=t.device, dtype=torch.float32)
    rates = torch.exp(-math.log(10_000) * steps / (half - 1))
    angle = 999 * t.float()[:, None] * rates
    return torch.cat([angle.sin(), angle.cos()], dim=1)
