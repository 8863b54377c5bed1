"""Whether keypoints look like what they are said to be: pixels, a joint set, left and right.

The limits were measured on 3,000 projected motion-capture poses and on COCO's people
(docs/notebook/confidence.md).
"""

import numpy as np

from unihpe.body.skeleton import SKELETONS, Skeleton, get_skeleton
from unihpe.errors import InputError
from unihpe.inputs.detections import Units
from unihpe.io.arrays import Array

TINY = 2.0  # pixels: a person within is none; shares of the picture are
SHARES_FROM = -0.25  # shares of who is cut off by an edge; -1 to 1 lies on both sides of 0
PIXELS_AT_LEAST = 10.0  # shares reach no such values
HIPS = ("left_hip", "right_hip")
AT_ORIGIN = 0.01  # metres: MediaPipe's world landmarks have the hips' mid-point there
# Of its bones must be seen to judge a set by a person; by fewer, if both signs are against it.
MOST_BONES, HALF_OF_THEM = 0.7, 0.5
TOO_LONG = 1.0  # mean bone over a person's spread; right sets reach 0.97, wrong ones begin at 0.98
BETTER = 0.7  # a wrong set's bones are never as short beside the right one's
TWISTED, CLEAR = -0.5, 0.2  # cosine of shoulders and hips; sine of a face's sides
WIDE = 0.2  # of the spread: narrower shoulders and hips, seen from the side, may point anywhere
SURE = 0.6  # of a face: seen from behind, detectors guess one


def units_reasons(people: Array, units: Units, skeleton: Skeleton) -> list[str | None]:
    """Why the coordinates of people (N, J, 3), missing joints NaN, are not in these units."""
    points = people[..., :2]
    low = np.where(np.isnan(points), np.inf, points).min((1, 2))
    high = np.where(np.isnan(points), -np.inf, points).max((1, 2))
    largest = np.maximum(-low, high)
    hips = [skeleton.index(joint) for joint in HIPS if joint in skeleton.joints]
    middle = points[:, hips].mean(1) if hips else np.ones((len(points), 2))
    metres = (np.abs(middle).max(1) < AT_ORIGIN) & (largest < TINY)
    tiny, large = largest <= TINY, largest >= PIXELS_AT_LEAST
    wrong = metres | (tiny if units == "pixels" else large)
    rows = zip(low, high, metres, wrong & np.isfinite(largest), strict=True)
    return [_units_reason(a, b, units, at) if bad else None for a, b, at, bad in rows]


def require_pixels(people: Array, skeleton: Skeleton) -> None:
    """InputError where somebody's coordinates, of people (N, J, 2), are no pixels."""
    for person, reason in enumerate(units_reasons(people, "pixels", skeleton)):
        if reason is not None:
            what = reason.partition(":")[0]
            raise InputError(f"person {person}: {what}; arrays hold pixels, so convert them first")


def _units_reason(low: float, high: float, units: Units, metres: bool) -> str:
    reach = f"coordinates from {low:.3g} to {high:.3g}"
    if metres:
        return f"{reach} round the hips look like a 3D pose in metres (world landmarks), no 2D"
    if units != "pixels":
        return f"{reach} look like pixels: --units pixels takes them so"
    if low >= SHARES_FROM:
        return f"{reach} look like shares of the picture: --units shares takes them so"
    way = "--units centred (-1 to 1 across width and height) or screen (VideoPose3D's)"
    return f"{reach} look like -1 to 1 across the picture: {way} takes them so"


def doubts_of(people: Array, name: str) -> list[str]:
    """The joint sets that people (N, J, 3) may have, likely ones first, unless it may be `name`."""
    for share, enough in ((MOST_BONES, any), (HALF_OF_THEM, all)):
        of_size = map(get_skeleton, sets_of(people.shape[1]))
        lengths = {own.name: _bone_lengths(people, own, share) for own in of_size}
        likely = sorted(lengths, key=lambda other: np.nan_to_num(lengths[other], nan=np.inf))
        best, own = lengths[likely[0]], lengths[name]
        if enough((own > TOO_LONG, best < BETTER * own)):
            return likely
    return []


def sets_of(count: int) -> list[str]:
    """The names of the joint sets with so many joints."""
    return [own.name for own in SKELETONS.values() if len(own) == count]


def _bone_lengths(people: Array, skeleton: Skeleton, share: float) -> float:
    """The mean bone over the joints' spread: the median person's of whom enough bones are seen."""
    points = np.where(people[..., 2:] > 0, people[..., :2], np.nan)
    ends = np.array(skeleton.bones)
    bones = np.linalg.norm(points[:, ends[:, 0]] - points[:, ends[:, 1]], axis=-1)
    judged = np.isfinite(bones).mean(1) >= share
    if not judged.any():
        return float("nan")
    means = np.nanmean(bones[judged], axis=1) / _spread(points[judged])
    return float(np.median(means))


def _spread(points: Array) -> Array:
    """The root-mean-square distance of people's joints (N, J, 2) from their middle, (N,)."""
    away = np.square(points - np.nanmean(points, axis=1, keepdims=True)).sum(-1)
    spread: Array = np.sqrt(np.nanmean(away, axis=1))
    return np.maximum(spread, 1e-9)


def sides_reason(people: Array, skeleton: Skeleton) -> str | None:
    """Why left and right of people (N, J, 3) cannot be right, as most of them show."""
    points = np.where(people[..., 2:] > SURE, people[..., :2], np.nan)
    points = points[np.isfinite(points).all(-1).any(-1)]
    places = {joint: points[:, n] for n, joint in enumerate(skeleton.joints)}

    def across(part: str) -> Array:
        return places[f"left_{part}"] - places[f"right_{part}"]

    if {"left_shoulder", "left_hip"} <= places.keys():
        shoulders, hips = across("shoulder"), across("hip")
        narrow = np.minimum(*(np.linalg.norm(side, axis=-1) for side in (shoulders, hips)))
        seen = narrow > WIDE * _spread(points)
        cosine = _ratio((shoulders * hips).sum(-1), shoulders, hips)
        if _most(cosine[seen], TWISTED):
            remedy = "name another --skeleton, or --sides given takes them so"
            return f"hips face another way than shoulders: left is called right in one; {remedy}"
    if {"left_eye", "nose"} <= places.keys():
        eyes = across("eye")
        down = places["nose"] - (places["left_eye"] + places["right_eye"]) / 2
        turn = eyes[:, 0] * down[:, 1] - eyes[:, 1] * down[:, 0]
        if _most(_ratio(turn, eyes, down), -CLEAR):
            remedy = "--sides swapped exchanges them, --sides given takes them so"
            return f"faces are seen in a mirror, or left is called right: {remedy}"
    return None


def _ratio(product: Array, a: Array, b: Array) -> Array:
    lengths: Array = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return product / np.maximum(lengths, 1e-9)


def _most(values: Array, below: float) -> bool:
    """Whether most people, of those who show it, are below a limit."""
    known = values[np.isfinite(values)]
    return known.size > 0 and bool((known < below).mean() > 0.5)
