"""Keypoint files: each tool's own layout, written by hand, and every way a file can be wrong."""

import contextlib
import json
import re

import numpy as np
import pytest
import torch
from damaged import PACKED, flipped, write_packed
from figure import figure, flat

from unihpe.errors import InputError
from unihpe.inputs.keypoint_files import read_keypoints


def write(tmp_path, content, name="k.json"):
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return path


def coco(**changes):
    note = {
        "id": 7,
        "image_id": 3,
        "category_id": 1,
        "bbox": [1, 2, 3, 4],
        "keypoints": flat("coco17", 2, missing=(4,)),
        "num_keypoints": 16,
    }
    return {
        "images": [{"id": 3, "file_name": "a.jpg", "width": 640, "height": 600}],
        "annotations": [note | changes],
    }


def instance(skeleton="coco17", **more):
    points = figure(skeleton)
    return {
        "keypoints": points.tolist(),
        "keypoint_scores": [0.8] * len(points),
        "bbox": [[1, 2, 3, 4]],
        "bbox_score": 0.9,
        **more,
    }


def landmark(n):
    x, y = figure("mediapipe33")[n] / (1000, 600)
    return {"x": x, "y": y, "z": 0.1, "visibility": 0.5}


MARKS = [landmark(n) for n in range(33)]


def test_missing_joints_come_out_missing_whatever_a_tool_writes(tmp_path):
    for content, joint in (
        (coco(), 4),
        ({"people": [{"pose_keypoints_2d": flat("body25", missing=(3,))}]}, 3),
    ):
        file = read_keypoints(write(tmp_path, content), image_size=(500, 600))
        assert file.confidence[0, joint] == 0 and torch.isnan(file.keypoints[0, joint]).all()
        assert file.confidence[0, 0] > 0


def test_sizes_come_from_the_file_or_the_caller(tmp_path):
    both = read_keypoints(write(tmp_path, coco()), image_size=(700, 720))
    assert both.notes == ("--image-size takes the place of the file's own",)
    assert read_keypoints(write(tmp_path, coco())).image_size.tolist() == [[640, 600]]
    assert read_keypoints(write(tmp_path, coco()), image_size=(700, 720)).image_size.tolist() == [
        [700, 720]
    ]


def test_a_folder_of_openpose_files_in_order(tmp_path):
    for n in (10, 2):
        write(
            tmp_path,
            {"people": [{"pose_keypoints_2d": flat("body25")}]},
            f"v_{n:012d}_keypoints.json",
        )
    file = read_keypoints(tmp_path, image_size=(500, 600))
    assert file.image == ("v_000000000002", "v_000000000010")


def test_arrays(tmp_path):
    np.save(tmp_path / "a.npy", figure("human36m17"))
    one = read_keypoints(tmp_path / "a.npy", "human36m17", (500, 600))
    assert len(one) == 1 and (one.confidence == 1).all()
    points = np.stack([figure("mpii16")] * 3)
    points[1, 2] = np.nan
    np.savez(
        tmp_path / "a.npz",
        keypoints=points,
        confidence=np.full((3, 16), 0.5),
        skeleton="mpii16",
        image_size=np.array([500, 600]),
    )
    three = read_keypoints(tmp_path / "a.npz")
    assert (
        three.skeleton.name == "mpii16"
        and three.confidence[1, 2] == 0
        and three.confidence[0, 2] == 0.5
    )


def test_the_real_coco_file(shared_data):
    file = read_keypoints(shared_data / "photos" / "person_keypoints.json")
    assert len(file) == 192 and file.skeleton.name == "coco17"
    inside = (file.keypoints.nan_to_num(0) <= file.image_size[:, None]).all()
    assert inside


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not whole JSON"),
        ('{"annotations": [', "not whole JSON"),
        ("[]", "nobody in it"),
        ("{}", "not a known keypoint layout"),
        ("3", "not a known keypoint layout"),
        (json.dumps({"images": [], "annotations": []}), "nobody in it"),
        (json.dumps(coco(keypoints=flat("mpii16"))), "does not say which joints"),
        (
            json.dumps(coco(keypoints=[1e999, 1, 2, *flat("coco17")[3:]])),
            "infinite coordinate",
        ),
        (json.dumps([{"image_id": 1, "keypoints": "abc"}]), "not as its layout says"),
        (json.dumps([{"image_id": 1}]), "1, person 0: no keypoints"),
        (
            json.dumps([{"image_id": 1, "keypoints": [10**400, *flat("coco17")[1:]]}]),
            "not as its layout says",
        ),
        (
            json.dumps([{"frame_id": 1, "instances": [instance(keypoints=[[10**400, 1]] * 17)]}]),
            "not as its layout says",
        ),
        (
            json.dumps([{"frame_id": 1, "instances": [{"keypoints": [[1, 2]]}]}]),
            "0 scores for 1 joints",
        ),
    ],
)
def test_bad_json_says_what_is_wrong(tmp_path, content, message):
    path = tmp_path / "k.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_keypoints(path, image_size=(10, 10))


def test_other_bad_input(tmp_path):
    path = write(tmp_path, [instance()])
    with pytest.raises(InputError, match="holds no picture size"):
        read_keypoints(path)
    with pytest.raises(InputError, match="must be above 0"):
        read_keypoints(path, image_size=(0, 10))
    with pytest.raises(InputError, match="has 17 joints, halpe26 has 26"):
        read_keypoints(path, "halpe26", (500, 600))
    with pytest.raises(InputError, match="no skeleton 'coco'"):
        read_keypoints(path, "coco", (9, 9))
    with pytest.raises(InputError, match="coordinates are shares of the picture"):
        read_keypoints(write(tmp_path, MARKS))
    with pytest.raises(InputError, match="no keypoint file"):
        read_keypoints(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"no .json files"):
        (tmp_path / "empty").mkdir()
        read_keypoints(tmp_path / "empty")
    with pytest.raises(InputError, match="a picture size is not above 0"):
        content = coco()
        content["images"][0]["width"] = 0
        read_keypoints(write(tmp_path, content))


def test_bad_arrays(tmp_path):
    path = tmp_path / "a.npy"
    for array, message in (
        (np.zeros((2, 17, 4)), "must be numbers"),
        (np.array(["x"]), "must be numbers"),
    ):
        np.save(path, array)
        with pytest.raises(InputError, match=message):
            read_keypoints(path, "coco17", (9, 9))
    np.save(path, np.zeros((17, 2)))
    with pytest.raises(InputError, match="does not say which joints"):
        read_keypoints(path, image_size=(9, 9))
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(InputError, match="give a whole file of plain numbers"):
        read_keypoints(path, "coco17", (9, 9))
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="give a whole file of plain numbers"):
        read_keypoints(path, "coco17", (9, 9))
    np.savez(tmp_path / "b.npz", other=np.zeros(3))
    with pytest.raises(InputError, match="lacks keypoints; it holds other"):
        read_keypoints(tmp_path / "b.npz", "coco17", (9, 9))
    np.savez(tmp_path / "b.npz", keypoints=np.array({"a": 1}, dtype=object))
    with pytest.raises(InputError, match="holds objects"):
        read_keypoints(tmp_path / "b.npz", "coco17", (9, 9))


def test_picture_sizes_beyond_all_numbers(tmp_path):
    content = coco()
    content["images"][0]["width"] = 10**400
    with pytest.raises(InputError, match="not as its layout says"):
        read_keypoints(write(tmp_path, content))


@pytest.mark.parametrize("packing", PACKED)
def test_flipped_bits_are_an_input_error_or_change_nothing(tmp_path, packing):
    whole, path = tmp_path / "whole.npz", tmp_path / "a.npz"
    points = np.random.default_rng(0).uniform(0, 99, (3, 17, 2)).astype(np.float32)
    write_packed(
        whole, packing, keypoints=points, confidence=np.ones((3, 17)), skeleton=np.array("coco17")
    )
    for damaged in flipped(whole.read_bytes(), step=3):
        path.write_bytes(damaged)
        try:
            file = read_keypoints(path, image_size=(100, 100))
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert np.array_equal(file.keypoints, points) and bool((file.confidence == 1).all())


def test_flipped_bits_of_an_npy_are_an_input_error_or_a_good_read(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones((3, 17, 2)))
    for damaged in flipped(path.read_bytes()[:200]):
        path.write_bytes(damaged + bytes(3 * 17 * 2 * 8 - 72))
        with contextlib.suppress(InputError):
            read_keypoints(path, "coco17", image_size=(100, 100))


def dump(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("dataset", "skeleton"),
    [("h36m", "human36m17"), ("coco", "coco17"), ("coco_wholebody", "coco17"), ("", "coco17")],
)
def test_mmpose_says_whose_joints_they_are(tmp_path, dataset, skeleton):
    content = {
        "meta_info": {"dataset_name": dataset},
        "instance_info": [{"frame_id": 0, "instances": [instance()]}],
    }
    assert (
        read_keypoints(dump(tmp_path / "a.json", content), image_size=(500, 600)).skeleton.name
        == skeleton
    )


def test_mmpose_joints_we_do_not_know_must_be_named(tmp_path):
    content = {
        "meta_info": {"dataset_name": "lapa"},
        "instance_info": [{"frame_id": 0, "instances": [instance()]}],
    }
    path = dump(tmp_path / "a.json", content)
    with pytest.raises(InputError, match="--skeleton"):
        read_keypoints(path, image_size=(500, 600))
    assert read_keypoints(path, "coco17", (500, 600)).skeleton.name == "coco17"


def marks():
    return [{"x": 0.01 * n, "y": 0.02 * n, "visibility": 1.0} for n in range(33)]


@pytest.mark.parametrize(
    "content",
    [
        [{"pose_landmarks": []}, {"pose_landmarks": marks()}],
        [None, [marks()]],
        marks(),
        [{"pose_landmarks": None}, [marks()]],
    ],
)
def test_mediapipe_frames_without_anybody(tmp_path, content):
    assert len(read_keypoints(dump(tmp_path / "a.json", content), image_size=(100, 200))) == 1


def test_a_mediapipe_coordinate_beyond_float32_leaves_out_its_person_only(tmp_path):
    content = [{"pose_landmarks": [[landmark(0) | {"x": 1e39}, *MARKS[1:]], MARKS]}]
    file = read_keypoints(write(tmp_path, content), image_size=(1000, 500))
    assert file.person == ("1",) and "0, person 0: coordinates from" in file.left_out[0]


def test_an_endless_picture_names_its_file(tmp_path):
    content = coco()
    content["images"][0]["width"] = 1e39
    with pytest.raises(InputError, match=rf"{re.escape(str(tmp_path))}.*picture size"):
        read_keypoints(write(tmp_path, content))


def test_each_person_may_have_a_picture_size(tmp_path):
    sizes = np.array([[300.0, 300.0], [500.0, 400.0]])
    np.savez(
        tmp_path / "a.npz",
        keypoints=[figure("coco17") / 2] * 2,
        skeleton="coco17",
        image_size=sizes,
    )
    assert read_keypoints(tmp_path / "a.npz").image_size.tolist() == sizes.tolist()


@pytest.mark.parametrize(
    "people", [[5], None, [{"pose_keypoints_2d": "text"}], [{"pose_keypoints_2d": [1, 2]}]]
)
def test_damaged_openpose_folders(tmp_path, people):
    dump(tmp_path / "a_keypoints.json", {"people": people})
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        read_keypoints(tmp_path, image_size=(10, 10))


def test_damaged_arrays_and_deep_json(tmp_path):
    for n, fields in enumerate(
        (
            {"confidence": np.ones(3)},
            {"confidence": np.array(["a"])},
            {"image_size": np.ones(1)[:0]},
        )
    ):
        path = tmp_path / f"{n}.npz"
        np.savez(path, keypoints=np.ones((2, 17, 2)), skeleton="coco17", **fields)
        with pytest.raises(InputError, match=re.escape(str(path))):
            read_keypoints(path, image_size=(10, 10))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"deep\.json"):
        read_keypoints(tmp_path / "deep.json", image_size=(10, 10))
