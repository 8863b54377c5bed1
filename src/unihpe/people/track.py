"""Who is who from one frame to the next: people keep their numbers while they move, meet and hide.

Pure geometry and colours; which pixels are looked at is `follow`'s concern. A person is expected
where their speed takes them. Two who are seen at the same place are one, seen twice: the place is
the one's whose way and colours lead there, and the other is hidden.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from unihpe.body.skeleton import get_skeleton
from unihpe.io.picture import Picture

Floats = NDArray[np.float64]

SEEN = 0.2  # score of a joint from which on it counts
ROOM = 0.12  # round the joints, on each side: share of the longer one (scalp, soles, hands)
FEWEST = 5  # joints that tell a box
HIDDEN = 1.0  # seconds for which somebody hidden is looked for where their way leads
FORGOTTEN = 3.0  # and for which they keep their number, if they come back near there
SLOWING = 0.5  # seconds in which a hidden person's speed halves
SAME = 0.1  # of a box's size: joints so near are the same
SHARE = 0.6  # of the joints seen in both, at the same place: one person seen twice
OVERLAP = 0.5  # intersection over union of boxes that are one person's, as a finder has it
CLOSE = 0.5  # of a box's size: middles of the same person lie nearer
NEAR = 0.6  # of a box's size, more with time: who comes back lies so near to where they could be
GROWTH = 0.8  # by which that grows in a second
COLOURS = 40.0  # grey levels: other clothes differ by so much
MEMORY = 0.9  # of colours, from one sight to the next
PATCH = 2  # pixels round a place whose colour is taken
# Places on clothes: how far from one joint to another.
PLACES = (
    (0.3, "left_shoulder", "left_hip"), (0.3, "right_shoulder", "right_hip"),
    (0.5, "left_shoulder", "right_hip"), (0.5, "left_hip", "left_knee"),
    (0.5, "right_hip", "right_knee"), (0.5, "left_knee", "left_ankle"),
    (0.5, "right_knee", "right_ankle"),
)  # fmt: skip


COCO = get_skeleton("coco17")
BEGIN = [COCO.index(joint) for _, joint, _ in PLACES]
END = [COCO.index(joint) for *_, joint in PLACES]
ALONG = np.array([share for share, *_ in PLACES])[:, None]


@dataclass(frozen=True)
class Sight:
    """A person in one frame."""

    time: float  # seconds
    box: Floats  # (4,), left, top, right, bottom, pixels
    points: Floats  # (17, 2), COCO's joints, pixels
    scores: Floats  # (17,), 0 to 1
    colours: Floats  # (P, 3) of `PLACES`, NaN where a place is not seen

    @property
    def middle(self) -> Floats:
        return np.asarray((self.box[:2] + self.box[2:]) / 2)

    @property
    def size(self) -> float:
        """The box's longer side."""
        return float((self.box[2:] - self.box[:2]).max())

    @property
    def sure(self) -> float:
        """Root mean square of the joints' scores."""
        return float(np.sqrt((self.scores * self.scores).mean()))


def box_round(points: Floats, scores: Floats) -> Floats | None:
    """The box (4,) of a person whose joints are seen; None where too few are."""
    seen = points[scores > SEEN]
    if len(seen) < FEWEST:
        return None
    low, high = seen.min(0), seen.max(0)
    room = ROOM * (high - low).max()
    return np.concatenate([low - room, high + room])


def colours_of(picture: Picture, points: Floats, scores: Floats) -> Floats:
    """The colours of a person's clothes, (P, 3), 0 to 255; NaN where they are not seen."""
    places = points[BEGIN] + ALONG * (points[END] - points[BEGIN])
    seen = np.minimum(scores[BEGIN], scores[END]) > SEEN
    colours = np.full((len(PLACES), 3), np.nan)
    height, width = picture.shape[:2]
    for n, (x, y) in enumerate(places.astype(int).tolist()):
        if seen[n] and 0 <= x < width and 0 <= y < height:
            part = picture[max(y - PATCH, 0) : y + PATCH + 1, max(x - PATCH, 0) : x + PATCH + 1]
            colours[n] = part.mean((0, 1))
    return colours


@dataclass(frozen=True)
class Track:
    """A person, as known so far."""

    number: int
    last: Sight  # when they were seen
    speed: Floats  # (2,), pixels a second
    colours: Floats  # (P, 3), remembered
    hidden: bool = False  # not seen where they were looked for last

    def expected(self, time: float) -> Floats:
        """Their box (4,) at a time, where their speed takes it, which fades."""
        away = time - self.last.time
        far = SLOWING / np.log(2) * (1 - 0.5 ** (away / SLOWING))  # it halves every SLOWING seconds
        return np.asarray(self.last.box + np.tile(self.speed * far, 2))

    def seen(self, sight: Sight) -> "Track":
        """With one more sight."""
        apart, speed = sight.time - self.last.time, self.speed
        if apart > 0:
            speed = (sight.middle - self.last.middle) / apart
        known = np.where(np.isnan(self.colours), sight.colours, self.colours)
        mixed = MEMORY * known + (1 - MEMORY) * sight.colours
        colours = np.where(np.isnan(sight.colours), known, mixed)
        return replace(self, last=sight, speed=speed, colours=colours, hidden=False)

    def unlike(self, sight: Sight, box: Floats | None = None) -> float:
        """How little a sight agrees with them, by place and by clothes; 0 is best.

        `box` (4,) is where they are expected, if that is known better than by their speed.
        """
        apart = np.abs(self.colours - sight.colours)
        clothes = float(np.nanmean(apart)) / COLOURS if not np.isnan(apart).all() else 0.0
        return _away(sight, self.expected(sight.time) if box is None else box) + clothes


def _away(sight: Sight, box: Floats) -> float:
    """How far a sight is from a box, in sizes."""
    return float(np.linalg.norm(sight.middle - (box[:2] + box[2:]) / 2) / sight.size)


def _apart(some: Sequence[Sight], others: Sequence[Sight]) -> Floats:
    """How far each of A sights is from each of B, middle to middle, in sizes of the A: (A, B)."""
    a, b = (np.array([one.middle for one in part]).reshape(-1, 1, 2) for part in (some, others))
    sizes = np.array([one.size for one in some])
    return np.asarray(np.linalg.norm(a - b[:, 0], axis=-1) / sizes[:, None])


def _overlap(some: Sequence[Sight], others: Sequence[Sight]) -> Floats:
    """The intersection of each of A boxes with each of B, over their union, (A, B)."""
    a, b = (np.array([one.box for one in part]).reshape(-1, 4) for part in (some, others))
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    both = (high - low).clip(0).prod(-1)
    areas = [(box[:, 2:] - box[:, :2]).prod(-1) for box in (a, b)]
    return np.asarray(both / (areas[0][:, None] + areas[1] - both))


def _same_person(one: Sight, other: Sight) -> bool:
    """Whether two sights in one frame are of one person: most joints lie at the same places."""
    seen = (one.scores > SEEN) & (other.scores > SEEN)
    if seen.sum() < FEWEST:
        return False
    apart = np.linalg.norm(one.points - other.points, axis=1)[seen]
    return bool((apart < SAME * min(one.size, other.size)).mean() > SHARE)


def told_apart(
    tracks: Mapping[int, Track],
    sights: Mapping[int, Sight],
    boxes: Mapping[int, Floats] | None = None,
) -> dict[int, Sight]:
    """The sights of one frame, by the track for which they were looked for, without those of
    somebody else: of two of one person, the one whose track agrees less is left out.

    `boxes` (4,) are those in which they were looked for, by track.
    """
    kept, boxes, numbers = dict(sights), boxes or {}, list(sights)
    near = _apart([*sights.values()], [*sights.values()]) < CLOSE
    for a, b in np.argwhere(np.triu(near, 1)).tolist():
        pair = numbers[a], numbers[b]
        if all(n in kept for n in pair) and _same_person(kept[pair[0]], kept[pair[1]]):
            del kept[max(pair, key=lambda n: tracks[n].unlike(kept[n], boxes.get(n)))]
    return kept


@dataclass
class Crowd:
    """Everybody in a clip, up to the newest frame."""

    tracks: dict[int, Track] = field(default_factory=dict)  # by number, from 1
    count: int = 0  # of those who have had a number

    def sought(self, time: float) -> list[Track]:
        """Who is looked for at a time, where they are expected."""
        return [one for one in self.tracks.values() if time - one.last.time <= HIDDEN]

    def see(self, time: float, sights: Mapping[int, Sight]) -> dict[int, Sight]:
        """Take note of who was seen, by number, of those who were sought; those who were."""
        kept = told_apart(self.tracks, sights)
        for track in self.sought(time):
            own = kept.get(track.number)
            new = replace(track, hidden=True) if own is None else track.seen(own)
            self.tracks[track.number] = new
        self.forget(time)
        return kept

    def forget(self, time: float) -> None:
        """Drop those who were seen last so long ago that they would be somebody new."""
        over = [n for n, one in self.tracks.items() if time - one.last.time > FORGOTTEN]
        for number in over:
            del self.tracks[number]

    def meet(self, found: Sequence[Sight], present: Mapping[int, Sight]) -> dict[int, Sight]:
        """Numbers for those whom a finder found: of somebody who is `present`, if it sees them
        better, of somebody who was hidden and may have come back, or new ones."""
        known, strangers = dict[int, Sight](), list[Sight]()
        numbers, others = list(present), list(present.values())
        for one, row in zip(found, _overlap(found, others), strict=True):
            best = int(row.argmax()) if len(row) else 0
            if len(row) and (row[best] > OVERLAP or _same_person(one, others[best])):
                if one.sure > others[best].sure:  # the finder sees them better
                    known[numbers[best]] = one
                    self.tracks[numbers[best]] = self.tracks[numbers[best]].seen(one)
            else:
                strangers.append(one)
        taken: set[int] = set()
        for track, n in self._likely([n for n in self.tracks if n not in present], strangers):
            if n not in taken and track.number not in known:
                known[track.number] = strangers[n]
                taken.add(n)
                self.tracks[track.number] = track.seen(strangers[n])
        for n, own in enumerate(strangers):
            if n not in taken:
                self.count += 1
                self.tracks[self.count] = Track(self.count, own, np.zeros(2), own.colours)
                known[self.count] = own
        return known

    def _likely(self, lost: Sequence[int], found: Sequence[Sight]) -> list[tuple[Track, int]]:
        """Who of some hidden ones may be which of those found, the best pairs first."""
        if not (lost and found):
            return []
        time, tracks = found[0].time, [self.tracks[number] for number in lost]
        boxes = np.array([track.expected(time) for track in tracks])
        away = np.array([time - track.last.time for track in tracks])
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        places = np.array([one.middle for one in found])
        apart = np.linalg.norm(middles[:, None] - places, axis=-1)
        reach = (NEAR + GROWTH * away)[:, None] * [one.size for one in found]
        pairs = [(tracks[a], b) for a, b in np.argwhere(apart < reach).tolist()]
        return sorted(pairs, key=lambda pair: pair[0].unlike(found[pair[1]]))
