"""The joints of people in boxes: where they are, and which are missing."""

from importlib import import_module, resources
from pathlib import Path

import numpy as np
import pytest
import torch

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.packed import PackedPeople
from unihpe.errors import InputError
from unihpe.model import turned
from unihpe.people import Found, agreed_keypoints, keypoints_in, people_in
from unihpe.people.find import LARGEST, _square
from unihpe.people.label import agreed_keypoints_in_each

COCO, HUMAN36M = get_skeleton("coco17"), get_skeleton("human36m17")
BOTH = [joint for joint in COCO.joints if joint in HUMAN36M.joints and joint != "nose"]


@pytest.fixture(scope="module")
def person():
    pack = PackedPeople(Path(str(resources.files("unihpe").joinpath("checkpoints", "people.pack"))))
    whole = (pack[n] for n in range(len(pack)))
    return next(one for one in whole if (one.visibility == 2).sum() > 14)


def test_joints_lie_where_the_person_is(person):
    """Alone in a picture, and in a box of a larger one; a box may reach beyond its picture."""
    truth = (person.keypoints - person.box[:2]) * 256 / person.box[3] + [96, 128]
    truth = truth[[HUMAN36M.index(joint) for joint in BOTH]]
    columns = [COCO.index(joint) for joint in BOTH]
    scene = np.full((400, 500, 3), 120, np.uint8)
    scene[50:306, 200:392] = person.picture
    for picture, boxes, corner in (
        (person.picture, "whole", (0, 0)),
        (person.picture, None, (0, 0)),
        (person.picture, [0, 0, 192, 256], (0, 0)),
        (scene, [[210, 60, 382, 296]], (200, 50)),
    ):
        points, scores = keypoints_in(picture, boxes)
        assert points.shape == (1, 17, 2) and scores.shape == (1, 17)
        apart = np.linalg.norm(points[0, columns] - corner - truth, axis=-1)
        assert np.median(apart) < 10 and scores[0, columns].mean() > 0.4
    inside, _ = keypoints_in(person.picture, [0, 0, 192, 256])
    beyond, _ = keypoints_in(person.picture, [-900, -900, 1900, 1900])
    np.testing.assert_allclose(beyond, inside)
    points, scores = keypoints_in(person.picture, [0, 0, 192, 128])
    outside = points[0, :, 1] > 128
    assert (scores[0, outside] == 0).all() and (scores[0, ~outside] > 0).all()


def test_boxes_that_are_none(person):
    for boxes, message in (([[5, 5, 5, 9]], "right > left"), ([], "must be"), ("all", "array")):
        with pytest.raises(InputError, match=message):
            keypoints_in(person.picture, boxes)


def test_long_pictures_are_shrunk():
    """Their square would have 1.6 gigapixels."""
    picture = np.zeros((30, 40_000, 3), np.uint8)
    picture[:, 30_000:30_400] = 255
    square, corner, scale = _square(picture, np.array([0.0, 0.0, 40_000.0, 30.0]), 1.0)
    assert square.shape == (256, 256, 3) and scale * 256 == pytest.approx(40_000, rel=0.01)
    _, columns = (square[..., 0] > 20).nonzero()
    assert (columns.mean() + 0.5) * scale + corner[0] == pytest.approx(30_200, abs=2 * scale)
    assert LARGEST < 40_000


def test_joints_below_the_least_score_are_missing(monkeypatch):
    points = np.arange(68.0).reshape(2, 17, 2)
    scores = np.linspace(0, 1, 34).reshape(2, 17)
    monkeypatch.setattr(
        import_module("unihpe.people.keypoints"), "keypoints_in", lambda *given: (points, scores)
    )
    picture = np.zeros((80, 60, 3), np.uint8)
    people = people_in(picture, "whole", "a.jpg")
    assert people.image == ("a.jpg", "a.jpg") and people.person == ("0", "1")
    missing = scores < 0.2
    assert (people.keypoints.isnan().all(-1).numpy() == missing).all()
    assert (people.confidence.numpy() == np.where(missing, 0, scores.astype(np.float32))).all()
    assert people.image_size.tolist() == [[60, 80]] * 2 and people.skeleton == COCO
    found = Found(np.zeros((2, 4)), np.ones(2), points[::-1].copy(), scores)
    assert people_in(picture, found, min_confidence=0.5).keypoints[1, 0, 0] == 0
    assert people_in(picture, found, min_confidence=0.5).source == "2D by MoveNet Thunder"
    with pytest.raises(InputError, match="1 names of people for 2"):
        people_in(picture, found, person=["x"])


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_people_on_their_heads_are_seen_as_those_who_stand(turn, monkeypatch):
    """In a second look, at the picture turned until they stand."""
    pack = PackedPeople(Path(str(resources.files("unihpe").joinpath("checkpoints", "people.pack"))))
    people = [pack[n].picture for n in range(len(pack))]

    def apart() -> float:
        errors = []
        for upright in people:
            fallen = np.ascontiguousarray(np.rot90(upright, turn))
            seen = keypoints_in(fallen, "whole")[0] - np.array(fallen.shape[1::-1]) / 2
            for _ in range(turn):
                seen = np.stack([-seen[..., 1], seen[..., 0]], axis=-1)
            errors.append(np.linalg.norm(seen - (standing[len(errors)] - [96, 128]), axis=-1))
        return float(np.mean(np.array(errors) > 12))

    standing = [keypoints_in(upright, "whole")[0][0] for upright in people]
    looked_twice = apart()
    monkeypatch.setattr(turned, "TURNS", ())
    assert looked_twice < 0.5 * apart()


def test_looks_that_agree_are_labels(person):
    """They lie where the joints are, and are the same alone and among others."""
    scene = np.full((400, 500, 3), 120, np.uint8)
    scene[50:306, 200:392] = person.picture
    boxes = np.array([[210.0, 60.0, 382.0, 296.0], [0.0, 0.0, 192.0, 256.0]])
    points, scores = agreed_keypoints(scene, boxes[:1])
    truth = (person.keypoints - person.box[:2]) * 256 / person.box[3] + [296, 178]
    kept = scores[0] > 0
    columns = [n for n, joint in enumerate(COCO.joints) if joint in BOTH and kept[n]]
    assert len(columns) > 8 and np.isfinite(points[0]).all(-1).tolist() == kept.tolist()
    rows = [HUMAN36M.index(COCO.joints[n]) for n in columns]
    assert np.median(np.linalg.norm(points[0, columns] - truth[rows], axis=-1)) < 8
    both, sure = agreed_keypoints_in_each([scene, person.picture], boxes, torch.device("cpu"))
    np.testing.assert_allclose(both[0], points[0], atol=1e-3)
    np.testing.assert_allclose(sure[0], scores[0], atol=1e-5)
    assert (sure[1] > 0).sum() > 8
