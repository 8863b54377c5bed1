"""A model that knows keypoints alone lifts what MoveNet Thunder sees in a picture."""

import json
from importlib import import_module

import numpy as np
import pytest
import torch
from figure import figure
from PIL import Image
from torch.testing import assert_close

import unihpe
from unihpe.errors import InputError
from unihpe.people import Found

BOXES = [[0, 0, 100, 200], [150, 20, 300, 280], [200, 0, 400, 300]]
WORDS = "2D by MoveNet Thunder"


@pytest.fixture
def lifter(trained):
    return unihpe.load(trained)


@pytest.fixture
def photo():
    return np.zeros((300, 400, 3), np.uint8)


@pytest.fixture
def thunder(monkeypatch):
    """A stand-in for the network: somebody in each box, of the third the head alone."""

    def keypoints_in(picture, boxes, device):
        whole = boxes is None or isinstance(boxes, str)
        corners = np.array([[0, 0, 400, 300]] if whole else boxes, float)
        body = np.array(figure("coco17"), float)
        share = (body - body.min(0)) / (body.max(0) - body.min(0))
        points = corners[:, None, :2] + share * (corners[:, 2:] - corners[:, :2])[:, None]
        scores = np.full(points.shape[:2], 0.6)
        scores[2:, 3:] = 0.19
        scores[:, 9] = 0.1
        return points, scores

    monkeypatch.setattr(import_module("unihpe.people.keypoints"), "keypoints_in", keypoints_in)
    return keypoints_in


def lifted(lifter, thunder, count):
    """What `lift` says of the same joints, those below the least score missing."""
    points, scores = thunder(None, BOXES[:count], None)
    return lifter.lift(points, (400, 300), confidence=np.where(scores < 0.2, 0, scores), flip=True)


def test_people_in_boxes_are_lifted(lifter, thunder, photo):
    result, expected = lifter.predict(photo, BOXES[:2], flip=True), lifted(lifter, thunder, 2)
    assert_close(result.pose, expected.pose)
    assert_close(result.keypoints, expected.keypoints, equal_nan=True)
    assert torch.equal(result.confidence, expected.confidence)
    wrist = result.skeleton.index("left_wrist")
    assert (result.confidence[:, wrist] == 0).all() and (result.confidence > 0).sum() > 20
    assert result.estimate.endswith(f"mean with the mirrored one; {WORDS}")
    assert not result.paths and result.image == ("picture",) * 2
    assert WORDS not in expected.estimate


def test_who_has_too_few_joints_is_left_out(lifter, thunder, photo):
    result = lifter.predict(photo, BOXES, name="a.jpg", person=("x", "y", "z"))
    assert result.person == ("x", "y") and result.image == ("a.jpg", "a.jpg")
    with pytest.raises(InputError, match=r"nobody to lift: a\.jpg, person 0: 1 joints seen"):
        three = Found(*(np.array(x)[2:] for x in (BOXES, [1.0] * 3, *thunder(None, BOXES, None))))
        lifter.evidence(photo, three, name="a.jpg")


def test_those_who_are_found_are_looked_at_once(lifter, thunder, photo, monkeypatch):
    found = Found(np.array(BOXES[:2], float), np.ones(2), *thunder(None, BOXES[:2], None))
    predictor = import_module("unihpe.inference.predictor")
    monkeypatch.setattr(predictor, "find", lambda picture, device: found)
    monkeypatch.setattr(import_module("unihpe.people.keypoints"), "keypoints_in", None)
    result = lifter.predict(photo, flip=True)
    assert_close(result.pose, lifted(lifter, thunder, 2).pose)
    nobody = Found(*(part[:0] for part in vars(found).values()))
    monkeypatch.setattr(predictor, "find", lambda picture, device: nobody)
    with pytest.raises(InputError, match="nobody found in the picture"):
        lifter.predict(photo)


def test_given_keypoints_are_lifted_and_the_picture_gives_its_size(lifter, thunder, photo):
    points, _ = thunder(None, BOXES[:2], None)
    result = lifter.predict(photo, keypoints=points, name="a.jpg")
    expected = lifter.lift(points, (400, 300))
    assert_close(result.pose, expected.pose)
    assert torch.equal(result.focal, expected.focal) and result.image == ("a.jpg", "a.jpg")
    assert result.estimate == expected.estimate
    assert_close(lifter.predict(photo, BOXES[:2], points).pose, expected.pose)
    with pytest.raises(InputError, match="3 boxes and keypoints of 2 people"):
        lifter.predict(photo, BOXES, points)


def test_the_command_says_what_was_done(unihpe, trained, thunder, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "a.png")
    (tmp_path / "boxes.json").write_text(json.dumps({"a.png": BOXES}))
    options = ("--checkpoint", trained, "--samples", 0, "-o", tmp_path / "out")
    code, text, error = unihpe("predict", tmp_path / "a.png", "--boxes", "whole", *options)
    assert code == 0 and f"{WORDS}, lifted.\n" in text and not error
    named = ("--boxes", tmp_path / "boxes.json")
    code, text, error = unihpe("predict", tmp_path / "a.png", *named, *options)
    assert code == 1 and "2 people in 1 picture of a.png." in text
    assert error == "left out: a.png, person 2: 1 joints seen, at least 4 are needed\n"
    written = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert written["estimate"].endswith(WORDS) and len(written["people"]) == 2
    code, _, error = unihpe("predict", tmp_path / "a.png", *named, "--min-confidence", 0, *options)
    assert code == 0 and not error
    np.save(tmp_path / "points.npy", thunder(None, BOXES[:1], None)[0][0])
    known = ("--keypoints", tmp_path / "points.npy", "--skeleton", "coco17")
    code, text, _ = unihpe("predict", tmp_path / "a.png", *known, *options)
    assert code == 0 and "1 person in 1 picture" in text and WORDS not in text


def test_the_checkpoint_of_the_package_is_chosen_by_what_there_is(
    unihpe, trained, thunder, photo, tmp_path, monkeypatch
):
    chosen, small = [], import_module("unihpe").load(trained)
    monkeypatch.setattr("unihpe.load", lambda name, device: (chosen.append(name), small)[1])
    Image.fromarray(photo).save(tmp_path / "a.png")
    np.save(tmp_path / "points.npy", thunder(None, BOXES[:1], None)[0][0])
    picture, known = (tmp_path / "a.png",), ("--keypoints", tmp_path / "points.npy")
    options = ("--samples", 0, "-o", tmp_path / "out")
    size = ("--skeleton", "coco17", "--image-size", "400x300")
    for given, name in (
        ((*picture, "--boxes", "whole"), "shipped"),
        ((*known, *size), "shipped:lifting"),
        ((*picture, *known, "--skeleton", "coco17"), "shipped"),
        ((*picture, "--boxes", "whole", "--checkpoint", "shipped:lifting"), "shipped:lifting"),
    ):
        assert unihpe("predict", *given, *options)[0] == 0 and chosen.pop() == name
