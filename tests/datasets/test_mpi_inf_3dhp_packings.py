"""MPI-INF-3DHP in MMPose's, P-STMO's and SPIN's files, and its halves together."""

import numpy as np
import pytest
import torch
from miniatures import write_3dhp_test, write_3dhp_train
from miniatures_packings import (
    HP_LENSES,
    seen_3dhp,
    write_mmpose_3dhp,
    write_pstmo_3dhp,
    write_spin_3dhp,
)
from opening import open_recorded, pictures_of
from torch.testing import assert_close

from unihpe.datasets.mpi_inf_3dhp.reader import open_mpi_inf_3dhp
from unihpe.datasets.mpi_inf_3dhp.views import view_named
from unihpe.errors import InputError

WRITERS = {"mmpose": write_mmpose_3dhp, "pstmo": write_pstmo_3dhp, "spin": write_spin_3dhp}
SEEDS = {"Seq1": 1, "Seq2": 2, "TS1": 3, "TS6": 4}


def everything(source):
    return source.read(torch.arange(len(source)))


def key(view):
    return view.sequence if view.split == "test" else int(view.camera)


@pytest.mark.parametrize("layout", WRITERS)
def test_every_packing_gives_the_people_that_were_written(layout, tmp_path):
    WRITERS[layout](tmp_path)
    source = open_mpi_inf_3dhp(tmp_path)
    frames = everything(source)
    assert len(source) == {"mmpose": 80 + 8, "pstmo": 80 + 8, "spin": 40 + 10}[layout]
    for n in range(len(source)):
        view, frame = source.views[int(source.view[n])], int(source.frame[n])
        seen, pixels = seen_3dhp(key(view), 5, SEEDS[view.sequence])
        pose, scale = seen[frame], 0.9 if layout == "pstmo" else 1.0
        pelvis = pose[14]
        expected = torch.from_numpy(pelvis + scale * (pose - pelvis)).float()
        atol = 0.5 if layout == "spin" else 0.01  # SPIN's people are put where the 2D has them
        assert_close(frames.pose[n], expected, atol=atol, rtol=0)
        assert_close(
            frames.keypoints[n], torch.from_numpy(pixels[frame]).float(), atol=0.01, rtol=0
        )
        assert frames.camera.focal[n].tolist() == pytest.approx(HP_LENSES[key(view)][:2], abs=1e-3)
        wide = 1920 if view.sequence == "TS6" else 2048
        assert frames.camera.size[n].tolist() == [wide, 1080 if wide == 1920 else 2048]
    if layout != "pstmo":
        assert_close(frames.camera.project(frames.pose), frames.keypoints, atol=0.2, rtol=0)
    assert source.names("split") == ("train", "test")
    if layout != "spin":
        assert 2 not in source.select(lambda view: view.split == "test").frame.tolist()  # not valid


def test_which_truth_is_said_and_the_other_refused(tmp_path):
    for layout, writer in WRITERS.items():
        (tmp_path / layout).mkdir()
        writer(tmp_path / layout)
    assert open_mpi_inf_3dhp(tmp_path / "mmpose").layout == "MPI-INF-3DHP, MMPose npz, annot3"
    assert open_mpi_inf_3dhp(tmp_path / "pstmo").layout == "MPI-INF-3DHP, P-STMO npz, univ_annot3"
    both = "MPI-INF-3DHP, SPIN's list, annot3 and MPI-INF-3DHP, SPIN's list, univ_annot3"
    assert open_mpi_inf_3dhp(tmp_path / "spin").layout == both
    for layout, asked, split in (
        ("mmpose", "univ_annot3", "train"),
        ("pstmo", "annot3", "test"),
        ("spin", "annot3", "test"),
    ):
        with pytest.raises(InputError, match=f"not {asked}; take the raw files"):
            open_recorded("mpi_inf_3dhp", tmp_path / layout, "gt", split, truth=asked)
    assert (
        len(open_recorded("mpi_inf_3dhp", tmp_path / "spin", "gt", "test", truth="univ_annot3"))
        == 10
    )


def test_both_halves_of_the_raw_set_and_one_alone(tmp_path):
    pytest.importorskip("scipy", reason="annot.mat needs scipy")
    pytest.importorskip("h5py", reason="annot_data.mat needs h5py")
    write_3dhp_train(tmp_path)
    write_3dhp_test(tmp_path)
    both = open_mpi_inf_3dhp(tmp_path)
    assert len(both) == 96 + 22 and both.layout == "MPI-INF-3DHP, training set and test set, annot3"
    frames = everything(both)
    assert_close(frames.camera.project(frames.pose), frames.keypoints, atol=0.02, rtol=0)
    assert "50 frames a second: S1/Seq2" not in both.notes[0]
    for split, count in (("train", 96), ("test", 22)):
        alone = open_recorded("mpi_inf_3dhp", tmp_path, "gt", split)
        assert len(alone) == count and alone.names("split") == (split,)
        part = both.select(lambda view, split=split: view.split == split)
        assert_close(everything(alone).keypoints, everything(part).keypoints)


@pytest.mark.parametrize("base", ["train", ""])
def test_folders_named_as_mmpose_wants_them(base, tmp_path):
    pytest.importorskip("scipy", reason="annot.mat needs scipy")
    write_3dhp_train(tmp_path / base, sequences=((1, 2),))
    source = open_mpi_inf_3dhp(tmp_path)
    assert len(source) == 48 and "50 frames a second: S1/Seq2; the others 25" in source.notes


@pytest.mark.parametrize(
    "name, expected",
    [
        ("S1_Seq2_Cam0_000001.jpg", ("S1", "Seq2", "0", 0)),
        ("S8/Seq1/imageFrames/video_8/frame_000123.jpg", ("S8", "Seq1", "8", 122)),
        ("S8/Seq1/video_8/frame_000123.jpg", ("S8", "Seq1", "8", 122)),
        ("TS3_000100.jpg", ("TS3", "TS3", "camera", 99)),
        ("mpi_inf_3dhp_test_set\\TS3\\imageSequence\\img_000100.jpg", ("TS3", "TS3", "camera", 99)),
    ],
)
def test_names_of_pictures(name, expected, tmp_path):
    view, frame = view_named(name, tmp_path)
    assert (view.subject, view.sequence, view.camera, frame) == expected
    picture = (
        tmp_path / name.replace("\\", "/")
        if "/" in name or "\\" in name
        else tmp_path / "images" / name
    )
    picture.parent.mkdir(parents=True)
    picture.touch()
    assert pictures_of("mpi_inf_3dhp", tmp_path).find(view, frame) == picture


def test_a_strange_name_and_a_camera_without_a_lens(tmp_path):
    with pytest.raises(InputError, match="picture 'cat.jpg' is named like none"):
        view_named("cat.jpg", tmp_path)
    folder = write_mmpose_3dhp(tmp_path)
    (folder / "cameras_train.pkl").unlink()
    assert len(open_mpi_inf_3dhp(tmp_path)) == 88  # the published lenses serve
    path = folder / "mpi_inf_3dhp_train.npz"
    arrays = dict(np.load(path))
    arrays["imgname"] = np.char.replace(arrays["imgname"], "Cam8", "Cam11")
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="no lens is known of camera 11"):
        open_mpi_inf_3dhp(tmp_path)


def test_mmposes_other_file_of_the_test_set_is_said_to_hold_invalid_frames(tmp_path):
    write_mmpose_3dhp(tmp_path, valid=False)
    assert "invalid frames" in open_mpi_inf_3dhp(tmp_path).notes[0]


def test_rows_that_mmpose_could_not_name_are_told_from_the_other_cameras(tmp_path):
    for name in ("whole", "short"):
        write_mmpose_3dhp(tmp_path / name)
    file = tmp_path / "short" / "annotations" / "mpi_inf_3dhp_train.npz"
    content = dict(np.load(file))
    gone = [
        at
        for at, name in enumerate(content["imgname"])
        if name.startswith("S1_Seq2_Cam2_") and int(name[-10:-4]) > 3
    ]
    assert len(gone) == 2
    np.savez(file, **{**content, "imgname": np.delete(content["imgname"], gone)})
    whole, short = (open_mpi_inf_3dhp(tmp_path / name) for name in ("whole", "short"))
    kept = [n for n in range(len(whole)) if n not in gone]
    assert torch.equal(everything(short).pose, everything(whole).pose[kept])
    assert (
        torch.equal(short.frame, whole.frame[kept])
        and "rows without a name left out" in short.notes[0]
    )
