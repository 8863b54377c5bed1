"""Following people through frames, with networks that know where everybody is."""

from importlib import import_module

import numpy as np
import pytest
import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.inputs.clip_boxes import FrameBoxes, _Box, read_clip_boxes
from unihpe.inputs.media import Shown
from unihpe.people.find import Found
from unihpe.people.follow import follow, follow_boxes
from unihpe.people.track import box_round

COCO = get_skeleton("coco17")
BODY = np.random.default_rng(1).uniform([-20, -60], [20, 60], (17, 2))
RATE, SIZE = 24, (640, 360)


class World:
    """People by their place in each frame, None where they are not to be seen; a frame's number is
    written in its first pixel."""

    def __init__(self, *ways):
        self.ways, self.searched, self.looked = ways, [], 0

    def frames(self, numbers=None, rate=RATE):
        for n in range(len(self.ways[0])) if numbers is None else numbers:
            picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            picture[0, 0] = n % 256
            for person, way in reversed([*enumerate(self.ways)]):  # the first is in front
                if way[n] is not None:
                    x, y = (int(value) for value in way[n])
                    picture[max(y - 60, 1) : y + 60, max(x - 25, 0) : x + 25] = (
                        40 + 60 * person % 200
                    )
            yield Shown(n, n / rate, picture)

    def joints(self, picture):
        """Everybody's joints in a frame; who stands behind another is not seen."""
        n = int(picture[0, 0, 0])
        there = [np.array(way[n]) for way in self.ways if way[n] is not None]
        shown = [p for k, p in enumerate(there) if all(abs(p - q).max() > 25 for q in there[:k])]
        return [BODY + place for place in shown]

    def find(self, picture, device):
        self.searched.append(int(picture[0, 0, 0]))
        points = np.array(self.joints(picture)).reshape(-1, 17, 2)
        boxes = np.array([box_round(own, np.ones(17)) for own in points]).reshape(-1, 4)
        return Found(boxes, np.ones(len(points)), points, np.full(points.shape[:2], 0.8))

    def look(self, pictures, boxes, device):
        """Of each box, the joints of who is nearest to its middle, if they are in it."""
        self.looked += len(boxes)
        points, scores = np.zeros((len(boxes), 17, 2)), np.zeros((len(boxes), 17))
        for n, (picture, box) in enumerate(zip(pictures, boxes, strict=True)):
            middle = (box[:2] + box[2:]) / 2
            near = min(
                self.joints(picture),
                key=lambda own: np.linalg.norm(own.mean(0) - middle),
                default=None,
            )
            if near is not None:
                points[n] = near
                scores[n] = 0.8 * ((near >= box[:2]) & (near <= box[2:])).all(1)
        return points, scores


@pytest.fixture
def seen(monkeypatch):
    """Numbers and places of everybody, frame by frame."""

    def run(world, frames=None, **options):
        module = import_module("unihpe.people.follow")
        monkeypatch.setattr(module, "keypoints_in_each", world.look)
        people = list(follow(world.frames() if frames is None else frames, finder=world.find))
        return [
            (one.shown.index, dict(zip(one.number, one.keypoints.mean(1)[:, 0], strict=True)))
            for one in people
        ]

    return run


def still(x, count=48, y=180):
    return [(x, y)] * count


def test_every_frame_comes_once_and_in_order_with_everybody(seen):
    world = World(still(100), [(200 + 5 * n, 180) for n in range(48)])
    frames = seen(world)
    assert [index for index, _ in frames] == list(range(48))
    first = BODY[:, 0].mean()
    for n, people in frames:
        assert people.keys() == {1, 2}
        assert sorted(people.values()) == pytest.approx([100 + first, 200 + 5 * n + first])


def test_the_finder_looks_twice_a_second_and_thunder_in_between(seen):
    world = World(still(100), still(400))
    seen(world)
    assert world.searched == [0, 12, 24, 36, 47][: len(world.searched)]
    assert len(world.searched) in (4, 5) and world.looked == 2 * 47


def test_people_who_cross_keep_their_numbers(seen):
    right, left = [(60 + 8 * n, 180) for n in range(60)], [(540 - 8 * n, 184) for n in range(60)]
    frames = seen(World(right, left))
    middle = BODY[:, 0].mean()
    start = frames[0][1]
    before = {number: round(x - middle) for number, x in start.items()}
    for n, people in frames:
        for number, x in people.items():
            way = right if before[number] == 60 else left
            assert x - middle == pytest.approx(way[n][0]), f"frame {n}"
    assert {number for _, people in frames for number in people} == {1, 2}
    assert sum(len(people) for _, people in frames) > 2 * 60 - 14


def test_frames_without_people_and_people_who_come_late(seen):
    late = [None] * 17 + still(300, 31)
    gone = still(100, 10) + [None] * 20 + still(100, 18)
    frames = dict(seen(World(late, gone)))
    assert frames.keys() == set(range(48))
    assert list(frames[5]) == [1] and frames[14] == {}
    assert set(frames[47]) == {1, 2}, "who comes back is known"
    assert 2 in frames[24] and 2 in frames[20], "who is found is looked for before, too"


def test_nobody_at_all(seen):
    world = World([None] * 30)
    frames = seen(world)
    assert len(frames) == 30 and not any(people for _, people in frames)
    assert len(world.searched) < 10, "not in every frame"
    assert seen(world, frames=iter([])) == []


def test_slow_clips_are_searched_frame_by_frame(seen):
    world = World([(100 + 40 * n, 180) for n in range(8)])
    frames = seen(world, world.frames(rate=1))
    assert world.searched == list(range(8))
    assert [set(people) for _, people in frames] == [{1}] * 8


def test_large_frames_do_not_wait(seen, monkeypatch):
    """A key frame comes sooner where frames would fill the memory."""
    module = import_module("unihpe.people.follow")
    monkeypatch.setattr(module, "MEMORY", 2.5 * SIZE[0] * SIZE[1] * 3)
    world = World(still(100))
    drawn = []

    def frames():
        for shown in world.frames():
            drawn.append(shown.index)
            yield shown

    monkeypatch.setattr(module, "keypoints_in_each", world.look)
    for people in follow(frames(), finder=world.find):
        assert len(drawn) - people.shown.index <= 3


def test_two_hundred_people(seen):
    ways = [still(20 + 30 * (n % 20), 4, 70 + 22 * (n // 20)) for n in range(200)]
    apart = [BODY * 0.35 + [x[0][0], x[0][1]] for x in ways]
    world = World(*ways)
    world.joints = lambda picture: apart
    frames = seen(world)
    assert len(frames) == 4 and all(len(people) > 150 for _, people in frames)


def test_who_leaves_the_picture_is_not_looked_for_outside(seen):
    world = World([(600 + 30 * n, 180) if n < 3 else None for n in range(40)])
    frames = seen(world)
    assert set(frames[0][1]) == {1} and frames[-1][1] == {}


def test_given_boxes_name_people_or_tell_them_apart(monkeypatch, tmp_path):
    world = World(still(100, 4), [(300 + 9 * n, 180) for n in range(4)])
    monkeypatch.setattr(import_module("unihpe.people.follow"), "keypoints_in_each", world.look)
    rows = [(n, 7, 60, 100, 80, 160) for n in range(4)]
    rows += [(n, -1, 260 + 9 * n, 100, 80, 160) for n in range(4)]
    path = tmp_path / "boxes.txt"
    path.write_text("\n".join(",".join(map(str, (n + 1, *row))) for n, *row in rows))
    people = list(follow_boxes(world.frames(), read_clip_boxes(path, SIZE), torch.device("cpu")))
    assert [one.number for one in people] == [(7, 8)] * 4
    np.testing.assert_allclose(people[2].boxes, [[60, 100, 140, 260], [278, 100, 358, 260]])
    assert len(next(follow_boxes(world.frames([0]), FrameBoxes({})))) == 0


def test_who_comes_long_after_in_boxes_without_numbers_is_somebody_new(monkeypatch):
    world = World([*still(100, 3), *[None] * 96, *still(500, 3)])
    monkeypatch.setattr(import_module("unihpe.people.follow"), "keypoints_in_each", world.look)
    lefts = {0: 60, 1: 60, 2: 60, 99: 460, 100: 460, 101: 460}
    boxes = {n: [_Box(n, None, (x, 100, x + 80, 260))] for n, x in lefts.items()}
    people = [one.number for one in follow_boxes(world.frames(), FrameBoxes(boxes))]
    assert people == [(1,)] * 3 + [()] * 96 + [(2,)] * 3
