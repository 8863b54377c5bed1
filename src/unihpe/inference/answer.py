"""One answer for all: embed → decode → flip test → fuse → hypotheses.

Prediction and evaluation both come here. The flip test is the field's: the mean of an answer and of
that for the mirrored person, mirrored back.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Self

import torch
from torch import Tensor

from unihpe.body.batch import Batch, Modality, chosen
from unihpe.body.mirror import mirrored_batch
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.diffusion.parametrisation import Denoiser, Diffusion
from unihpe.diffusion.sampling import Sampler
from unihpe.model.unihpe import UniHPE

IMAGE, POSE_2D, POSE_3D = Modality
PICTURES = 32  # encoded at a time: feature maps take memory, of 128 pictures 7 GB
FUSED, HEAT_MAPS = "fused", "heat maps"  # estimates; the others have their modality's label
FLIP_TEST = ", flip test"  # follows the name of an estimate
# By kind, the unit embedding (B, D), and the batch with what this kind says of where people are.
_Encoded = dict[Modality, tuple[Tensor, Batch]]


@dataclass(frozen=True)
class Draw:
    """How poses are drawn from a diffusion decoder."""

    sampler: Sampler | None = None  # None: only decoders with a point estimate answer
    generator: torch.Generator = field(default_factory=torch.Generator)  # the sampler's own, too
    samples: int = 0  # hypotheses for each person
    alike: bool = True  # of the same noise for all people; scores are surer of noise of their own


@dataclass(frozen=True)
class Answer:
    """Everything that a model makes of B people; flip-tested estimates are named so at the end."""

    embeddings: dict[Modality, Tensor]  # (B, D), unit
    poses: dict[str, Tensor]  # 3D of "image", "2d", "fused": (B, J, 3), mm, root-relative
    keypoints: dict[str, Tensor]  # 2D of "image", "heat maps": (B, J, 2), box units
    hypotheses: Tensor | None  # (S, B, J, 3), mm, as drawn: roots lie near the origin, not at it
    # within which joints lie of the estimate from 2D, or where there is none from the picture:
    radii: Tensor | None = None  # (B, J, 2), mm, with the odds of `error_head.SHARES`
    confidence: Tensor | None = None  # of heat maps, (B, J), 0 to 1; None without any

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The people of several answers of one kind, one after the other."""

        def joined(field: str) -> dict[Any, Tensor]:
            tables = [getattr(part, field) for part in parts]
            return {key: torch.cat([table[key] for table in tables]) for key in tables[0]}

        def stacked(found: list[Tensor | None], dim: int) -> Tensor | None:
            there = [x for x in found if x is not None]
            return torch.cat(there, dim) if there else None

        hypotheses = stacked([part.hypotheses for part in parts], 1)
        radii = stacked([part.radii for part in parts], 0)
        confidence = stacked([part.confidence for part in parts], 0)
        tables = joined("embeddings"), joined("poses"), joined("keypoints")
        return cls(*tables, hypotheses, radii, confidence)


@torch.no_grad()
def answer(
    model: UniHPE,
    skeleton: Skeleton,
    batch: Batch,
    kinds: Collection[Modality],
    draw: Draw | None = None,
    *,
    targets: Sequence[Modality] = (POSE_3D, POSE_2D),
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
    encoded, shown, confidence = _encode(model, skeleton, batches, kinds)
    sides = zip(encoded, (None, skeleton), strict=False)
    views = [_View(model, own, draw, mirror) for own, mirror in sides]
    made: dict[Modality, dict[str, Tensor]] = {POSE_2D: {}, POSE_3D: {}}
    for target in targets:
        # Of the same noise: two independent draws would err less in the mean without any mirror.
        # And as much of it as without the flip test, which so changes nothing that is drawn later.
        state, answers = draw.generator.get_state(), []
        for view in views:
            draw.generator.set_state(state)
            answers.append(view.estimates(target))
        for name, pose in answers[0].items():
            made[target][name] = pose
            if flip:
                made[target][name + FLIP_TEST] = (pose + answers[1][name]) / 2
    embeddings, hypotheses, radii = views[0].embeddings, None, None
    if POSE_3D in targets and embeddings:
        radii = model.radii(embeddings[max(embeddings)], max(embeddings))
    if POSE_3D in targets and draw.samples and draw.sampler and model.can_be_sampled(POSE_3D):
        # of 2D where it is given, else of the picture
        hypotheses = views[0].sample(max(embeddings), POSE_3D, draw.samples)
    if POSE_3D in kinds:
        embeddings[POSE_3D] = model.encode(batch, POSE_3D)
    poses = {name: root_relative(pose, skeleton) for name, pose in made[POSE_3D].items()}
    keypoints = made[POSE_2D] | shown
    return Answer(embeddings, poses, keypoints, hypotheses, radii, confidence)


@dataclass(frozen=True)
class _View:
    """People as they stand or as a mirror shows them; it answers for people as they stand."""

    model: UniHPE
    evidence: _Encoded
    draw: Draw
    mirror: Skeleton | None  # None: as they stand

    @property
    def embeddings(self) -> dict[Modality, Tensor]:
        """Of each kind of evidence, (B, D)."""
        return {kind: embedding for kind, (embedding, _) in self.evidence.items()}

    def estimates(self, target: Modality) -> dict[str, Tensor]:
        """Point estimates (B, J, C) of each source and of all fused; or a sample of each source."""
        embeddings = {kind: x for kind, x in self.embeddings.items() if kind is not target}
        if not self.model.has_point_estimate(target):
            sources = embeddings if self.draw.sampler else ()
            return {source.label: self.sample(source, target, 1)[0] for source in sources}
        ways = {source.label: {source: x} for source, x in embeddings.items()}
        if len(ways) > 1:
            ways[FUSED] = embeddings
        made = {
            way: self.model.fuse(own, target, self.evidence[max(own)][1])
            for way, own in ways.items()
        }
        return {way: self.turned(pose) for way, pose in made.items()}

    def sample(self, source: Modality, target: Modality, count: int) -> Tensor:
        """(count, B, J, C). In the mirror the decoder is mirrored, not the noise."""
        draw, turn = self.draw, self.turned

        def sampler(denoise: Denoiser, diffusion: Diffusion, noise: Tensor) -> Tensor:
            assert draw.sampler is not None
            return turn(draw.sampler(lambda x, t: turn(denoise(turn(x), t)), diffusion, noise))

        (embedding, batch), noise, alike = self.evidence[source], draw.generator, draw.alike
        drawn = self.model.sample(
            embedding, source, target, batch, sampler, count, noise, alike=alike
        )
        return turn(drawn)  # once the mirrored batch has turned it out of the people's frames

    def turned(self, pose: Tensor) -> Tensor:
        """A pose as the mirror shows it, if there is one."""
        return self.mirror.mirrored(pose) if self.mirror else pose


def _encode(
    model: UniHPE, skeleton: Skeleton, batches: Sequence[Batch], kinds: Collection[Modality]
) -> tuple[list[_Encoded], dict[str, Tensor], Tensor | None]:
    """Each batch's pictures and 2D, encoded; and the 2D (B, J, 2) of heat maps and how sure they
    are, (B, J), if there are any.

    The second batch, if there is one, is the first in a mirror.
    """
    evidence: list[_Encoded] = [{} for _ in batches]
    keypoints: dict[str, Tensor] = {}
    confidence = None
    if IMAGE in kinds:
        parts = []
        for rows in torch.arange(len(batches[0])).split(PICTURES):
            encoded = [model.encode_image(chosen(batch, rows)) for batch in batches]
            shown = [maps for _, maps in encoded if maps is not None]
            if len(shown) > 1:
                shown.append(shown[0].with_mirrored(shown[1], skeleton.mirror))
            places = ((maps.keypoints, maps.confidence) for maps in shown)
            parts.append([*(embedding for embedding, _ in encoded), *chain.from_iterable(places)])
        whole = [torch.cat(part) for part in zip(*parts, strict=True)]
        images, points = whole[: len(batches)], whole[len(batches) :]
        for n, (own, batch, image) in enumerate(zip(evidence, batches, images, strict=True)):
            own[IMAGE] = image, _by_picture(batch, points[2 * n : 2 * n + 2])
        if points:  # of the batch, of its mirrored one, and of both
            keypoints = dict(zip((HEAT_MAPS, HEAT_MAPS + FLIP_TEST), points[::4], strict=False))
            confidence = points[-1]
    if POSE_2D in kinds:
        for own, batch in zip(evidence, batches, strict=True):
            own[POSE_2D] = model.encode(batch, POSE_2D), batch
    return evidence, keypoints, confidence


def _by_picture(batch: Batch, shown: Sequence[Tensor]) -> Batch:
    """What a picture tells of where its people are: the keypoints and scores that its heat maps
    show, if there are any, and no truth."""
    points, scores = shown or (0 * batch.keypoints, 0 * batch.confidence)
    return replace(batch, keypoints=points, confidence=scores, pose=None)
