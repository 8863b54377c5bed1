"""The check of a data set's folder: what it reports of whole sets, and what it finds wrong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_motion
from miniatures import (
    write_3dhp_test,
    write_3dhp_train,
    write_humaneva,
    write_mmpose_h36m,
    write_raw_h36m,
    write_threedpw,
    write_videopose3d_h36m,
)
from PIL import Image

from unihpe.body.skeleton import other_side
from unihpe.datasets.check import check
from unihpe.datasets.human36m.reader import open_human36m
from unihpe.datasets.human36m.views import pictures as human36m_pictures
from unihpe.datasets.motion import bvh as bvh_reader
from unihpe.datasets.motion.source import open_motion
from unihpe.datasets.proofs import _fit_pinhole, legs_of, unit_of
from unihpe.datasets.source import Source
from unihpe.errors import InputError

KEYS = {
    "layout",
    "frames",
    "subjects",
    "cameras",
    "joints",
    "leg_order",
    "unit",
    "reprojection_px",
    "problems",
}


def test_a_whole_human36m_has_no_problems(tmp_path):
    write_videopose3d_h36m(tmp_path)
    report = check("human36m", tmp_path)
    assert report.keys() >= KEYS and json.loads(json.dumps(report)) == report
    assert report["problems"] == [] and report["frames"] == 112
    assert (
        report["subjects"] == ["S1", "S9"]
        and len(report["cameras"]) == 4
        and len(report["joints"]) == 17
    )
    assert report["leg_order"] == "right first" and report["unit"] == "m"
    assert report["reprojection_px"]["max"] < 0.01
    assert report["reprojection_px"].keys() == {"median", "p99", "max"}


def test_the_other_sets_have_none_either(tmp_path):
    write_mmpose_h36m(tmp_path / "mmpose")
    (tmp_path / "eva").mkdir()
    write_humaneva(tmp_path / "eva")
    write_threedpw(tmp_path / "3dpw")
    expected = {"mmpose": "right first", "eva": "left first", "3dpw": "left first"}
    for name, folder in (("human36m", "mmpose"), ("humaneva", "eva"), ("threedpw", "3dpw")):
        report = check(name, tmp_path / folder)
        assert report["problems"] == [], name
        assert (report["unit"], report["leg_order"]) == ("m", expected[folder])
        # 3DPW's joints are the body model's, its 2D a detector's; in the miniature both come from
        # one figure
        assert report["reprojection_px"]["median"] < 5


def test_mpi_inf_3dhp_has_none(tmp_path):
    pytest.importorskip("scipy", reason="annot.mat needs scipy")
    write_3dhp_train(tmp_path)
    report = check("mpi_inf_3dhp", tmp_path)
    assert (
        report["problems"] == [] and report["unit"] == "mm" and report["leg_order"] == "right first"
    )
    pytest.importorskip("h5py", reason="annot_data.mat needs h5py")
    write_3dhp_test(tmp_path)
    report = check("mpi_inf_3dhp", tmp_path, "test")
    assert report["problems"] == [] and report["unit"] == "mm" and report["frames"] == 22


def change_poses(function):
    def change(world):
        for actions in world.values():
            for name, poses in actions.items():
                actions[name] = function(poses)

    return change


def swapped(pairs, count):
    order = list(range(count))
    for left, right in pairs:
        order[left], order[right] = right, left
    return order


RAW_LEGS = swapped(((1, 6), (2, 7), (3, 8)), 32)
LEGS = swapped(((1, 4), (2, 5), (3, 6)), 17)


def test_millimetres_are_found_and_the_rest_is_still_checked(tmp_path):
    write_videopose3d_h36m(tmp_path, change_3d=change_poses(lambda poses: poses * 1000))
    report = check("human36m", tmp_path)
    assert report["unit"] == "mm" and report["leg_order"] == "right first"
    assert len(report["problems"]) == 1 and "3D is in mm" in report["problems"][0]
    assert report["reprojection_px"]["max"] < 0.1


def test_swapped_legs_are_found(tmp_path):
    write_videopose3d_h36m(tmp_path, change_3d=change_poses(lambda poses: poses[:, RAW_LEGS]))
    report = check("human36m", tmp_path)
    assert report["leg_order"] == "left first"
    assert "legs are swapped" in report["problems"][0]
    assert "left and right legs of the 2D are exchanged against the 3D" in report["problems"][-1]


def test_legs_swapped_in_2d_alone_are_found(tmp_path):
    def swap(two_d):
        for actions in two_d.values():
            for views in actions.values():
                views[:] = [view[:, LEGS] for view in views]

    write_videopose3d_h36m(tmp_path, change_2d=swap)
    report = check("human36m", tmp_path)
    assert report["leg_order"] == "right first"
    assert any("exchanged against the 3D" in problem for problem in report["problems"])


def test_one_subject_with_other_legs_is_named(tmp_path):
    def swap(world):
        for name, poses in world["S9"].items():
            world["S9"][name] = poses[:, RAW_LEGS]

    write_videopose3d_h36m(tmp_path, change_3d=swap)
    assert (
        "leg order: S9 is left first, most are right first"
        in check("human36m", tmp_path)["problems"]
    )


def test_2d_of_another_picture_size_is_found(tmp_path):
    def double(two_d):
        for actions in two_d.values():
            for views in actions.values():
                views[:] = [view * 2 for view in views]

    write_videopose3d_h36m(tmp_path, change_2d=double)
    problems = check("human36m", tmp_path)["problems"]
    assert len(problems) == 1 and "px from 2D (median; up to 0.5 is usual)" in problems[0]


def test_no_2d_is_partial_and_no_data_an_error(tmp_path):
    write_videopose3d_h36m(tmp_path)
    (tmp_path / "data_2d_h36m_gt.npz").unlink()
    report = check("human36m", tmp_path)
    assert report["reprojection_px"] is None and report["partial"] and report["problems"] == []
    assert "partial: no 2D, so 3D is compared with none" in report["notes"]
    with pytest.raises(InputError, match="no Human3.6M here"):
        check("human36m", tmp_path / "none")
    with pytest.raises(InputError, match="no check for 'penn'; there are motion, coco, human36m"):
        check("penn", tmp_path)
    with pytest.raises(
        InputError,
        match="no layout 'tfrecord'; there is videopose3d, mmpose, mmpose2d, spin, fetch",
    ):
        check("human36m", tmp_path, "tfrecord")
    with pytest.raises(InputError, match="no files of the layout fetch"):
        check("human36m", tmp_path, "fetch")


def test_a_detectors_2d_alone_may_err_as_detectors_do(tmp_path):
    rng = np.random.default_rng(0)

    def noisy(pixels):
        def change(flat):
            for of_subject in flat.values():
                for views in of_subject.values():
                    views[:] = [view + rng.normal(0, pixels, view.shape) for view in views]

        return change

    for pixels, problems in ((4, 0), (40, 1)):
        folder = tmp_path / str(pixels)
        folder.mkdir()
        write_videopose3d_h36m(folder, change_2d=noisy(pixels), name="cpn_ft_h36m_dbb")
        report = check("human36m", folder)
        assert len(report["problems"]) == problems, report["problems"]
    assert "up to 25 is usual" in report["problems"][0]


def test_raw_sequences_without_2d_are_left_out_and_named(tmp_path):
    pytest.importorskip("cdflib", reason="the raw release needs cdflib")
    write_raw_h36m(tmp_path)
    whole = check("human36m", tmp_path)
    lost = next((tmp_path / "S9").rglob("D2_Positions/*.cdf"))
    lost.unlink()
    report = check("human36m", tmp_path)
    assert (
        report["problems"] == []
        and report["subjects"] == ["S1"]
        and report["frames"] < whole["frames"]
    )
    assert any(note.startswith("1 sequences without 2D left out: S9 ") for note in report["notes"])


@pytest.mark.parametrize(
    ("name", "what"), [("small", "is 500 × 501, its annotation is of"), ("half", "a.*readable|end")]
)
def test_pictures_are_opened(tmp_path, name, what):
    write_mmpose_h36m(tmp_path)
    recorded = open_human36m(tmp_path)
    for n in range(len(recorded)):
        view, frame = recorded.views[int(recorded.view[n])], int(recorded.frame[n])
        file = tmp_path / human36m_pictures(view, frame)[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        width, height = recorded.cameras.size[recorded.camera[n]].int().tolist()
        Image.new("RGB", (500, 501) if name == "small" else (width, height)).save(file)
        if name == "half":
            file.write_bytes(file.read_bytes()[:200])
    (problem,) = check("human36m", tmp_path)["problems"]
    assert ".jpg: " in problem and (name == "half" or what in problem)


def changed_motion(file, target, factor):
    content = dict(np.load(file, allow_pickle=False))
    poses = {
        key: (value * np.array(factor)).astype(value.dtype)
        for key, value in content.items()
        if value.ndim == 3
    }
    np.savez(target, **content | poses)
    return check("motion", target)["problems"]


def test_motion_of_another_unit_is_a_problem(tmp_path, motion_file):
    assert changed_motion(motion_file, tmp_path / "same.npz", 1.0) == []
    for factor in (0.1, 3.0):
        (problem,) = changed_motion(motion_file, tmp_path / "changed.npz", factor)
        assert "a thigh is" in problem and "must be in millimetres" in problem


def test_motion_in_a_mirror_is_a_problem(tmp_path, shared_data):
    file = shared_data / "cmu_mocap" / "cmu_h36m17_30fps.npz"
    (problem,) = changed_motion(file, tmp_path / "mirrored.npz", [-1.0, 1.0, 1.0])
    assert "seen in a mirror" in problem


def test_brackets_in_names_are_printed_as_they_are(unihpe, tmp_path):
    folder = tmp_path / "h36m [new] [" / "]"
    folder.mkdir(parents=True)
    write_videopose3d_h36m(folder)
    code, text, error = unihpe(
        "data", "check", "human36m", "--root", folder, "--sheet", folder / "sheet [1].png"
    )
    assert code == 0 and f"Look at {folder / 'sheet [1].png'}." in text, error


def test_a_sheet_leaves_out_people_without_2d(unihpe, tmp_path):
    def hide(flat):
        for of_subject in flat.values():
            for views in of_subject.values():
                views[0][:] = np.nan

    write_videopose3d_h36m(tmp_path, change_2d=hide)
    code, text, error = unihpe(
        "data", "check", "human36m", "--root", tmp_path, "--sheet", tmp_path / "sheet.png"
    )
    assert (
        code == 1
        and "have fewer than 4 joints in 2D" in text
        and (tmp_path / "sheet.png").is_file()
    ), error


def test_the_leg_order_of_real_motions_is_proved(shared_data):
    """400 motions of the CMU database, as they are and with their legs swapped: not one is
    misjudged.
    """
    motion = open_motion(shared_data / "cmu_mocap" / "cmu_h36m17_30fps.npz")
    skeleton = motion.skeleton
    legs = [
        skeleton.index(other_side(joint)) if joint.endswith(("_hip", "_knee", "_ankle")) else n
        for n, joint in enumerate(skeleton.joints)
    ]
    assert unit_of(motion.poses, skeleton) == "mm"
    wrong = []
    for poses in motion.poses.split(torch.bincount(motion.sequence).tolist()):
        if (
            legs_of(poses, skeleton)[0] != "as named"
            or legs_of(poses[:, legs], skeleton)[0] != "swapped"
        ):
            wrong.append(len(poses))
    assert wrong == []
    assert legs_of(motion.poses[:, list(skeleton.mirror)], skeleton)[0] == "mirrored"
    assert legs_of(motion.poses * torch.tensor([-1.0, 1, 1]), skeleton)[0] == "mirrored"


def test_a_mirrored_body_is_refused(tmp_path):
    write_videopose3d_h36m(
        tmp_path, change_3d=change_poses(lambda poses: np.concatenate([poses * [-1, 1, 1]] * 4))
    )
    with pytest.raises(InputError, match="S1: the body is mirrored"):
        open_human36m(tmp_path, "exact")


def test_every_reader_gives_a_source(tmp_path):
    write_videopose3d_h36m(tmp_path)
    source: Source = open_human36m(tmp_path)
    frames = source.read(torch.tensor([5, 1]), torch.Generator())
    assert len(frames) == 2 and len(source.weights()) == len(source)


def test_a_fitted_pinhole_needs_enough_joints():
    points = torch.rand(1, 3, 3) + torch.tensor([0.0, 0.0, 3.0])
    with pytest.raises(InputError, match="too few to fit its camera"):
        _fit_pinhole(points, points[..., :2], "camera C1")


def test_a_sheet_of_stick_figures(unihpe, tmp_path, motion_file):
    for name, root in (("motion", motion_file), ("threedpw", tmp_path)):
        if name == "threedpw":
            write_threedpw(tmp_path)
        code, _, error = unihpe(
            "data", "check", name, "--root", root, "--sheet", tmp_path / f"{name}.png"
        )
        assert code in (0, 1) and (tmp_path / f"{name}.png").stat().st_size > 5000, error


def test_motion_is_checked_with_a_rig_of_ones_own(shared_data, tmp_path):
    bvh = next((shared_data / "cmu_mocap" / "bvh").glob("*.bvh"))
    plain = check("motion", bvh)
    rigs = sorted(Path(bvh_reader.__file__).with_name("rigs").iterdir())
    fitting = []
    for rig in rigs:
        try:
            fitting.append(check("motion", bvh, rig=rig))
        except InputError as error:
            assert "needs the joints" in str(error)
    assert plain in fitting and len(fitting) < len(rigs)
    with pytest.raises(InputError, match="--rig names the joints of BVH files; human36m has none"):
        check("human36m", tmp_path, rig=rigs[0])


@pytest.mark.parametrize(
    ("turned", "said"), [([0, 2, 1], "heads are above ankles along +z"), ([0, 1, 2], "")]
)
def test_motion_with_another_axis_up_is_told(motion, tmp_path, turned, said):
    other = replace(motion, poses=motion.poses[..., turned])
    report = check("motion", write_motion(tmp_path / "motion.npz", other))
    found = [problem for problem in report["problems"] if "above ankles" in problem]
    assert (said in found[0]) if said else not found
