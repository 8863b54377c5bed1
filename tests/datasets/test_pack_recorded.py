"""Recorded sets into packed sets, on miniatures with painted pictures and videos."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from miniatures import H36M_CAMERAS, write_3dhp_train, write_mmpose_h36m, write_videopose3d_h36m
from opening import pictures_of
from typer.testing import CliRunner

from unihpe.body.boxes import crop_matrix
from unihpe.cli import app
from unihpe.datasets.human36m.reader import open_human36m
from unihpe.datasets.human36m.views import ACTIONS, IRREGULAR, _take_of, sequence_of
from unihpe.datasets.mpi_inf_3dhp.reader import open_mpi_inf_3dhp
from unihpe.datasets.packed import PackedPeople, PeopleSource, pack_recorded
from unihpe.datasets.recorded import View
from unihpe.errors import InputError
from unihpe.io.log import read_log


def painted(keypoints, size=(1002, 1000)):
    """A dark picture with a bright disc on each joint, BGR."""
    picture = np.zeros((*size, 3), np.uint8)
    for n, (x, y) in enumerate(keypoints):
        cv2.circle(
            picture,
            (round(float(x) - 0.5), round(float(y) - 0.5)),
            7,
            (250 - 8 * n, 120, 60 + 8 * n),
            -1,
        )
    return picture


def paint_mmpose(root, recorded):
    """Every picture of MMPose's layout."""
    frames = recorded.read(torch.arange(len(recorded)))
    for n in range(len(recorded)):
        view, frame = recorded.views[int(recorded.view[n])], int(recorded.frame[n])
        name = f"{view.subject}_{view.sequence.replace(' ', '_')}.{view.camera}"
        file = root / "images" / view.subject / name / f"{name}_{frame + 1:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), painted(frames.keypoints[n]))


@pytest.fixture
def mmpose(tmp_path):
    write_mmpose_h36m(tmp_path)
    recorded = open_human36m(tmp_path).select(lambda view: view.split == "train")
    paint_mmpose(tmp_path, recorded)
    return tmp_path, recorded


def test_crops_show_the_joints_where_the_labels_say(mmpose, tmp_path):
    root, recorded = mmpose
    done = pack_recorded(recorded, pictures_of("human36m", root), tmp_path / "train.pack")
    packed = PackedPeople(tmp_path / "train.pack")
    assert done.people == len(packed) == len(recorded) == 12 and packed.index.tolist() == list(
        range(12)
    )
    frames = recorded.read(torch.arange(12))
    np.testing.assert_allclose(packed.pose, frames.pose.numpy(), rtol=0, atol=1e-3)
    for n in range(12):
        person = packed[n]
        spots = (
            person.keypoints @ crop_matrix(person.box, 192, 256)[:, :2].T
            + crop_matrix(person.box, 192, 256)[:, 2]
        )
        for x, y in spots:
            assert person.picture[int(y), int(x)].max() > 80
        assert person.group == "Photo" and person.camera.size.tolist() == [1000, 1002]
    crops = PeopleSource(tmp_path / "train.pack").read(torch.tensor([3, 1]), torch.Generator())
    assert crops.group == ("Photo", "Photo") and bool((crops.confidence == 1).all())


def test_packing_goes_on_where_it_stopped(mmpose, tmp_path):
    root, recorded = mmpose
    file, pictures = tmp_path / "train.pack", pictures_of("human36m", root)

    def stop(count):
        if count == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_recorded(recorded, pictures, file, done=stop, piece=4)
    assert not file.exists()
    assert pack_recorded(recorded, pictures, file, piece=4).kept == 4
    whole = tmp_path / "whole.pack"
    assert pack_recorded(recorded, pictures, whole, piece=100).kept == 0
    one, other = PackedPeople(file), PackedPeople(whole)
    assert all(np.array_equal(one[n].picture, other[n].picture) for n in range(12))
    assert not list(tmp_path.glob("*.pieces"))


def stopped_at(count):
    def stop(ready):
        if ready == count:
            raise KeyboardInterrupt

    return stop


def flip_a_byte(piece):
    content = bytearray(piece.read_bytes())
    content[200] ^= 1  # within the first picture
    piece.write_bytes(content)


def test_pieces_of_other_pictures_or_labels_and_damaged_ones_are_packed_again(mmpose, tmp_path):
    root, recorded = mmpose
    other = tmp_path / "other"
    shutil.copytree(root / "images", other / "images")
    moved = replace(recorded, keypoints=recorded.keypoints + 1)
    for name, (first, where, damage) in {
        "pictures": (recorded, other, None),
        "labels": (moved, root, None),
        "damaged": (recorded, root, flip_a_byte),
    }.items():
        file = tmp_path / f"{name}.pack"
        with pytest.raises(KeyboardInterrupt):
            pack_recorded(first, pictures_of("human36m", where), file, done=stopped_at(7), piece=4)
        if damage:
            damage(tmp_path / f"{name}.pack.pieces" / "00000")
        assert pack_recorded(recorded, pictures_of("human36m", root), file, piece=4).kept == 0, name
        assert PackedPeople(file)[0].group == "Photo"


def test_pictures_of_another_size_are_refused(mmpose, tmp_path):
    root, recorded = mmpose
    file = sorted((root / "images").rglob("*.jpg"))[0]
    picture = cv2.imread(str(file))
    cv2.imwrite(str(file), picture[:-2])  # 1000 rows for 1002: some extractions level that out
    pack_recorded(recorded, pictures_of("human36m", root), tmp_path / "near.pack")
    cv2.imwrite(str(file), picture[::2, ::2])
    with pytest.raises(
        InputError, match=rf"{file.name}: is 500 × 501, its annotation is of 1000 × 1002"
    ):
        pack_recorded(recorded, pictures_of("human36m", root), tmp_path / "far.pack")
    assert not (tmp_path / "far.pack").exists()


def test_a_thinned_copy_says_what_a_stride_leaves(mmpose, tmp_path, unihpe):
    root, recorded = mmpose
    options = (
        "data",
        "pack",
        "human36m",
        "--root",
        root,
        "--split",
        "train",
        "-o",
        tmp_path / "train.pack",
    )
    code, text, error = unihpe(*options)
    assert code == 0 and "of 12 people: frames whose number 5 divides" in text, error
    code, text, error = unihpe(*options, "--stride", "1")
    assert code == 0 and "12 people in" in text and "divides" not in text, error


def test_missing_pictures_are_counted_and_named_or_left_out(mmpose, tmp_path):
    root, recorded = mmpose
    for file in sorted((root / "images").rglob("*_000006.jpg"))[:2]:
        file.unlink()
    pictures = pictures_of("human36m", root)
    with pytest.raises(
        InputError,
        match=r"2 of 12 pictures are not there, nor in a whole video, such as"
        r" images/S1/S1_TakingPhoto_1.*--skip-missing",
    ):
        pack_recorded(recorded, pictures, tmp_path / "train.pack")
    done = pack_recorded(recorded, pictures, tmp_path / "train.pack", skip_missing=True)
    assert done.people == 10 and "2 people without picture left out" in done.notes
    broken = next((root / "images").rglob("*_000001.jpg"))
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(InputError, match=broken.name):
        pack_recorded(recorded, pictures, tmp_path / "again.pack", skip_missing=True)
    assert not (tmp_path / "again.pack").exists()


def test_videos_are_read_frame_by_frame(tmp_path):
    write_videopose3d_h36m(tmp_path)
    recorded = open_human36m(tmp_path).select(
        lambda v: v.sequence == "Walking 1" and v.camera == H36M_CAMERAS[0]
    )
    frames = recorded.read(torch.arange(len(recorded)))
    file = tmp_path / "S1" / "Videos" / f"Walking 1.{H36M_CAMERAS[0]}.mp4"
    file.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"mp4v"), 50, (1000, 1002))
    for keypoints in frames.keypoints:
        writer.write(painted(keypoints))
    writer.release()
    pictures = pictures_of("human36m", tmp_path)
    for n in (0, 5, 11, 2):  # forwards and back
        view = recorded.views[int(recorded.view[n])]
        picture = pictures.read(view, int(recorded.frame[n]))
        x, y = frames.keypoints[n, 16].int().tolist()
        assert picture[y, x].max() > 100
    assert pictures.find(view, 11) == file and pictures.find(view, 12) is None  # the video ends
    with pytest.raises(InputError, match="not there, nor under another known name"):
        pictures.read(view, 12)
    with pytest.raises(InputError, match="frame 12 cannot be read"):  # whatever the container says
        pictures.video.read(file, 12)
    args = [
        "data",
        "pack",
        "human36m",
        "--root",
        str(tmp_path),
        "-o",
        str(tmp_path / "h36m.pack"),
        "--stride",
        "3",
    ]
    said = CliRunner().invoke(app, args, catch_exceptions=True)
    assert isinstance(
        said.exception, InputError
    ) and "pictures are not there, nor in a whole video" in str(said.exception)
    said = CliRunner().invoke(app, [*args, "--skip-missing"])
    assert said.exit_code == 0 and "4 people in" in said.output
    assert PackedPeople(tmp_path / "h36m.pack").arrays["group"].tolist() == [0] * 4


def test_joints_another_set_means_otherwise_are_unknown(tmp_path):
    pytest.importorskip("scipy", reason="annot.mat needs scipy")
    write_3dhp_train(tmp_path, sequences=((1, 1),))
    recorded = open_mpi_inf_3dhp(tmp_path)
    view = recorded.views[2]
    chosen = recorded.select(lambda v: v == view)
    frames = chosen.read(torch.arange(len(chosen)))
    folder = tmp_path / "S1" / "Seq1" / "imageFrames" / f"video_{view.camera}"
    folder.mkdir(parents=True)
    for n, keypoints in enumerate(frames.keypoints):
        cv2.imwrite(str(folder / f"frame_{n + 1:06d}.jpg"), painted(keypoints, (2048, 2048)))
    pack_recorded(chosen, pictures_of("mpi_inf_3dhp", tmp_path), tmp_path / "train.pack")
    person = PackedPeople(tmp_path / "train.pack")[0]
    unknown = np.isnan(person.keypoints[:, 0])
    assert set(np.flatnonzero(unknown)) == {8, 9, 10}  # thorax, nose, head
    assert (
        np.array_equal(unknown, np.isnan(person.pose[:, 0]))
        and not person.visibility[unknown].any()
    )
    crops = PeopleSource(tmp_path / "train.pack").read(torch.tensor([0]), torch.Generator())
    assert crops.confidence[0].tolist() == [float(not u) for u in unknown]


def write_video(file, frames):
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"mp4v"), 50, (64, 64))
    for _ in range(frames):
        writer.write(np.zeros((64, 64, 3), np.uint8))
    writer.release()


def test_pictures_go_by_many_names(tmp_path):
    view = View("S9", "Photo", "Photo 1", "55011271", "test", "Photo")
    for name in (
        "images/S9/S9_Photo_1.55011271/S9_Photo_1.55011271_000006.jpg",
        "images/S9/S9_TakingPhoto_1.55011271/S9_TakingPhoto_1.55011271_000006.jpg",
        "S9/images/S9_Photo_1.55011271/S9_Photo_1.55011271_000006.jpg",
        "images/S9_Photo_1.55011271_000006.jpg",
        "S9/TakingPhoto-1/imageSequence/55011271/img_000006.jpg",
        "s_09_act_12_subact_01_ca_02/s_09_act_12_subact_01_ca_02_000006.jpg",
        "S9/Videos/Photo 1.55011271.mp4",
    ):
        pictures = pictures_of("human36m", tmp_path)
        assert pictures.find(view, 5) is None
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".mp4":
            file.write_bytes(b"no video")
            assert pictures.find(view, 5) is None
            pictures = pictures_of("human36m", tmp_path)
            write_video(file, 6)
            assert pictures.find(view, 6) is None  # it ends before
        else:
            file.touch()
        assert pictures.find(view, 5) == file
        file.unlink()
    with pytest.raises(InputError, match="pictures of humaneva cannot be read"):
        pictures_of("humaneva", tmp_path)


def test_takes_are_told_by_subject():
    known = {
        ("S9", "Greeting"): 2,
        ("S9", "SittingDown 1"): 2,
        ("S9", "Waiting 1"): 1,
        ("S11", "Phoning 3"): 1,
    }
    known |= {
        ("S1", "TakingPhoto 1"): 1,
        ("S6", "Waiting 3"): 1,
        ("S8", "WalkTogether 2"): 2,
        ("S11", "Smoking"): 2,
    }
    for (subject, sequence), number in known.items():
        assert _take_of(subject, sequence).number == number
    assert _take_of("S9", "Greeting 2") is None and _take_of("S99", "Greeting") is None
    assert (
        _take_of("S9", "Photo").action == 12
        and _take_of("S9", "Photo").listed_name == "TakingPhoto"
    )
    names = {
        subject: {sequence_of(subject, a, n) for a in range(2, 17) for n in (1, 2)}
        for subject in IRREGULAR
    }
    assert all(len(found) == 2 * len(ACTIONS) == 30 for found in names.values())
    for subject, found in names.items():
        assert {
            sequence_of(subject, t.action, t.number) for s in found if (t := _take_of(subject, s))
        } == found


def test_the_papers_recipe_trains_on_packed_sets(mmpose, tmp_path):
    pytest.importorskip("scipy", reason="annot.mat needs scipy")
    root, recorded = mmpose
    other = tmp_path / "other"
    other.mkdir()
    write_3dhp_train(other, sequences=((1, 1),))
    chosen = open_mpi_inf_3dhp(other).select(lambda view: view.camera == "0")
    folder = other / "S1" / "Seq1" / "video_0"
    folder.mkdir()
    for n, keypoints in enumerate(chosen.read(torch.arange(len(chosen))).keypoints):
        cv2.imwrite(str(folder / f"frame_{n + 1:06d}.jpg"), painted(keypoints, (2048, 2048)))
    pack_recorded(recorded, pictures_of("human36m", root), tmp_path / "h36m" / "train.pack")
    pack_recorded(chosen, pictures_of("mpi_inf_3dhp", other), tmp_path / "3dhp" / "train.pack")
    small = {
        "data.root": tmp_path / "h36m",
        "mix.0.root": tmp_path / "3dhp",
        "model.image_encoder.weights": "",
    }
    small |= {"data.apart": 0, "mix.0.apart": 0}
    small |= {
        "model.image_encoder.kind": "hrnet_w18_small",
        "model.image_encoder.shrink": 2,
        "model.embedding": 32,
    }
    small |= {
        f"stage.{n}.{key}": value
        for n in range(3)
        for key, value in (("steps", 1), ("batch_size", 5))
    }
    small |= {
        f"model.encoder_{d}.{key}": 32 for d in ("2d", "3d") for key in ("width", "feedforward")
    }
    small |= {f"model.decoder_{d}.width": 64 for d in ("2d", "3d")}
    sets = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    said = CliRunner().invoke(
        app, ["train", "paper-w32", "-o", str(tmp_path / "run"), *sets], catch_exceptions=False
    )
    assert said.exit_code == 0
    rows = read_log(tmp_path / "run" / "log.jsonl")
    assert [row["stage"] for row in rows] == ["align poses", "align", "joint"]
    assert all(np.isfinite(row["loss"]) for row in rows)
    assert {"point image→pose_3d", "score image→pose_3d", "triplet"} & set(
        rows[-1]
    ) and "score image→pose_2d" in rows[-1]
    one = ["train", "paper-w32", "-o", str(tmp_path / "one"), *sets, "--stage"]
    assert CliRunner().invoke(app, [*one, "align poses"], catch_exceptions=False).exit_code == 0
    assert [row["stage"] for row in read_log(tmp_path / "one" / "log.jsonl")] == ["align poses"]
    with pytest.raises(InputError, match="no stage 'step 4'; it has align poses, align, joint"):
        CliRunner().invoke(app, [*one[:-1], "--stage", "step 4"], catch_exceptions=False)
