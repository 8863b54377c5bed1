"""People along the frames of a clip, as motion files hold them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor

from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError
from unihpe.export.results import Results

MOST_FRAMES = 1_000_000  # 9 hours of 30 a second
RATE = 30.0  # frames a second, of a single frame


@dataclass(frozen=True)
class Motion:
    """One person in each of T frames; the frames are those of the whole clip, evenly numbered."""

    person: str
    skeleton: Skeleton  # names the J joints
    frame: Tensor  # (T,), int64
    time: Tensor  # (T,), seconds, float64
    places: Tensor  # (T, J, 3), mm, y up, float64; NaN where the person is away
    keypoints: Tensor  # (T, J, 2), pixels; NaN where missing
    confidence: Tensor  # (T, J); 0 where missing
    size: tuple[float, float]  # of the picture, pixels

    @cached_property
    def there(self) -> Tensor:
        """In which frames the person is, (T,), bool."""
        return self.places.isfinite().all(-1).any(-1)

    @property
    def rate(self) -> float:
        """Frames a second, the mean."""
        length = float(self.time[-1] - self.time[0])
        return (len(self.time) - 1) / length if length > 0 else RATE

    def evenly(self) -> Self:
        """With even times: as it is if no frame is off by half a frame, else the nearest ones."""
        even = torch.linspace(
            float(self.time[0]), float(self.time[-1]), len(self.time), dtype=torch.float64
        )
        if bool(((even - self.time).abs() < 0.5 / self.rate).all()):
            return self
        after = torch.searchsorted(self.time, even).clamp(1, len(even) - 1)
        nearer = even - self.time[after - 1] < self.time[after] - even
        near = torch.where(nearer, after - 1, after)
        return replace(
            self,
            time=even,
            places=self.places[near],
            keypoints=self.keypoints[near],
            confidence=self.confidence[near],
        )

    def held(self) -> Tensor:
        """Places without gaps, (T, J, 3): the last ones before each gap, the first at the start."""
        steps = torch.arange(len(self.time))
        last = torch.where(self.there, steps, -1).cummax(0).values
        first = int(self.there.int().argmax())
        return self.places[torch.where(last < 0, first, last)]


def motions(results: Results) -> dict[str, list[Motion]]:
    """Everybody of each clip or picture, by its name; a picture is a clip of one frame."""
    found = dict[str, list[Motion]]()
    image = np.array(results.image)
    for name in dict.fromkeys(results.image):
        own = results.rows(np.flatnonzero(image == name).tolist())
        frame = torch.zeros(len(own), dtype=torch.int64) if own.frame is None else own.frame
        time = torch.zeros(len(own), dtype=torch.float64) if own.time is None else own.time
        numbers, times = _timeline(frame, time)
        rows = torch.searchsorted(numbers, frame)
        who = np.array(own.person)
        found[name] = [
            _motion(
                own, person, torch.from_numpy(np.flatnonzero(who == person)), rows, numbers, times
            )
            for person in dict.fromkeys(own.person)
        ]
    return found


def _motion(
    own: Results, person: str, mine: Tensor, rows: Tensor, numbers: Tensor, times: Tensor
) -> Motion:
    count, joints = len(numbers), len(own.skeleton)

    def spread_out(values: Tensor, nothing: float) -> Tensor:
        made = values.new_full((count, *values.shape[1:]), nothing)
        made[rows[mine]] = values[mine]
        return made

    width, height = own.image_size[0].tolist()
    places = own.pose.double() + own.translation.double()[:, None]
    assert places.shape[1:] == (joints, 3)
    return Motion(
        person,
        own.skeleton,
        numbers,
        times,
        spread_out(places, torch.nan),
        spread_out(own.keypoints, torch.nan),
        spread_out(own.confidence, 0.0),
        (width, height),
    )


def _timeline(frame: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of a clip's frames, also of those where nobody is, and their times (T,).

    InputError for numbers so far apart that they are no clip's.
    """
    numbers = frame.unique()
    if int(numbers[-1] - numbers[0]) >= MOST_FRAMES:
        far = f"frames {int(numbers[0])} to {int(numbers[-1])}"
        raise InputError(f"{far} are no one clip: motion files hold {MOST_FRAMES:,} at most")
    step = int(np.gcd.reduce(numbers.diff().numpy())) if len(numbers) > 1 else 1
    every = torch.arange(int(numbers[0]), int(numbers[-1]) + 1, step)
    known = {number: at for number, at in zip(frame.tolist(), time.tolist(), strict=True)}
    at = [known[number] for number in numbers.tolist()]
    times = np.interp(every.numpy(), numbers.numpy(), np.array(at))
    return every, torch.from_numpy(times)
