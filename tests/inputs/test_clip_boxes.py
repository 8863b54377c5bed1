"""Boxes of a clip's people, frame by frame, in each layout; and boxes of another convention."""

import json

import pytest

from unihpe.errors import InputError
from unihpe.inputs.boxes import checked_corners, read_boxes
from unihpe.inputs.clip_boxes import _Box, read_clip_boxes

SIZE = (640, 480)
BOX = (10.0, 20.0, 110.0, 220.0)
MOT = "1,7,10,20,100,200,0.9,-1,-1,-1\n1,-1,300,20,100,200,1\n3,7,12,20,100,200,0.8\n4,7,0,0,9,9,0"
COCO = {
    "images": [{"id": 5, "file_name": "clip_000000.jpg"}, {"id": 6, "file_name": "x/f2.png"}],
    "annotations": [
        {"image_id": 5, "bbox": [10, 20, 100, 200], "track_id": 7},
        {"image_id": 5, "bbox": [300, 20, 100, 200]},
        {"image_id": 6, "bbox": [12, 20, 100, 200], "track_id": 7},
        {"image_id": 6, "bbox": [0, 0, 640, 480], "iscrowd": 1},
    ],
}


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(("name", "content"), [("a.txt", MOT), ("a.json", COCO)])
def test_trackers_name_people(tmp_path, name, content):
    boxes = read_clip_boxes(written(tmp_path / name, content), SIZE)
    assert boxes.of(0) == [_Box(0, 7, BOX), _Box(0, None, (300.0, 20.0, 400.0, 220.0))]
    assert boxes.highest == 7
    assert boxes.of(2) == [_Box(2, 7, (12.0, 20.0, 112.0, 220.0))]
    assert boxes.of(1) == boxes.of(3) == boxes.of(99) == []


def test_our_own_layout_and_the_whole_picture(tmp_path):
    path = written(tmp_path / "a.json", {"0": [BOX, [300, 20, 400, 220]], "2": [], "5": [BOX]})
    boxes = read_clip_boxes(path, SIZE)
    assert boxes.of(0)[0] == _Box(0, None, BOX) and len(boxes.of(0)) == 2
    assert boxes.of(5) == [_Box(5, None, BOX)] and boxes.of(2) == []
    whole = read_clip_boxes("whole", SIZE)
    assert whole.of(0)[0].corners == whole.of(7)[0].corners == (0, 0, 640, 480)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", {"0": [[300, 200, 100, 200]]}, "look like x, y, width, height; give left"),
        ("a.txt", "1,1,300,200,400,400", "look like left, top, right, bottom; its boxes are x, y"),
        ("a.json", {"0": [[630, 5, 630, 9]]}, "frame 0 has a box without a size"),
        ("a.json", {"0": [[5, 5, 9]]}, "no boxes of a clip as we know them"),
        ("a.json", {"first": [BOX]}, "no boxes of a clip as we know them"),
        ("a.json", [1, 2], "no boxes of a clip as we know them"),
        ("a.txt", "1,1,5", "no boxes as MOT has them"),
        ("a.txt", "", "no boxes as MOT has them"),
        ("a.txt", "a,b,c,d,e,f", "no boxes of a clip as we know them"),
        ("a.txt", "1,1,nan,0,5,5", "frame 0 has a box without a size"),
        ("a.txt", "0,1,5,5,20,40\n1,1,5,5,20,40", "counts frames from 1, and here is one before"),
        ("a.txt", "2,7,5,5,20,40\n2,7,9,5,20,40", "frame 1 has two boxes of person 7"),
        ("a.json", {**COCO, "images": [{"id": 5, "file_name": "x"}]}, "no number of a frame"),
    ],
)
def test_what_are_no_boxes(tmp_path, name, content, message):
    with pytest.raises(InputError, match=message) as raised:
        read_clip_boxes(written(tmp_path / name, content), SIZE)
    assert str(raised.value).count("\n") == 0


def test_boxes_of_pictures_in_another_convention_are_named(tmp_path):
    """Where it can be told: they do not fit as said, and all fit as the other."""
    import numpy as np

    pixels = np.zeros((480, 640, 3), np.uint8)
    with pytest.raises(InputError, match="look like x, y, width, height"):
        checked_corners([[300, 200, 100, 200], [10, 20, 100, 200]], pixels)
    with pytest.raises(InputError, match="right > left"):
        checked_corners([[300, 200, 100, 900]], pixels)
    image = {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}
    notes = [{"image_id": 1, "bbox": [300, 200, 600, 400]}]
    coco = written(tmp_path / "a.json", {"images": [image], "annotations": notes})
    with pytest.raises(InputError, match="look like left, top, right, bottom"):
        read_boxes(coco)
    del image["width"], image["height"]
    coco = written(tmp_path / "a.json", {"images": [image], "annotations": notes})
    assert read_boxes(coco) == {"a.jpg": [[300, 200, 900, 600]]}


def test_ten_thousand_boxes_are_read(tmp_path):
    rows = "\n".join(f"{n // 200 + 1},{n % 200 + 1},{n % 500},5,20,40,1" for n in range(10_000))
    boxes = read_clip_boxes(written(tmp_path / "many.txt", rows), SIZE)
    assert len(boxes.of(0)) == len(boxes.of(49)) == 200 and boxes.of(50) == []
