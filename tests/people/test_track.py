"""People keep their numbers: geometry alone, without networks."""

import numpy as np
import pytest

from unihpe.body.skeleton import get_skeleton
from unihpe.people.track import (
    FORGOTTEN,
    HIDDEN,
    PLACES,
    Crowd,
    Sight,
    _same_person,
    box_round,
    colours_of,
    told_apart,
)

COCO = get_skeleton("coco17")
BODY = np.random.default_rng(0).uniform([-40, -100], [40, 100], (17, 2))


def sight(x, time=0.0, colour=None, scores=None, scale=1.0):
    """Somebody at x, dressed in one colour."""
    points = BODY * scale + [x, 200.0]
    seen = np.full(17, 0.8) if scores is None else scores
    colours = np.full((len(PLACES), 3), np.nan if colour is None else colour, float)
    return Sight(time, box_round(points, seen), points, seen, colours)


def walk(crowd, where, step=0.1, hidden=()):
    """Move people, by name, along functions of time; who has which number, frame by frame."""
    numbers = []
    for n in range(len(next(iter(where.values())))):
        time = n * step
        sought = {track.number: track.expected(time) for track in crowd.sought(time)}
        there = {who: sight(xs[n], time, colour=c) for who, (xs, c) in _split(where).items()}
        there = {who: own for who, own in there.items() if (who, n) not in hidden}
        seen = {}
        for number, box in sought.items():  # who lies nearest to where somebody is looked for
            middle = (box[0] + box[2]) / 2
            near = min(there.values(), key=lambda own: abs(own.middle[0] - middle), default=None)
            if near is not None and abs(near.middle[0] - middle) < 60:
                seen[number] = near
        seen = crowd.see(time, seen)
        seen |= crowd.meet(list(there.values()), seen)
        names = {id(own): who for who, own in there.items()}
        numbers.append({names[id(own)]: number for number, own in seen.items()})
    return numbers


def _split(where):
    return {who: xs if isinstance(xs, tuple) else (xs, None) for who, xs in where.items()}


def test_who_stands_and_walks_keeps_a_number():
    numbers = walk(Crowd(), {"a": np.full(30, 100.0), "b": np.linspace(300, 900, 30)})
    assert numbers == [{"a": 1, "b": 2}] * 30


def test_who_cross_keep_their_numbers():
    """The one behind is hidden while both are at one place."""
    where = {"a": np.linspace(0, 600, 40), "b": np.linspace(600, 0, 40)}
    behind = {("b", n) for n in range(17, 23)}
    numbers = walk(Crowd(), where, hidden=behind)
    assert all(own["a"] == 1 for own in numbers)
    assert {own["b"] for own in numbers if "b" in own} == {2}
    assert len([own for own in numbers if "b" in own]) == 40 - len(behind)


def test_clothes_tell_apart_who_meet_and_turn_back():
    """Their ways alone would lead them through each other."""
    there = np.concatenate([np.linspace(0, 290, 20), np.linspace(290, 0, 20)])
    where = {"a": (there, 30), "b": (600 - there, 200)}
    behind = {("b", n) for n in range(16, 25)}
    numbers = walk(Crowd(), where, hidden=behind)
    last = numbers[-1]
    assert last == numbers[0] == {"a": 1, "b": 2}


def test_somebody_back_after_a_while_is_known_and_after_long_is_new():
    for away, expected in ((int(FORGOTTEN * 10) - 5, 1), (int(FORGOTTEN * 10) + 15, 2)):
        gone = {("a", n) for n in range(5, 5 + away)}
        numbers = walk(Crowd(), {"a": np.full(60, 100.0)}, hidden=gone)
        assert numbers[0] == {"a": 1} and numbers[-1] == {"a": expected}
        assert all("a" not in own for own in numbers[6 : 4 + away])


def test_a_stranger_far_away_gets_a_number_of_their_own():
    numbers = walk(Crowd(), {"a": np.r_[np.full(10, 100.0), np.full(10, 900.0)]})
    assert numbers[9] == {"a": 1} and numbers[10] == {"a": 2}


def test_one_person_seen_twice_is_one():
    assert _same_person(sight(0), sight(3)) and not _same_person(sight(0), sight(80))
    few = np.where(np.arange(17) < 3, 0.8, 0.0)
    few_seen = Sight(0.0, sight(0).box, sight(0).points, few, sight(0).colours)
    assert not _same_person(sight(0), few_seen)
    crowd = Crowd()
    crowd.meet([sight(0, colour=10), sight(300, colour=200)], {})
    both = {1: sight(290, 0.1, colour=200), 2: sight(292, 0.1, colour=200)}
    assert list(told_apart(crowd.tracks, both)) == [2]
    assert list(crowd.see(0.1, both)) == [2]
    assert crowd.tracks[1].hidden and not crowd.tracks[2].hidden


def test_a_finder_that_sees_somebody_better_does_not_make_them_two():
    """Whatever the joints are: Thunder may have guessed them in a box that was not good."""
    crowd = Crowd()
    crowd.meet([sight(0, 0.0)], {})
    poor = Sight(
        0.2, sight(4).box, BODY[::-1] + np.array([4, 200.0]), np.full(17, 0.3), sight(4).colours
    )
    seen = crowd.see(0.2, {1: poor})
    better = sight(2, 0.2)
    assert crowd.meet([better], seen) == {1: better} and crowd.tracks[1].last is better
    worse = sight(2, 0.2, scores=np.full(17, 0.25))
    assert crowd.meet([worse], {1: better}) == {} and list(crowd.tracks) == [1]
    aside = sight(50, 0.2)
    assert crowd.meet([aside], {1: better}) == {2: aside}


def test_the_hidden_slow_down_and_are_given_up():
    crowd = Crowd()
    crowd.meet([sight(0, 0.0)], {})
    crowd.see(0.1, {1: sight(20, 0.1)})  # 200 pixels a second
    track = crowd.tracks[1]
    moved = [track.expected(0.1 + t)[0] - track.last.box[0] for t in (0.0, 0.1, 0.5, 1.0, 10.0)]
    assert moved[0] == 0 and 18 < moved[1] < 20 and moved == sorted(moved)
    assert moved[2] == pytest.approx(200 * 0.5 / np.log(2) / 2)  # the integral of 0.5 ** (t / .5)
    assert moved[4] < 200 * 0.5 / np.log(2) + 1
    assert crowd.sought(0.1 + HIDDEN - 0.01) and not crowd.sought(0.1 + HIDDEN + 0.01)


def test_boxes_hold_the_joints_and_room():
    box = box_round(BODY, np.ones(17))
    assert (box[:2] < BODY.min(0)).all() and (box[2:] > BODY.max(0)).all()
    assert box_round(BODY, np.where(np.arange(17) < 4, 1.0, 0.0)) is None


def test_colours_are_those_of_the_clothes():
    picture = np.zeros((300, 200, 3), np.uint8)
    picture[:, :100], picture[:, 100:] = (200, 10, 10), (10, 10, 200)
    points = np.zeros((17, 2))
    for joint in ("shoulder", "hip", "knee", "ankle"):
        for side, x in (("left", 150), ("right", 50)):
            points[COCO.index(f"{side}_{joint}")] = x, 100
    scores = np.ones(17)
    colours = colours_of(picture, points, scores)
    for (_, begin, end), colour in zip(PLACES, colours, strict=True):
        if begin[:4] == end[:4]:
            assert (colour == ((10, 10, 200) if begin[:4] == "left" else (200, 10, 10))).all()
    assert np.isnan(colours_of(picture, points - 1000, scores)).all()
    scores[COCO.index("left_hip")] = 0
    assert np.isnan(colours_of(picture, points, scores)).any(1).sum() == 2
