"""Results: poses with named joints, units and axes (layout of the files: docs/formats.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError, listing, number_of

VERSION = 2  # of the layout of JSON and NPZ; 1 had no clips
FORMAT = "unihpe-results"
UNITS = dict.fromkeys(("pose", "translation", "spread", "radii"), "mm")
UNITS |= dict.fromkeys(("keypoints", "focal", "boxes"), "pixels") | {"time": "seconds"}
AXES = "camera: x right, y down, z forward; relative to the root joint"
BY_PERSON = (
    "pose", "keypoints", "confidence", "translation", "image_size", "focal", "spread", "radii",
    "frame", "time", "filled", "boxes",
)  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class Results:
    """Poses of N people."""

    skeleton: Skeleton  # names the J joints
    pose: Tensor  # (N, J, 3), mm, root-relative, camera axes
    keypoints: Tensor  # the 2D they came from, same joints, (N, J, 2), pixels; NaN where missing
    confidence: Tensor  # of the 2D, (N, J)
    synthesised: tuple[bool, ...]  # which 2D joints were made from others, length J
    translation: Tensor  # the root in camera axes by least squares, (N, 3), mm: as good as focal
    image_size: Tensor  # (N, 2), pixels
    focal: Tensor  # that translation and box token used, (N,), pixels
    focal_source: str  # "given" or "assumed √(W² + H²)"
    image: tuple[str, ...]  # names of the pictures, length N
    person: tuple[str, ...]  # names of the people, length N
    samples: Tensor | None = None  # hypotheses, (S, N, J, 3), mm
    spread: Tensor | None = None  # RMS distance of the samples from their mean, (N, J), mm
    # within which each joint lies with odds of 50 and 90 %, about `pose`, calibrated on people who
    # were not trained on: (N, J, 2), mm; None where the model does not say
    radii: Tensor | None = None
    estimate: str = ""  # how `pose` was found, in words
    # where the people are those of a clip, each row one of them in one frame; `person` is the same
    # for the same one all along, and rows are in the order of frames
    frame: Tensor | None = None  # (N,), int64, from 0
    time: Tensor | None = None  # (N,), float64, seconds from the clip's beginning
    filled: Tensor | None = None  # (N,), bool: not seen there, but before and after
    boxes: Tensor | None = None  # (N, 4), left, top, right, bottom, pixels
    frame_rate: float | None = None  # frames a second, the mean where it varies
    partial: bool = False  # stopped before the clip's end
    # where a picture and keypoints were given: poses from "image", "2d" and "fused", (N, J, 3)
    paths: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pose)

    def __iter__(self) -> Iterator[Self]:
        """Row by row: one person of one picture or frame at a time."""
        return (self.rows([n]) for n in range(len(self)))

    def __getitem__(self, joint: str) -> Tensor:
        """A joint's places by its name, (N, 3), mm; InputError for one that is not there."""
        return self.pose[:, self.skeleton.index(joint)]

    def __repr__(self) -> str:
        if self.frame is None:
            where = number_of(len(set(self.image)), "picture", "pictures")
        else:
            where = number_of(len(self.frame.unique()), "frame", "frames")
        who = number_of(len(set(zip(self.image, self.person, strict=True))), "person", "people")
        return f"Results({who} in {where}: pose {tuple(self.pose.shape)}, mm, {self.skeleton.name})"

    @property
    def is_clip(self) -> bool:
        """Whether the people are those of a clip, whose frames have times."""
        return self.frame is not None and self.time is not None

    @cached_property
    def people(self) -> Mapping[str, Self]:
        """Everybody by name, in the order in which they come: all rows of one in a clip.

        Of several pictures, names are those of picture and person.
        """
        several, rows = len(set(self.image)) > 1, dict[str, list[int]]()
        for n, (image, person) in enumerate(zip(self.image, self.person, strict=True)):
            rows.setdefault(f"{image} {person}" if several else person, []).append(n)
        return {name: self.rows(own) for name, own in rows.items()}

    @cached_property
    def frames(self) -> Mapping[int, Self]:
        """Everybody in each frame of a clip, by its number; nothing for pictures."""
        rows = dict[int, list[int]]()
        for n, frame in enumerate([] if self.frame is None else self.frame.tolist()):
            rows.setdefault(frame, []).append(n)
        return {frame: self.rows(own) for frame, own in rows.items()}

    def select(self, person: str | None = None, frame: int | None = None) -> Self:
        """The rows of a person (by name, as in `people`), of a frame, or of one in the other.

        InputError for a person or a frame that is not there.
        """
        chosen = self
        if person is not None:
            if str(person) not in self.people:
                raise InputError(f"no person '{person}'; there are {listing(self.people)}")
            chosen = self.people[str(person)]
        if frame is not None:
            if frame not in chosen.frames:
                raise InputError(f"nobody there in frame {frame}")
            chosen = chosen.frames[frame]
        return chosen

    def rows(self, chosen: Sequence[int]) -> Self:
        """Some rows, by number, in that order."""
        index, made = list(chosen), dict[str, Any]()
        for name in BY_PERSON:
            column = getattr(self, name)
            made[name] = None if column is None else column[index]
        for name in ("image", "person"):
            made[name] = tuple(getattr(self, name)[n] for n in index)
        samples = None if self.samples is None else self.samples[:, index]
        paths = {name: pose[index] for name, pose in self.paths.items()}
        return replace(self, **made, samples=samples, paths=paths)

    def to_dict(self) -> dict[str, Any]:
        """What the JSON holds (docs/formats.md): dicts, lists, numbers, text; NaN is None."""
        from unihpe.export.json import as_dict_of

        return as_dict_of(self)

    def save(self, path: str | Path) -> list[Path]:
        """Write a file in the format that its suffix names; one for each person in some formats.

        InputError for an unknown suffix, and for a format that cannot hold these results.
        """
        from unihpe.export.formats import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> "Results":
        """Results from the JSON or NPZ that `save` or the command wrote; see `read_results`."""
        from unihpe.export.reading import read_results

        return read_results(path)

    @property
    def absolute(self) -> Tensor:
        """Poses in camera axes, not relative to the root: (N, J, 3), mm."""
        return self.pose + self.translation[:, None]

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The people of several results of one model, one after the other."""
        first, made = parts[0], dict[str, Any]()
        for name in (*BY_PERSON, "samples", "image", "person"):
            columns = [getattr(part, name) for part in parts]
            if isinstance(columns[0], Tensor):
                made[name] = torch.cat(columns, dim=1 if name == "samples" else 0)
            elif columns[0] is not None:
                made[name] = tuple(chain.from_iterable(columns))
        paths = {name: torch.cat([part.paths[name] for part in parts]) for name in first.paths}
        return replace(first, **made, paths=paths)
