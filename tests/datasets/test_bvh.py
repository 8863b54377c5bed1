"""BVH: kinematics by hand and against the reference poses, rigs, resampling, bad files."""

import re

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.motion.bvh import (
    _choose_rig,
    _read_bvh,
    _read_rig,
    _resample,
    _shipped_rigs,
    load_folder,
)
from unihpe.errors import InputError

ARM = """HIERARCHY
ROOT base
{
\tOFFSET 0 0 0
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
\tJOINT elbow
\t{
\t\tOFFSET 10 0 0
\t\tCHANNELS 3 Zrotation Xrotation Yrotation
\t\tEnd Site
\t\t{
\t\t\tOFFSET 5 0 0
\t\t}
\t}
}
MOTION
Frames: 3
Frame Time: .0333333
0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 0 0
0 0 0 90 0 90 -90 0 0
"""


def write(tmp_path, text, name="a.bvh"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_kinematics_by_hand(tmp_path):
    bvh = _read_bvh(write(tmp_path, ARM))
    assert bvh.fps == pytest.approx(30, rel=1e-4)
    places = bvh.positions()
    assert list(places) == ["base", "elbow", "elbow_end"]
    np.testing.assert_allclose(places["elbow_end"][0], [15, 0, 0], atol=1e-9)
    np.testing.assert_allclose(places["elbow"][1], [1, 12, 3], atol=1e-9)  # x turned to y
    np.testing.assert_allclose(places["elbow_end"][1], [1, 17, 3], atol=1e-9)
    # frame 2: R = Rz(90)·Ry(90); R·(10,0,0) = Rz(90)·(0,0,−10) = (0,0,−10)
    np.testing.assert_allclose(places["elbow"][2], [0, 0, -10], atol=1e-9)
    # then Rz(90)·Ry(90)·Rz(−90)·(5,0,0) = Rz(90)·Ry(90)·(0,−5,0) = Rz(90)·(0,−5,0) = (5,0,0)
    np.testing.assert_allclose(places["elbow_end"][2], [5, 0, -10], atol=1e-9)


def test_line_ends_blank_lines_and_case_do_not_matter(tmp_path):
    messy = (
        ARM.replace("\n", "\r\n")
        .replace("Xposition Yposition", "Xposition   Yposition")
        .replace("MOTION", "\r\nMOTION\r\n")
    )
    a, b = (
        _read_bvh(write(tmp_path, text, name)) for text, name in ((ARM, "a.bvh"), (messy, "b.bvh"))
    )
    for name, place in a.positions().items():
        np.testing.assert_allclose(place, b.positions()[name])


@pytest.mark.parametrize("name", ["02_01", "131_01", "47_01"])
def test_real_files_agree_with_the_reference_poses(shared_data, name):
    """The reference is the same motion at every fourth frame, counted from the fourth."""
    archive = np.load(shared_data / "cmu_mocap" / "cmu_h36m17_30fps.npz")
    sequences = zip(archive["seq_names"], archive["seq_source"], strict=True)
    found = [
        n
        for n, (file, source) in enumerate(sequences)
        if name in file and source in ("walkcycles", "bvh11")
    ]
    expected = archive["poses"][archive["seq_index"] == found[0]] * 1000
    path = shared_data / "cmu_mocap" / "bvh" / f"{name}.bvh"
    bvh = _read_bvh(path)
    rig = _choose_rig(path, bvh.positions())
    poses = rig.poses(path, bvh.positions())[4 - rig.skip :: 4]
    count = min(len(poses), len(expected))
    assert count > 80
    error = np.linalg.norm(poses[:count] - expected[:count], axis=-1).mean(0)
    skeleton = get_skeleton("human36m17")
    limits = {
        "nose": 25.0,
        "head": 25.0,
        "thorax": 1.0,
        "spine": 1.0,
    }  # mm; the head's direction is each rig's own
    for joint, value in zip(skeleton.joints, error, strict=True):
        assert value < limits.get(joint, 0.05), joint


def test_every_real_file_loads_by_itself_at_its_own_size(shared_data):
    motions = load_folder(shared_data / "cmu_mocap" / "bvh")
    assert len(motions) == 10
    skeleton = get_skeleton("human36m17")
    for name, poses in motions:
        thigh = (poses[:, skeleton.index("left_hip")] - poses[:, skeleton.index("left_knee")]).norm(
            dim=-1
        )
        assert 330 < thigh.mean() < 480, name
        up = poses[:, skeleton.index("head"), 1] - poses[:, skeleton.index("left_ankle"), 1]
        assert up.median() > 900, name
        # left is left: the nose points forward of the spine, across × up
        across = (
            poses[:, skeleton.index("left_shoulder")] - poses[:, skeleton.index("right_shoulder")]
        )
        forward = torch.linalg.cross(
            across, poses[:, skeleton.index("thorax")] - poses[:, skeleton.index("pelvis")]
        )
        nose = poses[:, skeleton.index("nose")] - poses[:, skeleton.index("thorax")]
        assert ((forward * nose).sum(-1) > 0).float().mean() > 0.8, name


def test_resampling_interpolates_and_keeps_the_ends():
    values = np.arange(9.0)[:, None]
    np.testing.assert_allclose(_resample(values, 120, 30)[:, 0], [0, 4, 8])
    np.testing.assert_allclose(_resample(values, 30, 60)[:, 0], np.arange(17) / 2)
    assert _resample(values, 30.00003, 30) is values
    assert _resample(values[:1], 120, 30).shape == (1, 1)


RIG = """
name = "mine"
unit_mm = 1000.0
up = "z"
pelvis = "p"
head = ["p", "h"]
[joints]
""" + "\n".join(
    f'{side}_{limb} = "{side[0]}{limb}"'
    for side in ("left", "right")
    for limb in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)


def test_a_rig_of_ones_own_with_z_up(tmp_path):
    rig = _read_rig(write(tmp_path, RIG, "rig.toml"))
    positions = {name: np.zeros((2, 3)) for name in rig.missing(())}
    positions["h"] = np.array([[0, 0, 1.0]] * 2)
    for side, x in (("l", -0.2), ("r", 0.2)):
        positions[f"{side}shoulder"] = np.array([[x, 0.0, 0.5]] * 2)
    poses = rig.poses(tmp_path, positions)
    skeleton = get_skeleton("human36m17")
    np.testing.assert_allclose(poses[0, skeleton.index("thorax")], [0, 550, 0], atol=1e-9)
    np.testing.assert_allclose(poses[0, skeleton.index("head")], [0, 500 + 290, 0], atol=1e-9)


@pytest.mark.parametrize("change", [{"h": (0, 0, 0)}, {"h": (1, 0, 0)}, {"lwrist": (1e39, 0, 0)}])
def test_poses_that_are_not_finite_are_refused(tmp_path, change):
    """A head on the neck's spot, a head along the shoulders, a wrist beyond float32."""
    rig = _read_rig(write(tmp_path, RIG.replace('up = "z"', 'up = "z"\nskip = 1'), "rig.toml"))
    positions = {name: np.zeros((4, 3)) for name in rig.missing(())}
    positions |= {
        name: np.tile(place, (4, 1))
        for name, place in (
            ("h", (0, 0, 1.0)),
            ("lshoulder", (-0.2, 0, 0)),
            ("rshoulder", (0.2, 0, 0)),
        )
    }
    assert np.isfinite(rig.poses(tmp_path, positions)).all()
    for name, place in change.items():
        positions[name][2:] = place
    with pytest.raises(InputError, match=r"frame 2 gives no finite pose: p and h, .* --rig"):
        rig.poses(tmp_path, positions)


def test_a_real_rig_whose_head_has_no_length(tmp_path, shared_data):
    text = (shared_data / "cmu_mocap" / "bvh" / "02_01.bvh").read_text()
    changed = re.sub(r"(JOINT Head\s*\{\s*OFFSET)[^\n]*", r"\1 0 0 0", text)
    assert changed != text
    with pytest.raises(InputError, match=r"a\.bvh: frame 1 gives no finite pose: Neck and Head"):
        load_folder(write(tmp_path, changed))


def test_shipped_rigs_have_names_of_their_own():
    assert len({rig.name for rig in _shipped_rigs()}) == len(_shipped_rigs()) >= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: "", "does not begin with HIERARCHY"),
        (lambda t: "PK\x03\x04 nothing", "does not begin with HIERARCHY"),
        (lambda t: t[: t.index("MOTION")], "no MOTION part"),
        (lambda t: t[: t.index("Frame Time")], "no 'Frames' and 'Frame Time'"),
        (lambda t: t[:-12], "motion values where 3 frames"),
        (lambda t: t.replace("1 2 3", "nan 2 3"), "frame 1 holds a value that is not finite"),
        (lambda t: t.replace("1 2 3", "inf 2 3"), "frame 1 holds a value that is not finite"),
        (lambda t: t.replace("1 2 3", "x 2 3"), "not a number"),
        (
            lambda t: t.replace("OFFSET 10 0 0", "OFFSET 10 zero 0"),
            "damaged hierarchy near 'elbow'",
        ),
        (lambda t: t.replace("}\nMOTION", "MOTION"), "cut short inside the hierarchy"),
        (lambda t: t.replace("Frames: 3", "Frames: 0"), "must be above 0"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        _read_bvh(write(tmp_path, change(ARM)))


def test_binary_files_are_not_text(tmp_path):
    path = tmp_path / "a.bvh"
    path.write_bytes(bytes(range(128, 256)) * 10)
    with pytest.raises(InputError, match="not a readable BVH text file"):
        _read_bvh(path)


def test_a_missing_joint_is_named(tmp_path):
    with pytest.raises(InputError, match="misses"):
        load_folder(write(tmp_path, ARM))
    rig = write(tmp_path, RIG, "rig.toml")
    with pytest.raises(InputError, match="needs the joints h, lankle"):
        load_folder(write(tmp_path, ARM), rig)


def test_a_bad_rig_says_what_is_wrong(tmp_path):
    with pytest.raises(InputError, match="must name exactly"):
        _read_rig(write(tmp_path, RIG.replace("left_wrist", "left_paw"), "rig.toml"))
    with pytest.raises(InputError, match="unit_mm"):
        _read_rig(write(tmp_path, RIG.replace("unit_mm = 1000.0", ""), "rig.toml"))


def test_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match="no BVH file"):
        load_folder(tmp_path)


def test_resampled_poses_are_tensors_in_millimetres(shared_data):
    ((name, poses),) = load_folder(shared_data / "cmu_mocap" / "bvh" / "02_01.bvh")
    assert name == "02_01" and poses.dtype == torch.float32 and poses.shape == (86, 17, 3)
    assert_close(poses, load_folder(shared_data / "cmu_mocap" / "bvh" / "02_01.bvh")[0][1])


def test_position_channels_stand_in_place_of_the_offset(tmp_path):
    """Some programs write six channels for every joint."""
    text = ARM.replace("CHANNELS 3 Zrotation", "CHANNELS 6 Xposition Yposition Zposition Zrotation")
    rows = ("0 0 0 0 0 0 4 5 6 0 0 0", "1 2 3 0 0 0 4 5 6 0 0 0", "0 0 0 90 0 0 4 5 6 0 0 0")
    text = text[: text.index("0 0 0 0 0 0 0 0 0")] + "\n".join(rows) + "\n"
    places = _read_bvh(write(tmp_path, text)).positions()
    assert_close(
        torch.from_numpy(places["elbow"][:2]),
        torch.tensor([[4.0, 5, 6], [5, 7, 9]], dtype=torch.float64),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", "no channel is called Wrotation"),
        ("OFFSET 10 0 0", "OFFSET nan 0 0", "not finite"),
        ("Frame Time: .0333333", "Frame Time: 1e", "not a number"),
    ],
)
def test_odd_channels_offsets_and_frame_times(tmp_path, old, new, message):
    with pytest.raises(InputError, match=message):
        _read_bvh(write(tmp_path, ARM.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\t\tEnd Site", "\t\tCHANNELS 3 Zrotation Xrotation Yrotation\n\t\tEnd Site", "two lists"),
        ("Yrotation\n\t\tEnd", "\x00" * 9999 + "\n\t\tEnd", "no channel is called"),
        ("Frames: 3", "Frames: " + "9" * 400, "9999 frames of"),
        ("1 2 3 90", "1 2 " + "x" * 9999 + " 90", "is not a number"),
    ],
    ids=["channels", "channel", "frames", "value"],
)
def test_odd_words_are_refused_in_a_line_that_can_be_read(tmp_path, old, new, message):
    assert old in ARM
    with pytest.raises(InputError, match=message) as refusal:
        _read_bvh(write(tmp_path, ARM.replace(old, new, 1)))
    assert len(str(refusal.value)) < 400


def test_channels_after_a_child_are_those_of_their_own_joint(tmp_path):
    line = "\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
    moved = ARM.replace(line, "", 1).replace("\t}\n}\nMOTION", "\t}\n" + line + "}\nMOTION")
    moved = moved.replace("1 2 3 90 0 0 0 0 0", "0 0 0 1 2 3 90 0 0")
    moved = moved.replace("0 0 0 90 0 90 -90 0 0", "-90 0 0 0 0 0 90 0 90")
    own, expected = (_read_bvh(write(tmp_path, text)).positions() for text in (moved, ARM))
    for name, places in expected.items():
        np.testing.assert_allclose(own[name], places, atol=1e-9)
