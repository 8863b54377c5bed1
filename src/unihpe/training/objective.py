"""The losses of a stage (eqs. 4 and 5)."""

from collections.abc import Collection
from itertools import combinations

import torch
from torch import Generator, Tensor

from unihpe import losses
from unihpe.body.batch import Batch, Modality, chosen
from unihpe.model.error_head import SHARES
from unihpe.model.heatmaps import JointMaps, gaussian_heatmaps
from unihpe.model.person_head import NEARBY, SIGMA, PersonHead, PersonMaps
from unihpe.model.pose_decoder import MLPDecoder
from unihpe.model.unihpe import UniHPE
from unihpe.training.stage import Decoding, Stage

Terms = dict[str, Tensor]  # losses by name, scalars
Embeddings = dict[Modality, Tensor]  # (B, D)


def stage_losses(model: UniHPE, batch: Batch, stage: Stage, generator: Generator) -> Terms:
    """The weighted terms of eq. 5; a batch takes part in those that it has evidence for."""
    terms: Terms = {}
    embeddings: Embeddings = {}
    if stage.needs_heatmaps and batch.image is not None:
        maps = model.image_maps(batch)
        shown = model.heatmaps(maps)
        head, learning = model.heatmap_head, None
        if stage.joints and isinstance(head, PersonHead):
            learning = head.among(stage.joints).to(batch.confidence)
        terms |= _heatmap_losses(shown, batch, stage, learning)
        if Modality.IMAGE in stage.embedded:
            seen = model.seen(maps, shown)
            embeddings[Modality.IMAGE] = model.encode_seen(seen, batch.box_token)
    for modality in sorted(stage.embedded - embeddings.keys()):
        if (embedding := _encode_people(model, batch, modality)) is not None:
            embeddings[modality] = embedding
    if stage.contrastive:
        aligning = _contrastive_losses(embeddings, batch, model.temperature, stage, generator)
        terms |= {name: stage.contrastive * loss for name, loss in aligning.items()}
    of_poses = batch.image is None and batch.seen is None
    for decoding in stage.decode:
        source, target = decoding.path
        if decoding.among == "poses" and not of_poses:
            continue
        if source in embeddings and (target is Modality.POSE_2D or batch.pose is not None):
            own = decoding_losses(model, batch, embeddings[source], decoding, stage, generator)
            path = f"{decoding.source}→{decoding.target}"
            terms |= {f"{name} {path}": decoding.weight * loss for name, loss in own.items()}
    return terms


def _heatmap_losses(
    shown: JointMaps, batch: Batch, stage: Stage, learning: Tensor | None = None
) -> Terms:
    """The terms of heat maps, weighted; `learning` (J,) is 0 for joints that are left out."""
    height, width = shown.heatmaps.shape[-2:]
    joints, confidence, of_one = batch.keypoints, batch.confidence, isinstance(shown, PersonMaps)
    if learning is not None:
        confidence = confidence * learning
    bells = gaussian_heatmaps(joints, confidence, width, height, SIGMA if of_one else 0.0)
    terms = {}
    if stage.heatmap:
        loss = losses.heatmap_loss(shown.heatmaps, bells, confidence)
        terms["heatmap"] = stage.heatmap * loss
    if stage.integral and isinstance(shown, PersonMaps):
        apart = (shown.keypoints - joints).detach().norm(dim=-1)
        near = (confidence > 0) & (apart < NEARBY)  # elsewhere it is not the offset that is wrong
        parts = {
            "place": losses.place_loss(shown.heatmaps, bells, confidence),
            "expected": losses.masked_distance(shown.expected, joints, confidence > 0),
            "offset": losses.masked_distance(shown.keypoints, joints, near),
        }
        terms |= {name: stage.integral * loss for name, loss in parts.items()}
    elif stage.integral:
        assert batch.image is not None
        high, wide = batch.image.shape[-2:]  # the crop, which may be padded for the backbone
        loss = losses.integral_loss(shown.keypoints, joints, confidence, wide / high)
        terms["integral"] = stage.integral * loss
    return terms


def _encode_people(model: UniHPE, batch: Batch, modality: Modality) -> Tensor | None:
    """Embeddings (B, D), zero for people without this evidence; None if fewer than two have it."""
    # those without do not reach the encoder, whose batch norms they would bend
    rows = _people_with(batch, (modality,))
    if len(rows) == len(batch):
        return model.encode(batch, modality)
    if len(rows) < 2:
        return None
    embedding = model.encode(chosen(batch, rows), modality)
    return embedding.new_zeros(len(batch), embedding.shape[1]).index_copy(0, rows, embedding)


def _people_with(batch: Batch, modalities: Collection[Modality]) -> Tensor:
    """The people who have all of this evidence, as row numbers: masks, not fake labels."""
    rows = torch.ones(len(batch), dtype=torch.bool, device=batch.keypoints.device)
    if Modality.IMAGE in modalities:
        rows &= batch.has_pictures
    if Modality.POSE_2D in modalities:
        rows &= (batch.confidence > 0).any(1)
    if Modality.POSE_3D in modalities:
        rows &= batch.pose is not None and torch.isfinite(batch.pose).all(-1).any(1)
    return rows.nonzero()[:, 0]


def _contrastive_losses(
    embeddings: Embeddings, batch: Batch, temperature: Tensor, stage: Stage, generator: Generator
) -> Terms:
    """L_pair of every two aligned modalities and α·L_triplet, over those who have them (eq. 4)."""
    terms: Terms = {}
    embedded = [modality for modality in stage.aligned if modality in embeddings]
    for a, b in combinations(embedded, 2):
        if len(rows := _people_with(batch, (a, b))):
            first, second = embeddings[a][rows], embeddings[b][rows]
            loss = losses.pair_loss(first, second, temperature, directions=stage.directions)
            terms[f"pair {a.label}-{b.label}"] = loss
    if stage.triplet and embedded == [*Modality] and len(rows := _people_with(batch, embedded)):
        drawn = None if stage.negatives == "all" else losses.sample_triplets(len(rows), generator)
        image, pose_2d, pose_3d = (embeddings[modality][rows] for modality in embedded)
        loss = losses.triplet_loss(image, pose_2d, pose_3d, temperature, triplets=drawn)
        terms["triplet"] = stage.triplet * loss
    return terms


def decoding_losses(
    model: UniHPE,
    batch: Batch,
    embedding: Tensor,
    decoding: Decoding,
    stage: Stage,
    generator: Generator,
) -> Terms:
    """The terms of one decoding path, on the batch's first `share`; embedding (B, D)."""
    source, target = decoding.path
    count = max(1, round(decoding.share * len(batch)))
    people, embedding = batch.first(count), embedding[:count]
    x0, seen = model.target(people, target, source)
    has_source = torch.zeros(count, dtype=torch.bool, device=seen.device)
    has_source[_people_with(people, (source,))] = True
    seen = seen & has_source[:, None]  # nobody is decoded from evidence that they do not have
    box = people.box_token
    drop = (torch.rand(count, generator=generator) < stage.embedding_dropout).to(x0.device)
    decoder = model.decoder(target)
    if isinstance(decoder, MLPDecoder):
        answer = decoder(embedding, source, box).float()
        return {"regression": losses.masked_mean_square(answer, x0, seen)}
    prepared = decoder.network.prepare(embedding, source, box, drop)
    terms = {}
    if draws := decoding.draws:
        network = decoder.conditioned(prepared.repeat(draws, 1))
        x0s, seens = x0.repeat(draws, 1, 1), seen.repeat(draws, 1)
        terms["score"] = losses.score_loss(network, decoder.diffusion, x0s, seens, generator)
    if decoding.point:
        kept = seen & ~drop[:, None]
        guess = decoder.denoiser(prepared)(torch.zeros_like(x0), x0.new_ones(1))
        terms["point"] = decoding.point * losses.point_loss(guess, x0, kept, decoding.point_loss)
        if decoding.errors and model.error_head is not None:
            radius = model.error_head(embedding.detach(), source)
            error = (guess - x0).norm(dim=-1).detach()
            loss = losses.quantile_loss(radius, error, SHARES, kept)
            terms["errors"] = decoding.errors * loss
    return terms
