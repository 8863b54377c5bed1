"""Boxes: values by hand, round trips, and the crop against the affine it stands for."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from unihpe.boxes import box_from_corners, box_from_keypoints, box_token, crop, crop_matrix, from_box, to_box
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
        torch.tensor([[600.0, 300.0, 150.0, 200.0]]), torch.tensor([[1000.0, 800.0]]), torch.tensor([1000.0])
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
    # symmetric about the edge: pixel 29 (centre 29.5) is as dark as pixel 30 (centre 30.5) is bright
    assert int(cut[40, 29, 0]) + int(cut[40, 30, 0]) == 255
    assert cut[40, 28, 0] == 0 and cut[40, 31, 0] == 255
