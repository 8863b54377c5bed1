"""Labels for people in pictures, from a network that can be wrong: where two looks agree."""

import numpy as np
from numpy.typing import NDArray

from unihpe.body.skeleton import get_skeleton
from unihpe.inputs.checks import PictureLike, checked_picture
from unihpe.people.find import ROOM, SQUARE, Floats, keypoints_in

SURE = 0.2  # least score of a joint
AGREEING = 12 / SQUARE * ROOM  # of a box's longer side: how far apart the looks may be


def agreed_keypoints(
    picture: PictureLike, boxes: Floats, device: str = "cpu"
) -> tuple[Floats, Floats]:
    """COCO's 17 joints of the person in each box on which MoveNet Thunder agrees with itself when
    it sees the picture in a mirror: the mean of both.

    Args:
        picture: as `keypoints_in`.
        boxes: (N, 4), left, top, right, bottom, pixels.

    Returns:
        (N, 17, 2), pixels of the picture, and scores (N, 17), 0 to 1; a joint on which it does not
        agree, or that it hardly sees, is NaN with score 0.
    """
    pixels = checked_picture(picture)
    width, mirror = pixels.shape[1], list(get_skeleton("coco17").mirror)
    points, scores = keypoints_in(pixels, boxes, device)
    flipped = np.column_stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]])
    others, other_scores = keypoints_in(np.ascontiguousarray(pixels[:, ::-1]), flipped, device)
    others = others[:, mirror] * [-1, 1] + [width, 0]
    score = (scores + other_scores[:, mirror]) / 2
    reach = AGREEING * (boxes[:, 2:] - boxes[:, :2]).max(1)
    kept = _near(points, others, reach) & (np.minimum(scores, other_scores[:, mirror]) > SURE)
    mean = (points + others) / 2
    return np.where(kept[..., None], mean, np.nan), np.where(kept, score, 0.0)


def _near(points: Floats, others: Floats, reach: Floats) -> NDArray[np.bool_]:
    apart: Floats = np.linalg.norm(points - others, axis=-1)
    return apart <= reach[:, None]
