"""Motion made steady: noise out of places over time, and bones of one length.

Savitzky–Golay (1964) fits a polynomial to the samples around each moment; it looks ahead, and is
for recordings. The One-Euro filter (Casiez et al., CHI 2012) is a low-pass whose cut-off rises with
speed; it knows the past alone, and is for live use. Both take uneven times.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WINDOW, ORDER = 0.4, 3  # of Savitzky–Golay: seconds, and the polynomial's degree
CUTOFF, BETA, SPEED_CUTOFF = 2.0, 0.005, 1.0  # of One-Euro: Hz, Hz a mm/s, Hz
SPIKE, ROUND = 100.0, 0.2  # mm off the median of five samples, which span so many seconds at most


def without_spikes(pose: Floats, times: Floats) -> Floats:
    """Places (T, J, 3), mm, at times (T,), with those far off both neighbours on either side
    replaced by the median of the five; slow recordings stay as they are."""
    if len(times) < 5 or float(np.median(np.diff(times))) * 4 > ROUND:
        return pose
    padded = np.concatenate([pose[:1], pose[:1], pose, pose[-1:], pose[-1:]])
    middle = np.median([padded[n : n + len(pose)] for n in range(5)], axis=0)
    far = np.linalg.norm(pose - middle, axis=-1, keepdims=True) > SPIKE
    return np.where(far, middle, pose)


def savgol(values: Floats, times: Floats, window: float = WINDOW, order: int = ORDER) -> Floats:
    """Savitzky–Golay: each value becomes that of the polynomial which fits best around it.

    Args:
        values: (T, ...).
        times: (T,), seconds, growing.
        window: seconds: as many samples are taken as it holds at the middle rate, an odd number,
            and at least one more than `order` has coefficients, as far as there are any; where
            samples are rarer than that, those beyond the window do not count.
        order: of the polynomial.
    """
    count = len(times)
    if count < 3:
        return values.copy()
    step = float(np.median(np.diff(times)))
    least = min(order + 2, count)
    width = min(max(2 * int(window / step / 2 + 1e-6) + 1, least), count)
    around = _run_round(count, width)[:, None] + np.arange(width)  # (T, W)
    nearest = _run_round(count, least)[:, None]
    begin = np.clip(times - window / 2, times[0], max(times[0], times[-1] - window))[:, None]
    middle = begin + window / 2
    counts = (np.abs(times[around] - middle) <= (window + step) / 2) | (
        (around >= nearest) & (around < nearest + least)
    )
    far = (times[around] - times[:, None]) / (step * width)  # of order 1
    powers = far[..., None] ** np.arange(min(order, width - 1) + 1)  # (T, W, K)
    powers *= counts[..., None]
    weights = np.linalg.pinv(powers)[:, 0]  # of the samples, for the polynomial's value at 0
    flat = values.reshape(count, -1)
    smooth = np.einsum("tw,twc->tc", weights, flat[around])
    return np.asarray(smooth.reshape(values.shape))


def _run_round(count: int, width: int) -> NDArray[np.int64]:
    """Where the run of so many samples begins that lies round each of `count`, (T,)."""
    return np.clip(np.arange(count) - width // 2, 0, count - width)


def one_euro(
    values: Floats,
    times: Floats,
    cutoff: float = CUTOFF,
    beta: float = BETA,
    speed_cutoff: float = SPEED_CUTOFF,
) -> Floats:
    """The One-Euro filter, each coordinate on its own.

    Args:
        values: (T, ...), mm.
        times: (T,), seconds, growing.
        cutoff: Hz, of what does not move: lower is steadier.
        beta: Hz for each mm/s: higher lags less.
        speed_cutoff: Hz, of the speed.
    """
    smooth, speed = values.copy(), np.zeros(values.shape[1:])
    for n in range(1, len(times)):
        step = float(times[n] - times[n - 1])
        newest = (values[n] - smooth[n - 1]) / step
        speed = speed + _share(speed_cutoff, step) * (newest - speed)
        share = _share(cutoff + beta * np.abs(speed), step)
        smooth[n] = smooth[n - 1] + share * (values[n] - smooth[n - 1])
    return smooth


def _share(cutoff: float | Floats, step: float) -> float | Floats:
    """How much of a new value a low-pass with this cut-off takes after `step` seconds."""
    ratio = 2 * np.pi * cutoff * step
    return ratio / (ratio + 1)


Smoother = Callable[[Floats, Floats], Floats]
SMOOTHERS: Mapping[str, Smoother] = {"savgol": savgol, "one-euro": one_euro}


def steady_bones(
    pose: Floats, bones: Sequence[tuple[int, int]], lengths: Floats | None = None
) -> Floats:
    """Poses (T, J, 3) with each bone as long in all frames, its median length, or `lengths` (B,);
    directions stay.

    Args:
        bones: columns of parent and child; joints with no parent stay where they are.
    """
    out, placed = pose.copy(), {child for _, child in bones}
    lengths = _bone_lengths(pose, bones) if lengths is None else lengths
    waiting = list(zip(bones, lengths.tolist(), strict=True))
    while waiting:
        (parent, child), length = waiting.pop(0)
        if parent in placed:  # it is not in its own place yet
            waiting.append(((parent, child), length))
            continue
        way = pose[:, child] - pose[:, parent]
        size = np.linalg.norm(way, axis=-1, keepdims=True)
        out[:, child] = out[:, parent] + way * (length / np.maximum(size, 1e-9))
        placed.discard(child)
    return out


def _bone_lengths(pose: Floats, bones: Sequence[tuple[int, int]]) -> Floats:
    """The median length of each bone, (B,), over poses (T, J, 3)."""
    parents, children = (list(column) for column in zip(*bones, strict=True))
    return np.asarray(np.median(np.linalg.norm(pose[:, children] - pose[:, parents], axis=-1), 0))
