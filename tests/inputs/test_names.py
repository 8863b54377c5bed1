"""Which picture a name means."""

import json
from pathlib import Path

import pytest
from figure import flat

from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.inputs.names import pictures_by_name
from unihpe.io.files import in_order, write_text

PHOTOS = [Path("/photos/walk") / name for name in ("a.jpg", "b.png", "c.d.jpg", "000000000036.jpg")]


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a.jpg", "a.jpg"),
        ("a", "a.jpg"),
        ("some/where/b.png", "b.png"),
        (r"C:\photos\b.png", "b.png"),
        ("c", "c.d.jpg"),
        ("36", "000000000036.jpg"),
        ("000000000036", "000000000036.jpg"),
        ("37", None),
        ("b.jpg", None),
        ("d", None),
        ("", None),
    ],
)
def test_a_name_means_a_picture(name, picture):
    meant, doubts = pictures_by_name([name], PHOTOS, numbered=True)
    assert {n: path.name for n, path in meant.items()} == ({name: picture} if picture else {})
    assert doubts == []


def test_counted_frames_are_no_numbers_of_pictures():
    assert pictures_by_name(["36"], PHOTOS, numbered=False) == ({}, [])


def test_doubtful_names_are_said():
    twice = [Path("/photos/a.jpg"), Path("/photos/a.png")]
    assert pictures_by_name(["a"], twice, True) == ({}, ["a may be a.jpg or a.png"])
    names = ["x/a.jpg", "y/a.jpg"]
    assert pictures_by_name(names, PHOTOS, True) == ({}, ["x/a.jpg and y/a.jpg may all be a.jpg"])


def test_of_the_same_name_in_two_folders_the_pictures_own_counts():
    meant, doubts = pictures_by_name(["run/a.jpg", "walk/a.jpg"], PHOTOS, True)
    assert meant == {"walk/a.jpg": PHOTOS[0]} and doubts == []


def test_frame_2_comes_before_frame_10():
    names = ["frame_10.jpg", "frame_2.jpg", "frame_02.jpg", "a/frame_1.jpg", "a10/x", "a9/x", "9"]
    found = [str(path) for path in in_order(map(Path, names))]
    assert found == [
        "9", "a/frame_1.jpg", "a9/x", "a10/x", "frame_02.jpg", "frame_2.jpg", "frame_10.jpg"
    ]  # fmt: skip


ODD = ["caf\udce9.jpg", "\ud800", 'a "b" [c].jpg', "  ", "é.jpg", "a\nb"]


def test_names_that_are_no_text_are_read_and_written_escaped(tmp_path):
    rows = [{"image_id": name, "keypoints": flat("coco17")} for name in ODD]
    file = tmp_path / "k.json"
    file.write_text(json.dumps(rows))
    assert list(read_keypoints(file, image_size=(500, 600)).image) == ODD
    latin = json.dumps(rows[-2:], ensure_ascii=False).encode("latin-1")
    file.write_bytes(latin)
    assert read_keypoints(file, image_size=(500, 600)).image[0] == "\udce9.jpg"
    write_text(tmp_path / "out.json", json.dumps(ODD, ensure_ascii=False))
    assert json.loads((tmp_path / "out.json").read_bytes().decode("utf-8")) == ODD
