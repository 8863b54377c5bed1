"""A recorded set through the commands: check, train, evaluate; and what mirroring does."""

import json

import torch
from miniatures import write_humaneva
from torch.testing import assert_close

from unihpe.body.batch import Modality
from unihpe.body.mirror import mirrored
from unihpe.body.prepare import prepare, root_relative
from unihpe.datasets.humaneva.reader import open_humaneva
from unihpe.inference.answer import answer
from unihpe.recipe import build_model, load_recipe

SMALL = (
    "stage.0.steps=2", "stage.0.batch_size=16", "stage.1.steps=2", "stage.1.batch_size=16",
    *(f"model.{part}_{d}d.width=64" for part in ("encoder", "decoder") for d in (2, 3)),
)  # fmt: skip


def test_humaneva_trains_and_is_scored_by_subject_and_action(unihpe, tmp_path):
    (tmp_path / "data").mkdir()
    write_humaneva(tmp_path / "data")
    changes = [
        word for change in (f"data.root={tmp_path / 'data'}", *SMALL) for word in ("--set", change)
    ]
    code, _, text = unihpe("train", "humaneva", "-o", tmp_path / "run", *changes)
    assert code == 0, text
    options = (
        "--data",
        "humaneva",
        "--root",
        tmp_path / "data",
        "--split",
        "val",
        "--stride",
        1,
        "--flip",
    )
    report = tmp_path / "report.json"
    code, text, _ = unihpe("eval", tmp_path / "run", *options, "--json", report)
    found = json.loads(report.read_text())
    assert code == 0 and "HumanEva-I, VideoPose3D npz" in text
    assert (
        found["errors_mm"]["MPJPE point, flip test"].keys() == {"S2 Box", "mean over groups"}
        and found["poses"] == 24
    )
    for wrong in (("--cameras", "free"), ("--two-d", "coco"), ("--by", "posture")):
        code, _, error = unihpe("eval", tmp_path / "run", *options, *wrong)
        assert code == 2 and "leave them out for humaneva" in error


def test_check_tells_what_it_found(unihpe, tmp_path, motion_file):
    (tmp_path / "data").mkdir()
    write_humaneva(tmp_path / "data")
    code, text, _ = unihpe(
        "data", "check", "humaneva", "--root", tmp_path / "data", "--json", tmp_path / "r.json"
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert (
        report["unit"] == "m"
        and report["frames"] == 57
        and code == (1 if report["problems"] else 0)
    )
    assert "leg_order" in text
    code, text, _ = unihpe("data", "check", "motion", "--root", motion_file)
    assert "3 motions" in text
    for arguments in (
        ("data", "check", "penn", "--root", tmp_path),
        ("data", "check", "human36m", "--root", tmp_path / "x"),
    ):
        code, _, error = unihpe(*arguments)
        assert code == 2 and error.startswith("unihpe: ") and error.count("\n") == 1


def test_data_info_and_weights_list(unihpe):
    assert "threedpw" in unihpe("data", "info")[1]
    assert "hrnet_w32_coco" in unihpe("weights", "list")[1]
    code, _, error = unihpe("weights", "download", "nothing", "--offline")
    assert code == 2 and "hrnet_w32_coco" in error


def test_mirrored_people_still_project_onto_their_2d(tmp_path):
    write_humaneva(tmp_path)
    source = open_humaneva(tmp_path)
    frames = source.read(torch.arange(20))
    which = torch.arange(20) % 2 == 0
    after = mirrored(frames, source.skeleton, which)
    assert_close(after.camera.project(after.pose), after.keypoints, atol=0.5, rtol=0)
    assert torch.equal(after.keypoints[1::2], frames.keypoints[1::2])
    left, right = (source.skeleton.index(f"{side}_wrist") for side in ("left", "right"))
    assert_close(
        after.keypoints[0, left, 0], frames.camera.size[0, 0] - frames.keypoints[0, right, 0]
    )
    twice = mirrored(after, source.skeleton, which)
    assert_close(twice.pose, frames.pose)
    assert_close(twice.camera.centre, frames.camera.centre)


def test_the_flip_test_undoes_its_mirror(tmp_path):
    write_humaneva(tmp_path)
    source = open_humaneva(tmp_path)
    everybody = torch.ones(6, dtype=torch.bool)
    frames = source.read(torch.arange(6))
    model = build_model(load_recipe("humaneva", SMALL)).eval()
    batch, other = (
        prepare(f, source.skeleton) for f in (frames, mirrored(frames, source.skeleton, everybody))
    )
    embedding = model.encode(other, Modality.POSE_2D)
    pose = model.estimate(embedding, Modality.POSE_2D, Modality.POSE_3D, other)
    expected = pose[:, list(source.skeleton.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    path = Modality.POSE_2D, Modality.POSE_3D
    plain = model.estimate(model.encode(batch, path[0]), *path, batch)
    poses = answer(
        model, source.skeleton, batch, path[:1], targets=[Modality.POSE_3D], flip=True
    ).poses
    plain, expected = (root_relative(pose, source.skeleton) for pose in (plain, expected))
    assert_close(poses["2d"], plain)
    assert_close(poses["2d, flip test"], (plain + expected) / 2, atol=0.01, rtol=1e-4)
