"""Motion through virtual cameras: geometry, noise statistics, seeds, and bad files."""

import numpy as np
import pytest
import torch
from damaged import PACKED, flipped, write_packed
from torch.testing import assert_close

from unihpe.body.prepare import prepare
from unihpe.body.skeleton import get_skeleton
from unihpe.body.virtual_cameras import STAGE_RADIUS, fixed_cameras, random_cameras
from unihpe.datasets.motion import detector
from unihpe.datasets.motion.source import (
    NPZ_KEYS,
    Motion,
    MotionSource,
    _on_stage,
    open_motion,
)
from unihpe.errors import InputError
from unihpe.io import pickles as unpickle

SKELETON = get_skeleton("human36m17")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_real_file_has_the_counts_it_should(shared_data):
    motion = open_motion(shared_data / "cmu_mocap" / "cmu_h36m17_30fps.npz")
    assert len(motion) == 95_396
    assert {split: len(motion.select(split)) for split in ("train", "val", "test")} == {
        "train": 65_164,
        "val": 3_900,
        "test": 26_332,
    }
    thigh = (
        motion.poses[:, SKELETON.index("left_hip")] - motion.poses[:, SKELETON.index("left_knee")]
    ).norm(dim=-1)
    assert 330 < thigh.median() < 480  # millimetres


def test_a_projected_pose_is_where_its_keypoints_say(motion):
    source = MotionSource(motion, "fixed")
    assert len(source) == 4 * len(motion)
    frames = source.read(torch.arange(8), generator())
    back = frames.camera.unproject(frames.keypoints, frames.pose[..., 2])
    assert_close(back, frames.pose, atol=0.5, rtol=1e-4)
    world = frames.camera.to_world(frames.pose)
    assert_close(world[0], world[1], atol=0.1, rtol=1e-4)  # one person, two cameras
    assert_close(world[0], motion.poses[0], atol=0.1, rtol=1e-4)


def test_fixed_cameras_stand_like_human36ms():
    camera = fixed_cameras(torch.arange(4))
    centre = camera.project(camera.to_camera(torch.tensor([[0.0, 900.0, 0.0]]).expand(4, 1, 3)))
    assert_close(centre, torch.full((4, 1, 2), 500.0))
    position = camera.to_world(torch.zeros(4, 1, 3))[:, 0]
    assert (position[:, 1] > 1400).all() and (position.norm(dim=1) > 4000).all()


def test_random_cameras_see_the_pelvis_inside_the_picture():
    pelvis = torch.tensor([[200.0, 900.0, -300.0]]).expand(500, 3)
    camera = random_cameras(pelvis, generator())
    assert_close(torch.linalg.det(camera.rotation), torch.ones(500))
    seen = camera.project(camera.to_camera(pelvis[:, None]))[:, 0] / camera.size
    assert seen.min() > 0.19 and seen.max() < 0.81
    down = camera.rotation[
        :, 1, 1
    ]  # world up in camera axes: upside down cameras would be positive
    assert (down < 0).all()


def test_mirroring_keeps_left_left(motion):
    source = MotionSource(motion, "random")
    world = motion.poses[:64]
    varied = source.varied(world, generator())
    changed = (varied - world).abs().amax((1, 2)) > 1
    assert 16 < changed.sum() < 48
    left, right = SKELETON.index("left_hip"), SKELETON.index("right_hip")

    def across(poses):
        return poses[:, left] - poses[:, right]

    expected = across(world) * torch.tensor([-1.0, 1.0, 1.0])
    # a mirrored person's left hip is where the right one's image is
    assert_close(
        across(varied)[changed],
        -expected[changed] * torch.tensor([1.0, 1.0, 1.0]) * torch.tensor([1.0, 1.0, 1.0]),
    )


def test_reading_twice_with_one_seed_gives_one_answer(motion):
    source = MotionSource(motion, "random", "both", body_scale=0.1)
    a, b = (source.read(torch.arange(20), generator(3)) for _ in range(2))
    assert torch.equal(a.keypoints.nan_to_num(-1), b.keypoints.nan_to_num(-1)) and torch.equal(
        a.pose, b.pose
    )
    c = source.read(torch.arange(20), generator(4))
    assert not torch.equal(a.pose, c.pose)


def test_stage_bends_paths_and_keeps_poses():
    poses = torch.randn(50, 17, 3, generator=generator()) * 200
    poses += torch.stack(
        [torch.linspace(0, 9000, 50), torch.full((50,), 3000.0), torch.zeros(50)], dim=1
    )[:, None]
    motion = Motion(SKELETON, poses, torch.zeros(50, dtype=torch.long), ("a",), ("g",), ("test",))
    staged = _on_stage(motion).poses
    assert staged[:, 0, [0, 2]].norm(dim=1).max() <= STAGE_RADIUS
    assert_close(staged - staged[:, :1], poses - poses[:, :1], atol=1e-2, rtol=0)
    assert abs(staged[..., 1].amin(1).quantile(0.05).item()) < 1


def test_weights_balance_groups(motion):
    plain, even = (
        MotionSource(motion, "random").weights(),
        MotionSource(motion, "random", balance=1.0).weights(),
    )
    assert (plain == plain[0]).all()
    first = torch.tensor([motion.groups[s] == motion.groups[0] for s in motion.sequence.tolist()])
    assert even[first].sum().item() == pytest.approx(even[~first].sum().item())


# the detector's noise


def test_detected_joints_err_as_often_and_as_far_as_the_table_says():
    n = 20_000
    exact = torch.zeros(n, 17, 2)
    exact[:, :, 1] = torch.linspace(0, 300, 17)
    exact[:, 0, 0], exact[:, 1, 0] = -60, 60
    found, confidence = detector.detect(exact, torch.ones(exact.shape[:2]), SKELETON, generator())
    lost = confidence == 0
    assert lost.float().mean().item() == pytest.approx(detector.UNDETECTED, rel=0.1)
    assert torch.isnan(found[lost]).all()
    knee = SKELETON.index("left_knee")
    row = detector._errors_of("left_knee")
    scale = 2 * row.sigma * (detector.AREA * 120 * 300) ** 0.5
    distance = (found - exact)[:, knee].norm(dim=-1)[~lost[:, knee]]
    good, jitter = scale * (-2 * np.log(0.85)) ** 0.5, scale * (-2 * np.log(0.5)) ** 0.5
    share_good = 1 - row.jitter - row.inversion - detector.SWAP - row.miss
    assert (distance < good).float().mean().item() == pytest.approx(share_good, abs=0.02)
    within = ((distance >= good) & (distance < jitter)).float().mean().item()
    assert within == pytest.approx(row.jitter, abs=0.03)  # a few inversions land there too


def test_confidence_tells_good_from_missed_on_average_only():
    exact = torch.rand(5000, 17, 2, generator=generator()) * 300
    found, confidence = detector.detect(exact, torch.ones(exact.shape[:2]), SKELETON, generator(1))
    distance = (found - exact).norm(dim=-1)
    seen = confidence > 0
    near, far = distance < 10, distance > 120
    assert confidence[near & seen].mean() > confidence[far & seen].mean() + 0.15
    assert confidence[far & seen].max() > confidence[near & seen].min()
    assert (seen.sum(1) >= 4).all()


# prepare


def test_prepare_by_hand(motion):
    frames = MotionSource(motion, "fixed").read(torch.arange(4), generator())
    batch = prepare(frames, SKELETON)
    assert batch.keypoints.abs().max() <= 0.8 + 1e-5  # 1 / 1.25 along the larger side
    assert_close(batch.pose[:, 0], torch.zeros(4, 3))
    assert_close(batch.pose, frames.pose - frames.pose[:, :1])
    assert batch.box_token[0, 2].item() == pytest.approx((batch.box[0, 2:].max() / 1145).item())


def test_unknown_focal_changes_the_token_alone(motion):
    frames = MotionSource(motion, "fixed").read(torch.arange(4), generator())
    known, unknown = (
        prepare(frames, SKELETON),
        prepare(frames, SKELETON, generator=generator(), unknown_focal=1.0),
    )
    assert_close(unknown.box_token * (2 * 1000.0**2) ** 0.5, known.box_token * 1145)
    assert torch.equal(known.keypoints, unknown.keypoints)


def test_part_dropout_hides_whole_parts(motion):
    frames = MotionSource(motion, "fixed").read(torch.zeros(200, dtype=torch.long), generator())
    hidden = prepare(frames, SKELETON, generator=generator(), part_dropout=1.0).confidence == 0
    found = {tuple(SKELETON.joints[j] for j in row.nonzero()[:, 0].tolist()) for row in hidden}
    assert len(found) == 7  # every part, and nothing but parts
    assert ("right_ankle", "left_ankle") in found and ("left_elbow", "left_wrist") in found
    assert max(found, key=len) == (
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "spine",
    )
    share = (
        (prepare(frames, SKELETON, generator=generator(), part_dropout=0.3).confidence == 0)
        .any(1)
        .float()
        .mean()
    )
    assert 0.2 < share < 0.4


def test_joint_dropout_hides_joints_from_box_and_encoder(motion):
    frames = MotionSource(motion, "fixed").read(torch.arange(200), generator())
    batch = prepare(frames, SKELETON, generator=generator(), joint_dropout=0.3)
    hidden = batch.confidence == 0
    assert hidden.float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert (batch.keypoints[hidden] == 0).all()
    assert (batch.keypoints.abs().amax((1, 2)) <= 0.8 + 1e-5).all()  # the box fits what is left
    assert not torch.isnan(batch.keypoints).any()


def test_people_with_three_joints_are_refused(motion):
    frames = MotionSource(motion, "fixed").read(torch.arange(2), generator())
    frames.confidence[1, 3:] = 0
    with pytest.raises(InputError, match="person 1 has 3 joints seen"):
        prepare(frames, SKELETON)


# files


def write_npz(path, **changes):
    poses = np.random.default_rng(0).normal(size=(6, 17, 3)).astype(np.float32) * 0.3
    fields = {
        "poses": poses,
        "joints": np.array(SKELETON.joints),
        "seq_index": np.zeros(6, np.int32),
        "seq_names": np.array(["a"]),
        "seq_source": np.array(["s"]),
        "seq_split": np.array(["test"]),
    }
    np.savez(path, **{key: value for key, value in (fields | changes).items() if value is not None})
    return path


def test_npz_is_read_in_any_joint_order(tmp_path):
    plain = open_motion(write_npz(tmp_path / "a.npz"))
    with np.load(tmp_path / "a.npz") as archive:
        poses = archive["poses"]
    order = np.random.default_rng(1).permutation(17)
    shuffled = open_motion(
        write_npz(
            tmp_path / "b.npz", poses=poses[:, order], joints=np.array(SKELETON.joints)[order]
        )
    )
    assert torch.equal(plain.poses, shuffled.poses)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": None}, "lacks poses"),
        ({"joints": np.array(["x"] * 17)}, "lacks the joints"),
        ({"poses": np.full((6, 17, 3), np.nan, np.float32)}, "pose 0 is not finite"),
        ({"poses": np.arange(306, dtype=np.float32).reshape(6, 17, 3) * 100}, "must be in metres"),
    ],
)
def test_bad_npz_says_what_is_wrong(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        open_motion(write_npz(tmp_path / "bad.npz", **changes))


def test_truncated_npz(tmp_path):
    path = write_npz(tmp_path / "cut.npz")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="not a readable npz"):
        open_motion(path)


@pytest.mark.parametrize("packing", PACKED)
def test_flipped_bits_of_an_npz_are_an_input_error_or_change_nothing(tmp_path, packing):
    with np.load(write_npz(tmp_path / "plain.npz")) as archive:
        fields = dict(archive)
    write_packed(tmp_path / "whole.npz", packing, **fields)
    whole, path = open_motion(tmp_path / "whole.npz"), tmp_path / "a.npz"
    for damaged in flipped((tmp_path / "whole.npz").read_bytes(), step=5):
        path.write_bytes(damaged)
        try:
            motion = open_motion(path)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert torch.equal(motion.poses, whole.poses) and motion.names == whole.names


def test_an_npz_that_would_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(unpickle, "BOMB_BYTES", 1000)
    write_packed(tmp_path / "a.npz", "deflate", **{key: np.zeros(100_000) for key in NPZ_KEYS})
    with pytest.raises(InputError, match="not unpacked"):
        open_motion(tmp_path / "a.npz")


def test_an_unknown_split_lists_the_known_ones(motion):
    with pytest.raises(InputError, match="train"):
        motion.select("testing")


def test_motions_that_nobody_split_train_and_test_but_do_not_validate(motion):
    whole = Motion(
        motion.skeleton, motion.poses, motion.sequence, motion.names, motion.groups, ("any",) * 3
    )
    assert len(whole.select("train")) == len(whole.select("test")) == len(whole)
    with pytest.raises(InputError, match="no motion in split 'val'"):
        whole.select("val")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq_index": np.array([1, 0])}, "must rise"),
        ({"seq_index": np.array([0, 7])}, "must rise"),
        ({"seq_index": np.array([0.0, 1.0])}, "whole number"),
        ({"seq_index": np.array([0])}, "whole number"),
        ({"poses": np.zeros((2, 5, 3), np.float32)}, "they must be floats"),
        ({"poses": np.zeros((2, 17, 2), np.float32)}, "they must be floats"),
        ({"poses": np.zeros((0, 17, 3), np.float32)}, "they must be floats"),
        ({"seq_source": np.array(["a"])}, "of one length"),
        ({"seq_names": np.array("a")}, "one row of values"),
        ({"joints": np.array("pelvis")}, "one row of values"),
        ({"poses": np.array([None])}, "holds objects"),
    ],
)
def test_arrays_that_do_not_fit_together(tmp_path, changes, message):
    names = np.array(["a", "b"])
    fields = {
        "poses": np.random.default_rng(0).normal(size=(2, 17, 3)).astype(np.float32) * 0.3,
        "joints": np.array(SKELETON.joints),
        "seq_index": np.array([0, 1]),
        "seq_names": names,
        "seq_source": names,
        "seq_split": np.array(["train", "test"]),
    }
    np.savez(tmp_path / "a.npz", **fields | changes)
    with pytest.raises(InputError, match=message):
        open_motion(tmp_path / "a.npz")
