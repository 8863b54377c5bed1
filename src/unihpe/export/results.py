"""Results: poses with named joints, units and axes (layout of the files: docs/formats.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from unihpe.body.angles import angles
from unihpe.body.conversions import convert
from unihpe.body.measures import centre_of_mass
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.body.turns import UPS, axis, swing, turn_to_y
from unihpe.errors import InputError, listing, number_of, require_positive
from unihpe.io import large

VERSION = 2  # of the layout of JSON and NPZ; 1 had no clips
FORMAT = "unihpe-results"
UNITS = dict.fromkeys(("pose", "translation", "spread", "radii"), "mm")
UNITS |= dict.fromkeys(("keypoints", "focal", "boxes"), "pixels") | {"time": "seconds"}
AXES = "camera: x right, y down, z forward; relative to the root joint"
ANKLE = 70.0  # of a person who stands, above the floor, mm
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
    axes: str = AXES  # of poses and translations, in words
    up: str = "-y"  # which of these axes points to the sky; the camera's -y, if it is level
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
    def joint_names(self) -> tuple[str, ...]:
        """Of the J joints, in their order."""
        return self.skeleton.joints

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

    def as_clip(self, frame_rate: float, name: str = "clip") -> Self:
        """Pictures as the frames of a clip, in their order: what was lifted of a video's keypoints.

        `person` must name the same one in each. Then results have frames and times, and what needs
        them (motion files, speeds) works.

        Args:
            frame_rate: pictures a second.
            name: of the clip.

        Raises:
            InputError: for a rate that is not above 0, and where two people of a picture have one
                name.
        """
        require_positive("frame_rate", frame_rate)
        numbers = {image: n for n, image in enumerate(dict.fromkeys(self.image))}
        if len({*zip(self.image, self.person, strict=True)}) < len(self):
            raise InputError(
                "a clip's people have names of their own; some in one picture share one"
            )
        frame = torch.tensor([numbers[image] for image in self.image], dtype=torch.int64)
        return replace(
            self,
            image=(name,) * len(self),
            frame=frame,
            time=frame.double() / frame_rate,
            filled=torch.zeros(len(self), dtype=torch.bool),
            frame_rate=float(frame_rate),
        )

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
        samples = None if self.samples is None else large.chosen(self.samples, index, 1)
        paths = {name: pose[index] for name, pose in self.paths.items()}
        return replace(self, **made, samples=samples, paths=paths)

    @property
    def absolute(self) -> Tensor:
        """Poses from the origin of the axes (the camera), not from the root: (N, J, 3), mm."""
        return self.pose + self.translation[:, None]

    def to(self, joint_set: str | Skeleton) -> Self:
        """The same people in another joint set (names: `unihpe.body.skeleton.SKELETONS`).

        What the set has and these results lack is made from other joints where there is a rule for
        it (`unihpe.body.conversions`), else it is NaN. What was made has no `radii`.
        """
        target = get_skeleton(joint_set) if isinstance(joint_set, str) else joint_set
        seen = torch.ones(self.pose.shape[:2], dtype=self.pose.dtype)

        def moved(pose: Tensor) -> Tensor:
            flat = pose.reshape(-1, *self.pose.shape[1:])
            points = convert(flat, seen[:1].expand(len(flat), -1), self.skeleton, target).points
            return points.reshape(*pose.shape[:-2], *points.shape[-2:])

        flat = convert(self.keypoints, self.confidence, self.skeleton, target)
        own = dict(zip(self.skeleton.joints, self.synthesised, strict=True))
        made = [
            now or own.get(j, False) for j, now in zip(target.joints, flat.synthesised, strict=True)
        ]
        samples = None if self.samples is None else moved(self.samples)
        return replace(
            self,
            skeleton=target,
            pose=moved(self.pose),
            keypoints=flat.points,
            confidence=flat.confidence,
            synthesised=tuple(made),
            samples=samples,
            spread=self._columns(self.spread, target),
            radii=self._columns(self.radii, target),
            paths={name: moved(pose) for name, pose in self.paths.items()},
        )

    def _columns(self, values: Tensor | None, target: Skeleton) -> Tensor | None:
        """What each joint has, (N, J, ...), in the order of another set; NaN where it has none."""
        if values is None:
            return None
        made = values.new_full((len(self), len(target), *values.shape[2:]), torch.nan)
        for n, joint in enumerate(target.joints):
            if joint in self.skeleton.joints:
                made[:, n] = values[:, self.skeleton.index(joint)]
        return made

    def to_world(self, rotation: Any, translation: Any = (0, 0, 0), up: str = "z") -> Self:
        """In the axes of a world: places x become `rotation` @ x + `translation`.

        Args:
            rotation: from these axes to the world's, (3, 3). That of a camera's extrinsics goes the
                other way: give its transpose, and the camera's place as the translation.
            translation: the place of these axes' origin in the world, (3,), mm.
            up: the axis of the world that points to the sky: x, y, z, -x, -y or -z.

        Raises:
            InputError: for what is no rotation or no axis.
        """
        matrix, shift = (
            torch.as_tensor(part, dtype=torch.float64) for part in (rotation, translation)
        )
        if matrix.shape != (3, 3) or shift.shape != (3,) or up not in UPS:
            raise InputError(f"to_world takes a (3, 3), a (3,), and one of {', '.join(UPS)} as up")
        if (
            not bool(matrix.isfinite().all() & shift.isfinite().all())
            or not torch.allclose(matrix @ matrix.T, torch.eye(3, dtype=torch.float64), atol=1e-4)
            or matrix.det() < 0
        ):
            raise InputError("rotation must be one: orthonormal, and without a reflection")

        def turned(points: Tensor) -> Tensor:
            return (points.double() @ matrix.T).to(points.dtype)

        return replace(
            self,
            pose=turned(self.pose),
            translation=(turned(self.translation.double()) + shift).float(),
            samples=None if self.samples is None else turned(self.samples),
            paths={name: turned(pose) for name, pose in self.paths.items()},
            axes=f"world, {up} up; relative to the root joint",
            up=up,
        )

    def to_yup(self, up: Any = None) -> Self:
        """In axes with y up and x to the right, of which people who face a camera face z.

        Args:
            up: the direction to the sky in these axes, (3,), where it is known, such as from a
                phone's sensor. None: that of `self.up`. For a camera this is -y, which holds if it
                was level; poses lean by as much as it did not.
        """
        if up is None:
            return self if self.up == "y" else self.to_world(turn_to_y(self.up), up="y")
        sky = torch.as_tensor(up, dtype=torch.float64)
        if sky.shape != (3,) or not 0 < float(sky.norm()) < torch.inf:
            raise InputError("up must be a direction, (3,)")
        return self.to_world(turn_to_y(self.up) @ swing(sky, axis(self.up)), up="y")

    def to_floor(self) -> Self:
        """As `to_yup`, from an origin on the floor, each picture and clip for itself.

        The floor lies so that the lowest ankle is 70 mm above it, in the median over the rows; the
        origin, below the middle of those in the first frame. Results that are in a world's axes
        already keep their origin.
        """
        level = self.to_yup()
        if self.up != "-y" or not len(self):
            return level
        places, image = level.absolute, np.array(self.image)
        ankles = [n for n, name in enumerate(self.skeleton.joints) if name.endswith("_ankle")]
        low = places[:, ankles or slice(None), 1].nan_to_num(torch.inf).amin(1)
        moved = level.translation.clone()
        for one in dict.fromkeys(self.image):
            own = torch.from_numpy(image == one)
            heights = low[own][low[own].isfinite()]
            first = own if self.frame is None else own & (self.frame == self.frame[own].min())
            origin = places[first].nanmean((0, 1))
            if len(heights):
                origin[1] = heights.median() - (ANKLE if ankles else 0)
            moved[own] -= origin.nan_to_num()
        return replace(level, translation=moved, axes="floor, y up; relative to the root joint")

    def angles(self) -> dict[str, Tensor]:
        """Joint angles by name (docs/measures.md), degrees, (N,) each; NaN where not defined."""
        level = self.to_yup()
        return angles(level.pose, level.skeleton)

    def centre_of_mass(self) -> Tensor:
        """From the origin of the axes, (N, 3), mm; see `unihpe.body.measures`."""
        return centre_of_mass(self.absolute, self.skeleton)

    def speeds(self) -> Tensor:
        """How fast each joint moves, (N, J), m/s; InputError unless the results have times."""
        from unihpe.export.measures import row_speeds

        if not self.is_clip:
            raise InputError("speeds need times, and these are pictures")
        return row_speeds(self, self.absolute)

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each joint: image, person, frame, time, filled, joint, x, y, z
        (mm, from the origin of the axes), u, v (pixels), confidence.

        InputError without pandas (the extra `export`).
        """
        from unihpe.export.frame import as_pandas

        return as_pandas(self)

    def plot(self) -> Any:
        """A matplotlib figure of everybody in the first frame or picture, in space.

        InputError without matplotlib (the extra `plots`).
        """
        from unihpe.export.chart import plot_people

        return plot_people(self)

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

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The people of several results of one model, one after the other."""
        first, made = parts[0], dict[str, Any]()
        for name in (*BY_PERSON, "samples", "image", "person"):
            columns = [getattr(part, name) for part in parts]
            if isinstance(columns[0], Tensor):
                made[name] = large.joined(columns, 1) if name == "samples" else torch.cat(columns)
            elif columns[0] is not None:
                made[name] = tuple(chain.from_iterable(columns))
        paths = {name: torch.cat([part.paths[name] for part in parts]) for name in first.paths}
        return replace(first, **made, paths=paths)
