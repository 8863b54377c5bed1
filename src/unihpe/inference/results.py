"""Results: poses with named joints, units and axes (layout of the files: docs/formats.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Self

import torch
from torch import Tensor

from unihpe.body.boxes import from_box
from unihpe.body.camera import place
from unihpe.body.conversions import Converted
from unihpe.body.prepare import root_relative
from unihpe.body.skeleton import Skeleton
from unihpe.inference.answer import FLIP_TEST, FUSED, Answer
from unihpe.inputs.evidence import Evidence

VERSION = 1
AXES = "camera: x right, y down, z forward; relative to the root joint"
BY_PERSON = (
    "pose", "keypoints", "confidence", "translation", "image_size", "focal", "spread", "radii",
    "frame", "time", "filled", "boxes",
)  # fmt: skip


@dataclass(frozen=True)
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
    # where a picture and keypoints were given: poses from "image", "2d" and "fused", (N, J, 3)
    paths: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pose)

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


def results_of(given: Evidence, made: Answer, skeleton: Skeleton, flip: bool, how: str) -> Results:
    """An answer in people's units, placed before the camera; `how` it was found, in words."""
    tested, camera, joints = FLIP_TEST if flip else "", given.camera, given.keypoints
    ways = [*(kind.label for kind in given.kinds), *([FUSED] if FUSED in made.poses else [])]
    paths = {way: made.poses[way + tested].cpu() for way in ways}
    if joints is None:
        assert given.batch.box is not None
        points = from_box(made.keypoints[ways[0] + tested].cpu(), given.batch.box)
        joints = Converted(points, torch.ones(points.shape[:2]), (False,) * len(skeleton))
    pose, samples = paths[given.kinds[-1].label], made.hypotheses
    if samples is not None:
        rooted = root_relative(samples.flatten(0, 1), skeleton)
        samples = rooted.unflatten(0, samples.shape[:2]).cpu()
    estimate = f"{how}, mean with the mirrored one" if flip else how
    return Results(
        skeleton=skeleton,
        pose=pose,
        keypoints=joints.points,
        confidence=joints.confidence,
        synthesised=joints.synthesised,
        translation=place(pose, joints.points, camera, joints.confidence),
        image_size=camera.size,
        focal=camera.focal[:, 0],
        focal_source="given" if given.focal_given else "assumed √(W² + H²)",
        image=given.image,
        person=given.person,
        samples=samples,
        spread=None if samples is None else spread(samples),
        radii=None if made.radii is None else made.radii.cpu(),
        estimate="; ".join(filter(None, [estimate, given.source])),
        paths=paths if len(ways) > 1 else {},
    )


def spread(samples: Tensor) -> Tensor:
    """Root-mean-square distance of samples (S, ..., C) from their mean, for each joint: (...)."""
    return (samples - samples.mean(0)).square().sum(-1).mean(0).sqrt()
