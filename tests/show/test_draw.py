"""Pictures: what is drawn is where it should be."""

import numpy as np
import pytest

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.show.colours import SIDES
from unihpe.show.draw import blank, draw_2d, save_png, sheet
from unihpe.show.space import Figure, draw_3d

SKELETON = get_skeleton("human36m17")


def pose():
    generator = np.random.default_rng(0)
    return generator.normal(size=(17, 3)) * [150, 400, 150]


def near(picture, colour, tolerance=30):
    return (np.abs(picture.astype(int) - colour).max(-1) < tolerance).sum()


def test_2d_joints_are_drawn_where_they_are_and_missing_ones_are_not():
    points = np.full((17, 2), 50.0)
    left = [SKELETON.index("left_knee"), SKELETON.index("left_ankle")]
    points[left[0]], points[left[1]] = (100, 100), (100, 300)
    confidence = np.zeros(17)
    confidence[left] = 1
    picture = draw_2d(blank(400, 400), points, confidence, SKELETON)
    assert near(picture[190:210, 90:110], SIDES.left) > 20
    assert near(picture, SIDES.right) == 0
    assert (picture[:60, :60] == blank(60, 60)).all()


def test_drawing_leaves_the_picture_alone():
    picture = blank(100, 80)
    draw_2d(picture, np.random.default_rng(0).uniform(0, 80, (17, 2)), np.ones(17), SKELETON)
    assert (picture == blank(100, 80)).all()


def test_3d_figures_have_both_sides_and_fit():
    picture = draw_3d([Figure(pose())], SKELETON, size=300)
    assert picture.shape == (300, 300, 3)
    assert near(picture, SIDES.left) > 50 and near(picture, SIDES.right) > 50
    turned = draw_3d([Figure(pose())], SKELETON, size=300, azimuth=120)
    assert not np.array_equal(picture, turned)


def test_sheets():
    page = sheet(
        [[(blank(50, 40), "a"), (blank(60, 40), "b")], [(blank(50, 40), "c → ×")]], "title"
    )
    assert page.ndim == 3 and page.shape[1] > 110


def test_png_is_whole_or_absent(tmp_path):
    import cv2

    save_png(tmp_path / "a" / "x.png", blank(20, 10, (255, 0, 0)))
    read = cv2.imread(str(tmp_path / "a" / "x.png"))
    assert read.shape == (10, 20, 3) and read[0, 0].tolist() == [0, 0, 255]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_png(tmp_path / "file" / "x.png", blank(2, 2))
