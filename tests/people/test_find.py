"""People found in pictures: where they are, of any size and shape of picture, each of them once."""

from importlib import import_module, resources
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from unihpe.datasets.packed import PackedPeople
from unihpe.errors import InputError
from unihpe.people import find as find_people
from unihpe.people import keypoints_in
from unihpe.people.find import (
    SIDES,
    _at_all_sizes,
    _one_of_each,
    _overlap,
    _People,
    _shared,
    _square,
    _windows,
)

WIDTH, HEIGHT = 192, 256


@pytest.fixture(scope="module")
def people():
    """The package's rendered people: pictures (256, 192, 3), and the extent of their joints."""
    pack = PackedPeople(Path(str(resources.files("unihpe").joinpath("checkpoints", "people.pack"))))
    return [pack[n] for n in range(len(pack))]


def extent(person):
    """The box of a person's joints in their crop."""
    scale = HEIGHT / person.box[3]
    points = (person.keypoints - person.box[:2]) * scale + [WIDTH / 2, HEIGHT / 2]
    return np.concatenate([points.min(0), points.max(0)])


def scene(people, places, width, height, scale=1.0):
    """A grey picture of people at (left, top), and the boxes of their joints."""
    picture, boxes = np.full((height, width, 3), 120, np.uint8), []
    size = round(WIDTH * scale), round(HEIGHT * scale)
    for person, (left, top) in zip(people, places, strict=False):
        small = cv2.resize(person.picture, size, interpolation=cv2.INTER_AREA)
        picture[top : top + size[1], left : left + size[0]] = small
        boxes.append(extent(person) * scale + [left, top, left, top])
    return picture, np.array(boxes)


def shared(found, boxes):
    """Of each box the best overlap with one that was found."""
    low = np.maximum(found[:, None, :2], boxes[:, :2])
    high = np.minimum(found[:, None, 2:], boxes[:, 2:])
    both = (high - low).clip(0).prod(-1)
    areas = [(x[:, 2:] - x[:, :2]).prod(-1) for x in (found, boxes)]
    return (both / (areas[0][:, None] + areas[1] - both)).max(0, initial=0)


def whole(people):
    return [person for person in people if (person.visibility == 2).sum() > 12]


def test_each_person_once(people):
    """Eight in a grid, as in a crowd: everybody, and hardly anybody else."""
    places = [(left, top) for top in (0, 256) for left in range(0, 768, 192)]
    picture, boxes = scene(whole(people), places, 768, 512)
    found = find_people(picture)
    assert (shared(found.boxes, boxes) > 0.5).mean() > 0.8
    assert len(found) <= len(boxes) + 2
    assert (found.boxes >= 0).all() and (found.boxes <= [768, 512, 768, 512]).all()
    assert (np.diff(found.scores) <= 0).all() and found.scores.max() < 1
    points, scores = keypoints_in(picture, found.boxes)
    np.testing.assert_allclose(found.keypoints, points, atol=0.5)
    np.testing.assert_allclose(found.confidence, scores, atol=0.01)


def test_small_people_are_found_and_those_of_twenty_pixels_left(people):
    """Of 100 pixels, and of 20, of whom no pose could be told."""
    for scale, number in ((0.5, 1), (0.1, 0)):
        picture, boxes = scene(whole(people), [(300, 200)], 640, 480, scale)
        found = find_people(picture)
        assert len(found) == number and (shared(found.boxes, boxes) > 0.5).all() == bool(number)


def test_in_a_long_picture_people_are_seen_in_windows(people):
    picture, boxes = scene(whole(people), [(200, 20), (2100, 20)], 2400, 300)
    found = find_people(picture)
    assert (shared(found.boxes, boxes) > 0.5).all() and len(found) <= 3


def test_grey_pictures_and_files(people, tmp_path):
    picture, boxes = scene(whole(people), [(100, 50)], 400, 400)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    found = find_people(tmp_path / "grey.png")
    assert shared(found.boxes, boxes)[0] > 0.5
    with pytest.raises(InputError, match="none.png"):
        find_people(tmp_path / "none.png")


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (700, 3), (40, 50)])
def test_small_and_thin_pictures_show_nobody(size):
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    found = find_people(picture)
    assert len(found) == 0 and found.boxes.shape == (0, 4)


def test_windows_cover_a_long_picture():
    assert list(_windows(400, 300)) == [(0, 0, 400, 300)]
    across = list(_windows(1000, 200))
    assert across[0] == (0, 0, 300, 200) and across[-1] == (700, 0, 1000, 200)
    for (_, _, end, _), (start, *_) in pairwise(across):
        assert start < end - 90  # so that nobody is cut in all of them
    assert [(y, x, d, r) for x, y, r, d in _windows(200, 1000)] == across
    assert len(list(_windows(100_000, 1))) < 20


def test_large_people_are_not_looked_for_among_small_ones(monkeypatch):
    """The last size costs most; it is skipped where all that is seen is large."""
    asked = []

    def multipose(part, corner, side, device):
        asked.append(side)
        return _People(np.array([[0.0, 0.0, 20.0, 300.0]]), np.ones(1), None, None)

    monkeypatch.setattr(import_module("unihpe.people.find"), "_multipose", multipose)
    for width, sides in ((640, SIDES[:2]), (1000, SIDES), (120, SIDES[:1])):  # 120 at 512 is blur
        asked.clear()
        list(_at_all_sizes(np.zeros((90, width, 3), np.uint8), (0, 0, width, 90), None))
        assert tuple(asked) == sides


def test_overlaps_by_hand():
    boxes = np.array([[0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 6.0, 4.0], [1.0, 1.0, 3.0, 3.0]])
    union, smaller = _overlap(boxes)
    np.testing.assert_allclose(union[0], [1, 8 / 24, 4 / 16])
    np.testing.assert_allclose(smaller[0], [1, 0.5, 1.0])


def test_joints_in_common_by_hand():
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 20.0, 20.0]])  # near is 1.5 pixels
    points = np.zeros((2, 17, 2))
    points[1, :4, 0] = [0.0, 1.4, 1.6, 9.0]
    seen = np.zeros((2, 17), bool)
    seen[0, :8] = seen[1, :4] = True
    assert _shared(boxes, points, seen)[0, 1] == 0.5  # two of the four seen in both
    seen[1, 2:] = False
    assert _shared(boxes, points, seen)[0, 1] == 0  # too few to tell


def test_the_surest_of_each_stays():
    alike = np.eye(4, dtype=bool)
    alike[0, 1] = alike[1, 0] = alike[1, 2] = alike[2, 1] = True
    assert _one_of_each(alike, np.array([0.3, 0.5, 0.4, 0.9])).tolist() == [3, 1]
    assert _one_of_each(alike, np.array([0.5, 0.4, 0.3, 0.9])).tolist() == [3, 0, 2]


def test_a_square_keeps_places():
    """A mark in the picture lies where the square's corner and scale say; outside is black."""
    picture = np.full((300, 400, 3), 50, np.uint8)
    picture[20:30, 380:390] = 255
    square, corner, scale = _square(picture, np.array([340.0, 10.0, 399.0, 110.0]))
    rows, columns = (square[..., 0] > 200).nonzero()
    place = (np.array([columns.mean(), rows.mean()]) + 0.5) * scale + corner
    np.testing.assert_allclose(place, [385, 25], atol=1.0)
    assert square.shape == (256, 256, 3) and (square[:, -40:] == 0).all()
