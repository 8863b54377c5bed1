"""What a training stage is, and its losses (§3.2, §3.3, §4.2, fig. 2)."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from unihpe.batch import Batch, Modality, chosen
from unihpe.losses import masked_distance, masked_mean_square, pair_loss, sample_triplets, triplet_loss
from unihpe.nn.hrnet import gaussian_heatmaps, soft_argmax
from unihpe.nn.pose_decoder import MLPDecoder
from unihpe.nn.unihpe import DiffusionDecoder, UniHPE

Part = Literal["image_encoder", "heatmap_head", "encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d"]
PARTS: tuple[Part, ...] = ("image_encoder", "heatmap_head", "encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d")
Kind = Literal["image", "pose_2d", "pose_3d"]
SHORT: dict[Modality, str] = {Modality.IMAGE: "image", Modality.POSE_2D: "2d", Modality.POSE_3D: "3d"}


class Decoding(BaseModel):
    """One decoding path: whose embedding, to which pose, on how much of each batch.

    Attributes:
        share: the share of each batch this path trains on, (0, 1]: its first people, who are of all sources where it is mixed.
        weight: of its loss.
        draws: noise draws for each embedding (amortises the encoder).
        point: weight of the point estimate's own term: the network at t = 1 and the centre of the noise; 0 leaves it
            out.
        point_loss: "square" makes the point estimate the posterior mean; "distance" the geometric median of each joint,
            which is what MPJPE rewards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Kind
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
        contrastive: weight of L_cl (eq. 4); 0 leaves it out.
        align: the modalities it brings together: two, and it is their pair loss (fig. 2, step 1); or all three.
        triplet: α of eq. 4, the weight of L_triplet beside L_pair; needs all three modalities.
        negatives: of L_triplet: "sampled" (algorithm 1), or "all" 3B(B − 1) of each anchor.
        heatmap: weight of the heat-map loss, which trains the image backbone through its head.
        integral: weight of the distance, in half sides of the box, from where the heat maps point to the joints within the crop,
            seen or not (Sun et al., Integral Human Pose Regression, ECCV 2018).
        decode: the decoding paths (eq. 5).
        steps, batch_size: its length.
        pose_batch: people without pictures that each step adds, as a batch of their own, from the recipe's `poses`.
        accumulate: batches whose gradients are averaged in each step; each batch is contrasted on its own. Several processes share them.
        learning_rate: at its highest, after `warm_up` steps.
        schedule: "constant" as in the paper, or "cosine" down to 0.
        temperature: τ₀; `temperature_min` is the lower clamp (§4.2).
        embedding_dropout: share of the embeddings a decoder does not see, which makes it a pose prior too.
        ema: decay of the averaged weights that are evaluated and saved; 0 switches it off.
        check_every: steps between validations that choose: the averaged weights with the best score are the stage's result, and the
            next stage begins from them; 0 keeps the last ones.
        patience: the stage ends early after so many of these validations in a row without a better score; 0 never.
        clip: largest gradient norm.
        bfloat16: autocast to it; not on CPUs without AVX-512, which compute it many times slower than float32: training is in
            float32 there.
        settled: the pose encoders' batch norms keep the statistics they have, and the weights settle on those. Where the batches of a
            step come from sources that differ, training norms each by its own statistics, and use by what lies between.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    trains: tuple[Part, ...] = PARTS
    contrastive: float = Field(1.0, ge=0)
    align: tuple[Kind, ...] = ("pose_2d", "pose_3d")
    triplet: float = Field(0.0, ge=0)
    negatives: Literal["sampled", "all"] = "sampled"
    directions: Literal["both", "one"] = "both"
    heatmap: float = Field(0.0, ge=0)
    integral: float = Field(0.0, ge=0)
    decode: tuple[Decoding, ...] = ()
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=1)
    pose_batch: int = Field(0, ge=0)
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    warm_up: int = Field(0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    temperature: float | None = Field(None, gt=0)
    temperature_min: float = Field(1 / 100, gt=0)
    embedding_dropout: float = Field(0.0, ge=0, lt=1)
    ema: float = Field(0.999, ge=0, lt=1)
    check_every: int = Field(0, ge=0)
    patience: int = Field(0, ge=0)
    clip: float = Field(1.0, gt=0)
    bfloat16: bool = False
    settled: bool = False

    @property
    def samples(self) -> int:
        """Training samples this stage draws."""
        return self.steps * self.step_samples

    @property
    def step_samples(self) -> int:
        """Training samples of one step."""
        return (self.batch_size + self.pose_batch) * self.accumulate

    @property
    def aligned(self) -> tuple[Modality, ...]:
        """The aligned modalities, in the paper's order."""
        return tuple(sorted(Modality[name.upper()] for name in self.align))

    @property
    def looks(self) -> bool:
        """Whether the stage needs pictures."""
        return self.draws_heatmaps or Modality.IMAGE in self.embedded

    @property
    def draws_heatmaps(self) -> bool:
        """Whether the stage needs heat maps."""
        return bool(self.heatmap or self.integral)

    @property
    def embedded(self) -> set[Modality]:
        """The modalities whose embeddings the stage needs."""
        needed = {decoding.path[0] for decoding in self.decode}
        return needed | set(self.aligned) if self.contrastive else needed

    @model_validator(mode="after")
    def learns_something(self) -> Stage:
        if not self.trains:
            raise ValueError(f"stage {self.name}: trains names nothing; there are {', '.join(PARTS)}")
        if not (self.contrastive or self.decode or self.draws_heatmaps):
            raise ValueError(f"stage {self.name} has no loss: set contrastive, decode, heatmap or integral")
        return self

    @model_validator(mode="after")
    def checks_what_it_is_patient_about(self) -> Stage:
        if self.patience and not self.check_every:
            raise ValueError(
                f"stage {self.name}: patience counts validations: set check_every to the steps between them"
            )
        return self

    @model_validator(mode="after")
    def aligns_enough(self) -> Stage:
        if self.contrastive and (len(set(self.align)) < 2 or len(set(self.align)) != len(self.align)):
            raise ValueError(f"stage {self.name}: align names two or three different modalities")
        if self.triplet and len(self.align) != 3:
            raise ValueError(f"stage {self.name}: the triplet loss aligns all three modalities")
        return self


def stage_losses(model: UniHPE, batch: Batch, stage: Stage, generator: torch.Generator) -> dict[str, Tensor]:
    """The terms of eq. 5, weighted: the loop adds them up and logs each by name. Scalars.

    A batch without pictures, or without 3D, takes part in what it has evidence for.
    """
    terms: dict[str, Tensor] = {}
    embeddings: dict[Modality, Tensor] = {}
    needed = {modality for modality in stage.embedded if has(batch, modality)}
    if stage.draws_heatmaps and has(batch, Modality.IMAGE):
        maps = model.image_maps(batch)
        heatmaps = model.heatmaps(maps)
        if stage.heatmap:
            terms["heatmap"] = stage.heatmap * heatmap_loss(heatmaps, batch)
        if stage.integral:
            terms["integral"] = stage.integral * integral_loss(heatmaps, batch)
        if Modality.IMAGE in needed:
            embeddings[Modality.IMAGE] = model.read_out(maps, batch, heatmaps)
    for modality in sorted(needed - embeddings.keys()):
        if (embedding := embed_known(model, batch, modality)) is not None:
            embeddings[modality] = embedding
    if stage.contrastive:
        for name, loss in contrastive_losses(embeddings, batch, model.temperature, stage, generator).items():
            terms[name] = stage.contrastive * loss
    for decoding in stage.decode:
        source, target = decoding.path
        if source not in embeddings or not has(batch, target):
            continue
        name = f"{decoding.source}→{decoding.target}"
        for kind, loss in decoding_losses(model, batch, embeddings[source], decoding, stage, generator).items():
            terms[f"{kind} {name}"] = decoding.weight * loss
    return terms


def embed_known(model: UniHPE, batch: Batch, modality: Modality) -> Tensor | None:
    """Embeddings (B, D), zero for people without this evidence, who do not reach the encoder: they would bend its batch norms.

    None where fewer than two people have it.
    """
    rows = known(batch, (modality,))
    if len(rows) == len(batch):
        return model.embed(batch, modality)
    if len(rows) < 2:
        return None
    embedding = model.embed(chosen(batch, rows), modality)
    return embedding.new_zeros(len(batch), embedding.shape[1]).index_copy(0, rows, embedding)


def contrastive_losses(
    embeddings: dict[Modality, Tensor], batch: Batch, temperature: Tensor, stage: Stage, generator: torch.Generator
) -> dict[str, Tensor]:
    """L_pair of every two aligned modalities, and α·L_triplet (eqs. 1, 3 and 4), each over the people who have them."""
    terms: dict[str, Tensor] = {}
    for a, b in combinations([m for m in stage.aligned if m in embeddings], 2):
        rows = known(batch, (a, b))
        if not len(rows):
            continue
        pair = pair_loss(embeddings[a][rows], embeddings[b][rows], temperature, directions=stage.directions)
        terms[f"pair {SHORT[a]}-{SHORT[b]}"] = pair
    if not stage.triplet or any(m not in embeddings for m in stage.aligned):
        return terms
    if len(rows := known(batch, stage.aligned)):
        drawn = None if stage.negatives == "all" else sample_triplets(len(rows), generator)
        image, pose_2d, pose_3d = (embeddings[m][rows] for m in stage.aligned)
        terms["triplet"] = stage.triplet * triplet_loss(image, pose_2d, pose_3d, temperature, triplets=drawn)
    return terms


def has(batch: Batch, modality: Modality) -> bool:
    """Whether the batch holds this kind of evidence at all."""
    match modality:
        case Modality.IMAGE:
            return batch.image is not None
        case Modality.POSE_2D:
            return True
        case Modality.POSE_3D:
            return batch.pose is not None


def known(batch: Batch, modalities: tuple[Modality, ...]) -> Tensor:
    """The people who have all of these modalities, as row numbers: masks, not fake labels."""
    rows = torch.ones(len(batch), dtype=torch.bool, device=batch.keypoints.device)
    if Modality.POSE_2D in modalities:
        rows &= (batch.confidence > 0).any(1)
    if Modality.POSE_3D in modalities and batch.pose is not None:
        rows &= torch.isfinite(batch.pose).all(-1).any(1)
    return rows.nonzero()[:, 0]


def heatmap_loss(heatmaps: Tensor, batch: Batch) -> Tensor:
    """Mean square error of heat maps (B, J, h, w) over the joints that are seen, as in HRNet."""
    height, width = heatmaps.shape[-2:]
    target = gaussian_heatmaps(batch.keypoints, batch.confidence, width, height)
    error = (heatmaps.float() - target).square().mean((2, 3))  # (B, J)
    seen = batch.confidence > 0
    return torch.where(seen, error, 0.0).sum() / seen.sum().clamp_min(1)


def integral_loss(heatmaps: Tensor, batch: Batch) -> Tensor:
    """Mean distance, box units, from where heat maps (B, J, h, w) point to the joints within the crop, seen or not."""
    height, width = heatmaps.shape[-2:]
    inside = (batch.keypoints.abs() <= batch.keypoints.new_tensor([width / height, 1.0])).all(-1)
    return masked_distance(soft_argmax(heatmaps), batch.keypoints, inside & (batch.confidence > 0))


def decoding_losses(
    model: UniHPE, batch: Batch, embedding: Tensor, decoding: Decoding, stage: Stage, generator: torch.Generator
) -> dict[str, Tensor]:
    """The terms of one decoding path on the first `share` of the batch; who draws a mixed one puts people of all sources there."""
    source, target = decoding.path
    count = max(1, round(decoding.share * len(batch)))
    x0, seen = (part[:count] for part in model.target(batch, target))
    there = torch.zeros(len(batch), dtype=torch.bool, device=seen.device)
    there[known(batch, (source,))] = True
    seen = seen & there[:count, None]  # nobody is decoded from evidence that he does not have
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
