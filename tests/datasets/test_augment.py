"""Augmentation: picture, 2D, 3D and box stay in agreement."""

import numpy as np
import pytest
import torch

from unihpe.body.boxes import crop, crop_matrix
from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.augment import (
    Augmentation,
    Crop,
    _augment,
    _blackened,
    _cut_off,
    _half_body_box,
)

SKELETON = get_skeleton("human36m17")
SHAPE_ONLY = Augmentation(
    half_body=0.0, cut_off=0.0, colour=0.0, grey=0.0, blurred=0.0, compressed=0.0, cut_out=0.0
)
SIZE = 1000.0
DOTTED = ("left_wrist", "right_wrist", "head", "left_ankle", "right_ankle")


def person(seed=0):
    """A crop with a coloured disc at five joints, and its camera."""
    rng = np.random.default_rng(seed)
    pose = rng.uniform(-500, 500, (17, 3)) + np.array([150, -100, 4000])
    camera = Camera.simple(torch.tensor([SIZE, SIZE]), torch.tensor(1100.0))
    keypoints = camera.project(torch.from_numpy(pose).float()).double().numpy()
    picture = np.zeros((int(SIZE), int(SIZE), 3), np.uint8)
    y, x = np.mgrid[: int(SIZE), : int(SIZE)] + 0.5
    for n, joint in enumerate(DOTTED):
        spot = keypoints[SKELETON.index(joint)]
        picture[(x - spot[0]) ** 2 + (y - spot[1]) ** 2 < 8**2] = colour(n)
    low, high = keypoints.min(0), keypoints.max(0)
    side = (high - low).max() * 1.6
    box = np.array([*(low + high) / 2, side * 0.75, side])
    return Crop(crop(picture, box, 192, 256), keypoints, pose, box, np.array([SIZE, SIZE])), camera


def colour(n):
    return [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)][n]


def dot(picture, n):
    """Centre of the n-th disc, or None where it is out of the picture."""
    near = np.abs(picture.astype(int) - colour(n)).sum(-1) < 60
    rows, columns = near.nonzero()
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) if len(rows) > 8 else None


@pytest.mark.parametrize("seed", range(12))
def test_the_picture_moves_with_the_keypoints(seed):
    before, _ = person(seed)
    after = _augment(before, SKELETON, SHAPE_ONLY, np.random.default_rng(seed))
    matrix = crop_matrix(after.box, 192, 256)
    offsets = []
    flipped = not np.allclose(
        np.linalg.norm(after.pose[SKELETON.index("left_wrist")]),
        np.linalg.norm(before.pose[SKELETON.index("left_wrist")]),
    )
    for n, joint in enumerate(DOTTED):
        swapped = (
            joint.replace("left", "x").replace("right", "left").replace("x", "right")
            if flipped
            else joint
        )
        expected = matrix[:, :2] @ after.keypoints[SKELETON.index(swapped)] + matrix[:, 2]
        spot = dot(after.picture, n)
        if spot is not None and (expected > 6).all() and (expected < [186, 250]).all():
            offsets.append(spot - expected)
    assert len(offsets) >= 2
    assert (
        np.abs(np.median(offsets, axis=0)).max() < 0.3 and np.abs(offsets).max() < 4
    )  # discs may hide one another


@pytest.mark.parametrize("seed", range(8))
def test_the_3d_still_projects_onto_the_2d(seed):
    before, camera = person(seed)
    after = _augment(before, SKELETON, Augmentation(), np.random.default_rng(100 + seed))
    projected = camera.project(torch.from_numpy(after.pose).float()).double().numpy()
    assert np.abs(projected - after.keypoints).max() < 0.01
    assert np.allclose(
        np.sort(np.linalg.norm(after.pose, axis=1)), np.sort(np.linalg.norm(before.pose, axis=1))
    )


def test_nothing_happens_where_nothing_may():
    still = Augmentation(**dict.fromkeys(Augmentation.model_fields, 0.0))
    before, _ = person()
    after = _augment(before, SKELETON, still, np.random.default_rng(0))
    assert np.abs(after.picture.astype(int) - before.picture).max() <= 1
    assert np.array_equal(after.keypoints, before.keypoints) and np.array_equal(
        after.box, before.box
    )


def test_the_same_seed_gives_the_same_picture_and_leaves_the_input_alone():
    before, _ = person()
    copy = before.picture.copy()
    a, b = (_augment(before, SKELETON, Augmentation(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(a.picture, b.picture) and np.array_equal(before.picture, copy)
    c = _augment(before, SKELETON, Augmentation(), np.random.default_rng(6))
    assert not np.array_equal(a.picture, c.picture)


@pytest.mark.parametrize("legs", [False, True])
def test_half_bodies(legs):
    keypoints = np.tile(np.array([[500.0, 300.0]]), (17, 1)) + np.arange(17)[:, None]
    lower = [
        SKELETON.index(f"{side}_{joint}")
        for side in ("left", "right")
        for joint in ("knee", "ankle")
    ]
    hips = [SKELETON.index(joint) for joint in ("left_hip", "right_hip", "pelvis", "spine")]
    keypoints[lower] += [0, 400]
    keypoints[hips] += [0, 200]
    whole = np.array([508.0, 508.0, 600.0, 800.0])
    box = _half_body_box(keypoints, SKELETON, legs, whole)
    rows = [*lower, *hips] if legs else sorted(set(range(17)) - set(lower))
    low, high = keypoints[rows].min(0), keypoints[rows].max(0)
    np.testing.assert_allclose(box[:2], (low + high) / 2)
    np.testing.assert_allclose(box[3], 1.25 * (high - low)[1])
    keypoints[rows[3:]] = np.nan
    np.testing.assert_array_equal(_half_body_box(keypoints, SKELETON, legs, whole), whole)


def test_people_cut_off_by_an_edge():
    before, _ = person(3)
    whole = crop_matrix(before.box, 192, 256)
    kinds = set()
    for seed in range(40):
        box, edges = _cut_off(before.keypoints, before.box, np.random.default_rng(seed))
        (end,), (axis,) = np.isfinite(edges).nonzero()
        kinds.add((int(axis), int(end)))
        away = 1 if end == 0 else -1
        left = away * (before.keypoints[:, axis] - edges[end, axis]) >= 0
        assert 4 <= left.sum() < 17
        low, high = before.keypoints[left].min(0), before.keypoints[left].max(0)
        (low, high)[end][axis] = edges[end, axis]  # the box reaches to the edge
        np.testing.assert_allclose(box[:2], (low + high) / 2)
        seen = (
            _blackened(before.picture | 1, edges, whole).any(-1).any(axis)
        )  # columns for axis 0, rows for 1
        line = whole[axis, axis] * edges[end, axis] + whole[axis, 2]
        there = np.arange(len(seen)) + 0.5
        assert np.array_equal(seen, there > round(line) if end == 0 else there < round(line))
    assert kinds == {(1, 1), (0, 0), (0, 1)}


def test_what_lies_beyond_the_edge_is_black_and_the_rest_where_it_was():
    how = Augmentation(
        half_body=0.0, cut_off=1.0, colour=0.0, grey=0.0, blurred=0.0, compressed=0.0, cut_out=0.0
    )
    found = []
    for seed in range(40):
        before, _ = person(seed)
        before.picture[:] = np.maximum(before.picture, 1)
        cut, whole = (
            _augment(before, SKELETON, h, np.random.default_rng(seed)) for h in (how, SHAPE_ONLY)
        )
        black = (cut.picture == 0).all(-1)
        rows, columns = black.all(1), black.all(0)
        if not black.any():
            continue
        assert np.array_equal(black, rows[:, None] | columns)  # a band at one side
        np.testing.assert_array_equal(cut.keypoints, whole.keypoints)
        matrix = crop_matrix(cut.box, 192, 256)
        for n, joint in enumerate(DOTTED):
            for side in (
                joint,
                joint.replace("left", "x").replace("right", "left").replace("x", "right"),
            ):
                x, y = matrix[:, :2] @ cut.keypoints[SKELETON.index(side)] + matrix[:, 2]
                spot = dot(cut.picture, n)
                if spot is not None and 6 < x < 186 and 6 < y < 250:
                    found.append(np.abs(spot - [x, y]).max() < 4)
        edge = (0 if rows.any() else 1), int(rows[-1] or columns[-1])
        joints = cut.keypoints @ matrix[:, :2].T + matrix[:, 2]
        line = (
            np.flatnonzero(rows)[0] if rows.any() else np.flatnonzero(columns)[[0, -1][1 - edge[1]]]
        ) + 0.0
        beyond = joints[:, 1 - edge[0]] > line if edge[1] else joints[:, 1 - edge[0]] < line
        assert beyond.any() and not beyond.all()
    assert sum(found) >= 20


def test_people_on_one_spot_keep_their_box():
    before, _ = person(3)
    keypoints = before.keypoints.copy()
    keypoints[7:] = keypoints[7]
    for seed in range(60):
        box, _ = _cut_off(keypoints, before.box, np.random.default_rng(seed))
        assert np.isfinite(box).all()
        assert np.isfinite(
            _half_body_box(np.tile(keypoints[7], (17, 1)), SKELETON, False, before.box)
        ).all()


def test_too_little_of_a_person_is_not_cut_off():
    before, _ = person(3)
    keypoints = before.keypoints.copy()
    keypoints[4:] = np.nan
    box, edges = _cut_off(keypoints, before.box, np.random.default_rng(0))
    assert np.array_equal(box, before.box) and not np.isfinite(edges).any()
    assert np.array_equal(
        _blackened(before.picture, edges, crop_matrix(before.box, 192, 256)), before.picture
    )


def test_grey_pictures_have_no_colour():
    before, _ = person()
    after = _augment(
        before,
        SKELETON,
        Augmentation(grey=1.0, cut_out=0.0, compressed=0.0),
        np.random.default_rng(0),
    )
    assert after.picture.std() > 0 and np.ptp(after.picture.astype(int), axis=-1).max() == 0


@pytest.mark.parametrize("seed", range(8))
def test_people_are_turned_until_their_trunks_point_up(seed):
    how = SHAPE_ONLY.model_copy(update={"upright": 1.0, "rotation": 0.0})
    before, _ = person(seed)
    after = _augment(before, SKELETON, how, np.random.default_rng(seed))
    up = _trunk(after.keypoints)
    assert -up[1] >= abs(up[0]) - 1e-6  # within half a quarter turn; y points down
    assert np.linalg.norm(up) == pytest.approx(np.linalg.norm(_trunk(before.keypoints)))


def test_nobody_is_turned_whose_trunk_is_not_known():
    how = SHAPE_ONLY.model_copy(update={"upright": 1.0, "turned": 0.0, "flip": 0.0})
    before, _ = person(3)
    hips = [SKELETON.index(f"{side}_hip") for side in ("left", "right")]
    before.keypoints[hips] = np.nan
    after = _augment(before, SKELETON, how, np.random.default_rng(0))
    np.testing.assert_allclose(after.keypoints, before.keypoints)


def _trunk(keypoints):
    """From the hips to what is above them, pixels, (2,)."""
    above = [SKELETON.index(j) for j in ("left_shoulder", "right_shoulder", "head", "nose")]
    hips = [SKELETON.index(f"{side}_hip") for side in ("left", "right")]
    return keypoints[above].mean(0) - keypoints[hips].mean(0)
