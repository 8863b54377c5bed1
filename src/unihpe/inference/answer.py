"""One answer of an embedding, and the flip test: its mean with the answer of the mirrored person, mirrored back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unihpe.body.batch import Modality
from unihpe.body.mirror import mirrored_token
from unihpe.body.skeleton import Skeleton
from unihpe.diffusion.parametrisation import Denoiser, Diffusion
from unihpe.diffusion.sampling import Sampler
from unihpe.model.unihpe import UniHPE

Way = tuple[Modality, Modality]  # from one to the other
FLIP_TEST = "flip test"


def fuse_beside_mirrored(
    model: UniHPE,
    skeleton: Skeleton,
    target: Modality,
    box_token: Tensor,
    fused: Tensor,
    again: Mapping[Modality, Tensor],
) -> Tensor:
    """The flip test of a fusion: its mean with that of the mirrored people's embeddings, mirrored back, (B, J, C)."""
    return (fused + skeleton.mirrored(model.fuse(again, target, mirrored_token(box_token)))) / 2


def through_a_mirror(sampler: Sampler, skeleton: Skeleton) -> Sampler:
    """The same sampler of a mirrored decoder: what a mirrored person's samples are, mirrored back, from the noise mirrored."""

    def sample(denoise: Denoiser, diffusion: Diffusion, noise: Tensor) -> Tensor:
        return sampler(
            lambda x, t: skeleton.mirrored(denoise(skeleton.mirrored(x), t)), diffusion, noise
        )

    return sample


@dataclass(frozen=True)
class Estimator:
    """Makes one answer of each embedding: the point estimate; where the decoder has none, one
    sample.

    Attributes:
        sampler: draws the sample. Randomness of its own must come from `generator`.
    """

    model: UniHPE
    skeleton: Skeleton
    sampler: Sampler | None
    generator: torch.Generator

    def __call__(self, embedding: Tensor, way: Way, box_token: Tensor) -> Tensor:
        """Embeddings (B, D) → poses (B, J, 3), mm, or keypoints (B, J, 2), box units."""
        source, target = way
        if self.model.has_point_estimate(target):
            return self.model.estimate(embedding, source, target, box_token)
        assert self.sampler is not None
        return self.model.sample(
            embedding, source, target, box_token, self.sampler, 1, self.generator
        )[0]

    def beside_mirrored(
        self, embedding: Tensor, way: Way, box_token: Tensor, mirrored_embedding: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The answer, and its mean with that of the mirrored people, mirrored back: the field's
        flip test.

        A sample and the mirrored one come of the same noise, mirrored: two independent draws would
        err less in the mean without any mirror. The generator is left as the first answer alone
        leaves it.
        """
        before = self.generator.get_state()
        answer = self(embedding, way, box_token)
        after = self.generator.get_state()
        self.generator.set_state(before)
        sampler = None if self.sampler is None else through_a_mirror(self.sampler, self.skeleton)
        again = replace(self, sampler=sampler)(mirrored_embedding, way, mirrored_token(box_token))
        self.generator.set_state(after)
        if self.model.has_point_estimate(way[1]):
            again = self.skeleton.mirrored(again)
        return answer, (answer + again) / 2
