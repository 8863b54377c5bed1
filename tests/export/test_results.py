"""Results as an object: joints by name, people and frames, joint sets, axes, tables, drawings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from clip import RATE, SKELETON, clip
from torch.testing import assert_close

from unihpe.body.camera import axis_rotation
from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError


def pictures(**fields):
    plain = replace(clip(people=1, frames=2), frame=None, time=None, filled=None, boxes=None)
    return replace(plain, image=("a.jpg", "b.jpg"), frame_rate=None, **fields)


def test_joints_have_names():
    results = clip()
    assert results.joint_names == SKELETON.joints
    assert_close(results["left_knee"], results.pose[:, SKELETON.index("left_knee")])
    with pytest.raises(InputError, match="no joint tail; it has pelvis"):
        results["tail"]


def test_it_says_briefly_what_it_is():
    assert repr(clip()) == "Results(2 people in 12 frames: pose (24, 17, 3), mm, human36m17)"
    assert repr(pictures()) == "Results(2 people in 2 pictures: pose (2, 17, 3), mm, human36m17)"
    assert len(repr(clip(people=3, frames=200))) < 100


def test_people_and_frames_are_gone_through():
    results = clip(missing={(2, 5), (2, 6)})
    assert [*results.people] == ["1", "2"] and [*results.frames] == list(range(12))
    assert [len(own) for own in results.people.values()] == [12, 10]
    assert [len(frame) for frame in results.frames.values()] == [2] * 5 + [1] * 2 + [2] * 5
    for n, one in enumerate(results):
        assert len(one) == 1 and one.person == (results.person[n],)
        assert_close(one.pose[0], results.pose[n])
    second = results.select(person="2", frame=7)
    assert second.person == ("2",) and second.frame.tolist() == [7]
    assert results.select(person=2).people.keys() == {"2"}
    with pytest.raises(InputError, match="no person '3'; there are 1, 2"):
        results.select(person="3")
    with pytest.raises(InputError, match="nobody there in frame 5"):
        results.select(person="2", frame=5)


def test_rows_take_everything_along():
    whole = clip(frames=4)
    results = replace(
        whole,
        samples=torch.stack([whole.pose, whole.pose + 1]),
        spread=torch.rand(len(whole), 17),
        radii=torch.rand(len(whole), 17, 2),
        paths={"2d": whole.pose + 2},
    )
    own = results.people["2"]
    rows = [n for n, name in enumerate(results.person) if name == "2"]
    assert_close(own.samples, results.samples[:, rows])
    assert_close(own.radii, results.radii[rows])
    assert_close(own.paths["2d"], results.paths["2d"][rows])
    assert own.frame_rate == RATE


def test_people_of_several_pictures_are_not_one():
    assert [*pictures().people] == ["a.jpg 1", "b.jpg 1"] and not pictures().frames


def test_pictures_of_a_video_become_a_clip(tmp_path):
    plain = clip(people=2, frames=5)
    names = tuple(f"frame_{n}.png" for n in plain.frame.tolist())
    pictures = replace(plain, image=names, frame=None, time=None, filled=None, frame_rate=None)
    again = pictures.as_clip(RATE, "walk.mp4")
    assert_close(again.frame, plain.frame)
    assert_close(again.time, plain.time)
    assert again.is_clip and len(again.people) == 2 and not again.filled.any()
    assert len(again.save(tmp_path / "walk.trc")) == 2
    with pytest.raises(InputError, match="some in one picture share one"):
        replace(pictures, person=("0",) * 10).as_clip(RATE)
    with pytest.raises(InputError, match="frame_rate must be a finite number above 0"):
        pictures.as_clip(0)


def test_other_joint_sets_have_nan_where_nothing_is_known():
    results = replace(clip(), radii=torch.rand(24, 17, 2), spread=torch.rand(24, 17))
    coco = results.to("coco17")
    assert coco.joint_names == get_skeleton("coco17").joints
    for joint in ("left_knee", "right_wrist", "nose"):
        assert_close(coco[joint], results[joint])
        there, here = coco.skeleton.index(joint), SKELETON.index(joint)
        assert_close(coco.radii[:, there], results.radii[:, here])
        assert_close(coco.keypoints[:, there], results.keypoints[:, here])
    assert coco["left_eye"].isnan().all() and coco.confidence[:, 1].eq(0).all()
    halpe = results.to("halpe26")
    assert_close(halpe["pelvis"], results["pelvis"])
    assert_close(halpe["head_top"], results["head"])
    assert halpe["left_big_toe"].isnan().all()
    assert halpe.radii[:, halpe.skeleton.index("head_top")].isnan().all()
    made = dict(zip(halpe.joint_names, halpe.synthesised, strict=True))
    assert made["head_top"] and made["pelvis"] and not made["left_knee"]
    with pytest.raises(InputError, match="no skeleton 'coco99'"):
        results.to("coco99")


def test_hypotheses_are_converted_too():
    whole = clip(frames=3)
    results = replace(whole, samples=torch.stack([whole.pose, whole.pose + 5]))
    coco = results.to("coco17")
    assert coco.samples.shape == (2, 6, 17, 3)
    knee = coco.skeleton.index("left_knee")
    assert_close(coco.samples[1, :, knee], results["left_knee"] + 5)


def test_a_world_is_turned_and_shifted():
    whole = clip(frames=3)
    results = replace(whole, samples=whole.pose[None], paths={"2d": whole.pose})
    rotation = axis_rotation(0, torch.tensor([0.4]))[0] @ axis_rotation(2, torch.tensor([1.0]))[0]
    shift = torch.tensor([10.0, -20.0, 3000.0])
    world = results.to_world(rotation, shift, up="z")
    near = {"atol": 1e-2, "rtol": 0}
    assert_close(world.absolute, results.absolute @ rotation.T + shift, **near)
    for turned in (world.pose, world.samples[0], world.paths["2d"]):
        assert_close(turned, results.pose @ rotation.T, **near)
    assert world.up == "z" and "z up" in world.axes
    back = world.to_world(rotation.T, -rotation.T @ shift, up="-y")
    assert_close(back.absolute, results.absolute, **near)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((torch.eye(2),), r"takes a \(3, 3\)"),
        ((torch.eye(3) * 2,), "orthonormal"),
        ((torch.diag(torch.tensor([1.0, 1, -1])),), "without a reflection"),
        ((torch.eye(3), (0, 0, float("nan"))), "rotation must be"),
        ((torch.eye(3), (0, 0, 0), "north"), "one of x, y, z"),
    ],
)
def test_what_is_no_rotation_is_refused(arguments, said):
    with pytest.raises(InputError, match=said):
        clip().to_world(*arguments)


def test_y_up_turns_a_level_camera_half_round():
    results = clip(frames=2)
    level = results.to_yup()
    assert_close(level.pose, results.pose * torch.tensor([1.0, -1, -1]))
    assert level.up == "y" and level.to_yup() is level
    assert level["head"][0, 1] > 500 > level["left_ankle"][0, 1]


def test_a_tilted_camera_is_put_right_where_the_sky_is_known():
    """A camera that looks 30° down sees the sky at (0, −cos, −sin)... of its own axes."""
    upright = clip(frames=2)
    tilt = axis_rotation(0, torch.tensor([-np.pi / 6], dtype=torch.float64))[0]
    tilted = replace(upright, pose=(upright.pose.double() @ tilt.T).float())
    sky = tilt @ torch.tensor([0.0, -1, 0]).double()
    assert_close(tilted.to_yup(sky).pose, upright.to_yup().pose, atol=1e-3, rtol=0)
    assert (tilted.to_yup().pose - upright.to_yup().pose).norm(dim=-1).max() > 100
    with pytest.raises(InputError, match="up must be a direction"):
        tilted.to_yup((0, 0, 0))


def test_feet_stand_on_the_floor_and_distances_stay():
    results = clip(people=2, frames=20)
    floor = results.to_floor()
    ankles = torch.stack(
        [floor[j][:, 1] + floor.translation[:, 1] for j in ("left_ankle", "right_ankle")]
    )
    assert float(ankles.amin(0).median()) == pytest.approx(70, abs=1e-3)
    first = floor.frames[0].absolute.mean((0, 1))
    assert_close(first[[0, 2]], torch.zeros(2), atol=1e-3, rtol=0)
    apart = results.people["1"].absolute - results.people["2"].absolute
    moved = floor.people["1"].absolute - floor.people["2"].absolute
    assert_close(moved.norm(dim=-1), apart.norm(dim=-1), atol=1e-2, rtol=0)


def test_a_world_that_is_known_keeps_its_origin():
    world = clip(frames=2).to_world(torch.eye(3), (0, 0, 100.0), up="y")
    assert_close(world.to_floor().absolute, world.absolute)


def test_measures_are_those_of_the_joints():
    results = clip(people=2, frames=30)
    angles = results.angles()
    assert angles["left_hip_flexion"].shape == (60,)
    swing = torch.rad2deg(0.5 * torch.sin(2 * torch.pi * results.time))
    lean = angles["left_hip_flexion"] + swing
    assert lean.abs().max() < 4 and angles["left_hip_flexion"].abs().max() > 25
    assert results.centre_of_mass().shape == (60, 3)
    speeds = results.speeds()
    assert_close(speeds[:, 0], torch.full((60,), 1.0).double(), atol=1e-3, rtol=0)  # 40 mm a frame
    with pytest.raises(InputError, match="speeds need times"):
        pictures().speeds()


def test_a_dict_is_what_json_holds():
    content = clip(frames=2).to_dict()
    assert content["format"] == "unihpe-results" and len(content["people"]) == 4
    assert content["people"][0]["frame"] == 0 and content["people"][0]["filled"] is False


def test_pandas_has_a_row_for_each_joint():
    results = clip(frames=3)
    table = results.to_pandas()
    names = ["image", "person", "frame", "time", "filled", "joint", "x", "y", "z", "u", "v"]
    assert [*table.columns] == [*names, "confidence"] and len(table) == 6 * 17
    knee = table[(table["joint"] == "left_knee") & (table["person"] == "2")]
    own = results.people["2"]
    np.testing.assert_allclose(knee[["x", "y", "z"]], own.absolute[:, SKELETON.index("left_knee")])
    np.testing.assert_allclose(knee[["u", "v"]], own.keypoints[:, SKELETON.index("left_knee")])
    assert [*pictures().to_pandas().columns] == ["image", "person", *names[5:], "confidence"]


def test_a_figure_shows_everybody_of_the_first_frame():
    axis = clip(people=3).plot().axes[0]
    assert len(axis.get_lines()) == 3 * len(SKELETON.bones)
    assert axis.get_zlim()[0] < 0.08 and axis.get_zlim()[1] > 1.5
    assert len(pictures().plot().axes[0].get_lines()) == len(SKELETON.bones)
    assert clip().rows([]).plot().axes[0].get_lines() == []
