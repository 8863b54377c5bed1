"""What a reader of a data set offers, and the same in another set's joints."""

from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from unihpe.body.batch import Frames
from unihpe.body.conversions import convert
from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError


class Source(Protocol):
    """People of one data set, by index: full-picture pixels, mm, camera axes, the set's own joints.

    A source of your own may inherit from this: then `skeleton`, `__len__` and `read` suffice for
    poses without pictures.
    """

    @property
    def skeleton(self) -> Skeleton: ...

    def __len__(self) -> int: ...

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        """The people at `indices` (N,); cameras and noise, if any, are drawn from `generator`."""
        ...

    @property
    def layout(self) -> str:
        """What was read, in a few words for reports."""
        return type(self).__name__

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, with counts."""
        return ()

    @property
    def has_pictures(self) -> bool:
        """Whether people come with crops of their pictures."""
        return False

    @property
    def has_pose(self) -> bool:
        """Whether people come with 3D."""
        return True

    @property
    def shared(self) -> tuple[str, ...]:
        """The joints of `skeleton` that the set itself has."""
        return self.skeleton.joints

    def weights(self) -> Tensor:
        """How often training draws each index, (len,), up to a factor."""
        return torch.ones(len(self))

    def in_time(self) -> Tensor:
        """The indices, (len,), those of one view side by side and in the order of time."""
        return torch.arange(len(self))

    def sizes(self) -> Tensor:
        """How large each person is, (len,), pixels: PCK's length where there is no 3D."""
        raise InputError(f"{self.layout}: a source without 3D must say how large its people are")

    def without_pictures(self) -> "Source":
        """The same people, their 2D and 3D only."""
        return self


class _InJoints(Source):
    """A source in the joints of `skeleton`, matched by name.

    A joint that the set lacks, or that another set means otherwise (MPI-INF-3DHP's head is not
    Human3.6M's), is missing in 2D and in 3D: what could be made of others would teach a joint
    nobody marked, and score one.
    """

    layout, has_pictures, has_pose = "", False, True
    notes: tuple[str, ...] = ()

    def __init__(self, source: Source, skeleton: Skeleton) -> None:
        self.source, self.target = source, skeleton
        self.layout, self.notes = f"{source.layout}, joints by name", source.notes
        self.has_pictures, self.has_pose = source.has_pictures, source.has_pose

    @property
    def skeleton(self) -> Skeleton:
        return self.target

    def __len__(self) -> int:
        return len(self.source)

    @property
    def shared(self) -> tuple[str, ...]:
        seen = torch.ones(1, len(self.source.skeleton))
        made = convert(seen[..., None].expand(-1, -1, 2), seen, self.source.skeleton, self.target)
        own = (made.confidence[0] > 0) & ~torch.tensor(made.synthesised)
        return tuple(name for name, there in zip(self.target.joints, own, strict=True) if there)

    def weights(self) -> Tensor:
        return self.source.weights()

    def in_time(self) -> Tensor:
        return self.source.in_time()

    def sizes(self) -> Tensor:
        return self.source.sizes()

    def without_pictures(self) -> Source:
        return _InJoints(self.source.without_pictures(), self.target)

    def read(self, indices: Tensor, generator: torch.Generator) -> Frames:
        frames, own = self.source.read(indices, generator), self.source.skeleton
        flat = convert(frames.keypoints, frames.confidence, own, self.target)
        marked = ~torch.tensor(flat.synthesised)
        confidence = torch.where(marked, flat.confidence, 0.0)
        keypoints = torch.where(confidence[..., None] > 0, flat.points, torch.nan)
        if (pose := frames.pose) is not None:
            known = torch.isfinite(pose).all(-1).to(pose.dtype)
            deep = convert(pose, known, own, self.target).points
            pose = torch.where(marked[:, None], deep, torch.nan)
        return replace(frames, keypoints=keypoints, confidence=confidence, pose=pose)


def in_joints(source: Source, skeleton: Skeleton) -> Source:
    """The source itself where it has these joints already, else `_InJoints`."""
    return source if source.skeleton == skeleton else _InJoints(source, skeleton)
