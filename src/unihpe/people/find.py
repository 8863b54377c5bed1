"""People's boxes in a picture, found by MoveNet multipose and confirmed by MoveNet Thunder.

Multipose names people's middles and sizes. It is shown the picture at several sizes, since it knows
people who fill a tenth or more of what it sees. Thunder then looks at each box alone. What one of
the two does not see is nobody, and of boxes in which both see the same joints the surest stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unihpe.body.skeleton import get_skeleton
from unihpe.inputs.boxes import checked_corners, means_whole
from unihpe.inputs.checks import Numbers, PictureLike, checked_picture
from unihpe.io.picture import Picture
from unihpe.model.backbones import AT_ONCE, PoseNetwork, everybody, open_pose_network, single_pose
from unihpe.model.backbones.movenet import JOINTS
from unihpe.model.turned import limbs_of, look_again, turned, turned_back

SIDES = (256, 512, 1024)  # longest side of what multipose sees, pixels
ENLARGED = 2  # at most, or it sees no more than blur
MULTIPLE = 32  # of the sides of what it sees
LARGE = 1 / 3  # of the picture's longer side: where all are larger, the last of `SIDES` shows none
LONG = 2.0  # aspect from which on a picture is seen in windows
WINDOW, SHORTEST = 1.5, 1 / 8  # their length: in shorter sides, of the longer side at least
STEP = 2 / 3  # from one to the next, in lengths
SMALLEST = 32.0  # pixels, root of the area: of a smaller person no pose can be told
LIKELY = 0.2  # multipose's least score
ROOM, SQUARE = 1.15, 256  # of what Thunder sees: side over the box's longer side, and in pixels
LARGEST = 4096  # pixels of the picture across a square, or the picture is shrunk
SURE = 0.22  # least score of a person, see `find`
OVERLAP = 0.5  # intersection over union of boxes that are one person's
REPEATED = 0.8  # and of those that Thunder need not tell apart
INSIDE = 0.6  # intersection over the smaller box, of boxes that are one's if the joints agree:
NEAR = 0.15  # of the smaller box's size: joints so near are the same,
JOINT, FEWEST = 0.2, 3  # of those that Thunder sees in both, with this score or more; so many,
SHARED = 0.6, 0.4  # a larger share by Thunder's joints, and by multipose's
LIMBS = limbs_of(get_skeleton("coco17"))
HALF = 0.5  # of the other's score: so little has half a person, whatever multipose's joints are

Floats = NDArray[np.float64]
Window = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class Found:
    """N people, the surest first."""

    boxes: Floats  # (N, 4), left, top, right, bottom, pixels of the picture, inside it
    scores: Floats  # (N,), 0 to 1: how sure
    keypoints: Floats  # (N, 17, 2), COCO's joints, pixels of the picture, as `keypoints_in`
    confidence: Floats  # (N, 17), scores of them, 0 to 1

    def __len__(self) -> int:
        return len(self.boxes)


@torch.inference_mode()
def find(picture: PictureLike, device: str | torch.device = "cpu") -> Found:
    """The people in a picture: RGB (H, W, 3) uint8, or a picture file; nobody is N = 0.

    A score is the root of multipose's times how sure both are of the joints, on average; joints
    that Thunder sees outside the box are another's.

    InputError for a picture that cannot be read, or where the networks' files are missing.
    """
    pixels, device = checked_picture(picture), torch.device(device)
    people = _proposed(pixels, device)
    points, joints = _joints_in([pixels] * len(people.boxes), people.boxes, ROOM, device)
    scores = np.sqrt(people.scores * np.sqrt(people.joints * joints).mean(1))
    sure = scores > SURE
    people, scores, points, joints = people[sure], scores[sure], points[sure], joints[sure]
    union, smaller = _overlap(people.boxes)
    seen, weaker = joints > JOINT, scores[:, None] < HALF * scores
    same = _shared(people.boxes, people.points, np.ones_like(seen)) > SHARED[1]
    same = (same | weaker) & (_shared(people.boxes, points, seen) > SHARED[0])
    chosen = _one_of_each((union > OVERLAP) | (same & (smaller > INSIDE)), scores)
    parts = people.boxes, scores, points, joints
    return Found(*(part[chosen] for part in parts))


@torch.inference_mode()
def keypoints_in(
    picture: PictureLike, boxes: Numbers | None = None, device: str | torch.device = "cpu"
) -> tuple[Floats, Floats]:
    """COCO's 17 joints of the person in each box, by MoveNet Thunder.

    Args:
        picture: as `find`.
        boxes: (N, 4), left, top, right, bottom, pixels; without them, or "whole": one person, who
            fills the picture.

    Returns:
        (N, 17, 2), pixels of the picture, and scores (N, 17), 0 to 1. Joints out of sight are
        guessed, with low scores; joints outside the box are another's, with score 0.

    InputError for a picture that cannot be read, boxes that are none, or a missing network's file.
    """
    pixels, device = checked_picture(picture), torch.device(device)
    corners = checked_corners(boxes, pixels).double().numpy()
    inside = corners.reshape(-1, 2, 2).clip(0, pixels.shape[1::-1]).reshape(-1, 4)
    room = 1.0 if means_whole(boxes) else ROOM
    return _joints_in([pixels] * len(inside), inside, room, device)


@torch.inference_mode()
def keypoints_in_each(
    pictures: Sequence[Picture],
    boxes: Floats,
    device: torch.device,
    room: float = ROOM,
) -> tuple[Floats, Floats]:
    """`keypoints_in` for boxes (N, 4) of N pictures, as checked already; they may be one again.

    `room`: how large a square is seen, over the box's longer side.
    """
    sizes = np.array([picture.shape[1::-1] for picture in pictures]).reshape(-1, 1, 2)
    inside = boxes.reshape(-1, 2, 2).clip(0, sizes).reshape(-1, 4)
    return _joints_in(pictures, inside, room, device)


@dataclass(frozen=True)
class _People:
    """What multipose sees: N people, pixels of the picture."""

    boxes: Floats  # (N, 4), corners
    scores: Floats  # (N,)
    points: Floats  # (N, 17, 2)
    joints: Floats  # (N, 17), scores of them

    def __getitem__(self, rows: NDArray[Any]) -> "_People":
        parts = self.boxes, self.scores, self.points, self.joints
        return _People(*(part[rows] for part in parts))


def _proposed(pixels: Picture, device: torch.device) -> _People:
    """Everybody whom multipose sees in any window at any size, large enough, once."""
    windows = _windows(pixels.shape[1], pixels.shape[0])
    parts = [part for window in windows for part in _at_all_sizes(pixels, window, device)]
    columns = zip(*((p.boxes, p.scores, p.points, p.joints) for p in parts), strict=True)
    people = _People(*(np.concatenate(column) for column in columns))
    size = (people.boxes[:, 2:] - people.boxes[:, :2]).prod(1)
    people = people[size >= SMALLEST**2]
    return people[_one_of_each(_overlap(people.boxes)[0] > REPEATED, people.scores)]


def _windows(width: int, height: int) -> Iterator[Window]:
    """The parts in which a picture is seen: the whole, unless it is long."""
    short, long = sorted((width, height))
    length = long if long <= LONG * short else round(max(WINDOW * short, SHORTEST * long))
    count = int(np.ceil((long - length) / (STEP * length))) + 1
    for start in np.linspace(0, long - length, count).astype(int).tolist():
        end = start + length
        yield (start, 0, end, height) if width > height else (0, start, width, end)


def _at_all_sizes(pixels: Picture, window: Window, device: torch.device) -> Iterator[_People]:
    """What multipose sees in a window of a picture at each size that is worth its cost."""
    left, top, right, bottom = window
    part, smallest = pixels[top:bottom, left:right], np.inf
    longest = max(part.shape[:2])
    for side in SIDES:
        blur = side > max(ENLARGED * longest, SIDES[0])
        if blur or (side == SIDES[-1] and LARGE * longest < smallest < np.inf):
            return
        people = _multipose(part, np.array([left, top]), side, device)
        sizes = (people.boxes[:, 2:] - people.boxes[:, :2]).max(1)
        smallest = sizes.min(initial=smallest)
        yield people


def _multipose(part: Picture, corner: NDArray[Any], side: int, device: torch.device) -> _People:
    """What multipose sees in a part of a picture, which begins at `corner` (x, y), drawn with this
    longest side."""
    whole = np.array(part.shape[1::-1])
    size = np.maximum(whole * side // whole.max(), 1)
    way = cv2.INTER_AREA if side < whole.max() else cv2.INTER_LINEAR
    small = cv2.resize(part, size.tolist(), interpolation=way)
    right, below = -size % MULTIPLE
    padded = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT)
    (seen,) = everybody(_network("multipose", device)(_tensor([padded], device)), LIKELY)
    corners, scores, points, joints = (x.cpu().double().numpy() for x in seen)
    inside = (corners.reshape(-1, 2, 2) * (whole / size)).clip(0, whole) + corner
    return _People(inside.reshape(-1, 4), scores, points * (whole / size) + corner, joints)


def _joints_in(
    pictures: Sequence[Picture], boxes: Floats, room: float, device: torch.device
) -> tuple[Floats, Floats]:
    """The joints that Thunder sees in a box of each picture: (N, 17, 2), pixels of the picture, and
    scores, which are 0 outside; a square that it sees has `room` times the box's longer side."""
    points, sure = [np.zeros((0, JOINTS, 2))], [np.zeros((0, JOINTS))]
    for first in range(0, len(boxes), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        views = zip(pictures[some], boxes[some], strict=True)
        squares = [_square(pixels, box, room) for pixels, box in views]
        seen = _surest(_tensor([square for square, *_ in squares], device))
        scores, own = (x.cpu().double().numpy() for x in seen)
        corners = np.array([corner for _, corner, _ in squares])[:, None]
        scales = np.array([scale for *_, scale in squares])[:, None, None]
        points.append(own * scales + corners)
        sure.append(scores)
    every, scores = np.concatenate(points), np.concatenate(sure)
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    return every, np.where(((every >= low) & (every <= high)).all(-1), scores, 0.0)


def _surest(squares: Tensor) -> tuple[Tensor, ...]:
    """Scores (B, 17) and places (B, 17, 2), pixels, of the joints that Thunder sees in squares, the
    right way up or turned."""
    middle, network = SQUARE / 2, _network("thunder", squares.device)

    def look(rows: Tensor, turn: int) -> tuple[Tensor, ...]:
        points, scores = single_pose(network(turned(squares[rows], turn)))
        return scores, turned_back(points - middle, turn) + middle

    return look_again(look, len(squares), LIMBS)


def _square(
    pixels: Picture, box: Floats, room: float = ROOM
) -> tuple[NDArray[Any], NDArray[np.intp], float]:
    """What Thunder sees of a box: a square, black outside the picture, its corner (x, y) in the
    picture, and how many pixels of that one of its own is."""
    side = int(np.ceil(room * (box[2:] - box[:2]).max()))
    if side > LARGEST:  # of a long picture, the square would not fit into memory
        fewer = -(-side // LARGEST)
        size = [-(-edge // fewer) for edge in pixels.shape[1::-1]]
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        square, corner, scale = _square(small.astype(np.uint8), box / fewer, room)
        return square, corner * fewer, scale * fewer
    corner = np.round((box[:2] + box[2:] - side) / 2).astype(int)
    low, high = corner.clip(0), (corner + side).clip(0, pixels.shape[1::-1])
    part = pixels[low[1] : high[1], low[0] : high[0]]
    before, after = low - corner, corner + side - high
    edges = before[1], after[1], before[0], after[0]
    padded = cv2.copyMakeBorder(part, *edges, cv2.BORDER_CONSTANT)
    way = cv2.INTER_AREA if side > SQUARE else cv2.INTER_LINEAR
    square = cv2.resize(padded, (SQUARE, SQUARE), interpolation=way)
    return square, corner, side / SQUARE


def _overlap(boxes: Floats) -> tuple[Floats, Floats]:
    """The intersection of each two boxes, over their union and over the smaller one, (N, N)."""
    low = np.maximum(boxes[:, None, :2], boxes[:, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    both = (high - low).clip(0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    return both / (area[:, None] + area - both), both / np.minimum(area[:, None], area)


def _shared(boxes: Floats, points: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Of the joints (N, 17, 2) that are seen in both of two boxes, the share at the same place,
    (N, N); 0 where there are too few to tell."""
    size = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(-1))
    apart = np.linalg.norm(points[:, None] - points, axis=-1)  # (N, N, 17)
    near = apart < NEAR * np.minimum(size[:, None], size)[..., None]
    both = seen[:, None] & seen
    count = both.sum(-1)
    return np.where(count >= FEWEST, (near & both).sum(-1) / np.maximum(count, 1), 0.0)


def _one_of_each(alike: NDArray[np.bool_], scores: Floats) -> NDArray[np.intp]:
    """The rows, surest first, of those who are no surer one's again: `alike` (N, N) says of each
    row whether it is that column's person."""
    chosen: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        if not alike[row, chosen].any():
            chosen.append(row)
    return np.array(chosen, np.intp)


def _tensor(pictures: Sequence[NDArray[Any]], device: torch.device) -> Tensor:
    """Pictures of one size as networks want them: (B, 3, H, W), RGB from -1 to 1."""
    return torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2) / 127.5 - 1


@cache
def _network(variant: str, device: torch.device) -> PoseNetwork:
    """Opened when it is first needed."""
    return open_pose_network(variant).to(device)
