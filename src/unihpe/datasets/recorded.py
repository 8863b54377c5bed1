"""People recorded by real cameras: the one `Source` behind every reader, and the checks that all of
them share.

A reader fills a `Recorded` from its set's files; reading by index, choosing parts and naming what
was read happen here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from unihpe.body.batch import Frames, evenly_spaced
from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton, side_of
from unihpe.errors import InputError
from unihpe.io.mapped import Mapped

Legs = Literal["as named", "swapped", "mirrored", "unclear"]
THIGH = (250.0, 600.0)  # mm, hip to knee of a person of any size
CHECKED_POSES = 2000  # spread over the data; more prove nothing new
PROJECTED = "2D projected"  # said by layouts whose 2D is nothing else
FITS = 30  # rounds of re-weighting
FEWEST_VOTES = 20  # fewer frames with bent knees prove nothing
PROOF = 0.7  # share of the votes that proves a leg order
AT_ONCE = 256  # rows
COLUMNS = (
    "view",
    "frame",
    "pose_row",
    "keypoint_row",
    "camera",
)  # of a `Recorded`, one number for each index


@dataclass(frozen=True)
class View:
    """One sequence as one camera saw it.

    Attributes:
        subject: the person.
        action: what is done, without the number of the take; 'unknown' where a set does not say.
        sequence: the set's own name.
        camera: the camera's own name.
        split: train, val or test, as the set's usual protocol has it.
        group: the part of the data a score is averaged in.
    """

    subject: str
    action: str
    sequence: str
    camera: str
    split: str
    group: str


@dataclass(frozen=True)
class Recorded:
    """A data set in memory, as a `Source`.

    Attributes:
        skeleton: names the J joints.
        views: of the set.
        view: the view each index belongs to, (N,).
        frame: of each index in its sequence, counted from 0, (N,).
        pose: (P, J, 3), mm, in world axes or in camera axes: see `in_world`.
        pose_row: row of `pose` for each index, (N,); cameras of one sequence share a pose in world
            axes.
        keypoints: (Q, J, 2), full-picture pixels, NaN where missing; None where 2D is the
            projection of 3D.
        confidence: (Q, J), 0 is missing; None where 2D is the projection of 3D.
        keypoint_row: row of `keypoints` for each index, (N,).
        cameras: C cameras.
        camera: which one saw each index, (N,).
        in_world: whether poses are in world axes.
        layout: the files' layout, in a few words.
        notes: what was left out or cut, with counts.
        maps: the files that the tensors lie in, where they are too large for the memory.
        stored: the joints in the files' order, where that is another.
    """

    skeleton: Skeleton
    views: tuple[View, ...]
    view: Tensor
    frame: Tensor
    pose: Tensor
    pose_row: Tensor
    keypoints: Tensor | None
    confidence: Tensor | None
    keypoint_row: Tensor
    cameras: Camera
    camera: Tensor
    in_world: bool
    layout: str
    notes: tuple[str, ...] = ()
    maps: tuple[Mapped, ...] = ()
    stored: Skeleton | None = None

    def __len__(self) -> int:
        return len(self.view)

    def release(self) -> None:
        """Give memory of what was read from files back to the system."""
        for mapped in self.maps:
            mapped.release()

    def rows(self, tensor: Tensor, which: Tensor) -> Tensor:
        """Rows of one of the large tensors; those in files are read few at a time, as a page around each comes with it."""
        if not self.maps:
            return tensor[which]
        parts = []
        for some in which.split(AT_ONCE):
            parts.append(tensor[some])
            self.release()
        return torch.cat(parts)

    def weights(self) -> Tensor:
        """Every index alike, (N,)."""
        return torch.ones(len(self), dtype=torch.float64)

    def read(self, indices: Tensor, generator: torch.Generator | None = None) -> Frames:
        """The people at `indices` (n,); nothing is drawn at random."""
        camera = self.cameras.select(self.camera[indices])
        pose = self.rows(self.pose, self.pose_row[indices])
        pose = camera.to_camera(pose) if self.in_world else pose
        if self.keypoints is None or self.confidence is None:
            keypoints = camera.project(pose)
            confidence = keypoints.isfinite().all(-1).to(pose.dtype)
        else:
            rows = self.keypoint_row[indices]
            keypoints, confidence = (
                self.rows(self.keypoints, rows),
                self.rows(self.confidence, rows),
            )
        group = tuple(self.views[n].group for n in self.view[indices].tolist())
        return Frames(keypoints, confidence, pose, camera, group, indices)

    def names(
        self, what: Literal["subject", "action", "sequence", "camera", "split", "group"]
    ) -> tuple[str, ...]:
        """The subjects (or actions, …) that occur, in the set's order."""
        used = set(self.view.unique().tolist())
        return tuple(
            dict.fromkeys(
                str(getattr(view, what)) for n, view in enumerate(self.views) if n in used
            )
        )

    def select(
        self, wanted: Callable[[View], bool] = lambda view: True, stride: int = 1
    ) -> Recorded:
        """The views that `wanted` accepts, every `stride`-th frame of each, counted from its frame
        0.

        Raises:
            InputError: if nothing is left.
        """
        chosen = torch.tensor([wanted(view) for view in self.views], dtype=torch.bool)
        keep = chosen[self.view] & (self.frame % stride == 0)
        if not bool(keep.any()):
            raise InputError(
                f"no frame is left of {self.layout}: it has the splits {', '.join(self.names('split'))} and the subjects"
                f" {', '.join(self.names('subject'))}"
            )
        return self.kept(keep)

    def kept(self, keep: Tensor) -> Recorded:
        """The indices where `keep` (N,) is true."""
        columns = {name: getattr(self, name)[keep] for name in COLUMNS}
        self.release()
        return replace(self, **columns)

    def held_out(self, share: float) -> tuple[Recorded, Recorded]:
        """All but the last `share`, in time, of what each person does of each action; and that last
        part, a frame at least.

        Cameras alike, and one cut in time for each person and action: frames next to it are
        neighbours, no others are.

        Raises:
            InputError: if that is everything.
        """
        last = self.moment() > 1 - share
        if bool(last.all()):
            raise InputError(
                f"{self.layout}: too short to hold out {share:g} of it; set data.held_out to another share"
            )
        return self.kept(~last), self.kept(last)

    def moment(self) -> Tensor:
        """When each index was over, (N,): 0 … 1 along the sequences of its person and action, in the set's order."""
        lengths = torch.zeros(len(self.views), dtype=torch.long)
        lengths.scatter_reduce_(0, self.view, self.frame + 1, "amax")
        of_sequence: dict[tuple[str, str, str], int] = {}
        for view, length in zip(self.views, lengths.tolist(), strict=True):
            key = view.subject, view.action, view.sequence
            of_sequence[key] = max(length, of_sequence.get(key, 0))
        begins, total = {}, dict.fromkeys((key[:2] for key in of_sequence), 0)
        for key, length in of_sequence.items():
            begins[key] = total[key[:2]]
            total[key[:2]] += length
        keys = [(view.subject, view.action, view.sequence) for view in self.views]
        begin = torch.tensor([begins[key] for key in keys], dtype=torch.float64)
        whole = torch.tensor([total[key[:2]] for key in keys], dtype=torch.float64)
        return (begin[self.view] + self.frame + 1) / whole[self.view]


def rotation_of(quaternion: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of quaternions (w, x, y, z) (..., 4), which need not be of unit length."""
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, dim=-1).view(*quaternion.shape[:-1], 3, 3)


def thigh_length(pose: Tensor, skeleton: Skeleton) -> float:
    """The median hip–knee distance of poses (N, J, 3), in their own unit."""
    both = [
        (pose[:, skeleton.index(f"{side}_hip")] - pose[:, skeleton.index(f"{side}_knee")]).norm(
            dim=-1
        )
        for side in ("left", "right")
    ]
    return float(torch.cat(both).median())


def unit_of(pose: Tensor, skeleton: Skeleton) -> str:
    """The unit that gives poses (N, J, 3) a person's thighs: mm, cm, m, or unknown."""
    thigh = thigh_length(pose, skeleton)
    units = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
    return next((unit for unit, mm in units.items() if THIGH[0] < thigh * mm < THIGH[1]), "unknown")


def legs_of(pose: Tensor, skeleton: Skeleton) -> tuple[Legs, float]:
    """Whether the legs are named as they stand, from geometry alone, and the share of the frames
    that say so.

    Two witnesses. Knees bend forwards: with `up` from the hips to the shoulders and `forward` to
    where the knees (and toes, where a set has them) point, a person's left is up × forward. And
    hips and shoulders of one side lie on one side. If the knees speak against the names and the
    shoulders too, the legs are swapped; if the knees alone, the whole body is mirrored. Too few
    bent knees leave it to the shoulders.

    Args:
        pose: (N, J, 3), any unit, any right-handed axes (camera and world axes are).
    """
    place = {joint: pose[:, n] for n, joint in enumerate(skeleton.joints)}
    claimed = place["left_hip"] - place["right_hip"]
    arms = place["left_shoulder"] - place["right_shoulder"]
    with_arms = float(((claimed * arms).sum(-1) > 0).double().mean())
    by_arms = verdict(with_arms)
    cosine = torch.nn.functional.cosine_similarity(left_by_knees(place, skeleton), claimed, dim=-1)
    votes = cosine[cosine.abs() > 0.3]  # a straight leg gives 0
    with_knees = float((votes > 0).double().mean()) if len(votes) >= FEWEST_VOTES else 0.5
    by_knees = verdict(with_knees)
    if by_knees == "unclear":
        return by_arms, max(with_arms, 1 - with_arms)
    share = max(with_knees, 1 - with_knees)
    return ("mirrored" if by_knees == "swapped" and by_arms == "as named" else by_knees), share


def left_by_knees(place: dict[str, Tensor], skeleton: Skeleton) -> Tensor:
    """A person's left by the bend of both knees, (N, 3); zero where the legs are straight. Names of sides do not matter."""
    hips = (place["left_hip"] + place["right_hip"]) / 2
    up = (place["left_shoulder"] + place["right_shoulder"]) / 2 - hips
    forward = torch.zeros_like(hips)
    for side in ("left", "right"):
        hip, knee, ankle = (place[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        leg = torch.nn.functional.normalize(ankle - hip, dim=-1)
        forward = forward + (knee - hip) - ((knee - hip) * leg).sum(-1, keepdim=True) * leg
        tips = [
            place[f"{side}_{tip}"] - ankle
            for tip in ("toe", "foot")
            if f"{side}_{tip}" in skeleton.joints
        ]
        forward = forward + sum(tips, torch.zeros_like(hips))
    bent = forward.norm(dim=-1, keepdim=True) > 0.15 * up.norm(dim=-1, keepdim=True)
    left: Tensor = torch.linalg.cross(up, torch.where(bent, forward, 0.0))
    return left


def verdict(share: float) -> Literal["as named", "swapped", "unclear"]:
    """What a share of frames that agree with the names says."""
    if max(share, 1 - share) < PROOF:
        return "unclear"
    return "as named" if share > 0.5 else "swapped"


def first_leg(skeleton: Skeleton, legs: Legs) -> str:
    """Which leg a file really holds first: 'right first' or 'left first', or 'unclear'."""
    if legs == "unclear":
        return "unclear"
    named = next(
        side_of(joint) for joint in skeleton.joints if joint.endswith(("_hip", "_knee", "_ankle"))
    )
    other = {"left": "right", "right": "left"}[named]
    return f"{named if legs == 'as named' else other} first"


def require_body(pose: Tensor, skeleton: Skeleton, where: str, unit: str) -> None:
    """Raise for poses (N, J, 3) that are not of the set's unit or whose legs are swapped.

    Args:
        pose: as the file holds them.
        unit: that the set's layout has: m or mm.
    """
    some = pose[evenly_spaced(len(pose), CHECKED_POSES)]
    found = unit_of(some, skeleton)
    if found != unit:
        length = thigh_length(some, skeleton)
        raise InputError(
            f"{where}: a thigh is {length:.4g} long, so 3D is in {found}, but this layout is in {unit}; convert the file"
        )
    legs, share = legs_of(some, skeleton)
    if legs == "mirrored":
        raise InputError(
            f"{where}: the body is mirrored ({share:.0%} of the frames say so): left and right, or an axis, are exchanged"
        )
    if legs == "swapped":
        raise InputError(
            f"{where}: left and right legs are swapped ({share:.0%} of the frames say so); this layout has the"
            f" {first_leg(skeleton, 'as named').removesuffix(' first')} leg first: reorder the file"
        )


def fit_pinhole(points: Tensor, keypoints: Tensor, where: str) -> tuple[Tensor, Tensor]:
    """The focal lengths and principal point that best project points onto keypoints, (2,) and (2,)
    pixels.

    Least absolute errors (least squares, re-weighted by the inverse error), since detections err.

    Args:
        points: camera axes, any unit, (N, J, 3).
        keypoints: pixels, (N, J, 2), NaN where missing.
        where: names the camera in messages.

    Raises:
        InputError: if the pairs do not determine a camera.
    """
    plane = (points[..., :2] / points[..., 2:]).double().reshape(-1, 2)
    pixels = keypoints.double().reshape(-1, 2)
    usable = plane.isfinite().all(1) & pixels.isfinite().all(1) & (points[..., 2].reshape(-1) > 0)
    plane, pixels = plane[usable], pixels[usable]
    if len(plane) < 8 or bool((plane.var(0) < 1e-8).any()):
        raise InputError(
            f"{where}: {len(plane)} joints with 2D and 3D are too few to fit its camera; use whole sequences"
        )
    weight = torch.ones(len(plane), 1, dtype=torch.float64)
    focal = centre = torch.zeros(2, dtype=torch.float64)
    for _ in range(FITS):
        weight = weight / weight.sum()
        x_mean, u_mean = (plane * weight).sum(0), (pixels * weight).sum(0)
        x, u = plane - x_mean, pixels - u_mean
        focal = (weight * x * u).sum(0) / (weight * x * x).sum(0)
        centre = u_mean - focal * x_mean
        weight = 1 / (plane * focal + centre - pixels).norm(dim=1, keepdim=True).clamp(min=0.1)
    if bool((focal <= 0).any()):
        raise InputError(
            f"{where}: 2D and 3D do not belong together (fitted focal lengths {focal.tolist()}); get both again"
        )
    return focal, centre


def with_fitted_intrinsics(recorded: Recorded, most: int = 4 * CHECKED_POSES) -> Recorded:
    """The same with focal lengths and principal point of each camera fitted to its 2D (`fit_pinhole`)."""
    focal, centre = recorded.cameras.focal.clone(), recorded.cameras.centre.clone()
    for row in recorded.camera.unique().tolist():
        indices = (recorded.camera == row).nonzero()[:, 0]
        frames = recorded.read(indices[evenly_spaced(len(indices), most)])
        assert frames.pose is not None
        view = recorded.views[int(recorded.view[indices[0]])]
        found = fit_pinhole(
            frames.pose,
            frames.keypoints,
            f"{recorded.layout}, {view.subject}, camera {view.camera}",
        )
        focal[row], centre[row] = found[0].to(focal), found[1].to(centre)
    return replace(recorded, cameras=replace(recorded.cameras, focal=focal, centre=centre))
