"""The losses of a stage (eqs. 4 and 5)."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality, chosen
from unihpe.losses import (
    heatmap_loss,
    integral_loss,
    masked_mean_square,
    pair_loss,
    point_loss,
    sample_triplets,
    score_loss,
    triplet_loss,
)
from unihpe.model.heatmaps import gaussian_heatmaps, soft_argmax
from unihpe.model.pose_decoder import MLPDecoder
from unihpe.model.unihpe import UniHPE
from unihpe.training.stage import Decoding, Stage


def stage_losses(
    model: UniHPE, batch: Batch, stage: Stage, generator: torch.Generator
) -> dict[str, Tensor]:
    """The terms of eq. 5, weighted: the loop adds them up and logs each by name. Scalars.

    A batch without pictures, or without 3D, takes part in what it has evidence for.
    """
    terms: dict[str, Tensor] = {}
    embeddings: dict[Modality, Tensor] = {}
    needed = {modality for modality in stage.embedded if has(batch, modality)}
    if stage.needs_heatmaps and has(batch, Modality.IMAGE):
        maps = model.image_maps(batch)
        heatmaps = model.heatmaps(maps)
        terms |= heatmap_losses(heatmaps, batch, stage)
        if Modality.IMAGE in needed:
            embeddings[Modality.IMAGE] = model.encode_maps(maps, batch.box_token, heatmaps)
    for modality in sorted(needed - embeddings.keys()):
        if (embedding := embed_known(model, batch, modality)) is not None:
            embeddings[modality] = embedding
    if stage.contrastive:
        for name, loss in contrastive_losses(
            embeddings, batch, model.temperature, stage, generator
        ).items():
            terms[name] = stage.contrastive * loss
    for decoding in stage.decode:
        source, target = decoding.path
        if source not in embeddings or not has(batch, target):
            continue
        name = f"{decoding.source}→{decoding.target}"
        for kind, loss in decoding_losses(
            model, batch, embeddings[source], decoding, stage, generator
        ).items():
            terms[f"{kind} {name}"] = decoding.weight * loss
    return terms


def heatmap_losses(heatmaps: Tensor, batch: Batch, stage: Stage) -> dict[str, Tensor]:
    """The terms of heat maps (B, J, h, w), weighted."""
    height, width = heatmaps.shape[-2:]
    joints, confidence = batch.keypoints, batch.confidence
    terms = {}
    if stage.heatmap:
        bells = gaussian_heatmaps(joints, confidence, width, height)
        terms["heatmap"] = stage.heatmap * heatmap_loss(heatmaps, bells, confidence)
    if stage.integral:
        assert batch.image is not None
        high, wide = batch.image.shape[-2:]  # the crop, which may be padded for the backbone
        loss = integral_loss(soft_argmax(heatmaps), joints, confidence, wide / high)
        terms["integral"] = stage.integral * loss
    return terms


def embed_known(model: UniHPE, batch: Batch, modality: Modality) -> Tensor | None:
    """Embeddings (B, D), zero for people without this evidence, who do not reach the encoder: they
    would bend its batch norms.

    None where fewer than two people have it.
    """
    rows = known(batch, (modality,))
    if len(rows) == len(batch):
        return model.encode(batch, modality)
    if len(rows) < 2:
        return None
    embedding = model.encode(chosen(batch, rows), modality)
    return embedding.new_zeros(len(batch), embedding.shape[1]).index_copy(0, rows, embedding)


def contrastive_losses(
    embeddings: dict[Modality, Tensor],
    batch: Batch,
    temperature: Tensor,
    stage: Stage,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """L_pair of every two aligned modalities, and α·L_triplet (eqs. 1, 3 and 4), each over the people who have them."""
    terms: dict[str, Tensor] = {}
    for a, b in combinations([m for m in stage.aligned if m in embeddings], 2):
        rows = known(batch, (a, b))
        if not len(rows):
            continue
        pair = pair_loss(
            embeddings[a][rows], embeddings[b][rows], temperature, directions=stage.directions
        )
        terms[f"pair {a.label}-{b.label}"] = pair
    if not stage.triplet or any(m not in embeddings for m in stage.aligned):
        return terms
    if len(rows := known(batch, stage.aligned)):
        drawn = None if stage.negatives == "all" else sample_triplets(len(rows), generator)
        image, pose_2d, pose_3d = (embeddings[m][rows] for m in stage.aligned)
        terms["triplet"] = stage.triplet * triplet_loss(
            image, pose_2d, pose_3d, temperature, triplets=drawn
        )
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


def decoding_losses(
    model: UniHPE,
    batch: Batch,
    embedding: Tensor,
    decoding: Decoding,
    stage: Stage,
    generator: torch.Generator,
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
    if draws := decoding.draws:
        network = decoder.conditioned(prepared.repeat(draws, 1))
        many, those = x0.repeat(draws, 1, 1), seen.repeat(draws, 1)
        terms["score"] = score_loss(network, decoder.diffusion, many, those, generator)
    if decoding.point:
        denoise = decoder.denoiser(prepared)
        kept = seen & ~drop[:, None]
        terms["point"] = decoding.point * point_loss(denoise, x0, kept, decoding.point_loss)
    return terms
