"""3DPW's sequence files, whole and broken."""

import numpy as np
import pytest
import torch
from miniatures import dumps_python2, people, threedpw_sequence, write_threedpw
from torch.testing import assert_close

from unihpe.body.prepare import prepare
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.threedpw.sequences import open_threedpw
from unihpe.errors import InputError

SMPL, COCO = get_skeleton("smpl24"), get_skeleton("coco18")


def everything(source):
    return source.read(torch.arange(len(source)), torch.Generator())


def test_3d_comes_out_in_camera_axes(tmp_path):
    write_threedpw(tmp_path)
    source = open_threedpw(tmp_path)
    assert len(source) == 2 * 2 * 9  # two sequences of two people, one frame without a camera
    assert source.names("split") == ("train", "test") and source.names("sequence") == (
        "downtown_walk_00",
    )
    assert source.frame[:3].tolist() == [0, 2, 3]
    assert source.notes == ("4 frames left out: an invalid camera",)
    frames, content = everything(source), threedpw_sequence()
    world = content["jointPositions"][1].reshape(10, 24, 3)[2]
    outer = content["cam_poses"][2]
    expected = world @ outer[:3, :3].T + outer[:3, 3]
    assert_close(frames.pose[9 + 1], torch.from_numpy(expected * 1000).float(), atol=0.02, rtol=0)
    assert_close(
        frames.camera.to_world(frames.pose)[9 + 1],
        torch.from_numpy(world * 1000).float(),
        atol=0.02,
        rtol=0,
    )
    assert frames.camera.size[0].tolist() == [1920, 1080] and frames.camera.size[-1].tolist() == [
        1080,
        1920,
    ]
    pixels = expected @ content["cam_intrinsics"].T
    assert_close(
        frames.keypoints[10],
        torch.from_numpy(pixels[:, :2] / pixels[:, 2:]).float(),
        atol=0.01,
        rtol=0,
    )
    assert len(prepare(frames, source.skeleton)) == 36


def test_detections_are_converted_by_name(tmp_path):
    write_threedpw(tmp_path)
    source = open_threedpw(tmp_path, "test", "detected")
    assert len(source) == 2 * 8  # nobody was found in the last frame
    assert source.notes == ("4 frames left out: an invalid camera or fewer than 4 joints in 2D",)
    frames, content = everything(source), threedpw_sequence(portrait=True)
    for joint in ("left_knee", "right_ankle", "left_shoulder", "right_elbow", "neck"):
        written = content["poses2d"][0][0][:2, COCO.index(joint)]
        assert_close(
            frames.keypoints[0, SMPL.index(joint)],
            torch.from_numpy(written).float(),
            atol=0.01,
            rtol=0,
        )
    assert frames.confidence[0, SMPL.index("left_knee")] == pytest.approx(0.8)
    assert frames.confidence[0, SMPL.index("left_wrist")] == 0 and bool(
        frames.keypoints[0, SMPL.index("left_wrist")].isnan().all()
    )
    assert people(["left_knee"], 1).shape == (1, 1, 3)


def test_folders_may_be_nested_and_named_themselves(tmp_path):
    base = write_threedpw(tmp_path, nested=True)
    assert (
        len(open_threedpw(tmp_path))
        == len(open_threedpw(base))
        == len(open_threedpw(base.parent))
        == 36
    )
    assert len(open_threedpw(tmp_path, "train")) == 18
    with pytest.raises(InputError, match="no sequenceFiles"):
        open_threedpw(tmp_path, "val")
    with pytest.raises(InputError, match="no split 'validation'; there are train, val, test"):
        open_threedpw(tmp_path, "validation")


def test_the_readmes_spelling_is_read_too(tmp_path):
    write_threedpw(tmp_path, lambda content: content.update(poses2D=content.pop("poses2d")))
    assert len(open_threedpw(tmp_path)) == 36


def each(key, function):
    def change(content):
        content[key] = [function(value) for value in content[key]]

    return change


def swap_legs(flat):
    joints = flat.reshape(len(flat), 24, 3).copy()
    for name in ("hip", "knee", "ankle", "foot"):
        left, right = SMPL.index(f"left_{name}"), SMPL.index(f"right_{name}")
        joints[:, [left, right]] = joints[:, [right, left]]
    return joints.reshape(len(flat), 72)


def with_nan(flat):
    flat = flat.copy()
    flat[4, 7] = np.nan
    return flat


def break_camera(content):
    content["cam_poses"][5, :3, :3] *= 2


@pytest.mark.parametrize(
    "change, message",
    [
        (each("jointPositions", lambda flat: flat * 1000), "3D is in mm, but this layout is in m"),
        (each("jointPositions", swap_legs), "legs are swapped"),
        (each("jointPositions", with_nan), "not finite"),
        (each("jointPositions", lambda flat: flat[:, :69]), "69 numbers a frame, expected 72"),
        (each("jointPositions", lambda flat: flat[:-1]), "9 frames of 3D, 10 of cameras"),
        (each("jointPositions", lambda flat: flat.astype(object)), "of type object"),
        (each("campose_valid", lambda valid: valid[:-2]), "campose_valid of 8 frames"),
        (
            each("campose_valid", lambda valid: valid * 0),
            "no frame of 2 sequences has a valid camera",
        ),
        (lambda content: content["poses2d"].pop(), "2 people in 3D, 1 in 2D"),
        (lambda content: content.pop("cam_intrinsics"), "lacks cam_intrinsics"),
        (lambda content: content.update(jointPositions="none"), "jointPositions is a str"),
        (break_camera, "the camera of frame 5 is no rigid motion"),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path, change, message):
    write_threedpw(tmp_path, change)
    with pytest.raises(InputError, match=message) as caught:
        open_threedpw(tmp_path)
    assert "\n" not in str(caught.value)


def test_2d_of_another_length_is_refused_where_it_is_used(tmp_path):
    write_threedpw(tmp_path, each("poses2d", lambda rows: np.concatenate([rows, rows])))
    assert len(open_threedpw(tmp_path)) == 36
    with pytest.raises(InputError, match="2D of 20 frames, 3D of 10"):
        open_threedpw(tmp_path, two_d="detected")


def test_a_truncated_file_and_one_of_something_else(tmp_path):
    base = write_threedpw(tmp_path)
    path = base / "train" / "downtown_walk_00.pkl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a readable pickle"):
        open_threedpw(tmp_path)
    path.write_bytes(dumps_python2([1, 2]))
    with pytest.raises(InputError, match="holds a list, expected 3DPW's dict"):
        open_threedpw(tmp_path)
