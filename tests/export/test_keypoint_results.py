"""COCO's results as pycocotools reads them, MMPose's JSON as our own reader of it does."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from clip import SKELETON, clip
from pycocotools.coco import COCO

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.export import save
from unihpe.inputs.keypoint_files import read_keypoints

COCO17 = get_skeleton("coco17").joints


def truth(tmp_path, numbers):
    """An annotation file that has pictures of these numbers."""
    content = {
        "images": [{"id": n, "width": 1280, "height": 720} for n in numbers],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17)}],
        "annotations": [],
    }
    (tmp_path / "truth.json").write_text(json.dumps(content))
    return COCO(tmp_path / "truth.json")


def test_coco_is_what_pycocotools_loads(tmp_path):
    results = clip(missing={(2, 5)})
    loaded = truth(tmp_path, range(12)).loadRes(str(save(results, tmp_path / "a.coco.json")[0]))
    found = loaded.loadAnns(loaded.getAnnIds())
    assert len(found) == len(results)
    for n, row in enumerate(found):
        assert row["image_id"] == int(results.frame[n]) and row["category_id"] == 1
        joints = dict(zip(COCO17, np.array(row["keypoints"]).reshape(17, 3), strict=True))
        for joint in ("left_knee", "right_wrist", "nose"):
            k = SKELETON.index(joint)
            np.testing.assert_allclose(joints[joint][:2], results.keypoints[n, k], atol=0.01)
            assert joints[joint][2] == pytest.approx(float(results.confidence[n, k]), abs=1e-4)
        assert joints["left_eye"].tolist() == [0, 0, 0]
        assert 0.3 < row["score"] < 0.9 and row["track_id"] == int(results.person[n])
        left, top, right, bottom = results.boxes[n].tolist()
        assert row["bbox"] == pytest.approx([left, top, right - left, bottom - top], abs=0.01)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (("000000000036.jpg", "000000000040.jpg"), [36, 40]),
        (("a.jpg", "b.jpg"), [1, 2]),
        (("a1.jpg", "b1.jpg"), [1, 2]),
    ],
)
def test_pictures_have_their_own_numbers_in_coco(names, numbers, tmp_path):
    plain = clip(people=1, frames=2)
    pictures = replace(plain, image=names, frame=None, time=None, filled=None, boxes=None)
    rows = json.loads(save(pictures, tmp_path / "a.coco.json")[0].read_text())
    assert [row["image_id"] for row in rows] == numbers
    assert [row["file_name"] for row in rows] == list(names)


def test_coco_without_2d_is_refused(tmp_path):
    plain = clip()
    blind = replace(plain, keypoints=torch.full_like(plain.keypoints, torch.nan))
    with pytest.raises(InputError, match="2D keypoints, and there are none"):
        save(blind, tmp_path / "a.coco.json")
    assert not [*tmp_path.iterdir()]


def test_mmpose_is_read_by_the_reader_of_its_files(tmp_path):
    plain = clip(missing={(2, 5)})
    keypoints = plain.keypoints.clone()
    keypoints[3, 4] = torch.nan
    results = replace(plain, keypoints=keypoints)
    path = save(results, tmp_path / "a.mmpose.json")[0]
    people = read_keypoints(path, None, (1280, 720))
    assert people.skeleton.name == "human36m17" and len(people) == len(results)
    assert people.image == tuple(str(int(frame) + 1) for frame in results.frame)
    assert people.person == results.person
    seen = people.confidence > 0
    np.testing.assert_allclose(people.keypoints[seen], results.keypoints[seen], atol=0.01)
    assert (~seen).nonzero().tolist() == [[3, 4]]
    content = json.loads(path.read_text())
    found = [one for frame in content["instance_info"] for one in frame["instances"]]
    np.testing.assert_allclose([one["keypoints_3d"] for one in found], results.absolute, atol=0.1)
    np.testing.assert_allclose([one["bbox"][0] for one in found], results.boxes, atol=0.01)


def test_mmpose_has_no_other_joint_sets(tmp_path):
    with pytest.raises(InputError, match="MMPose has no smpl24"):
        save(clip().to("smpl24"), tmp_path / "a.mmpose.json")
