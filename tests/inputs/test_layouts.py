"""Each tool's own layout, as the tool writes it: who is in it, and with which joints."""

import dataclasses
import json

import numpy as np
import pytest
from figure import figure, flat

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.inputs.readers.mmpose import DATA_SETS


def dump(path, content):
    path.write_text(json.dumps(content))
    return path


def instance(name="coco17", **more):
    points = figure(name)
    seen = [0.8] * len(points)
    own = {"keypoints": points.tolist(), "keypoint_scores": seen, "bbox": [[1, 2, 3, 4]]}
    return own | more


def alphapose(name, image="b.jpg", **more):
    row = {"image_id": image, "category_id": 1, "keypoints": flat(name), "score": 1.5}
    return row | {"box": [0, 0, 9, 9]} | more


def ultralytics(**more):
    x, y = figure("coco17").T.tolist()
    box = {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}
    keypoints = {"x": x, "y": y, "visible": [0.9] * 17}
    found = {"name": "person", "class": 0, "confidence": 0.9, "box": box, "keypoints": keypoints}
    return found | more


def landmarks():
    shares = figure("mediapipe33") / (500, 600)
    return [{"x": x, "y": y, "z": 0.1, "visibility": 0.9} for x, y in shares.tolist()]


def demo(name, people, **more):
    return {"meta_info": {"dataset_name": name}, "instance_info": people, **more}


FRAMES = {"a.jpg": "people", "b.jpg": "people"}
LAYOUTS = {
    "coco results": ([alphapose("coco17", 36)], "coco17", ["36"], ["0"]),
    "ultralytics' val": (
        [alphapose("coco17", "a", file_name="a.jpg")],
        "coco17",
        ["a.jpg"],
        ["0"],
    ),
    "alphapose": ([alphapose("halpe26", idx=4)], "halpe26", ["b.jpg"], ["4"]),
    "alphapose 136": ([alphapose("halpe136")], "halpe136", ["b.jpg"], ["0"]),
    "alphapose 68": ([alphapose("halpe68")], "halpe68", ["b.jpg"], ["0"]),
    "alphapose 133": ([alphapose("coco_wholebody133")], "coco_wholebody133", ["b.jpg"], ["0"]),
    "alphapose cmu": (
        {
            image: {"version": "AlphaPose v0.3", "bodies": [{"joints": flat("coco18")}]}
            for image in ("a.jpg", "b.jpg")
        },
        "coco18",
        ["a.jpg", "b.jpg"],
        ["0", "0"],
    ),
    "alphapose cmu, one picture": (
        {"version": "AlphaPose v0.3", "bodies": [{"joints": flat("coco18")}] * 2},
        "coco18",
        ["k", "k"],
        ["0", "1"],
    ),
    "alphapose open": (
        {
            "b.jpg": {
                "version": "AlphaPose v0.3",
                "people": [{"pose_keypoints_2d": flat("coco18")}],
            }
        },
        "coco18",
        ["b.jpg"],
        ["0"],
    ),
    "openpose": (
        {
            "version": 1.3,
            "people": [
                {
                    "person_id": [-1],
                    "pose_keypoints_2d": flat("body25"),
                    "face_keypoints_2d": [],
                    "pose_keypoints_3d": [],
                }
            ],
        },
        "body25",
        ["k"],
        ["0"],
    ),
    "openpose, old": (
        {"version": 0.1, "people": [{"pose_keypoints": flat("coco18")}]},
        "coco18",
        ["k"],
        ["0"],
    ),
    "mmpose inferencer": ([instance()], "coco17", ["k"], ["0"]),
    "mmpose inferencer, video": (
        [{"frame_id": 5, "instances": [instance(track_id=2), instance()]}],
        "coco17",
        ["5", "5"],
        ["2", "1"],
    ),
    "mmpose picture demo": (
        demo("coco", [instance(), instance()]),
        "coco17",
        ["k", "k"],
        ["0", "1"],
    ),
    "mmpose video demo": (
        demo("halpe26", [{"frame_id": 1, "instances": [instance("halpe26")]}]),
        "halpe26",
        ["1"],
        ["0"],
    ),
    "mmpose whole body": (
        demo("coco_wholebody", [instance("coco_wholebody133")]),
        "coco_wholebody133",
        ["k"],
        ["0"],
    ),
    "mmpose halpe": (demo("halpe", [instance("halpe136")]), "halpe136", ["k"], ["0"]),
    "mmpose h36m": (demo("h36m", [instance("human36m17")]), "human36m17", ["k"], ["0"]),
    "ultralytics": ([ultralytics(), ultralytics(track_id=7)], "coco17", ["k", "k"], ["0", "7"]),
    "mediapipe, legacy": ({"pose_landmarks": landmarks()}, "mediapipe33", ["0"], ["0"]),
    "mediapipe, tasks": (
        [{"image": "a.jpg", "pose_landmarks": [landmarks()] * 2}],
        "mediapipe33",
        ["a.jpg", "a.jpg"],
        ["0", "1"],
    ),
    "mediapipe, message": (
        {"poseLandmarks": {"landmark": landmarks()}},
        "mediapipe33",
        ["0"],
        ["0"],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_told_by_its_content(tmp_path, layout):
    content, skeleton, images, persons = LAYOUTS[layout]
    file = read_keypoints(dump(tmp_path / "k.json", content), image_size=(500, 600))
    assert file.skeleton.name == skeleton
    assert list(file.image) == images and list(file.person) == persons
    assert not file.left_out and file.image_size.tolist() == [[500, 600]] * len(file)
    for points in file.keypoints:
        np.testing.assert_allclose(points, figure(skeleton), atol=1e-3)
    assert ((file.confidence >= 0.8) & (file.confidence <= 0.9)).all()


@pytest.mark.parametrize(
    "frames",
    [
        {"a.json": [instance()], "b.json": [], "frame_10.json": [instance()]},
        {"a.json": [ultralytics()], "b.json": [], "frame_10.json": [ultralytics()]},
        {
            f"{name}.json": {"version": "AlphaPose v0.3", "bodies": bodies}
            for name, bodies in {"a": [{"joints": flat("coco18")}], "b": []}.items()
        }
        | {"frame_10.json": {"bodies": [{"joints": flat("coco18")}]}},
    ],
    ids=["mmpose", "ultralytics", "alphapose"],
)
def test_a_folder_with_a_file_for_each_picture(tmp_path, frames):
    for name, content in frames.items():
        dump(tmp_path / name, content)
    dump(tmp_path / "frame_2.json", frames["a.json"])
    (tmp_path / "broken.json").write_text("{")
    file = read_keypoints(tmp_path, image_size=(500, 600))
    assert file.image == ("a", "frame_2", "frame_10")
    assert len(file.left_out) == 1 and "broken.json: not whole JSON" in file.left_out[0]


def test_a_folder_of_two_tools_is_refused(tmp_path):
    dump(tmp_path / "a.json", [instance()])
    dump(tmp_path / "b.json", {"people": [{"pose_keypoints_2d": flat("body25")}]})
    with pytest.raises(InputError, match="files of one tool; b is not of the kind of a"):
        read_keypoints(tmp_path, image_size=(500, 600))


@pytest.mark.parametrize("name", ["scores", "keypoint_scores", "confidence"])
def test_rtmlibs_arrays(tmp_path, name):
    points, scores = np.stack([figure("coco17")] * 2), np.full((2, 17), 0.7, np.float32)
    path = tmp_path / "a.npz"
    np.savez(path, keypoints=points, **{name: scores}, bboxes=np.zeros((2, 4)))
    file = read_keypoints(path, "coco17", (500, 600))
    np.testing.assert_allclose(file.confidence, scores)
    assert file.notes == ("arrays that are not understood: bboxes",)
    np.savez(path, keypoints=points, scores=scores, confidence=scores)
    with pytest.raises(InputError, match="holds confidence and scores; keep one"):
        read_keypoints(path, "coco17", (500, 600))


def video(**sequences):
    metadata = {
        "layout_name": "coco",
        "num_joints": 17,
        "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
        "video_metadata": {name: {"w": 500, "h": 600, "fps": 25.0} for name in sequences},
    }
    own = {name: {"custom": [frames]} for name, frames in sequences.items()}
    return {"positions_2d": np.array(own, object), "metadata": np.array(metadata, object)}


def test_videopose3ds_2d(tmp_path):
    frames = np.stack([figure("coco17")] * 3).astype(np.float32)
    np.savez(tmp_path / "a.npz", **video(**{"a.mp4": frames, "b.mp4": frames[:1]}))
    file = read_keypoints(tmp_path / "a.npz")
    assert len(file) == 4 and file.image[3] == "b.mp4 custom camera 0 frame 0"
    assert file.skeleton.name == "coco17" and file.image_size.tolist() == [[500, 600]] * 4
    np.testing.assert_allclose(file.keypoints[2], frames[0])


def test_detectrons_detections(tmp_path):
    x, y = figure("coco17").T
    person = np.stack([x, y, np.full(17, 9.0), np.full(17, 0.6)])[None]
    frames = np.empty(3, dtype=object)
    frames[:] = [[[], np.concatenate([person, person])], [[], []], [[], person]]
    boxes = np.empty(3, dtype=object)
    boxes[:] = [[[], np.zeros((2, 5))], [[], []], [[], np.zeros((1, 5))]]
    metadata = np.array({"w": 500, "h": 600}, object)
    np.savez(tmp_path / "a.npz", boxes=boxes, segments=boxes, keypoints=frames, metadata=metadata)
    file = read_keypoints(tmp_path / "a.npz")
    assert file.image == ("0", "0", "2") and file.person == ("0", "1", "0")
    np.testing.assert_allclose(file.keypoints[1], figure("coco17"))
    np.testing.assert_allclose(file.confidence, 0.6)


@dataclasses.dataclass
class NormalizedLandmark:
    """As mediapipe.tasks.python.components.containers.landmark has it."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None
    name: str | None = None


@dataclasses.dataclass
class PoseLandmarkerResult:
    """As mediapipe.tasks.python.vision has it."""

    pose_landmarks: list
    pose_world_landmarks: list
    segmentation_masks: list | None = None


def test_the_documented_recipe_for_mediapipe(tmp_path):
    marks = [NormalizedLandmark(**mark, presence=1.0) for mark in landmarks()]
    results = {
        "a.jpg": PoseLandmarkerResult([marks], [marks]),
        "b.jpg": PoseLandmarkerResult([], []),
    }
    frames = [{"image": name, **dataclasses.asdict(own)} for name, own in results.items()]
    file = read_keypoints(dump(tmp_path / "k.json", frames), image_size=(500, 600))
    assert file.image == ("a.jpg",)
    np.testing.assert_allclose(file.keypoints[0], figure("mediapipe33"), atol=1e-3)


@pytest.mark.parametrize("name", ["coco_wholebody133", "halpe136"])
@pytest.mark.parametrize("kind", ["json", "npy"])
def test_whole_bodies_are_reduced_by_the_skeleton_that_is_asked_for(tmp_path, name, kind):
    path = dump(tmp_path / "k.json", [instance(name)])
    if kind == "npy":
        np.save(path := tmp_path / "k.npy", figure(name))
    for asked in (name, "coco17", *(["halpe26"] if name == "halpe136" else [])):
        file = read_keypoints(path, asked, (500, 600))
        assert file.skeleton.name == asked
        np.testing.assert_allclose(file.keypoints[0], figure(asked), atol=1e-3)
    with pytest.raises(InputError, match="name the right --skeleton"):
        read_keypoints(path, "human36m17", (500, 600))


@pytest.mark.parametrize("data", ["coco_wholebody_hand", "coco_wholebody_face", "ap10k", "lapa"])
def test_what_is_no_body_is_refused_by_its_name(tmp_path, data):
    hand = {"keypoints": [[200 + 3 * n, 200 + 5 * n] for n in range(21)]}
    people = [hand | {"keypoint_scores": [0.9] * 21}]
    for content in (demo(data, people), demo(data, [{"frame_id": 1, "instances": people}])):
        path = dump(tmp_path / "k.json", content)
        with pytest.raises(InputError, match=f"{data} is no body"):
            read_keypoints(path, image_size=(500, 600))
        with pytest.raises(InputError, match="has 21 joints, coco17 has 17"):
            read_keypoints(path, "coco17", (500, 600))


def test_hands_are_no_bodies_whoever_writes_them(tmp_path):
    hand = [[float(200 + 3 * n), float(200 + 5 * n), 0.9] for n in range(21)]
    row = {"image_id": "a.jpg", "keypoints": [number for joint in hand for number in joint]}
    marks = [{"x": x / 999, "y": y / 999, "visibility": 1.0} for x, y, _ in hand]
    for content, message in (
        ([row], "which joints its 21 are"),
        ({"landmarks": [marks]}, "has 21 joints, mediapipe33 has 33"),
    ):
        with pytest.raises(InputError, match=message):
            read_keypoints(dump(tmp_path / "k.json", content), image_size=(500, 600))


def test_the_joint_sets_of_mmposes_data_sets_exist():
    for sets in DATA_SETS.values():
        counts = [len(get_skeleton(name)) for name in sets]
        assert len(counts) == len(set(counts))


def test_coco_names_its_joints_or_is_taken_at_the_usual_ones(tmp_path):
    note = {"id": 1, "image_id": 1, "category_id": 1, "num_keypoints": 17}
    image = {"id": 1, "file_name": "a.jpg", "width": 500, "height": 600}
    for name, named in {
        "coco17": None,
        "human36m17": list(get_skeleton("human36m17").joints),
        "lsp14": list(get_skeleton("lsp14").joints),
    }.items():
        content = {"images": [image], "annotations": [note | {"keypoints": flat(name, 2)}]}
        if named:
            content["categories"] = [{"id": 1, "name": "person", "keypoints": named}]
        file = read_keypoints(dump(tmp_path / "k.json", content))
        assert file.skeleton.name == name and (file.confidence == 1).all() and not file.notes
    content["categories"][0]["keypoints"] = ["snout", "tail"]
    with pytest.raises(InputError, match="its category names the joints snout, tail"):
        read_keypoints(dump(tmp_path / "k.json", content))
    boxed = note | {"id": 2, "num_keypoints": 0, "keypoints": [0] * 51}
    content = {"images": [image], "annotations": [note | {"keypoints": flat("coco17", 2)}, boxed]}
    file = read_keypoints(dump(tmp_path / "k.json", content))
    assert len(file) == 1 and not file.left_out
    assert file.notes == ("1 of its people are boxed only (num_keypoints 0)",)
