"""Pictures: what is drawn is where it should be; the page holds everything, by itself."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.show.colours import SIDES
from unihpe.show.draw import blank, draw_2d, save_png, sheet
from unihpe.show.sheets import _Scene, _write_viewer
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


def scenes():
    evil = "</script><script>document.title='broken'</script>"
    flat = pose()[:, :2] + 500
    flat[3] = np.nan
    return [
        _Scene(evil, pose(), flat, samples=np.stack([pose()] * 3), truth=pose() + 20),
        _Scene("second", pose()),
    ]


def test_the_page_is_self_contained_and_its_data_whole(tmp_path):
    path = tmp_path / "v.html"
    _write_viewer(path, scenes(), SKELETON, "a <title>")
    page = path.read_text()
    assert not re.search(r"https?://|src=|@import|<link", page)
    assert page.count("</script>") == 1
    data = json.loads(re.search(r"const data = (.*);\n", page)[1].replace("<\\/", "</"))
    assert data["scenes"][0]["keypoints"][3] == [None, None] and len(data["bones"]) == 16
    assert data["scenes"][1]["keypoints"] is None


CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here to open the page with")
def test_the_page_runs_in_a_browser(tmp_path):
    path = tmp_path / "v.html"
    _write_viewer(path, scenes(), SKELETON, "turn me")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += ["--disable-quic", f"--user-data-dir={tmp_path / 'profile'}"]
    shot = tmp_path / "shot.png"
    more = ["--window-size=1100,760", "--virtual-time-budget=2000", f"--screenshot={shot}"]
    command = [CHROMIUM, *flags, *more, path.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert shot.exists(), done.stderr[-500:]
    import cv2

    picture = cv2.cvtColor(cv2.imread(str(shot)), cv2.COLOR_BGR2RGB)
    assert near(picture, SIDES.left) > 100 and near(picture, SIDES.right) > 100
    text = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120
    ).stdout
    assert "<title>turn me</title>" in text
