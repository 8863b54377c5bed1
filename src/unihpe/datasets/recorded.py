"""People recorded by real cameras: the one `Source` behind every reader.

A reader fills a `Recorded` from its set's files; reading by index, choosing parts and naming what
was read happen here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor

from unihpe.body.batch import Frames
from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError
from unihpe.io.mapped import Mapped

PROJECTED = "2D projected"  # said by layouts whose 2D is nothing else
AT_ONCE = 256  # rows
COLUMNS = ("view", "frame", "pose_row", "keypoint_row", "camera")  # one number for each index
Word = Literal["subject", "action", "sequence", "camera", "split", "group"]  # of a view


@dataclass(frozen=True)
class View:
    """One sequence as one camera saw it."""

    subject: str
    action: str  # without the number of the take; "unknown" where a set does not say
    sequence: str  # the set's own name
    camera: str  # the set's own name
    split: str  # train, val or test, as the set's usual protocol has it
    group: str  # the part of the data a score is averaged in


Wanted = Callable[[View], bool]


@dataclass(frozen=True)
class Recorded:
    """A data set of N people by camera in memory, as a `Source`."""

    skeleton: Skeleton  # names the J joints
    views: tuple[View, ...]
    view: Tensor  # that each index belongs to, (N,)
    frame: Tensor  # of each index in its sequence, counted from 0, (N,)
    pose: Tensor  # (P, J, 3), mm, in world axes or in camera axes: see `in_world`
    pose_row: Tensor  # for each index, (N,); cameras of one sequence share a pose in world axes
    # (Q, J, 2), full-picture pixels, NaN where missing, and (Q, J), 0 where missing; None where 2D
    # is the projection of 3D
    keypoints: Tensor | None
    confidence: Tensor | None
    keypoint_row: Tensor  # for each index, (N,)
    cameras: Camera  # C of them
    camera: Tensor  # that saw each index, (N,)
    in_world: bool  # whether poses are in world axes
    layout: str  # of the files, in a few words
    notes: tuple[str, ...] = ()  # what was left out or cut, with counts
    maps: tuple[Mapped, ...] = ()  # the files that tensors too large for the memory lie in
    stored: Skeleton | None = None  # the joints in the files' order, where that is another

    has_pictures, has_pose = False, True

    def __len__(self) -> int:
        return len(self.view)

    @property
    def shared(self) -> tuple[str, ...]:
        return self.skeleton.joints

    def without_pictures(self) -> Self:
        return self

    def sizes(self) -> Tensor:
        """Not asked of a set with 3D."""
        raise NotImplementedError

    def weights(self) -> Tensor:
        """Every index alike, (N,)."""
        return torch.ones(len(self), dtype=torch.float64)

    def moments(self) -> Tensor:
        """A number for each index, (N,), that rises with its view and, in it, with time."""
        return self.view * (self.frame.max() + 1) + self.frame

    def in_time(self) -> Tensor:
        """The indices, (N,), view by view in the order of time."""
        return self.moments().argsort(stable=True)

    def release(self) -> None:
        """Give memory of what was read from files back to the system."""
        for mapped in self.maps:
            mapped.release()

    def rows(self, tensor: Tensor, which: Tensor) -> Tensor:
        """Rows of a large tensor; of one in a file few at a time, as a page comes with each."""
        if not self.maps:
            return tensor[which]
        parts = []
        for some in which.split(AT_ONCE):
            parts.append(tensor[some])
            self.release()
        return torch.cat(parts)

    def read(self, indices: Tensor, generator: torch.Generator | None = None) -> Frames:
        """The people at `indices` (n,); nothing is drawn at random."""
        camera = self.cameras.select(self.camera[indices])
        pose = self.rows(self.pose, self.pose_row[indices])
        pose = camera.to_camera(pose) if self.in_world else pose
        if self.keypoints is None or self.confidence is None:
            keypoints = camera.project(pose)
            confidence = keypoints.isfinite().all(-1).to(pose.dtype)
        else:
            marked, rows = (self.keypoints, self.confidence), self.keypoint_row[indices]
            keypoints, confidence = (self.rows(tensor, rows) for tensor in marked)
        group = tuple(self.views[n].group for n in self.view[indices].tolist())
        return Frames(keypoints, confidence, pose, camera, group, indices)

    def at(self, index: int) -> tuple[View, int]:
        """The view and the frame of an index."""
        return self.views[int(self.view[index])], int(self.frame[index])

    def names(self, what: Word) -> tuple[str, ...]:
        """The subjects (or actions, …) that occur, in the set's order."""
        used = self.view.unique().tolist()  # in the order of views
        return tuple(dict.fromkeys(str(getattr(self.views[n], what)) for n in used))

    def select(self, wanted: Wanted = lambda view: True, stride: int = 1) -> Self:
        """Every `stride`-th frame, from 0, of the views wanted; InputError where none is left."""
        chosen = torch.tensor([wanted(view) for view in self.views], dtype=torch.bool)
        keep = chosen[self.view] & (self.frame % stride == 0)
        if not bool(keep.any()):
            splits, subjects = (", ".join(self.names(what)) for what in ("split", "subject"))
            has = f"it has the splits {splits} and the subjects {subjects}"
            raise InputError(f"no frame is left of {self.layout}: {has}")
        return self.kept(keep)

    def kept(self, keep: Tensor) -> Self:
        """The indices where `keep` (N,) is true."""
        columns = {name: getattr(self, name)[keep] for name in COLUMNS}
        self.release()
        return replace(self, **columns)

    def held_out(self, share: float) -> tuple[Self, Self]:
        """All but the last `share` of what each person does of each action; and that last part.

        Cameras alike, and one cut in time for each person and action: frames next to it are
        neighbours, no others are. A frame at least is in the last part.
        """
        last = self.over() > 1 - share
        if bool(last.all()):
            short = f"{self.layout}: too short to hold out {share:g} of it"
            raise InputError(f"{short}; set data.held_out to another share")
        return self.kept(~last), self.kept(last)

    def over(self) -> Tensor:
        """When each index is over, (N,): 0 … 1 along the sequences of its person and action."""
        lengths = torch.zeros(len(self.views), dtype=torch.long)
        lengths.scatter_reduce_(0, self.view, self.frame + 1, "amax")
        keys = [(view.subject, view.action, view.sequence) for view in self.views]
        of_sequence: dict[tuple[str, str, str], int] = {}
        for key, length in zip(keys, lengths.tolist(), strict=True):
            of_sequence[key] = max(length, of_sequence.get(key, 0))
        begins, total = {}, dict.fromkeys((key[:2] for key in of_sequence), 0)
        for key, length in of_sequence.items():
            begins[key] = total[key[:2]]
            total[key[:2]] += length
        spans = torch.tensor([(begins[key], total[key[:2]]) for key in keys], dtype=torch.float64)
        begin, whole = spans[self.view].unbind(1)
        return (begin + self.frame + 1) / whole
