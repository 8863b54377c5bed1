"""The people of a clip, followed from frame to frame.

The finder looks at a frame twice a second. In between, MoveNet Thunder alone looks at everybody
where they are expected: first in a key frame a quarter of a second later, then in the frames up to
it, all at once, in boxes between those at both ends.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from unihpe.inputs.clip_boxes import FrameBoxes
from unihpe.inputs.media import Shown
from unihpe.io.picture import Picture
from unihpe.people.find import SMALLEST, Found, find, keypoints_in_each
from unihpe.people.track import Crowd, Floats, Sight, Track, box_round, colours_of, told_apart

KEYS, FINDS = 0.25, 0.5  # seconds from one key frame to the next, and from one search
MEMORY = 2**29  # bytes of frames that wait for the next key frame
SURE = 0.25  # root mean square of the joints' scores of somebody who is seen
Finder = Callable[[Picture, torch.device], Found]


@dataclass(frozen=True)
class People:
    """The P people of one frame of a clip."""

    shown: Shown
    number: tuple[int, ...]  # who they are: the same for the same person all along
    boxes: Floats  # (P, 4), left, top, right, bottom, pixels
    keypoints: Floats  # (P, 17, 2), COCO's joints, pixels
    confidence: Floats  # (P, 17), scores of them, 0 to 1

    def __len__(self) -> int:
        return len(self.number)


def follow(
    frames: Iterable[Shown], device: str | torch.device = "cpu", finder: Finder = find
) -> Iterator[People]:
    """The people of each frame, in order; a few frames are read ahead."""
    follower, waiting, key = _Follower(torch.device(device), finder), list[Shown](), -np.inf
    for shown in frames:
        waiting.append(shown)
        full = len(waiting) * shown.picture.nbytes > MEMORY
        if shown.time - key > KEYS - 1e-3 or full:
            yield from follower.up_to(waiting)
            key, waiting = shown.time, []
    if waiting:
        yield from follower.up_to(waiting)


def follow_boxes(
    frames: Iterable[Shown], boxes: FrameBoxes, device: str | torch.device = "cpu"
) -> Iterator[People]:
    """The people in given boxes of each frame; where nobody says who is in which, they are told
    from one frame to the next."""
    crowd, chosen = Crowd(count=boxes.highest), torch.device(device)
    for shown in frames:
        crowd.forget(shown.time)
        own = [
            box for box in boxes.of(shown.index) if _is_inside(np.array(box.corners), shown.picture)
        ]
        corners = np.array([box.corners for box in own], np.float64).reshape(-1, 4)
        points, scores = keypoints_in_each([shown.picture] * len(own), corners, chosen)
        sights = [_sight(shown, *row) for row in zip(corners, points, scores, strict=True)]
        named = [box.number for box in own]
        seen = {n: sight for n, sight in zip(named, sights, strict=True) if n is not None}
        if unnamed := [one for n, one in zip(named, sights, strict=True) if n is None]:
            seen = crowd.meet(unnamed, {}) | seen
        yield _people(shown, seen)


@dataclass
class _Follower:
    device: torch.device
    finder: Finder
    crowd: Crowd = field(default_factory=Crowd)
    searched: float = -np.inf  # when the finder looked last, seconds

    def up_to(self, frames: list[Shown]) -> Iterator[People]:
        """The people of some frames, the last of which is a key frame."""
        before = dict(self.crowd.tracks)
        *between, key = frames
        seen = self._at_key(key)
        now = {n: own for n, own in self.crowd.tracks.items() if n in seen or n in before}
        sought: list[tuple[Shown, Track, Floats]] = []
        for shown in between:
            for number, track in now.items():
                start = before.get(number)
                box = _between(start, track if number in seen else None, shown.time)
                if box is not None:
                    sought.append((shown, start or track, box))
        sights = self._look(sought)
        for shown in between:
            own, boxes = dict[int, Sight](), dict[int, Floats]()
            for (place, track, box), sight in zip(sought, sights, strict=True):
                if place is shown and sight is not None:
                    own[track.number], boxes[track.number] = sight, box
            yield _people(shown, told_apart(now, own, boxes))
        yield _people(key, seen)

    def _at_key(self, key: Shown) -> dict[int, Sight]:
        """Everybody in a key frame."""
        sought = [(key, one, one.expected(key.time)) for one in self.crowd.sought(key.time)]
        looked = zip(sought, self._look(sought), strict=True)
        sights = {track.number: own for (_, track, _), own in looked if own is not None}
        seen = self.crowd.see(key.time, sights)
        if not seen or key.time - self.searched > FINDS - 1e-3:
            self.searched = key.time
            found = self.finder(key.picture, self.device)
            rows = zip(found.boxes, found.keypoints, found.confidence, strict=True)
            sights_found = [_sight(key, box, points, scores) for box, points, scores in rows]
            seen |= self.crowd.meet(sights_found, seen)
        return seen

    def _look(self, sought: list[tuple[Shown, Track, Floats]]) -> list[Sight | None]:
        """What Thunder sees of each track in a box (4,) of a frame: nothing, if it is not sure."""
        inside = [_is_inside(box, shown.picture) for shown, _, box in sought]
        views = [view for view, good in zip(sought, inside, strict=True) if good]
        boxes = np.array([box for *_, box in views]).reshape(-1, 4)
        pictures = [shown.picture for shown, *_ in views]
        points, scores = keypoints_in_each(pictures, boxes, self.device)
        rows = zip(views, points, scores, strict=True)
        seen = iter([_sight_if_sure(shown, *joints) for (shown, *_), *joints in rows])
        return [next(seen) if good else None for good in inside]


def _between(start: Track | None, end: Track | None, time: float) -> Floats | None:
    """A person's box (4,) at a time between two key frames: at one end, or both, they are seen."""
    if end is None:
        return None if start is None else start.expected(time)
    if start is None or start.hidden:
        return end.last.box
    share = (time - start.last.time) / max(end.last.time - start.last.time, 1e-9)
    return start.last.box * (1 - share) + end.last.box * share


def _is_inside(box: Floats, picture: Picture) -> bool:
    """Whether enough of a box lies in its picture to show a person."""
    width, height = picture.shape[1::-1]
    sides = box[2:].clip(0, (width, height)) - box[:2].clip(0, (width, height))
    return bool(sides.min() > 1 and sides.prod() >= SMALLEST**2)


def _sight_if_sure(shown: Shown, points: Floats, scores: Floats) -> Sight | None:
    box = box_round(points, scores)
    if box is None or np.sqrt((scores * scores).mean()) < SURE:
        return None
    return _sight(shown, box, points, scores)


def _sight(shown: Shown, box: Floats, points: Floats, scores: Floats) -> Sight:
    return Sight(shown.time, box, points, scores, colours_of(shown.picture, points, scores))


def _people(shown: Shown, seen: Mapping[int, Sight]) -> People:
    """Those who are seen, in the order of their numbers."""
    rows = [seen[number] for number in sorted(seen)]

    def stacked(parts: list[NDArray[np.float64]], *shape: int) -> Floats:
        return np.array(parts, np.float64).reshape(-1, *shape)

    return People(
        shown,
        tuple(sorted(seen)),
        stacked([own.box for own in rows], 4),
        stacked([own.points for own in rows], 17, 2),
        stacked([own.scores for own in rows], 17),
    )
