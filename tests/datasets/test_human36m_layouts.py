"""Human3.6M's raw release, h36m-fetch's, H36M-Toolbox's and LCN's files, on miniatures written by
hand.
"""

import copy
import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from miniatures import (
    H36M_CAMERAS,
    H36M_KEPT,
    H36M_PLACES,
    h36m_rows,
    to_camera,
    write_fetch_h36m,
    write_mmpose_h36m,
    write_pickled_h36m,
    write_raw_h36m,
)
from miniatures_packings import write_h36m_coco, write_h36m_metadata, write_spin_h36m
from opening import open_recorded

from unihpe.datasets.check import check
from unihpe.datasets.human36m.packings import json_files
from unihpe.datasets.human36m.reader import found_layout, open_human36m
from unihpe.errors import InputError

WRITERS = {
    "raw": (write_raw_h36m, "cdflib"),
    "fetch": (write_fetch_h36m, "h5py"),
    "toolbox": (lambda root: write_pickled_h36m(root, "toolbox"), "pickle"),
    "lcn": (lambda root: write_pickled_h36m(root, "lcn"), "pickle"),
}


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_holds_the_same_people(layout, tmp_path):
    writer, package = WRITERS[layout]
    pytest.importorskip(package, reason=f"this layout needs {package}")
    rows = writer(tmp_path)
    source = open_human36m(tmp_path)
    assert len(source) == (2 * 4 * 5 if layout == "fetch" else 2 * 4 * 6)
    names = {("S1", "Photo"), ("S9", "SittingDown 1")}
    if layout == "raw":
        names = {("S1", "TakingPhoto"), ("S9", "SittingDown 1")}
    assert {(view.subject, view.sequence) for view in source.views} == names
    assert {view.action for view in source.views} == {"Photo", "SittingDown"}
    for n in range(len(source)):
        view, frame = source.views[int(source.view[n])], int(source.frame[n])
        world = next(world for subject, *_, world in rows if subject == view.subject)
        place = H36M_PLACES[view.subject][H36M_CAMERAS.index(view.camera)]
        read = source.read(torch.tensor([n]))
        np.testing.assert_allclose(
            read.pose[0].numpy(), to_camera(world[frame, H36M_KEPT], place), rtol=0, atol=0.05
        )
        np.testing.assert_allclose(
            read.keypoints[0], read.camera.project(read.pose)[0], rtol=0, atol=0.02
        )
    report = check("human36m", tmp_path)
    assert (
        report["problems"] == []
        and report["leg_order"] == "right first"
        and report["reprojection_px"]["median"] < 0.01
    )


def test_the_raw_release_without_2d_is_projected(tmp_path):
    pytest.importorskip("cdflib", reason="cdf files need cdflib")
    write_raw_h36m(tmp_path, two_d=False)
    assert found_layout(tmp_path) == "raw" and len(open_human36m(tmp_path, "exact")) == 48
    with pytest.raises(InputError, match=r"TakingPhoto\.54138969\.cdf: no such file; unpack"):
        open_human36m(tmp_path)
    path = next(tmp_path.rglob("D3_Positions/SittingDown 1.cdf"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"SittingDown 1\.cdf: not a readable CDF"):
        open_human36m(tmp_path, "exact")


def test_the_sequence_with_a_damaged_video_is_read_as_the_protocols_leave_it_out_not_the_readers(
    tmp_path,
):
    pytest.importorskip("cdflib", reason="cdf files need cdflib")
    write_raw_h36m(tmp_path)
    folder = tmp_path / "S11" / "MyPoseFeatures" / "D3_Positions"
    folder.mkdir(parents=True)
    whole = sorted((tmp_path / "S9" / "MyPoseFeatures" / "D3_Positions").glob("*.cdf"))[0]
    shutil.copy(whole, folder / "Directions.cdf")
    assert {view.subject for view in open_human36m(tmp_path, "exact").views} == {"S1", "S9", "S11"}


def test_3d_in_camera_axes_alone_is_named(tmp_path):
    folder = tmp_path / "S9" / "MyPoseFeatures" / "D3_Positions_mono"
    folder.mkdir(parents=True)
    with pytest.raises(
        InputError, match="D3_Positions_mono, but not its D3_Positions, which is read"
    ):
        open_human36m(tmp_path)


def test_bad_pickles_are_named(tmp_path):
    write_pickled_h36m(tmp_path, "toolbox")
    file = tmp_path / "h36m_train.pkl"
    rows = pickle.loads(file.read_bytes())

    def rewritten(change):
        changed = [dict(row) for row in rows]
        change(changed)
        file.write_bytes(pickle.dumps(changed))

    for change, message in (
        (lambda r: r[3].pop("joints_2d"), r"picture 3: neither joints_3d_camera and joints_2d"),
        (lambda r: r[2].update(image="x.jpg"), r"picture 2: its picture is not named like s_09"),
        (
            lambda r: r[1].update(image="s_01_act_17_subact_02_ca_01_000001.jpg"),
            "the set has no such recording",
        ),
        (
            lambda r: r[0].update(joints_3d_camera=np.zeros((16, 3))),
            r"picture 0: 3D joints have the shape \(16, 3\)",
        ),
        (
            lambda r: [x.update(joints_3d_camera=x["joints_3d_camera"] / 1000) for x in r],
            "so 3D is in m",
        ),
    ):
        rewritten(change)
        with pytest.raises(InputError, match=message):
            open_human36m(tmp_path)
    file.write_bytes(pickle.dumps({"train": rows}))
    with pytest.raises(InputError, match="holds no list of dicts"):
        open_human36m(tmp_path)
    with pytest.raises(InputError, match="has the 2D gt and exact, not 'cpn'"):
        write_pickled_h36m(tmp_path, "toolbox")
        open_human36m(tmp_path, "cpn")


@pytest.mark.parametrize("writer", [write_h36m_coco, write_spin_h36m])
def test_mmposes_json_and_spins_lists_hold_the_same_people(writer, tmp_path):
    writer(tmp_path)
    rows = h36m_rows()
    source = open_human36m(tmp_path, "exact")
    frames = source.read(torch.arange(len(source)))
    assert len(source) == 2 * 4 * 2 and source.names("camera") == tuple(H36M_CAMERAS)
    for n in range(len(source)):
        view, frame = source.views[int(source.view[n])], int(source.frame[n])
        world = next(world for subject, *_, world in rows if subject == view.subject)
        place = H36M_PLACES[view.subject][H36M_CAMERAS.index(view.camera)]
        expected = to_camera(world[frame, H36M_KEPT], place)
        by_box = (
            writer is write_spin_h36m and view.subject == "S9"
        )  # a list without 2D tells the place by its box alone
        np.testing.assert_allclose(
            frames.pose[n] - frames.pose[n, :1],
            expected - expected[:1],
            rtol=0,
            atol=0.2,
            err_msg=str(view),
        )
        np.testing.assert_allclose(
            frames.pose[n, 0], expected[0], rtol=0.1 if by_box else 0, atol=60 if by_box else 1
        )
    assert {view.action for view in source.views} == {"Photo", "SittingDown"}


def test_spins_list_beside_mmposes_file_of_the_same_name(tmp_path):
    write_spin_h36m(tmp_path)
    assert found_layout(tmp_path) == "spin"
    (tmp_path / "h36m_valid_protocol1.npz").unlink()
    source = open_human36m(tmp_path)
    assert source.layout.endswith("2D gt") and source.names("split") == ("train", "test")
    frames = source.read(torch.arange(len(source)))
    rows = {
        split: torch.tensor([source.views[n].split == split for n in source.view])
        for split in ("train", "test")
    }
    projected = frames.camera.project(frames.pose)
    assert torch.equal(
        frames.keypoints[rows["test"]], projected[rows["test"]]
    )  # that list has no 2D
    train = open_recorded("human36m", tmp_path, "gt", "train")
    alone = train.read(torch.arange(len(train)))
    assert len(train) == 8 and torch.equal(alone.keypoints, frames.keypoints[rows["train"]])
    assert not torch.equal(alone.keypoints, alone.camera.project(alone.pose))  # the list's own 2D
    assert open_recorded("human36m", tmp_path, "gt", "test").layout.endswith("2D projected")
    (tmp_path / "h36m_train.npz").rename(tmp_path / "kept")
    with pytest.raises(InputError, match="none of SPIN's lists here is for train"):
        open_recorded("human36m", tmp_path, "gt", "train")
    (tmp_path / "kept").rename(tmp_path / "h36m_train.npz")
    (tmp_path / "h36m_valid_protocol2.npz").unlink()
    source = open_human36m(tmp_path)
    frames = source.read(torch.arange(len(source)))
    assert source.layout == "Human3.6M, SPIN's lists, 2D gt" and len(source) == 8
    np.testing.assert_allclose(
        frames.camera.project(frames.pose), frames.keypoints, rtol=0, atol=0.2
    )
    assert "people stand where it meets their 2D" in source.notes[0]
    write_mmpose_h36m(tmp_path)
    assert found_layout(tmp_path) == "mmpose"


def test_mmposes_json_of_both_splits_beside_those_of_each_is_left_out(tmp_path):
    folder = write_h36m_coco(tmp_path)
    train, test = folder / "h36m_coco_train.json", folder / "h36m_coco_test.json"
    shutil.copy(train, folder / "h36m_coco.json")
    assert json_files(tmp_path) == [train, test]
    train.unlink()
    test.unlink()
    assert json_files(tmp_path) == [folder / "h36m_coco.json"]


def test_mmposes_json_names_the_legs_wrongly_and_is_not_believed(tmp_path):
    folder = write_h36m_coco(tmp_path)
    source = open_human36m(tmp_path)
    assert source.in_world and source.keypoints is not None
    frames = source.read(torch.arange(len(source)))
    np.testing.assert_allclose(
        frames.camera.project(frames.pose), frames.keypoints, rtol=0, atol=0.02
    )
    report = check("human36m", tmp_path)
    assert report["problems"] == [] and report["leg_order"] == "right first"
    path = folder / "h36m_coco_train.json"
    whole = json.loads(path.read_text())
    for change, message in (
        (lambda c: c["annotations"][1].pop("keypoints_3d"), "lacks 'keypoints_3d'"),
        (lambda c: c["annotations"][1].update(image_id=99), "lacks 99"),
        (lambda c: c["annotations"][1].update(keypoints_3d=[1.0] * 64), "not numbers"),
        (
            lambda c: [a.update(keypoints_3d=a["keypoints_3d"][:64]) for a in c["annotations"]],
            "expected \\(N, 68\\)",
        ),
        (lambda c: c["images"][0].update(file_name="cat.jpg"), "is not named like S9_Greeting"),
    ):
        broken = copy.deepcopy(whole)
        change(broken)
        path.write_text(json.dumps(broken))
        with pytest.raises(InputError, match=message):
            open_human36m(tmp_path)


def test_the_releases_own_calibration_is_the_published_one(tmp_path):
    pytest.importorskip("cdflib", reason="cdf files need cdflib")
    write_raw_h36m(tmp_path)
    published = open_human36m(tmp_path)
    write_h36m_metadata(tmp_path)
    source = open_human36m(tmp_path)
    assert source.layout == "Human3.6M, raw release, metadata.xml, 2D gt"
    every = torch.arange(len(source))
    own, usual = source.read(every), published.read(every)
    np.testing.assert_allclose(own.pose, usual.pose, rtol=0, atol=0.05)
    np.testing.assert_allclose(own.camera.project(own.pose), usual.keypoints, rtol=0, atol=0.02)
    assert check("human36m", tmp_path)["problems"] == []


def test_another_calibration_is_used_and_found_out(tmp_path):
    pytest.importorskip("cdflib", reason="cdf files need cdflib")
    write_raw_h36m(tmp_path)
    write_h36m_metadata(tmp_path, lambda text: text.replace("1145.049438", "1245.049438"))
    problems = check("human36m", tmp_path)["problems"]
    assert (
        len(problems) == 1
        and problems[0].startswith("camera 54138969: 3D lands ")
        and "px from 2D" in problems[0]
    )
    source = open_human36m(tmp_path)
    assert source.cameras.focal.max() == pytest.approx(1245.049438)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda text: text[: len(text) // 2], "not the release's metadata.xml"),
        (lambda text: text.replace("54138969", "1"), "names 4 cameras and has 300 numbers"),
        (
            lambda text: text.replace("[", "[1 "),
            "has 301 numbers in w0, expected the set's 4 and 300",
        ),
        (lambda text: text.replace("[", "[x "), "could not convert"),
        (lambda text: "<!DOCTYPE a [<!ENTITY b 'c'>]>" + text, "defines entities"),
    ],
)
def test_a_broken_calibration_is_named(change, message, tmp_path):
    pytest.importorskip("cdflib", reason="cdf files need cdflib")
    write_raw_h36m(tmp_path)
    write_h36m_metadata(tmp_path, change)
    with pytest.raises(InputError, match=message):
        open_human36m(tmp_path)
