"""Counts against the known copies, duplicates, pictures: whole sets are said to be whole, partial
ones partial.
"""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from miniatures import write_mmpose_h36m, write_threedpw, write_videopose3d_h36m
from miniatures_packings import write_mmpose_3dhp

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets import get_data_set
from unihpe.datasets.check import check
from unihpe.datasets.counts import _compared
from unihpe.datasets.counts import counted as counted_by
from unihpe.datasets.human36m.reader import open_human36m
from unihpe.datasets.human36m.views import view_of
from unihpe.datasets.mpi_inf_3dhp.views import test_view as view_of_test
from unihpe.datasets.mpi_inf_3dhp.views import train_view
from unihpe.datasets.rows import Rows, by_row
from unihpe.errors import InputError


def counted(name, recorded):
    return counted_by(get_data_set(name).recording, recorded)


def made_up(name, frames_of):
    """A set of some frames a view, with poses that all differ."""
    rows = [(view, frame) for view, frames in frames_of for frame in frames]
    skeleton = get_skeleton(name)
    pose = torch.arange(len(rows) * len(skeleton) * 3, dtype=torch.float64).view(
        -1, len(skeleton), 3
    )
    camera = Camera.simple(torch.tensor([[100.0, 100.0]]))
    of_first = torch.zeros(len(rows), dtype=torch.long)
    return by_row(skeleton, Rows.of(rows), pose, None, camera, of_first, "made up")


TEST_FRAMES = {"TS1": 603, "TS2": 540, "TS3": 505, "TS4": 553, "TS5": 276, "TS6": 452}


@pytest.mark.parametrize(
    "change, variant, partial, problem",
    [
        ({}, "valid frames, TS6 with 452", [], ""),
        ({"TS6": 392}, "valid frames, TS6 with 392 (an earlier release)", [], ""),
        ({"TS5": 200}, "partial", ["test has 2,853 of 2,929 frames"], ""),
        ({"TS5": 0}, "partial", ["test lacks TS5"], ""),
        (
            {"TS1": 30_000},
            "more than known",
            [],
            "test has 32,326 frames, the largest known copy 24,888",
        ),
    ],
)
def test_the_test_set_of_3dhp_and_its_variants(change, variant, partial, problem):
    frames = {**TEST_FRAMES, **change}
    counts = counted(
        "mpi_inf_3dhp",
        made_up("mpi_inf_3dhp17", [(view_of_test(n), range(k)) for n, k in frames.items()]),
    )
    assert counts.splits["test"]["variant"] == variant and counts.splits["test"]["frames"] == sum(
        frames.values()
    )
    assert list(counts.partial) == [*partial, "no train split"]
    assert len(counts.problems) == bool(problem) and (not problem or problem in counts.problems[0])


def test_gaps_between_valid_frames_are_no_rate():
    every_10th = {
        n: range(0, 10 * k, 10) if n < "TS5" else range(k) for n, k in TEST_FRAMES.items()
    }
    views = [(view_of_test(n), frames) for n, frames in every_10th.items()]
    counts = counted("mpi_inf_3dhp", made_up("mpi_inf_3dhp17", views))
    assert counts.splits["test"]["variant"] == "valid frames, TS6 with 452" and not counts.problems


def test_3dhp_by_the_cameras_that_are_there_and_thinned_sets_by_their_step():
    from unihpe.datasets.mpi_inf_3dhp.views import USABLE

    every = [
        (train_view(*key, camera), range(0, count, 5))
        for key, count in USABLE.items()
        for camera in ("0", "8")
    ]
    counts = counted("mpi_inf_3dhp", made_up("mpi_inf_3dhp17", every))
    assert counts.splits["train"]["variant"] == "frames with video, every 5th frame"
    assert counts.partial == ("train has 2 of 8 cameras", "no test split")


@pytest.mark.parametrize(
    "frames, step, variant",
    [
        (566_920, 1, "with S11 Directions, as LCN and MotionBERT"),
        (564_500, 1, "with S11 Directions, short of frames of its broken video"),
        (543_344, 1, "without S11 Directions, as VideoPose3D"),
        (543_344, 64, "without S11 Directions, as VideoPose3D, every 64th frame"),
        (560_000, 1, "partial"),
        (380_000, 64, "partial"),
        (800_000, 64, "more than known"),
    ],
)
def test_the_test_set_of_human36m_and_its_variants(frames, step, variant):
    assert (
        compared_with(get_data_set("human36m").recording.known["test"], frames // step, step)
        == variant
    )


def compared_with(known, frames, step):
    """The variant that so many frames, so far apart, of 236 views are."""
    part = SimpleNamespace(view=torch.arange(236), frame=torch.arange(236))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unihpe.datasets.counts.step_of", lambda part: step)
        return _compared(known, part, {"frames": frames, "cameras": 4})[1]


def test_a_sequence_too_many_is_a_problem():
    views = [
        view_of(s, f"Walking {n}", c) for s in ("S9", "S11") for n in range(31) for c in "abcd"
    ]
    counts = counted("human36m", made_up("human36m17", [(view, range(3)) for view in views]))
    assert counts.problems == ("test has 62 sequences, the set 60: is something twice in it?",)


def test_a_partial_copy_is_checked_and_said_to_be_partial(tmp_path):
    write_videopose3d_h36m(tmp_path)
    report = check("human36m", tmp_path)
    assert (
        report["partial"] is True and report["problems"] == [] and report["pictures"]["found"] == 0
    )
    assert report["splits"]["train"] == {
        "subjects": 1, "sequences": 2, "cameras": 4, "frames": 68,
        "expected": 1_559_752, "variant": "partial",
    }  # fmt: skip
    for line in (
        "partial: train lacks S5, S6, S7, S8",
        "partial: test lacks S11",
        "partial: no pictures",
    ):
        assert line in report["notes"]


def test_the_counts_are_printed_and_in_the_json(unihpe, tmp_path):
    write_videopose3d_h36m(tmp_path)
    code, text, _ = unihpe(
        "data", "check", "human36m", "--root", tmp_path, "--json", tmp_path / "r.json"
    )
    assert (
        code == 0
        and "train: 1 subjects, 2 sequences, 4 cameras, 68 frames (1,559,752 expected, partial)"
        in text
    )
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    keys = (
        "layout",
        "frames",
        "subjects",
        "cameras",
        "joints",
        "leg_order",
        "unit",
        "reprojection_px",
        "problems",
    )
    assert report.keys() >= {*keys, "splits", "partial"} and report["reprojection_px"].keys() == {
        "median",
        "p99",
        "max",
    }


def twice(split, arrays):
    for key, value in arrays.items():
        arrays[key] = np.concatenate([value, value[:2]])


def test_frames_that_are_there_twice_are_found(tmp_path):
    write_mmpose_h36m(tmp_path, twice)
    problems = check("human36m", tmp_path)["problems"]
    assert len(problems) == 1 and problems[0].startswith(
        "4 of 28 frames are in the set twice, the first is S1 TakingPhoto 1"
    )


def test_poses_that_stand_still_are_noted(tmp_path):
    def still(world):
        world["S9"]["Greeting"][3] = world["S9"]["Greeting"][2]

    write_videopose3d_h36m(tmp_path, change_3d=still)
    assert (
        "4 frames repeat the pose of the frame before them exactly"
        in check("human36m", tmp_path)["notes"]
    )


def test_two_people_of_one_picture_are_no_duplicates(tmp_path):
    write_threedpw(tmp_path)
    assert check("threedpw", tmp_path)["problems"] == []


def test_missing_pictures_are_counted_and_named_and_the_sheet_shows_those_that_are_there(
    tmp_path, unihpe
):
    write_mmpose_h36m(tmp_path)
    source = open_human36m(tmp_path)
    for n in range(0, len(source), 2):
        view, frame = source.views[int(source.view[n])], int(source.frame[n])
        stem = f"{view.subject}_{view.sequence.replace(' ', '_')}.{view.camera}"
        path = tmp_path / "images" / view.subject / stem / f"{stem}_{frame + 1:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((1000, 1000, 3), (0, 0, 255), np.uint8))
    report = check("human36m", tmp_path)
    assert report["pictures"] == {"looked_for": 24, "found": 12} and report["problems"] == []
    assert any(
        "12 of 24 pictures looked for are not there, such as images/S1/S1_TakingPhoto_1" in n
        for n in report["notes"]
    )
    code, _, error = unihpe(
        "data", "check", "human36m", "--root", tmp_path, "--sheet", tmp_path / "sheet.png"
    )
    assert code == 0, error
    sheet = cv2.imread(str(tmp_path / "sheet.png")).astype(int)
    red = (np.abs(sheet - (0, 0, 255)) < 8).all(-1).mean()
    assert 0.2 < red < 0.8


def test_calibration_says_whose_it_is_and_one_layout_is_no_choice(tmp_path, motion_file):
    write_mmpose_3dhp(tmp_path)
    assert check("mpi_inf_3dhp", tmp_path)["calibration"] == "the packing's own"
    with pytest.raises(
        InputError, match="motion has no layout 'npz'; there is one only: leave the option out"
    ):
        check("motion", motion_file, "npz")
