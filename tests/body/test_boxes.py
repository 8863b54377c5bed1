"""Boxes: values by hand, round trips, and the crop against the affine it stands for."""

import cv2
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from unihpe.body import boxes
from unihpe.body.boxes import (
    box_from_corners,
    box_from_keypoints,
    box_token,
    crop,
    crop_matrix,
    from_box,
    to_box,
)
from unihpe.errors import InputError


def test_box_of_keypoints_by_hand():
    points = torch.tensor([[[100.0, 200.0], [140.0, 400.0], [9e9, 9e9]]])
    seen = torch.tensor([[True, True, False]])
    # centre (120, 300); 40 × 200 grows to 150 × 200 for 3:4, then by 1.25
    assert_close(box_from_keypoints(points, seen), torch.tensor([[120.0, 300.0, 187.5, 250.0]]))


def test_box_of_corners_keeps_its_shape_without_aspect():
    box = box_from_corners(torch.tensor([10.0, 20.0, 110.0, 60.0]), padding=1.0, aspect=None)
    assert_close(box, torch.tensor([60.0, 40.0, 100.0, 40.0]))


def test_box_units_are_isotropic_and_invert():
    box = torch.tensor([[300.0, 200.0, 120.0, 160.0]])
    corner = torch.tensor([[[360.0, 280.0]]])
    assert_close(to_box(corner, box), torch.tensor([[[0.75, 1.0]]]))
    assert_close(from_box(to_box(corner, box), box), corner)


def test_box_token_is_cliffs():
    token = box_token(
        torch.tensor([[600.0, 300.0, 150.0, 200.0]]),
        torch.tensor([[1000.0, 800.0]]),
        torch.tensor([1000.0]),
    )
    assert_close(token, torch.tensor([[0.1, -0.1, 0.2]]))


def test_bad_boxes_are_refused():
    with pytest.raises(InputError, match="right > left"):
        box_from_corners(torch.tensor([10.0, 0.0, 5.0, 9.0]))
    with pytest.raises(InputError, match="one spot"):
        box_from_keypoints(torch.ones(1, 3, 2), torch.ones(1, 3, dtype=torch.bool))
    with pytest.raises(InputError, match="without a single seen joint"):
        box_from_keypoints(torch.ones(1, 3, 2), torch.zeros(1, 3, dtype=torch.bool))


def test_crop_follows_corner_origin_pixels():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, 30:] = 255  # an edge at x = 30, the outer corner of pixel 30
    box = np.array([30.0, 20.0, 30.0, 40.0])
    cut = crop(picture, box, 60, 80)  # twice as large
    assert cut.shape == (80, 60, 3)
    edge = crop_matrix(box, 60, 80) @ np.array([30.0, 20.0, 1.0])
    assert edge.tolist() == [30.0, 40.0]
    # symmetric about the edge: pixel 29 (centre 29.5) is as dark as pixel 30 (centre 30.5) is
    # bright
    assert int(cut[40, 29, 0]) + int(cut[40, 30, 0]) == 255
    assert cut[40, 28, 0] == 0 and cut[40, 31, 0] == 255


@pytest.fixture
def sixteen_bits(monkeypatch):
    """OpenCV 4's warp, whichever is installed: it refuses sides that do not fit into 16 bits."""
    original = cv2.warpAffine

    def warp(picture, *arguments, **options):
        assert max(picture.shape[:2]) < 2**15 - 1, (
            "OpenCV 4: src.cols < SHRT_MAX && src.rows < SHRT_MAX"
        )
        return original(picture, *arguments, **options)

    monkeypatch.setattr(cv2, "warpAffine", warp)


@pytest.mark.parametrize(
    "box",
    [
        (39_990.0, 30.0, 60.0, 80.0),  # over the far edge
        (3.0, 2.0, 60.0, 80.0),  # over the near one
        (36_000.3, 20.7, 33.3, 44.4),
        (20_000.0, 30.0, 3000.0, 4000.0),
        (-500.0, 30.0, 60.0, 80.0),  # beside it
        (50_000.0, 900.0, 60.0, 80.0),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_long_picture_is_cropped_as_its_part_would_be(sixteen_bits, box, turned):
    picture = np.random.default_rng(0).integers(0, 256, (64, 40_000, 3), dtype=np.uint8)
    start = int(np.clip(box[0] - 3000, 0, 40_000 - 6000))  # a part that holds all that is seen
    part = picture[:, start : start + 6000]
    there, here = np.array(box), np.array([box[0] - start, *box[1:]])
    if turned:
        there, here = there[[1, 0, 3, 2]], here[[1, 0, 3, 2]]
        picture, part = (np.ascontiguousarray(p.transpose(1, 0, 2)) for p in (picture, part))
    difference = crop(picture, there, 192, 256).astype(int) - crop(part, here, 192, 256)
    assert np.abs(difference).max() <= 1


def test_the_whole_of_a_long_picture_is_seen(sixteen_bits):
    """A box that is too long itself: every n-th pixel of it."""
    picture = np.zeros((1000, 100_000, 3), np.uint8)
    picture[:, 25_000:50_000, 0] = 200
    picture[500:, :, 1] = 90
    seen = crop(picture, np.array([50_000.0, 500.0, 100_000.0, 1000.0]), 192, 256)
    assert (
        seen[128, 50:94, 0].min() == 200 and seen[128, :46, 0].max() == seen[128, 98:, 0].max() == 0
    )
    assert (
        seen[128, 20, 1] >= 80 and seen[126, 20, 1] == 0 and seen[120].max() == seen[136].max() == 0
    )


def test_ordinary_pictures_are_warped_whole(monkeypatch):
    """Not a bit of what was trained and scored on changes."""
    monkeypatch.setattr(boxes, "_shortened", None)
    crop(np.zeros((8, boxes.LONGEST, 3), np.uint8), np.array([9.0, 4.0, 6.0, 8.0]), 192, 256)
