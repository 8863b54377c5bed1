"""What a training stage is, and its losses (§3.2, §3.3, §4.2, fig. 2)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from unihpe.batch import Batch, Modality
from unihpe.losses import masked_distance, masked_mean_square, pair_loss
from unihpe.nn.pose_decoder import MLPDecoder
from unihpe.nn.unihpe import DiffusionDecoder, UniHPE

Part = Literal["encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d"]
PARTS: tuple[Part, ...] = ("encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d")


class Decoding(BaseModel):
    """One decoding path: whose embedding, to which pose, on how much of each batch.

    Attributes:
        share: the share of each batch this path trains on, (0, 1].
        weight: of its loss.
        draws: noise draws for each embedding (amortises the encoder).
        point: weight of the point estimate's own term: the network at t = 1 and the centre of the noise; 0 leaves it
            out.
        point_loss: "square" makes the point estimate the posterior mean; "distance" the geometric median of each joint,
            which is what MPJPE rewards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["pose_2d", "pose_3d"]
    target: Literal["pose_2d", "pose_3d"]
    share: float = Field(1.0, gt=0, le=1)
    weight: float = Field(1.0, gt=0)
    draws: int = Field(1, ge=0)
    point: float = Field(0.0, ge=0)
    point_loss: Literal["square", "distance"] = "square"

    @model_validator(mode="after")
    def trains_something(self) -> Decoding:
        if self.draws == 0 and self.point == 0:
            raise ValueError("a decoding path needs draws above 0 or point above 0")
        return self

    @property
    def path(self) -> tuple[Modality, Modality]:
        """Source and target as modalities."""
        return Modality[self.source.upper()], Modality[self.target.upper()]


class Stage(BaseModel):
    """One training stage. What is not in `trains` is frozen.

    Attributes:
        trains: the parts that learn.
        contrastive: weight of L_cl (eq. 4); without pictures it is the 2D–3D pair loss (fig. 2, step 1); 0 leaves it
            out.
        decode: the decoding paths (eq. 5).
        steps, batch_size: its length.
        learning_rate: at its highest, after `warm_up` steps.
        schedule: "constant" as in the paper, or "cosine" down to 0.
        temperature: τ₀; `temperature_min` is the lower clamp (§4.2).
        embedding_dropout: share of the embeddings a decoder does not see, which makes it a pose prior too.
        ema: decay of the averaged weights that are evaluated and saved; 0 switches it off.
        clip: largest gradient norm.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    trains: tuple[Part, ...] = PARTS
    contrastive: float = Field(1.0, ge=0)
    directions: Literal["both", "one"] = "both"
    decode: tuple[Decoding, ...] = ()
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=1)
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    warm_up: int = Field(0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    temperature: float | None = Field(None, gt=0)
    temperature_min: float = Field(1 / 100, gt=0)
    embedding_dropout: float = Field(0.0, ge=0, lt=1)
    ema: float = Field(0.999, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)
    bfloat16: bool = False

    @property
    def samples(self) -> int:
        """Training samples this stage draws."""
        return self.steps * self.batch_size


def stage_losses(model: UniHPE, batch: Batch, stage: Stage, generator: torch.Generator) -> dict[str, Tensor]:
    """The terms of eq. 5, weighted: the loop adds them up and logs each by name. Scalars."""
    needed = {m for d in stage.decode for m in d.path[:1]}
    if stage.contrastive:
        needed |= {Modality.POSE_2D, Modality.POSE_3D}
    embeddings = {m: model.embed(batch, m) for m in sorted(needed)}
    terms: dict[str, Tensor] = {}
    if stage.contrastive:
        pair = pair_loss(
            embeddings[Modality.POSE_2D], embeddings[Modality.POSE_3D], model.temperature, directions=stage.directions
        )
        terms["pair 2d-3d"] = stage.contrastive * pair
    for decoding in stage.decode:
        source = decoding.path[0]
        name = f"{decoding.source}→{decoding.target}"
        for kind, loss in decoding_losses(model, batch, embeddings[source], decoding, stage, generator).items():
            terms[f"{kind} {name}"] = decoding.weight * loss
    return terms


def decoding_losses(
    model: UniHPE, batch: Batch, embedding: Tensor, decoding: Decoding, stage: Stage, generator: torch.Generator
) -> dict[str, Tensor]:
    """The terms of one decoding path on the first `share` of the batch."""
    source, target = decoding.path
    count = max(1, round(decoding.share * len(batch)))
    x0, seen = (part[:count] for part in model.target(batch, target))
    embedding, box = embedding[:count], batch.box_token[:count]
    drop = (torch.rand(count, generator=generator) < stage.embedding_dropout).to(x0.device)
    decoder = model.decoder(target)
    if isinstance(decoder, MLPDecoder):
        return {"regression": masked_mean_square(decoder(embedding, source, box).float(), x0, seen)}
    prepared = decoder.network.prepare(embedding, source, box, drop)
    terms = {}
    if decoding.draws:
        terms["score"] = score_loss(decoder, prepared, x0, seen, decoding.draws, generator)
    if decoding.point:
        terms["point"] = decoding.point * point_loss(decoder, prepared, x0, seen & ~drop[:, None], decoding.point_loss)
    return terms


def score_loss(
    decoder: DiffusionDecoder, prepared: Tensor, x0: Tensor, seen: Tensor, draws: int, generator: torch.Generator
) -> Tensor:
    """Denoising score matching at uniform times, `draws` noise draws for each of the B poses x0 (B, J, C)."""
    x0, seen, prepared = x0.repeat(draws, 1, 1), seen.repeat(draws, 1), prepared.repeat(draws, 1)
    diffusion = decoder.diffusion
    # stratified over the batch: same law for each time, less variance than independent draws
    t = (torch.arange(len(x0)) + torch.rand(len(x0), generator=generator)) / len(x0)
    t = diffusion.clamp_time(t[torch.randperm(len(x0), generator=generator)]).to(x0.device)
    noise = torch.randn(x0.shape, generator=generator).to(x0.device)
    x_t = diffusion.noised(x0, noise, t)
    output = decoder.network(diffusion.scaled(x_t, t), t, prepared).float()
    return masked_mean_square(output, diffusion.target(x0, noise, t), seen)


def point_loss(
    decoder: DiffusionDecoder, prepared: Tensor, x0: Tensor, seen: Tensor, kind: Literal["square", "distance"]
) -> Tensor:
    """How far the answer at t = 1, at the centre of the noise, lies from the pose: x0 (B, J, C), seen (B, J)."""
    x, t = torch.zeros_like(x0), x0.new_ones(1)
    guess = decoder.diffusion.denoiser(lambda x, t: decoder.network(x, t, prepared).float())(x, t)
    return masked_distance(guess, x0, seen) if kind == "distance" else masked_mean_square(guess, x0, seen)
