"""Prediction: a trained model on people's own units and joint sets."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import unihpe
from unihpe.body.camera import Camera
from unihpe.body.metrics import mpjpe
from unihpe.body.prepare import prepare, root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets import get_data_set
from unihpe.datasets.motion.source import MotionSource
from unihpe.datasets.protocol import Scored
from unihpe.errors import InputError
from unihpe.evaluation.lifting import _geometric_median, evaluate_lifting
from unihpe.evaluation.retrieval import _cosines, retrieve
from unihpe.export.json import write_json
from unihpe.export.npz import write_npz
from unihpe.inference.predictor import Options
from unihpe.inference.results import spread
from unihpe.inputs.keypoints import Keypoints

SOMEBODY = np.random.default_rng(0).random((1, 17, 2)) * 60 + 20


@pytest.fixture(scope="module")
def model(trained):
    return unihpe.load(trained)


@pytest.fixture(scope="module")
def people(motion):
    frames = MotionSource(motion.select("test"), "fixed").read(
        torch.arange(0, 240, 6), torch.Generator().manual_seed(0)
    )
    return frames, root_relative(frames.pose, motion.skeleton)


def lift(model, frames, **options):
    return model.lift(frames.keypoints, frames.camera.size, "human36m17", focal=1145.0, **options)


def test_it_has_learned_to_lift(model, people, motion):
    frames, truth = people
    mean_pose = root_relative(motion.select("train").poses.mean(0, keepdim=True), motion.skeleton)
    result = lift(model, frames)
    assert mpjpe(result.pose, truth).mean() < 0.6 * mpjpe(mean_pose.expand_as(truth), truth).mean()
    assert_close(result.pose[:, 0], torch.zeros(len(truth), 3))


def test_prediction_is_evaluation(model, people, trained, motion):
    """The same people through `lift` and through the evaluation give the same errors."""
    frames, truth = people
    source = MotionSource(motion.select("test"), "fixed")
    batch = prepare(source.read(torch.arange(0, 240, 6), torch.Generator()), source.skeleton)
    words = get_data_set("motion").default.words(Scored(two_d="exact", focal="true"))
    report = evaluate_lifting(
        model.model,
        [batch],
        words,
        generator=torch.Generator(),
        gallery=10,
        skeleton=source.skeleton,
    )
    expected = mpjpe(lift(model, frames).pose, truth).mean().item()
    assert report["errors_mm"]["MPJPE point"]["two"] == pytest.approx(expected, rel=1e-4)
    assert report["retrieval"]["2d→3d"]["gallery"] == 10
    assert "every 1th frame" in report["protocol"]["data"]


def test_samples_spread_and_seeds(model, people):
    frames, _ = people
    a, b, c = (lift(model, frames, samples=6, seed=seed) for seed in (1, 1, 2))
    assert a.samples.shape == (6, len(frames), 17, 3) and a.spread.shape == (len(frames), 17)
    assert torch.equal(a.samples, b.samples) and not torch.equal(a.samples, c.samples)
    assert (a.spread[:, 1:] > 0).all() and (a.spread[:, 0] == 0).all()
    assert torch.equal(a.pose, c.pose)  # the point estimate knows no chance


def test_missing_joints_are_masked_not_zero(model, people):
    frames, _ = people
    whole = lift(model, frames)
    points = frames.keypoints.clone()
    wrist = get_skeleton("human36m17").index("left_wrist")
    points[:, wrist] = torch.nan
    missing = lift(
        model,
        type(frames)(points, frames.confidence, None, frames.camera, frames.group, frames.index),
    )
    points[:, wrist] = 0.0
    zero = lift(
        model,
        type(frames)(points, frames.confidence, None, frames.camera, frames.group, frames.index),
    )
    others = [j for j in range(17) if j != wrist]
    away = lambda r: (r.pose - whole.pose)[:, others].norm(dim=-1).mean()  # noqa: E731
    assert away(missing) < 0.5 * away(zero)
    hidden = model.lift(
        points,
        frames.camera.size,
        "human36m17",
        focal=1145.0,
        confidence=(points.sum(-1) != 0).float(),
    )
    assert_close(hidden.pose, missing.pose)


def test_absolute_position_is_where_the_person_stands(model, people):
    frames, truth = people
    result = lift(model, frames)
    stood = frames.pose[:, 0]
    distance = (result.absolute[:, 0] - stood).norm(dim=-1) / stood.norm(dim=-1)
    assert distance.median() < 0.25
    camera = Camera.simple(frames.camera.size, frames.camera.focal[:, 0])
    again = camera.project(result.absolute)
    assert (again - frames.keypoints).norm(dim=-1).mean() < 40  # pixels


def test_focal_length_is_said(model, people):
    frames, _ = people
    assert lift(model, frames).focal_source == "given"
    assumed = model.lift(frames.keypoints, (1000, 1000), "human36m17")
    assert assumed.focal_source.startswith("assumed") and assumed.focal[0].item() == pytest.approx(
        2**0.5 * 1000, rel=1e-6
    )


def test_every_joint_set_can_be_lifted(model):
    for name in ("coco17", "halpe26", "body25", "coco18", "mediapipe33", "mpii16"):
        skeleton = get_skeleton(name)
        points = (
            torch.rand(2, len(skeleton), 2, generator=torch.Generator().manual_seed(0)) * 200 + 300
        )
        result = model.lift(points, (1000, 1000), name)
        assert result.pose.shape == (2, 17, 3) and torch.isfinite(result.pose).all()
    assert any(model.lift(points[:, :16], (1000, 1000), "mpii16").synthesised)


def test_one_person_may_come_without_a_batch_axis(model, people):
    frames, _ = people
    one = model.lift(frames.keypoints[0].numpy(), (1000, 1000), "human36m17", focal=1145.0)
    assert_close(one.pose, lift(model, frames).pose[:1], atol=1e-2, rtol=1e-4)


def test_embeddings_meet(model, people):
    frames, truth = people
    flat = model.embed(
        keypoints=frames.keypoints, image_size=(1000, 1000), skeleton="human36m17", focal=1145.0
    )
    solid = model.embed(pose=truth)
    assert_close(flat.norm(dim=1), torch.ones(len(flat)))
    matched, unmatched = _cosines(flat, solid, torch.Generator().manual_seed(0))
    assert matched > unmatched + 0.2
    assert retrieve(flat, solid, truth).recall[10] > 3 * 10 / len(flat) - 0.3


def test_the_prior_makes_poses_of_a_persons_size(model):
    poses = model.sample(40, seed=3)
    assert poses.shape == (40, 17, 3) and torch.equal(poses, model.sample(40, seed=3))
    skeleton = get_skeleton("human36m17")
    thigh = (poses[:, skeleton.index("left_hip")] - poses[:, skeleton.index("left_knee")]).norm(
        dim=-1
    )
    assert 200 < thigh.median() < 700


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (np.zeros((2, 16, 2)), {}, r"must be \(N, 17, 2\) for coco17, not \(2, 16, 2\)"),
        (np.zeros((0, 17, 2)), {}, "nobody to lift"),
        (np.full((1, 17, 2), np.inf), {}, "infinite coordinate"),
        (np.full((1, 17, 2), np.nan), {}, "person 0: 0 joints seen"),
        (SOMEBODY, {"image_size": (0, 10)}, "both above 0"),
        (SOMEBODY, {"image_size": (10,)}, "both above 0"),
        (SOMEBODY, {"focal": -1.0}, "focal length must be 1 to 100000 pixels"),
        (SOMEBODY, {"focal": 0.99}, "larger side is 100, not 0.99"),
        (SOMEBODY, {"focal": 1e30}, "focal length must be"),
        (SOMEBODY, {"focal": 1e39}, "focal length must be"),
        ([[[1.0, 2.0], [3.0]]], {}, "keypoints must be an array of numbers"),
        (SOMEBODY, {"confidence": [["a"] * 17]}, "confidence must be an array of numbers"),
        (SOMEBODY, {"image_size": "wide"}, "image_size must be an array of numbers"),
        (SOMEBODY, {"confidence": np.ones((1, 16))}, r"confidence is \(1, 16\)"),
        (SOMEBODY, {"skeleton": "coco"}, "no skeleton 'coco'"),
        (SOMEBODY, {"samples": 1, "sampler": "magic"}, "no sampler 'magic'"),
    ],
)
def test_bad_input_says_what_is_wrong(model, points, options, message):
    with pytest.raises(InputError, match=message):
        model.lift(points, **{"image_size": (100, 100), "skeleton": "coco17", **options})


def test_bad_poses_and_mixed_evidence(model):
    with pytest.raises(InputError, match="one of the three"):
        model.embed()
    with pytest.raises(InputError, match=r"must be \(N, 17, 3\)"):
        model.embed(pose=np.zeros((2, 15, 3)))
    with pytest.raises(InputError, match="poses must be an array of numbers"):
        model.embed(pose=[[[0.0, 0.0], [1.0]]])


def test_at_the_ends_of_what_lenses_there_are_people_stand_somewhere(model, people):
    """The distance grows as the focal length does."""
    frames, _ = people
    stood = {
        f: model.lift(frames.keypoints, (1000, 1000), "human36m17", focal=f)
        for f in (10.0, 1e4, 1e6)
    }
    assert all(torch.isfinite(result.translation).all() for result in stood.values())
    for result in stood.values():
        camera = Camera.simple(result.image_size, result.focal)
        error = (camera.project(result.absolute) - frames.keypoints).norm(dim=-1)
        assert error[result.translation[:, 2] > 0].nanmedian() < 100  # pixels
    assert (stood[1e6].translation[:, 2] / stood[1e4].translation[:, 2]).sub(100).abs().max() < 15


def test_the_faintest_confidence_still_places_a_person(model, people):
    frames, _ = people
    faint = lift(model, frames, confidence=torch.full(frames.confidence.shape, 1e-40))
    assert torch.isfinite(faint.translation).all()


def test_results_round_trip(model, people, tmp_path):
    import json

    frames, _ = people
    result = lift(model, frames, samples=3)
    write_json(tmp_path / "r.json", result)
    write_npz(tmp_path / "r.npz", result)
    content = json.loads((tmp_path / "r.json").read_text())
    assert (
        content["units"]["pose"] == "mm"
        and content["joints"][0] == "pelvis"
        and len(content["people"]) == len(frames)
    )
    np.testing.assert_allclose(content["people"][3]["pose"], result.pose[3], atol=1e-3)
    with np.load(tmp_path / "r.npz") as arrays:
        np.testing.assert_array_equal(arrays["samples"], result.samples)
        assert arrays["joints"].tolist() == list(result.skeleton.joints)


# hypotheses, retrieval


def test_geometric_median_and_spread_by_hand():
    samples = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [10.0, 0.0]])[:, None]
    assert _geometric_median(samples)[0].norm() < 0.05  # three of four agree; their mean is at 2.5
    # Fermat's point of an equilateral triangle is its centre
    triangle = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 3**0.5]])[:, None]
    assert_close(_geometric_median(triangle)[0], torch.tensor([1.0, 3**0.5 / 3]), atol=1e-3, rtol=0)
    assert_close(spread(torch.tensor([[[3.0, 4.0]], [[-3.0, -4.0]]])), torch.tensor([5.0]))


def test_retrieval_by_hand():
    query = torch.eye(3)
    gallery = torch.tensor([[0.0, 1.0, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0]])
    poses = torch.zeros(3, 2, 3)
    poses[1] += torch.tensor([10.0, 0.0, 0.0])
    found = retrieve(query, gallery, poses, ranks=(1, 2, 3))
    # query 0 → nearest row 1 (0.1), own row 0 has cosine 0, as has row 2: ties count against it
    assert found.recall == {1: pytest.approx(1 / 3), 2: pytest.approx(2 / 3), 3: 1.0}
    assert found.pose_error == pytest.approx((10 + 10 + 0) / 3)


def test_unmatched_pairs_never_meet_their_own():
    a = torch.eye(5)
    for seed in range(20):
        assert _cosines(a, a, torch.Generator().manual_seed(seed)) == (1.0, 0.0)


def test_people_on_one_spot_or_far_away_are_left_out_not_fatal(trained):
    from unihpe.body.skeleton import get_skeleton

    predictor = unihpe.load(trained)
    points = torch.rand(3, 17, 2) * 100
    points[1] = 50.0 + torch.arange(34).view(17, 2) * 1e-4  # a few steps of float32: noise to lift
    points[2, 4] = 1e30
    file = Keypoints(
        get_skeleton("coco17"),
        points,
        torch.ones(3, 17),
        ("p",) * 3,
        ("0", "1", "2"),
        torch.full((3, 2), 100.0),
    )
    kept, skipped = predictor.liftable(file)
    assert len(kept) == 1 and "one spot" in skipped[0] and "pictures away" in skipped[1]
    with pytest.raises(InputError, match="person 1: all joints lie on one spot"):
        predictor.lift(points[:2], (100, 100))


def test_keypoints_made_by_hand_are_checked_as_arrays_are(model, people):
    frames, _ = people
    names = (("p",) * len(frames), tuple(str(n) for n in range(len(frames))))
    made = Keypoints(
        model.skeleton, frames.keypoints, frames.confidence, *names, frames.camera.size
    )
    lifted, plain = model.lift_file(made, Options(focal=1145.0)), lift(model, frames)
    assert lifted.image == made.image and torch.equal(lifted.pose, plain.pose)
    lifted = model.lift_file(made, Options(seed=1), focal=1145.0, samples=2)
    plain = lift(model, frames, samples=2, seed=1)
    assert torch.equal(lifted.pose, plain.pose) and torch.equal(lifted.samples, plain.samples)
    with pytest.raises(TypeError, match="sample"):
        model.lift_file(made, sample=2)
    infinite = made.keypoints.clone()
    infinite[0, 3, 0] = torch.inf
    for broken, message in (
        ({"keypoints": made.keypoints[:, :5]}, "keypoints must be"),
        ({"keypoints": infinite}, "infinite coordinate"),
        ({"confidence": made.confidence[:2]}, "keypoints want"),
        ({"image_size": torch.zeros(2)}, "image_size must be"),
        ({"person": ("0",)}, "1 names of people"),
    ):
        for ask in (model.lift_file, model.liftable):
            with pytest.raises(InputError, match=message):
                ask(replace(made, **broken))


def test_help_names_the_options(model):
    assert {"focal", "samples", "sampler", "steps", "flip", "seed"} == {
        field.name for field in dataclasses.fields(Options)
    }
    for ask in (model.lift, model.predict):
        given = inspect.signature(ask).parameters
        assert all(given[f.name].default == f.default for f in dataclasses.fields(Options))


def test_results_and_predictors_are_copied_and_stored(model, people):
    frames, _ = people
    result = lift(model, frames, samples=2)
    for twin in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert twin.skeleton == result.skeleton and torch.equal(twin.samples, result.samples)
    fields = dataclasses.asdict(result)
    assert fields["skeleton"]["parent_of"]["left_knee"] == "left_hip"
    assert torch.equal(fields["pose"], result.pose)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_close(lift(twin, frames).pose, result.pose)
    assert dataclasses.asdict(model)["skeleton"]["name"] == "human36m17"


def test_results_are_joined(model, people):
    frames, _ = people
    size, skeleton = frames.camera.size[0], "human36m17"
    parts = [
        model.lift(frames.keypoints[rows], size, skeleton, samples=2) for rows in ([2, 0], [3, 4])
    ]
    both = type(parts[0]).join(parts)
    assert both.image == ("0", "1", "0", "1") and both.samples.shape[:2] == (2, 4)
    assert torch.equal(both.samples[:, 2:], parts[1].samples)
    for name in ("pose", "spread", "keypoints"):
        own = [getattr(part, name) for part in parts]
        assert torch.equal(getattr(both, name), torch.cat(own))


def test_confidence_may_be_the_third_column(model, people):
    frames, _ = people
    seen = torch.linspace(0.2, 1, 17).expand(len(frames), 17).clone()
    seen[:, 4] = 0
    points = torch.cat([frames.keypoints, seen[..., None]], dim=-1)
    two, three = (
        lift(model, frames, confidence=seen),
        lift(model, replace(frames, keypoints=points)),
    )
    assert torch.equal(two.pose, three.pose) and torch.equal(three.confidence[0], seen[0])
    size, joints = (1000, 1000), "human36m17"
    assert torch.equal(
        model.embed(keypoints=points, image_size=size, skeleton=joints),
        model.embed(keypoints=points[..., :2], image_size=size, skeleton=joints, confidence=seen),
    )
    with pytest.raises(InputError, match="confidence is given twice"):
        model.lift(points, size, joints, confidence=seen)


def test_options_that_there_are_not_are_refused(model, people):
    with pytest.raises(TypeError, match="sample"):
        lift(model, people[0], sample=3)
