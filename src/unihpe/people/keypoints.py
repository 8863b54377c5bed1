"""People in a picture as 2D keypoints that a model can lift."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from unihpe.inputs.checks import Numbers, PictureLike, checked_picture
from unihpe.inputs.detections import MIN_CONFIDENCE
from unihpe.inputs.keypoints import Keypoints, checked_keypoints
from unihpe.people.find import Found, keypoints_in

THUNDER = "2D by MoveNet Thunder"


def people_in(
    picture: PictureLike,
    boxes: Numbers | Found | None = None,
    name: str = "picture",
    person: Sequence[str] | None = None,
    min_confidence: float = MIN_CONFIDENCE,
    device: str | torch.device = "cpu",
) -> Keypoints:
    """The person in each box, with the joints that MoveNet Thunder sees.

    Args:
        picture, boxes, device: as `keypoints_in`; or the people whom `find` found.
        name, person: of the picture and its people; 0, 1, … without them.
        min_confidence: joints below are missing.

    InputError as `keypoints_in`, or for names that are not as many as people.
    """
    pixels = checked_picture(picture)
    if isinstance(boxes, Found):
        points, scores = boxes.keypoints, boxes.confidence
    else:
        points, scores = keypoints_in(pixels, boxes, device)
    seen = np.where(scores < min_confidence, 0.0, scores)
    people = checked_keypoints(points, pixels.shape[1::-1], "coco17", seen)
    return replace(people.of_picture(name, person), source=THUNDER)
