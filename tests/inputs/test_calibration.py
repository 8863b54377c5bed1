"""Calibrated cameras: every file that is read, as its tool writes it, and what a lens changes."""

import cv2
import numpy as np
import pytest
import torch
from torch.testing import assert_close

import unihpe
from unihpe.body.camera import Camera
from unihpe.errors import InputError
from unihpe.inputs.calibration import Lens, read_lens, straightened

MATRIX = np.array([[1100.0, 0, 630], [0, 1090, 350], [0, 0, 1]])
BENT = (-0.2, 0.1, 0.001, -0.002, 0.01)
SIZE = (1280.0, 720.0)
COLMAP_TEXT = """# Camera list with one line of data per camera:
#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
# Number of cameras: 2
1 OPENCV 1280 720 1100 1090 630.5 350.5 -0.2 0.1 0.001 -0.002
2 SIMPLE_RADIAL 640 480 500 320 240 -0.1
"""
POSE2SIM = """[cam_01]
name = "left"
size = [ 1280.0, 720.0]
matrix = [ [ 1100.0, 0.0, 630.0], [ 0.0, 1090.0, 350.0], [ 0.0, 0.0, 1.0]]
distortions = [ -0.2, 0.1, 0.001, -0.002]
rotation = [ 0.1, 0.2, 0.3]
translation = [ 0.0, 0.0, 3.0]
fisheye = false

[metadata]
adjusted = false
error = 0.0
"""
ROS = """image_width: 1280
image_height: 720
camera_name: narrow
camera_matrix:
  rows: 3
  cols: 3
  data: [1100.0, 0.0, 630.0, 0.0, 1090.0, 350.0, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.2, 0.1, 0.001, -0.002, 0.01]
"""


def _own():
    return Lens((1100.0, 1090.0), (630.5, 350.5), BENT, SIZE)


@pytest.mark.parametrize("ending", ["yml", "yaml", "xml", "json"])
@pytest.mark.parametrize(
    "names",
    [("camera_matrix", "distortion_coefficients"), ("K", "D"), ("mtx", "dist")],
    ids=lambda names: names[0],
)
def test_what_opencv_writes(tmp_path, ending, names):
    path = tmp_path / f"camera.{ending}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 1280)
    storage.write("image_height", 720)
    storage.write(names[0], MATRIX)
    storage.write(names[1], np.array([BENT]))
    storage.release()
    assert read_lens(path) == _own()


def test_what_ros_writes(tmp_path):
    path = tmp_path / "camera.yaml"
    path.write_text("%YAML:1.0\n---\n" + ROS)
    assert read_lens(path) == _own()
    path.write_text(ROS)
    assert read_lens(path) == _own()
    path.write_text(ROS.replace("plumb_bob", "equidistant"))
    with pytest.raises(InputError, match="its lens is equidistant, not OpenCV's five numbers"):
        read_lens(path)


def test_pose2sim_and_colmap(tmp_path):
    pose2sim, colmap = tmp_path / "Calib.toml", tmp_path / "cameras.txt"
    pose2sim.write_text(POSE2SIM)
    colmap.write_text(COLMAP_TEXT)
    own = read_lens(pose2sim)
    assert own == Lens((1100.0, 1090.0), (630.5, 350.5), BENT[:4], SIZE)
    assert read_lens(pose2sim, "left") == own
    with pytest.raises(InputError, match="its cameras are 1, 2; name one: cameras.txt#NAME"):
        read_lens(colmap)
    first = read_lens(colmap, "1")  # COLMAP's origin is ours
    assert first.centre == (630.5, 350.5) and first.distortion == (*BENT[:4], 0.0)
    assert read_lens(colmap, "2") == Lens(
        (500.0, 500.0), (320.0, 240.0), (-0.1, 0, 0, 0, 0), (640, 480)
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", POSE2SIM.replace("fisheye = false", "fisheye = true"), "is a fisheye camera"),
        ("a.toml", "[cam]\nname = 3\n", "its cameras are none"),
        ("a.toml", POSE2SIM.replace("1100.0", "nan"), "focal is 2 finite numbers"),
        ("a.toml", POSE2SIM.replace("[ [ 1100.0, 0.0, 630.0]", "[ [ 1100.0]"), "no camera"),
        ("a.toml", POSE2SIM.replace("-0.002]", "-0.002, 0, 0.5]"), "distortion .*: k1, k2, p1"),
        ("cameras.txt", "1 OPENCV_FISHEYE 640 480 1 1 1 1 0 0 0 0", "has the lens OPENCV_FISHEYE"),
        ("cameras.txt", "1 OPENCV 640 480 500 500 320", "no camera that is known"),
        ("cameras.txt", "1 PINHOLE 640 480 500 -1 320 240", "a focal length is above 0"),
        ("a.yml", "%YAML:1.0\n---\nx: 3\n", "lacks a 3 × 3 camera_matrix"),
        ("a.yml", "%YAML:1.0\n---\nK: [3\n", "lacks a 3 × 3"),
        ("a.json", "{", "no camera that is known"),
        ("a.xml", "<opencv_storage>", "no camera that is known"),
        ("a.yml", "", "no camera that is known|lacks"),
        ("a.png", "\x89PNG", "no camera that is known|lacks"),
    ],
)
def test_files_that_are_no_camera(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message) as refusal:
        read_lens(path)
    assert str(path) in str(refusal.value) or "focal" in message or "distortion" in message
    assert "\n" not in str(refusal.value)


def _seen(count=3):
    """Poses of a prior-like body, and where a bent camera sees them, and one without its lens."""
    generator = torch.Generator().manual_seed(0)
    poses = torch.randn(count, 17, 3, generator=generator) * 300 + torch.tensor([200.0, 0, 4000])
    size = torch.tensor(SIZE).expand(count, 2)
    bent = Lens((1100.0, 1100.0), (630.5, 350.5), BENT, SIZE).camera(size)
    return bent.project(poses), Camera.simple(size, torch.full((count,), 1100.0)).project(poses)


def test_pixels_are_straightened_to_those_of_a_camera_without_lens():
    bent, straight = _seen()
    size = torch.tensor(SIZE).expand(3, 2)
    camera = Lens((1100.0, 1100.0), (630.5, 350.5), BENT).camera(size)
    assert_close(straightened(bent, camera), straight, atol=1e-2, rtol=0)
    assert float((bent - straight).abs().max()) > 5


def test_a_pose_seen_through_a_lens_is_that_seen_without_it():
    model, (bent, straight) = unihpe.load(device="cpu"), _seen()
    plain = model.lift(straight, SIZE, "human36m17", focal=1100.0)
    lens = Lens((1100.0, 1100.0), (630.5, 350.5), BENT)
    through = model.lift(bent, SIZE, "human36m17", focal=lens)
    assert_close(through.pose, plain.pose, atol=0.1, rtol=0)
    assert_close(through.translation, plain.translation, atol=1.0, rtol=0)
    assert through.focal_source == "given"
    assert_close(through.keypoints, bent)  # as they were given
    assert (
        float((model.lift(bent, SIZE, "human36m17", focal=1100.0).pose - plain.pose).abs().max())
        > 2
    )


def test_a_joint_that_no_lens_shows_and_pictures_of_another_size_are_refused():
    model, (bent, _) = unihpe.load(device="cpu"), _seen()
    folded = Lens((300.0, 300.0), None, (-0.35,))
    with pytest.raises(InputError, match="person 0: .* lies where the lens has no inverse; check"):
        model.lift(bent, SIZE, "human36m17", focal=folded)
    with pytest.raises(InputError, match="that of 640 × 480 pictures, not of 1280 × 720"):
        model.lift(bent, SIZE, "human36m17", focal=Lens((500.0, 500.0), size=(640, 480)))


def test_pictures_take_a_camera_too():
    model, picture = unihpe.load(device="cpu"), np.zeros((480, 640, 3), np.uint8)
    box = [[100, 100, 300, 400]]
    plain = model.predict(picture, box, focal=500.0)
    same = model.predict(picture, box, focal=Lens((500.0, 500.0)))
    moved = model.predict(picture, box, focal=Lens((500.0, 500.0), (200.0, 240.0)))
    assert_close(same.pose, plain.pose, atol=1e-2, rtol=0)
    assert float((moved.pose - plain.pose).abs().max()) > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--focal", "x"), "--focal x: a focal length is above 0, in pixels"),
        (("--focal", "1,2,3"), "one or FX,FY"),
        (("--focal", "0"), "--focal 0: a focal length is above 0"),
        (("--centre", "3,4"), "--centre 3,4: it needs --focal"),
        (("--focal", "500", "--centre", "3"), "--centre 3: write CX,CY"),
        (("--camera", "nowhere.yml"), "no camera file at nowhere.yml"),
        (("--camera", "nowhere.yml", "--focal", "5"), "leave --focal and --centre out"),
    ],
)
def test_options_of_a_camera(unihpe, tmp_path, options, message):
    code, _, error = unihpe("predict", "--keypoints", "k.npy", "-o", tmp_path, *options)
    assert code == 2 and message in error and error.count("\n") == 1


def test_predict_with_a_camera_file(unihpe, tmp_path):
    bent, _ = _seen()
    np.save(tmp_path / "k.npy", bent.numpy())
    (tmp_path / "cameras.txt").write_text(COLMAP_TEXT)
    people = ("--keypoints", tmp_path / "k.npy", "--image-size", "1280x720")
    camera = ("--skeleton", "human36m17", "--camera", f"{tmp_path / 'cameras.txt'}#1")
    code, text, error = unihpe("predict", *people, *camera, "-o", tmp_path / "out")
    assert code == 0 and "Focal length given." in text, error
    both = ("--focal", "1100,1090", "--centre", "630,350", "--skeleton", "human36m17")
    code, text, error = unihpe("predict", *people, *both, "-o", tmp_path / "out")
    assert code == 0, error
