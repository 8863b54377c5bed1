"""What poses prove by themselves: their unit, whose legs are whose, and the camera that saw them.

Nothing here trusts a name: the unit follows from the length of thighs, the leg order from the way
knees bend, and a pinhole from 2D and 3D together.
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from unihpe.body.batch import evenly_spaced
from unihpe.body.skeleton import Skeleton, other_side, side_of
from unihpe.datasets.recorded import Recorded
from unihpe.errors import InputError

Legs = Literal["as named", "swapped", "mirrored", "unclear"]
UNIT_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
THIGH = (250.0, 600.0)  # mm, hip to knee of a person of any size
CHECKED_POSES = 2000  # evenly spaced over the data; more prove nothing new
FITS = 30  # rounds of re-weighting
FEWEST_VOTES = 20  # fewer frames with bent knees prove nothing
PROOF = 0.7  # share of the votes that proves a leg order


def thigh_length(pose: Tensor, skeleton: Skeleton) -> float:
    """The median hip–knee distance of poses (N, J, 3), in their own unit."""
    hips, knees = ([skeleton.index(f"{s}_{n}") for s in ("left", "right")] for n in ("hip", "knee"))
    return float((pose[:, hips] - pose[:, knees]).norm(dim=-1).median())


def unit_of(pose: Tensor, skeleton: Skeleton) -> str:
    """The unit that gives poses (N, J, 3) a person's thighs: mm, cm, m, or unknown."""
    thigh = thigh_length(pose, skeleton)
    fits = (unit for unit, mm in UNIT_MM.items() if THIGH[0] < thigh * mm < THIGH[1])
    return next(fits, "unknown")


def legs_of(pose: Tensor, skeleton: Skeleton) -> tuple[Legs, float]:
    """Whether the legs are named as they stand, by geometry, and the share of frames that say so.

    Two witnesses. Knees bend forwards: with `up` from the hips to the shoulders and `forward` to
    where the knees (and toes, where a set has them) point, a person's left is up × forward. And
    hips and shoulders of one side lie on one side. If the knees speak against the names and the
    shoulders too, the legs are swapped; if the knees alone, the whole body is mirrored. Too few
    bent knees leave it to the shoulders. Poses (N, J, 3) are in any unit and right-handed axes.
    """
    place = {joint: pose[:, n] for n, joint in enumerate(skeleton.joints)}
    claimed = place["left_hip"] - place["right_hip"]
    arms = place["left_shoulder"] - place["right_shoulder"]
    with_arms = float(((claimed * arms).sum(-1) > 0).double().mean())
    by_arms = _verdict(with_arms)
    cosine = cosine_similarity(_left_by_knees(place, skeleton), claimed, dim=-1)
    votes = cosine[cosine.abs() > 0.3]  # a straight leg gives 0
    with_knees = float((votes > 0).double().mean()) if len(votes) >= FEWEST_VOTES else 0.5
    by_knees = _verdict(with_knees)
    if by_knees == "unclear":
        return by_arms, max(with_arms, 1 - with_arms)
    share = max(with_knees, 1 - with_knees)
    return ("mirrored" if by_knees == "swapped" and by_arms == "as named" else by_knees), share


def _left_by_knees(place: dict[str, Tensor], skeleton: Skeleton) -> Tensor:
    """A person's left by the bend of the knees alone, (N, 3); zero where the legs are straight."""
    hips = (place["left_hip"] + place["right_hip"]) / 2
    up = (place["left_shoulder"] + place["right_shoulder"]) / 2 - hips
    forward = torch.zeros_like(hips)
    for side in ("left", "right"):
        hip, knee, ankle = (place[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        leg = normalize(ankle - hip, dim=-1)
        forward = forward + (knee - hip) - ((knee - hip) * leg).sum(-1, keepdim=True) * leg
        tips = [name for tip in ("toe", "foot") if (name := f"{side}_{tip}") in skeleton.joints]
        forward = forward + sum((place[tip] - ankle for tip in tips), torch.zeros_like(hips))
    bent = forward.norm(dim=-1, keepdim=True) > 0.15 * up.norm(dim=-1, keepdim=True)
    left: Tensor = torch.linalg.cross(up, torch.where(bent, forward, 0.0))
    return left


def _verdict(share: float) -> Legs:
    """What a share of frames that agree with the names says."""
    if max(share, 1 - share) < PROOF:
        return "unclear"
    return "as named" if share > 0.5 else "swapped"


def first_leg(skeleton: Skeleton, legs: Legs) -> str:
    """Which leg a file really holds first: 'right first' or 'left first', or 'unclear'."""
    if legs == "unclear":
        return "unclear"
    first = next(name for name in skeleton.joints if name.endswith(("_hip", "_knee", "_ankle")))
    return f"{side_of(first if legs == 'as named' else other_side(first))} first"


def require_body(pose: Tensor, skeleton: Skeleton, where: str, unit: str) -> None:
    """Raise for poses (N, J, 3) that are not in the unit (m or mm), or whose legs are swapped."""
    some = pose[evenly_spaced(len(pose), CHECKED_POSES)]
    if (found := unit_of(some, skeleton)) != unit:
        thigh = f"a thigh is {thigh_length(some, skeleton):.4g} long, so 3D is in {found}"
        raise InputError(f"{where}: {thigh}, but this layout is in {unit}; convert the file")
    legs, share = legs_of(some, skeleton)
    votes = f"{legs} ({share:.0%} of the frames say so)"
    if legs == "mirrored":
        raise InputError(f"{where}: the body is {votes}: left and right, or an axis, are exchanged")
    if legs == "swapped":
        right = f"this layout has the {first_leg(skeleton, 'as named').split()[0]} leg first"
        raise InputError(f"{where}: left and right legs are {votes}; {right}: reorder the file")


def _fit_pinhole(points: Tensor, keypoints: Tensor, where: str) -> tuple[Tensor, Tensor]:
    """The focal lengths and principal point that best project points onto keypoints, (2,) each, px.

    Least absolute errors (least squares, re-weighted by the inverse error), since detections err.
    Points (N, J, 3) are in camera axes, any unit; keypoints (N, J, 2) in pixels, NaN where missing.
    InputError, which names the camera `where`, if they do not determine one.
    """
    plane = (points[..., :2] / points[..., 2:]).double().reshape(-1, 2)
    pixels = keypoints.double().reshape(-1, 2)
    usable = plane.isfinite().all(1) & pixels.isfinite().all(1) & (points[..., 2].reshape(-1) > 0)
    plane, pixels = plane[usable], pixels[usable]
    if len(plane) < 8 or bool((plane.var(0) < 1e-8).any()):
        few = f"{where}: {len(plane)} joints with 2D and 3D are too few to fit its camera"
        raise InputError(f"{few}; use whole sequences")
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
        odd = f"2D and 3D do not belong together (fitted focal lengths {focal.tolist()})"
        raise InputError(f"{where}: {odd}; get both again")
    return focal, centre


def with_fitted_intrinsics(recorded: Recorded, most: int = 4 * CHECKED_POSES) -> Recorded:
    """The same with focal lengths and principal point of each camera fitted to its 2D."""
    focal, centre = recorded.cameras.focal.clone(), recorded.cameras.centre.clone()
    for row in recorded.camera.unique().tolist():
        indices = (recorded.camera == row).nonzero()[:, 0]
        frames = recorded.read(indices[evenly_spaced(len(indices), most)])
        assert frames.pose is not None
        view, _ = recorded.at(int(indices[0]))
        where = f"{recorded.layout}, {view.subject}, camera {view.camera}"
        focal[row], centre[row] = _fit_pinhole(frames.pose, frames.keypoints, where)
    return replace(recorded, cameras=replace(recorded.cameras, focal=focal, centre=centre))
