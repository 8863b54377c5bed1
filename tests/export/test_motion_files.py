"""Motion files, read again by programs that are not ours: every joint within 0.1 mm."""

from dataclasses import replace

import c3d
import numpy as np
import pandas
import pybvh
import pytest
import torch
from clip import RATE, SKELETON, clip
from gltf import Glb
from pose_format import Pose

from unihpe.datasets.motion.bvh import _read_bvh
from unihpe.errors import InputError
from unihpe.export import save, write

NEAR = 0.1  # mm
AWAY = {(2, 5), (2, 6)}


def expected(results, person):
    """Where a person is on the floor, (T, J, 3), mm, y up; NaN where they are away."""
    places = np.full((12, len(SKELETON), 3), np.nan)
    own = results.to_floor().select(person=person)
    places[own.frame.numpy()] = own.absolute.numpy()
    return places


def trc(path):
    """Markers (T, J, 3), times (T,), and the names, as OpenSim's layout says."""
    names = pandas.read_csv(path, sep="\t", skiprows=3, nrows=0).columns[2:]
    table = pandas.read_csv(path, sep="\t", skiprows=5, header=None, skip_blank_lines=True)
    joints = [name for name in names if not name.startswith("Unnamed")]
    return table.iloc[:, 2:].to_numpy().reshape(len(table), -1, 3), table[1].to_numpy(), joints


def test_trc_is_what_pandas_reads(tmp_path):
    results = clip(missing=AWAY)
    paths = results.save(tmp_path / "a b.trc")
    assert [path.name for path in paths] == ["a b_1.trc", "a b_2.trc"]
    for path, person in zip(paths, "12", strict=True):
        places, times, joints = trc(path)
        np.testing.assert_allclose(places, expected(results, person), atol=NEAR)
        np.testing.assert_allclose(times, np.arange(12) / RATE, atol=1e-6)
        assert joints == list(SKELETON.joints)
        assert "\t12\t17\tmm\t" in path.read_text().splitlines()[2]
    assert np.isnan(places[5:7]).all() and not np.isnan(places[4]).any()


def bvh(path):
    file = pybvh.read_bvh_file(str(path))
    places = file.joint_positions() * 1000
    return {name: places[:, n] for n, name in enumerate(file.joint_names)}, file


def assert_near(found, places):
    for n, joint in enumerate(SKELETON.joints):
        np.testing.assert_allclose(found[joint], places[:, n], atol=NEAR, err_msg=joint)


def test_bvh_is_what_pybvh_reads(tmp_path):
    results = clip(missing=AWAY)
    paths = save(results, tmp_path / "a.bvh")
    for path, person in zip(paths, "12", strict=True):
        found, file = bvh(path)
        places = expected(results, person)
        if person == "2":
            places[5:7] = places[4]  # it has no gaps: the last pose is kept
        assert_near(found, places)
        assert file.fps == pytest.approx(RATE, abs=0.01)
        assert file.world_up == "+y"


def test_bvh_of_bones_that_change_their_length(tmp_path):
    """Those have channels for their places, which pybvh refuses."""
    plain = clip(people=1)
    grown = plain.pose * torch.linspace(1, 1.2, len(plain))[:, None, None]
    results = replace(plain, pose=grown)
    file = _read_bvh(save(results, tmp_path / "a.bvh")[0])
    found = {name: places * 1000 for name, places in file.positions().items()}
    assert_near(found, expected(results, "1"))


def test_bvh_stands_upright_at_rest_in_metres_facing_z(tmp_path):
    _, file = bvh(save(clip(people=1), tmp_path / "a.bvh")[0])
    places = file.rest_pose_positions()
    rest = {name: places[file.node_index[name]] for name in file.joint_names}
    height = rest["head"][1] - rest["left_ankle"][1]
    assert 1.5 < height < 1.7
    assert rest["left_wrist"][0] > rest["left_shoulder"][0] > 0 > rest["right_shoulder"][0]
    assert rest["nose"][2] > 0.05


def test_bvh_turns_no_more_than_the_person_does(tmp_path):
    """Angles do not jump by half turns between frames."""
    _, file = bvh(save(clip(people=1, frames=100), tmp_path / "a.bvh")[0])
    assert np.abs(np.diff(file.joint_angles, axis=0)).max() < 45


def test_a_person_in_a_picture_has_a_pose_in_bvh_and_no_motion_in_trc(tmp_path):
    picture = replace(clip(people=1, frames=1), frame=None, time=None, filled=None)
    found, _ = bvh(save(picture, tmp_path / "a.bvh")[0])
    assert_near(found, picture.to_floor().absolute.numpy())
    with pytest.raises(InputError, match="trc holds motion, and these are pictures; take .*bvh"):
        write(picture, tmp_path / "b", ["json", "trc"])
    assert not (tmp_path / "b.json").exists()


def test_frames_without_anybody_and_every_second_frame_keep_their_times(tmp_path):
    results = clip(people=1, frames=12, missing={(1, n) for n in (1, 3, 5, 6, 7, 8, 9, 11)})
    places, times, _ = trc(results.save(tmp_path / "a.trc")[0])
    np.testing.assert_allclose(times, np.array([0, 2, 4, 6, 8, 10]) / RATE, atol=1e-6)
    assert np.isnan(places).all((1, 2)).tolist() == [False, False, False, True, True, False]


def test_uneven_times_are_made_even_where_the_format_has_but_a_rate(tmp_path):
    plain = clip(people=1, frames=40)
    time = plain.time.clone()
    time[20:] += 1.0  # a phone that paused
    results = replace(plain, time=time)
    found, file = bvh(save(results, tmp_path / "a.bvh")[0])
    at = np.arange(40) * file.frame_time
    near = np.abs(at[:, None] - time.numpy()).argmin(1)
    assert_near(found, results.to_floor().absolute.numpy()[near])
    assert len({*near}) < 40 and file.fps == pytest.approx(39 / float(time[-1]), rel=1e-6)


def test_names_of_people_are_safe_and_differ(tmp_path):
    plain = clip(people=3, frames=2)
    odd = {"1": "../a:b", "2": '..\\A"b', "3": "ünder way "}
    results = replace(plain, person=tuple(odd[name] for name in plain.person))
    names = [path.name for path in write(results, str(tmp_path / "x"), ["trc"])]
    assert names == ["x__a_b.trc", "x__A_b_.trc", "x_ünder way.trc"]
    assert {path.name for path in tmp_path.iterdir()} == {*names}


def test_joint_sets_without_one_root_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"coco17 has several roots.*to\('human36m17'\)"):
        save(clip().to("coco17"), tmp_path / "a.bvh")
    assert not [*tmp_path.iterdir()]


@pytest.mark.filterwarnings("ignore:No analog data")
def test_c3d_is_what_the_c3d_package_reads(tmp_path):
    results = clip(missing=AWAY)
    for path, person in zip(results.save(tmp_path / "ünder way.c3d"), "12", strict=True):
        with path.open("rb") as file:
            reader = c3d.Reader(file)
            frames = [points for _, points, _ in reader.read_frames()]
            labels = [label.strip() for label in reader.point_labels]
            assert reader.point_rate == RATE and reader.get("POINT:UNITS").string_value == "mm"
        points = np.stack(frames)
        places = expected(results, person)
        up = np.stack([places[..., 0], -places[..., 2], places[..., 1]], -1)  # z up
        away = np.isnan(places).any(-1)
        np.testing.assert_allclose(points[..., :3][~away], up[~away], atol=NEAR)
        assert labels == list(SKELETON.joints)
        assert (points[..., 3][away] < 0).all() and (points[..., 3][~away] >= 0).all()


def test_c3d_counts_no_more_frames_than_it_can(tmp_path):
    far = replace(clip(people=1, frames=3), frame=torch.tensor([0, 1, 70_000]))
    with pytest.raises(InputError, match="C3D holds 65,535 frames, and there are 70,001"):
        save(far, tmp_path / "a.c3d")
    assert not [*tmp_path.iterdir()]


def test_glb_moves_every_node_to_its_joint(tmp_path):
    results = clip(missing=AWAY)
    glb = Glb(save(results, tmp_path / "a.glb")[0])
    for person in "12":
        places = expected(results, person)
        for n in (0, 4, 8, 11):
            found = glb.places(person, n / RATE)
            for k, joint in enumerate(SKELETON.joints):
                near = {"atol": NEAR, "err_msg": f"{person} {n} {joint}"}
                np.testing.assert_allclose(found[joint] * 1000, places[n, k], **near)
    hidden = [np.ptp([*glb.places("2", n / RATE).values()], axis=0).max() for n in (4, 5, 6, 7)]
    assert [size > 1 for size in hidden] == [True, False, False, True]


def test_glb_of_bones_that_change_their_length(tmp_path):
    plain = clip(people=1)
    results = replace(plain, pose=plain.pose * torch.linspace(1, 1.2, 12)[:, None, None])
    glb = Glb(save(results, tmp_path / "a.glb")[0])
    for n in (0, 11):
        found = glb.places("1", n / RATE)
        for k, joint in enumerate(SKELETON.joints):
            wanted = expected(results, "1")[n, k]
            np.testing.assert_allclose(found[joint] * 1000, wanted, atol=NEAR)


def test_glb_shows_bones_that_go_along(tmp_path):
    """Tips of the spindles lie at joints, at rest and as the person moves; faces look outwards."""
    results = clip(people=1)
    glb = Glb(save(results, tmp_path / "a.glb")[0])
    mesh = next(n for n, node in enumerate(glb.json["nodes"]) if "mesh" in node)
    for n in (0, 7):
        corners = glb.corners(mesh, n / RATE)
        for joint, place in glb.places("1", n / RATE).items():
            if joint in SKELETON.joints:
                assert np.linalg.norm(corners - place, axis=1).min() < 1e-3, joint
    faces = glb.corners(mesh).reshape(-1, 8, 3, 3)
    normal = np.cross(faces[:, :, 1] - faces[:, :, 0], faces[:, :, 2] - faces[:, :, 0])
    outwards = faces.mean(2) - faces.mean((1, 2))[:, None]
    assert ((normal * outwards).sum(-1) > 0).all()


def test_glb_of_pictures_is_a_file_each_without_motion(tmp_path):
    plain = clip(people=1, frames=2)
    names = ("a.jpg", "b.jpg")
    pictures = replace(plain, image=names, frame=None, time=None, filled=None)
    paths = save(pictures, tmp_path / "x.glb")
    assert [path.name for path in paths] == ["x_a.glb", "x_b.glb"]
    for n, path in enumerate(paths):
        glb = Glb(path)
        assert "animations" not in glb.json or not glb.json["animations"]
        found = glb.places("1")
        for k, joint in enumerate(SKELETON.joints):
            wanted = pictures.to_floor().absolute[n, k]
            np.testing.assert_allclose(found[joint] * 1000, wanted, atol=NEAR)


def test_pose_is_what_pose_format_reads(tmp_path):
    results = clip(missing=AWAY)
    pose = Pose.read(save(results, tmp_path / "a.pose")[0].read_bytes())
    assert [one.name for one in pose.header.components] == ["human36m17", "human36m17_world"]
    assert pose.header.components[1].points == list(SKELETON.joints)
    assert len(pose.header.components[0].limbs) == len(SKELETON.bones)
    assert (pose.header.dimensions.width, pose.header.dimensions.height) == (1280, 720)
    assert pose.body.fps == RATE and pose.body.data.shape == (12, 2, 34, 3)
    sure = np.asarray(pose.body.confidence)
    for column, person in enumerate("12"):
        own = results.select(person=person)
        there = own.frame.numpy()
        data = pose.body.data.data[there, column]
        np.testing.assert_allclose(data[:, 17:], own.absolute, atol=NEAR)
        np.testing.assert_allclose(data[:, :17, :2], own.keypoints, atol=1e-3)
        np.testing.assert_allclose(sure[there, column, :17], own.confidence, atol=1e-6)
    assert (sure[5:7, 1] == 0).all() and (sure[[4, 7], 1] > 0).all()
