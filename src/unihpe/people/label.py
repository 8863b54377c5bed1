"""Labels for people in pictures, from a network that can be wrong: where most looks agree."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from unihpe.body.skeleton import get_skeleton
from unihpe.inputs.checks import PictureLike, checked_picture
from unihpe.io.picture import Picture
from unihpe.people.find import ROOM, SQUARE, Floats, keypoints_in_each

ROOMS = (ROOM, 1.35)  # of the squares that are seen, each as it is and in a mirror
MOST = 3  # of the four looks, which must agree
SURE = 0.3  # least score of a joint in a look
AGREEING = 12 / SQUARE * ROOM  # of a box's longer side: how far apart the looks may be


def agreed_keypoints(
    picture: PictureLike, boxes: Floats, device: str = "cpu"
) -> tuple[Floats, Floats]:
    """COCO's 17 joints of the person in each box on which MoveNet Thunder agrees with itself when
    it looks four times: at squares of two sizes, and at both in a mirror.

    Args:
        picture: as `keypoints_in`.
        boxes: (N, 4), left, top, right, bottom, pixels.

    Returns:
        (N, 17, 2), pixels of the picture, and scores (N, 17), 0 to 1: means of the looks that
        agree, three at least; a joint without them is NaN with score 0.
    """
    pixels = checked_picture(picture)
    return agreed_keypoints_in_each([pixels] * len(boxes), boxes, torch.device(device))


def agreed_keypoints_in_each(
    pictures: Sequence[Picture], boxes: Floats, device: torch.device
) -> tuple[Floats, Floats]:
    """`agreed_keypoints` for boxes (N, 4) of N pictures, as checked already; they may be one
    again."""
    width = np.array([picture.shape[1] for picture in pictures]).reshape(-1, 1)
    flipped = np.column_stack(
        [width - boxes[:, 2:3], boxes[:, 1], width - boxes[:, :1], boxes[:, 3]]
    )
    mirrored = [picture[:, ::-1] for picture in pictures]
    mirror, looks = list(get_skeleton("coco17").mirror), list[tuple[Floats, Floats]]()
    for room in ROOMS:
        looks.append(keypoints_in_each(pictures, boxes, device, room))
        points, scores = keypoints_in_each(mirrored, flipped, device, room)
        points[..., 0] = width - points[..., 0]
        looks.append((points[:, mirror], scores[:, mirror]))
    points, scores = (np.stack(part) for part in zip(*looks, strict=True))
    return _most(points, scores, AGREEING * (boxes[:, 2:] - boxes[:, :2]).max(1))


def _most(points: Floats, scores: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """The means of those looks (L, N, J, 2), scores (L, N, J), that lie within reach (N,) of the
    one that has most others near; NaN and 0 where they are too few."""
    agree = _near(points, reach) & (scores > SURE) & (scores > SURE)[:, None]  # (L, L, N, J)
    middle = agree.sum(1).argmax(0)  # (N, J)
    chosen = np.take_along_axis(agree, middle[None, None], axis=0)[0]  # (L, N, J)
    count = np.where((number := chosen.sum(0)) < MOST, np.nan, number)
    mean = (points * chosen[..., None]).sum(0) / count[..., None]
    return mean, np.nan_to_num((scores * chosen).sum(0) / count)


def _near(points: Floats, reach: Floats) -> NDArray[np.bool_]:
    """Whether each two looks are within reach, (L, L, N, J)."""
    apart: Floats = np.linalg.norm(points[:, None] - points, axis=-1)
    return apart <= reach[:, None]
