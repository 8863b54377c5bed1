"""Keypoint files: each tool's own layout, written by hand, and every way a file can be wrong."""

import contextlib
import json
import re

import numpy as np
import pytest
import torch
from damaged import PACKED, flipped, write_packed

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.inputs.keypoints import liftable_rows

XY = np.random.default_rng(0).uniform(50, 400, size=(136, 2)).round(1)


def flat(count, score=0.9, missing=()):
    rows = [[*XY[n], score] for n in range(count)]
    for n in missing:
        rows[n] = [0, 0, 0]
    return [value for row in rows for value in row]


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
        "keypoints": flat(17, 2, missing=(4,)),
        "num_keypoints": 16,
    }
    return {
        "images": [{"id": 3, "file_name": "a.jpg", "width": 640, "height": 480}],
        "annotations": [note | changes],
    }


def instance(count=17, **more):
    return {
        "keypoints": XY[:count].tolist(),
        "keypoint_scores": [0.8] * count,
        "bbox": [[1, 2, 3, 4]],
        "bbox_score": 0.9,
        **more,
    }


def landmark(n):
    return {"x": n / 100, "y": n / 50, "z": 0.1, "visibility": 0.5}


LAYOUTS = {
    "coco annotations": (coco(), "coco17", ["a.jpg"], ["7"]),
    "coco results": (
        [{"image_id": 3, "category_id": 1, "keypoints": flat(17), "score": 2.1}],
        "coco17",
        ["3"],
        ["0"],
    ),
    "alphapose 26": (
        [{"image_id": "b.jpg", "keypoints": flat(26), "score": 1.5, "box": [0, 0, 9, 9], "idx": 4}],
        "halpe26",
        ["b.jpg"],
        ["4"],
    ),
    "alphapose 136": (
        [{"image_id": "b.jpg", "keypoints": flat(136), "score": 1.5}],
        "halpe26",
        ["b.jpg"],
        ["0"],
    ),
    "openpose 25": (
        {
            "version": 1.3,
            "people": [{"person_id": [-1], "pose_keypoints_2d": flat(25, missing=(3,))}],
        },
        "body25",
        ["k"],
        ["0"],
    ),
    "openpose 18": (
        {"version": 0.1, "people": [{"pose_keypoints": flat(18)}]},
        "coco18",
        ["k"],
        ["0"],
    ),
    "mmpose image": ([instance()], "coco17", ["k"], ["0"]),
    "mmpose video": (
        [{"frame_id": 5, "instances": [instance(track_id=2), instance()]}],
        "coco17",
        ["5", "5"],
        ["2", "1"],
    ),
    "mmpose demo": (
        {"meta_info": {}, "instance_info": [{"frame_id": 1, "instances": [instance(26)]}]},
        "halpe26",
        ["1"],
        ["0"],
    ),
    "mmpose wholebody": ([instance(133)], "coco17", ["k"], ["0"]),
    "mediapipe legacy": (
        {"pose_landmarks": [landmark(n) for n in range(33)]},
        "mediapipe33",
        ["0"],
        ["0"],
    ),
    "mediapipe tasks": (
        [{"pose_landmarks": [[landmark(n) for n in range(33)]] * 2}],
        "mediapipe33",
        ["0", "0"],
        ["0", "1"],
    ),
    "mediapipe landmark": (
        {"poseLandmarks": {"landmark": [landmark(n) for n in range(33)]}},
        "mediapipe33",
        ["0"],
        ["0"],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_told_by_its_content(tmp_path, layout):
    content, skeleton, images, persons = LAYOUTS[layout]
    file = read_keypoints(write(tmp_path, content), image_size=(1000, 500))
    assert file.skeleton.name == skeleton
    assert list(file.image) == images and list(file.person) == persons
    assert file.image_size.tolist() == [[1000, 500]] * len(file)
    if layout.startswith("mediapipe"):
        assert file.keypoints[0, 10].tolist() == pytest.approx([100.0, 100.0])
        assert file.confidence[0, 10].item() == 0.5
    else:
        np.testing.assert_allclose(file.keypoints[0, 8], XY[8], atol=1e-4)


def test_missing_joints_come_out_missing_whatever_a_tool_writes(tmp_path):
    for content, joint in ((coco(), 4), (LAYOUTS["openpose 25"][0], 3)):
        file = read_keypoints(write(tmp_path, content), image_size=(9, 9))
        assert file.confidence[0, joint] == 0 and torch.isnan(file.keypoints[0, joint]).all()
        assert file.confidence[0, 0] > 0


def test_sizes_come_from_the_file_or_the_caller(tmp_path):
    assert read_keypoints(write(tmp_path, coco())).image_size.tolist() == [[640, 480]]
    assert read_keypoints(write(tmp_path, coco()), image_size=(10, 20)).image_size.tolist() == [
        [10, 20]
    ]


def test_a_folder_of_openpose_files_in_order(tmp_path):
    for n in (10, 2):
        write(tmp_path, {"people": [{"pose_keypoints_2d": flat(25)}]}, f"v_{n:012d}_keypoints.json")
    file = read_keypoints(tmp_path, image_size=(100, 100))
    assert file.image == ("v_000000000002", "v_000000000010")


def test_arrays(tmp_path):
    np.save(tmp_path / "a.npy", XY[:17])
    one = read_keypoints(tmp_path / "a.npy", "human36m17", (9, 9))
    assert len(one) == 1 and (one.confidence == 1).all()
    points = np.stack([XY[:16]] * 3)
    points[1, 2] = np.nan
    np.savez(
        tmp_path / "a.npz",
        keypoints=points,
        confidence=np.full((3, 16), 0.5),
        skeleton="mpii16",
        image_size=np.array([8, 6]),
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
        (json.dumps(coco(keypoints=flat(16))), "does not say which joints"),
        (json.dumps(coco(keypoints=[float("inf"), 1, 2, *flat(17)[3:]])), "infinite coordinate"),
        (json.dumps([{"image_id": 1, "keypoints": "abc"}]), "not as its layout says"),
        (json.dumps([{"image_id": 1}]), "not as its layout says"),
        (
            json.dumps([{"image_id": 1, "keypoints": [10**400, *flat(17)[1:]]}]),
            "not as its layout says",
        ),
        (
            json.dumps([{"frame_id": 1, "instances": [instance(keypoints=[[10**400, 1]] * 17)]}]),
            "not as its layout says",
        ),
        (
            json.dumps([{"frame_id": 1, "instances": [{"keypoints": [[1, 2]]}]}]),
            "not as its layout says",
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
        read_keypoints(path, "halpe26", (9, 9))
    with pytest.raises(InputError, match="no skeleton 'coco'"):
        read_keypoints(path, "coco", (9, 9))
    with pytest.raises(InputError, match="MediaPipe's coordinates are shares"):
        read_keypoints(write(tmp_path, LAYOUTS["mediapipe tasks"][0]))
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


def test_skeleton_names_are_the_ones_we_have():
    from unihpe.inputs import tools

    for table in (
        tools.COCO_SETS,
        tools.ALPHAPOSE_SETS,
        tools.OPENPOSE_SETS,
        tools.MMPOSE_SETS,
    ):
        assert all(len(get_skeleton(name)) <= count for count, name in table.items())


def instances(joints=17):
    return [
        {
            "keypoints": [[10.0 * n, 20.0 + n] for n in range(joints)],
            "keypoint_scores": [0.9] * joints,
        }
    ]


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
        "instance_info": [{"frame_id": 0, "instances": instances()}],
    }
    assert (
        read_keypoints(dump(tmp_path / "a.json", content), image_size=(100, 100)).skeleton.name
        == skeleton
    )


def test_mmpose_joints_we_do_not_know_must_be_named(tmp_path):
    content = {
        "meta_info": {"dataset_name": "lapa"},
        "instance_info": [{"frame_id": 0, "instances": instances()}],
    }
    path = dump(tmp_path / "a.json", content)
    with pytest.raises(InputError, match="--skeleton"):
        read_keypoints(path, image_size=(100, 100))
    assert read_keypoints(path, "coco17", (100, 100)).skeleton.name == "coco17"


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
    beyond = [landmark(0) | {"x": 1e39}, *(landmark(n) for n in range(1, 33))]
    content = [{"pose_landmarks": [beyond, [landmark(n) for n in range(33)]]}]
    file = read_keypoints(write(tmp_path, content), image_size=(1000, 500))
    rows, skipped = liftable_rows(file, get_skeleton("mediapipe33"))
    assert rows == [1] and "person 0: a joint lies more than 20 pictures away" in skipped[0]


def test_an_endless_picture_names_its_file(tmp_path):
    content = coco()
    content["images"][0]["width"] = 1e39
    with pytest.raises(InputError, match=rf"{re.escape(str(tmp_path))}.*picture size"):
        read_keypoints(write(tmp_path, content))


def test_each_person_may_have_a_picture_size(tmp_path):
    sizes = np.array([[100.0, 200.0], [300.0, 400.0]])
    np.savez(tmp_path / "a.npz", keypoints=np.ones((2, 17, 2)), skeleton="coco17", image_size=sizes)
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
