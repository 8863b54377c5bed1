"""A data set in another set's joints, so that sets can be mixed and a model scored on a set it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unihpe.body.batch import Frames
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.source import Source


@dataclass(frozen=True)
class InJoints:
    """A source in the joints of `skeleton`, matched by name.

    A joint that the set lacks, or that another set means otherwise (MPI-INF-3DHP's head is not
    Human3.6M's), is missing in 2D and
    in 3D: what could be made of others would teach a joint nobody marked, and score one.
    """

    source: Source
    skeleton: Skeleton

    def __len__(self) -> int:
        return len(self.source)

    @property
    def shared(self) -> tuple[str, ...]:
        """The joints that the source has too."""
        seen = torch.ones(1, len(self.source.skeleton))
        found = convert(
            seen[..., None].expand(-1, -1, 2), seen, self.source.skeleton, self.skeleton
        )
        there = [
            bool(one) and not made
            for one, made in zip(found.confidence[0] > 0, found.synthesised, strict=True)
        ]
        return tuple(joint for joint, one in zip(self.skeleton.joints, there, strict=True) if one)

    def weights(self) -> Tensor:
        """As the source has them, (len,)."""
        return self.source.weights()

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,)."""
        frames = self.source.read(indices, generator)
        flat = convert(frames.keypoints, frames.confidence, self.source.skeleton, self.skeleton)
        own = ~torch.tensor(flat.synthesised)
        confidence = torch.where(own, flat.confidence, 0.0)
        return replace(
            frames,
            keypoints=torch.where(confidence[..., None] > 0, flat.points, torch.nan),
            confidence=confidence,
            pose=None if frames.pose is None else self.deep(frames.pose, own),
        )

    def deep(self, pose: Tensor, own: Tensor) -> Tensor:
        """Poses (N, J, 3) in the joints asked for; `own` (J',) are those that the set has."""
        found = convert(
            pose, torch.isfinite(pose).all(-1).to(pose.dtype), self.source.skeleton, self.skeleton
        )
        return torch.where(own[:, None], found.points, torch.nan)


def in_joints(source: Source, skeleton: Skeleton) -> Source:
    """The source itself where it has these joints already, else `InJoints`."""
    return source if source.skeleton == skeleton else InJoints(source, skeleton)
