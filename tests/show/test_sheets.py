"""Sheets: each picture with everybody in it, their joints where they are."""

import numpy as np
import pytest

import unihpe
from unihpe.show import sheets


@pytest.mark.parametrize("people", [1, 2, 3])
@pytest.mark.parametrize("size", [(900, 600), (400, 800)])
def test_joints_are_drawn_on_the_photograph_where_they_are(monkeypatch, people, size):
    """Of one person and of several, whose panel is wider than it is high."""
    width, height = size
    rng = np.random.default_rng(people)
    keypoints = rng.uniform(0.2, 0.8, (people, 17, 2)) * size
    photo = np.zeros((height, width, 3), np.uint8)
    for x, y in keypoints.reshape(-1, 2).astype(int):
        photo[y - 7 : y + 8, x - 7 : x + 8] = 255
    results = unihpe.load("shipped:lifting").lift(keypoints, size, samples=0)
    asked = []

    def drawn(picture, points, confidence, skeleton, *rest):
        asked.append((picture, points, skeleton))
        return picture

    monkeypatch.setattr(sheets, "draw_2d", drawn)
    sheets._flat(results, range(people), photo)
    assert len(asked) == people
    for picture, points, skeleton in asked:
        for joint in ("left_wrist", "right_ankle", "left_shoulder"):  # not made of others
            x, y = points[skeleton.index(joint)].astype(int)
            assert picture[y, x].min() > 200
