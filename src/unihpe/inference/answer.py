"""One answer for all: embed → decode → flip test → fuse → hypotheses.

Prediction and evaluation both come here. The flip test is the field's: the mean of an answer and of
that for the mirrored person, mirrored back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self, TypeVar

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality, chosen
from unihpe.body.mirror import mirrored_batch
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.diffusion.parametrisation import Denoiser, Diffusion
from unihpe.diffusion.sampling import Sampler
from unihpe.model.heatmaps import soft_argmax
from unihpe.model.unihpe import UniHPE

PICTURES = 128  # encoded at a time; their feature maps are what takes memory
FUSED, HEAT_MAPS = "fused", "heat maps"  # estimates; the others have their modality's label
FLIP_TEST = ", flip test"  # follows the name of an estimate
Key = TypeVar("Key")


@dataclass(frozen=True)
class Draw:
    """How poses are drawn from a diffusion decoder."""

    sampler: Sampler | None = None  # None: only decoders with a point estimate answer
    generator: torch.Generator = field(default_factory=torch.Generator)  # the sampler's own, too
    samples: int = 0  # hypotheses for each person


@dataclass(frozen=True)
class Answer:
    """Everything that a model makes of B people; flip-tested estimates are named so at the end."""

    embeddings: dict[Modality, Tensor]  # (B, D), unit
    poses: dict[str, Tensor]  # 3D of "image", "2d", "fused": (B, J, 3), mm, root-relative
    keypoints: dict[str, Tensor]  # 2D of "image", "heat maps": (B, J, 2), box units
    hypotheses: Tensor | None  # (S, B, J, 3), mm, as drawn: roots lie near the origin, not at it

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The people of several answers of one kind, one after the other."""
        drawn = [part.hypotheses for part in parts if part.hypotheses is not None]
        return cls(
            _rows([part.embeddings for part in parts]),
            _rows([part.poses for part in parts]),
            _rows([part.keypoints for part in parts]),
            torch.cat(drawn, dim=1) if drawn else None,
        )


@torch.no_grad()
def answer(
    model: UniHPE,
    skeleton: Skeleton,
    batch: Batch,
    kinds: Collection[Modality],
    draw: Draw | None = None,
    *,
    targets: Sequence[Modality] = (Modality.POSE_3D, Modality.POSE_2D),
    flip: bool = False,
) -> Answer:
    """The answer to a batch.

    Args:
        kinds: of evidence, which the batch must hold. Poses are made of pictures and of 2D, and
            where there are both, of the two fused; 3D poses are embedded only.
        draw: of hypotheses, and of one sample where a decoder has no point estimate.
        targets: what is made, in the order in which the generator is used; 2D of pictures only.
        flip: adds the flip test of every estimate; hypotheses stay as they are.
    """
    draw = draw or Draw()
    batches = [batch, mirrored_batch(batch, skeleton)] if flip else [batch]
    encoded, heatmap_keypoints = _encode(model, skeleton, batches, kinds)
    views = [
        _View(model, skeleton, own, seen.box_token, draw, in_mirror=seen is not batch)
        for own, seen in zip(encoded, batches, strict=True)
    ]
    embeddings = encoded[0]
    made: dict[Modality, dict[str, Tensor]] = {Modality.POSE_2D: {}, Modality.POSE_3D: {}}
    for target in targets:
        sources = [source for source in embeddings if source is not target]
        names = {source.label: [source] for source in sources}
        if len(sources) > 1 and model.has_point_estimate(target):
            names[FUSED] = sources
        for name, evidence in names.items():
            if model.has_point_estimate(target) or draw.sampler:
                ways = [partial(view.estimate, evidence, target) for view in views]
                made[target] |= _flip_tested(name, ways, draw.generator)
    hypotheses = None
    sampled = Modality.POSE_3D in targets and model.can_be_sampled(Modality.POSE_3D)
    if sampled and draw.samples and draw.sampler:  # of 2D where it is given, else of the picture
        hypotheses = views[0].sample(max(embeddings), Modality.POSE_3D, draw.samples)
    if Modality.POSE_3D in kinds:
        embeddings[Modality.POSE_3D] = model.encode(batch, Modality.POSE_3D)
    poses = {name: root_relative(pose, skeleton) for name, pose in made[Modality.POSE_3D].items()}
    return Answer(embeddings, poses, made[Modality.POSE_2D] | heatmap_keypoints, hypotheses)


@dataclass(frozen=True)
class _View:
    """People as they stand, or as a mirror shows them; it answers for people as they stand."""

    model: UniHPE
    skeleton: Skeleton
    embeddings: dict[Modality, Tensor]
    box_token: Tensor
    draw: Draw
    in_mirror: bool

    def estimate(self, sources: Sequence[Modality], target: Modality) -> Tensor:
        """The point estimate, of several sources fused; one sample where the decoder has none."""
        if not self.model.has_point_estimate(target):
            return self.sample(sources[0], target, 1)[0]
        own = {source: self.embeddings[source] for source in sources}
        if len(own) > 1:
            pose = self.model.fuse(own, target, self.box_token)
        else:
            pose = self.model.estimate(own[sources[0]], sources[0], target, self.box_token)
        return self.skeleton.mirrored(pose) if self.in_mirror else pose

    def sample(self, source: Modality, target: Modality, count: int) -> Tensor:
        """(count, B, J, C). In the mirror the decoder is mirrored, not the noise."""
        sampler = self.draw.sampler
        assert sampler is not None
        if self.in_mirror:
            sampler = _through_mirror(sampler, self.skeleton)
        embedding, generator = self.embeddings[source], self.draw.generator
        box = self.box_token
        return self.model.sample(embedding, source, target, box, sampler, count, generator)


def _flip_tested(
    name: str, views: Sequence[Callable[[], Tensor]], generator: torch.Generator
) -> dict[str, Tensor]:
    """The answer of the first view by its name, and, of two views, the flip test.

    Both come of the same noise: two independent draws would err less in the mean without any
    mirror. Both use up as much of it, so that the flip test changes nothing that is drawn later.
    """
    state, answers = generator.get_state(), []
    for view in views:
        generator.set_state(state)
        answers.append(view())
    tested = {name + FLIP_TEST: (answers[0] + answers[1]) / 2} if len(answers) > 1 else {}
    return {name: answers[0], **tested}


def _through_mirror(sampler: Sampler, skeleton: Skeleton) -> Sampler:
    """A sampler of the mirrored decoder, whose poses come out mirrored back."""

    def sample(denoise: Denoiser, diffusion: Diffusion, noise: Tensor) -> Tensor:
        def mirrored(x: Tensor, t: Tensor) -> Tensor:
            return skeleton.mirrored(denoise(skeleton.mirrored(x), t))

        return sampler(mirrored, diffusion, noise)

    return sample


def _encode(
    model: UniHPE, skeleton: Skeleton, batches: Sequence[Batch], kinds: Collection[Modality]
) -> tuple[list[dict[Modality, Tensor]], dict[str, Tensor]]:
    """Embeddings of each batch's pictures and 2D; and the 2D (B, J, 2) of heat maps, if any."""
    embeddings: list[dict[Modality, Tensor]] = [{} for _ in batches]
    keypoints: dict[str, Tensor] = {}
    if Modality.IMAGE in kinds:
        rows = torch.arange(len(batches[0])).split(PICTURES)
        some = [[chosen(batch, part) for batch in batches] for part in rows]
        images, flat = zip(*(_encode_pictures(model, skeleton, part) for part in some), strict=True)
        embeddings = [{Modality.IMAGE: image} for image in _rows(images).values()]
        keypoints = _rows(flat)
    if Modality.POSE_2D in kinds:
        for own, batch in zip(embeddings, batches, strict=True):
            own[Modality.POSE_2D] = model.encode(batch, Modality.POSE_2D)
    return embeddings, keypoints


def _encode_pictures(
    model: UniHPE, skeleton: Skeleton, batches: Sequence[Batch]
) -> tuple[dict[int, Tensor], dict[str, Tensor]]:
    """The pictures' embeddings by batch; and the 2D of their heat maps.

    The second batch, if there is one, is the first in a mirror; of heat maps, the flip test is the
    mean of the maps.
    """
    encoded = [model.encode_image(batch) for batch in batches]
    maps = [heatmaps for _, heatmaps in encoded if heatmaps is not None]
    if len(maps) > 1:
        maps[1] = (maps[0] + maps[1][:, list(skeleton.mirror)].flip(-1)) / 2
    names = (HEAT_MAPS, HEAT_MAPS + FLIP_TEST)
    keypoints = {name: soft_argmax(own) for name, own in zip(names, maps, strict=False)}
    return {n: embedding for n, (embedding, _) in enumerate(encoded)}, keypoints


def _rows(parts: Sequence[Mapping[Key, Tensor]]) -> dict[Key, Tensor]:
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
