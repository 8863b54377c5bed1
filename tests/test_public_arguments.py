"""Public functions say in one line what is wrong with an argument, whoever calls them."""

import numpy as np
import pytest
import torch

import unihpe
from unihpe import body, datasets, diffusion, evaluation, losses
from unihpe.errors import InputError

INFINITE, NAN = float("inf"), float("nan")
NUMBERLESS = (None, "x", NAN, INFINITE, [1, 2], object())
COUNTLESS = (*NUMBERLESS, -1, 1.5, 10**30, True)
SIZE = (640, 480)
KEYPOINTS = np.random.default_rng(0).uniform(100, 400, (1, 17, 2))
POSES = torch.rand(2, 17, 3)
SEEN = torch.ones(2, 17)
HEAT = torch.rand(2, 17, 8, 6)
H36M, COCO = (body.get_skeleton(name) for name in ("human36m17", "coco17"))
ONE_CAMERA = body.Camera.simple(torch.tensor([640.0, 480.0]))


@pytest.fixture(scope="module")
def model():
    return unihpe.load(device="cpu")


def _refused(call, *arguments, **named):
    with pytest.raises(InputError) as refusal:
        call(*arguments, **named)
    text = str(refusal.value)
    assert text and "\n" not in text and len(text) < 400


@pytest.mark.parametrize("device", ["nowhere", "cuda:99", "meta", 1.5, [1, 2], 10**30, object()])
def test_a_device_that_is_none(device):
    _refused(unihpe.load, None, device)


@pytest.mark.parametrize("checkpoint", [-1, 1.5, ["a"], b"x", {}, object(), "nowhere"])
def test_a_checkpoint_that_is_none(checkpoint):
    _refused(unihpe.load, checkpoint, "cpu")


@pytest.mark.parametrize("value", COUNTLESS)
@pytest.mark.parametrize("name", ["samples", "steps", "seed"])
def test_counts_of_a_predictor(model, name, value):
    _refused(model.lift, KEYPOINTS, SIZE, **{name: value})
    _refused(model.sample, **({"samples": 2} | {name: value}))


@pytest.mark.parametrize("focal", ["x", NAN, INFINITE, 0, -1, [1, 2], object(), 10**30])
def test_the_focal_length_of_a_predictor(model, focal):
    _refused(model.lift, KEYPOINTS, SIZE, focal=focal)
    _refused(model.embed, keypoints=KEYPOINTS, image_size=SIZE, focal=focal)


@pytest.mark.parametrize("sampler", [None, "x", ["auto"], 3])
def test_the_sampler_of_a_predictor(model, sampler):
    _refused(model.lift, KEYPOINTS, SIZE, sampler=sampler)
    _refused(diffusion.build_sampler, sampler)


def _rows(count=6, width=8):
    return [torch.randn(count, width, requires_grad=True) for _ in range(3)]


@pytest.mark.parametrize("temperature", [*NUMBERLESS, 0, -1, 1e-300, torch.tensor(0.0)])
def test_a_temperature_above_0(temperature):
    a, b, c = _rows()
    triplets = losses.sample_triplets(6, torch.Generator())
    _refused(losses.pair_loss, a, b, temperature)
    _refused(losses.triplet_loss, a, b, c, temperature)
    _refused(losses.triplet_loss, a, b, c, temperature, triplets=triplets)
    _refused(losses.multimodal_loss, [a, b, c], temperature, triplets)


def test_a_learned_temperature_keeps_its_gradient():
    log_scale = torch.tensor(2.0, requires_grad=True)
    losses.pair_loss(*_rows()[:2], (-log_scale).exp()).backward()
    assert log_scale.grad is not None and log_scale.grad != 0


@pytest.mark.parametrize(
    "smallest, largest", [(0, 1), (-1, 1), (2, 1), (NAN, 1), ("x", 1), (1, None)]
)
def test_the_range_of_a_temperature(smallest, largest):
    _refused(losses.clamp_log_scale_, torch.zeros(()), smallest, largest)


@pytest.mark.parametrize("value", COUNTLESS)
def test_counts_of_triplets(value):
    _refused(losses.sample_triplets, value, torch.Generator())
    _refused(losses.sample_triplets, 4, torch.Generator(), value)


TRIPLETS = losses.sample_triplets(6, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "triplets",
    [
        TRIPLETS + 1,
        TRIPLETS - 10,
        TRIPLETS.float(),
        TRIPLETS[:2],
        TRIPLETS[0, 0, 0],
        [1],
        TRIPLETS[:, :0],
    ],
    ids=["too large", "too small", "floats", "too few", "scalar", "list", "empty"],
)
def test_triplets_that_name_no_rows(triplets):
    _refused(losses.triplet_loss, *_rows(), 0.1, triplets=triplets)


E = _rows()
WRONG = {
    "pair: rows": lambda: losses.pair_loss(E[0], E[1][:3], 0.1),
    "pair: none": lambda: losses.pair_loss(E[0][:0], E[1][:0], 0.1),
    "pair: array": lambda: losses.pair_loss(E[0].detach().numpy(), E[1], 0.1),
    "pair: directions": lambda: losses.pair_loss(E[0], E[1], 0.1, "three"),
    "triplet: accidental": lambda: losses.triplet_loss(*E, 0.1, triplets=TRIPLETS, accidental="x"),
    "triplet: generator": lambda: losses.sample_triplets(4, 3),
    "multimodal: nothing": lambda: losses.multimodal_loss([], 0.1, TRIPLETS),
    "eigenvalue: shapes": lambda: losses.largest_eigenvalue(*map(torch.rand, (2, 1, 3))),
    "eigenvalue: floats": lambda: losses.largest_eigenvalue(0.1, 0.2, 0.3),
    "square: shapes": lambda: losses.masked_mean_square(POSES, POSES[:1]),
    "square: nothing": lambda: losses.masked_mean_square(POSES, None),
    "distance: seen": lambda: losses.masked_distance(POSES, POSES, SEEN[:1]),
    "heat: axes": lambda: losses.heatmap_loss(HEAT[0], HEAT[0], SEEN),
    "heat: confidence": lambda: losses.heatmap_loss(HEAT, HEAT, SEEN[:1]),
    "integral: aspect": lambda: losses.integral_loss(POSES[..., :2], POSES[..., :2], SEEN, 0),
    "integral: axes": lambda: losses.integral_loss(POSES[..., :2], POSES, SEEN, 0.75),
    "path": lambda: diffusion.build_path("straight"),
    "diffusion: path": lambda: diffusion.Diffusion("vp", "x0"),
    "diffusion: prediction": lambda: diffusion.Diffusion(diffusion.VP(), "y"),
    "vp: beta": lambda: diffusion.VP(-1.0, 20.0),
    "sampler: generator": lambda: diffusion.build_sampler("euler-maruyama", 5, 3),
    "skeleton": lambda: body.get_skeleton(["coco17"]),
    "skeleton: joint": lambda: COCO.index("tail"),
    "convert: name": lambda: body.convert(POSES, SEEN, "human36m17", COCO),
    "convert: joints": lambda: body.convert(POSES[:, :5], SEEN[:, :5], H36M, COCO),
    "convert: confidence": lambda: body.convert(POSES, SEEN[:1], H36M, COCO),
    "convert: array": lambda: body.convert(POSES.numpy(), SEEN.numpy(), H36M, COCO),
    "velocity: fps": lambda: body.mpjve(POSES, POSES, 0),
    "camera: size": lambda: body.Camera.simple((640, 480)),
    "camera: empty": lambda: body.Camera.simple(torch.tensor([0.0, 480.0])),
    "camera: focal": lambda: body.Camera.simple(torch.tensor([640.0, 480.0]), torch.tensor(0.0)),
    "camera: focals": lambda: body.Camera.simple(torch.tensor([640.0, 480.0]), torch.ones(3)),
    "camera: points": lambda: ONE_CAMERA.project(torch.rand(5, 2)),
    "camera: depth": lambda: ONE_CAMERA.unproject(torch.rand(5, 2), torch.rand(4)),
    "data set": lambda: datasets.get_data_set(None),
    "data set: list": lambda: datasets.require_name(["motion"]),
    "data set: folder": lambda: datasets.sets_in(3),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_else_does_not_do(what):
    _refused(WRONG[what])


@pytest.mark.parametrize("steps", [*COUNTLESS, 0])
def test_steps_of_the_samplers(steps):
    path, noise = diffusion.build_path("linear"), torch.randn(2, 5)
    for name in ("dpm_solver_pp_2m", "flow_euler", "probability_flow", "zero_temperature"):
        _refused(getattr(diffusion, name), lambda x, t: x, path, noise, steps)


@pytest.mark.parametrize("noise", [np.zeros((2, 5)), torch.zeros(2, 5, dtype=torch.long), None])
def test_noise_of_the_samplers(noise):
    for name in ("dpm_solver_pp_2m", "flow_euler", "probability_flow", "zero_temperature"):
        _refused(getattr(diffusion, name), lambda x, t: x, diffusion.build_path("linear"), noise, 3)


@pytest.mark.parametrize("start", [-1, 2, NAN, "x"])
def test_where_samplers_start(start):
    for name in ("dpm_solver_pp_2m", "probability_flow"):
        sampler = getattr(diffusion, name)
        _refused(sampler, lambda x, t: x, diffusion.VP(), torch.randn(2, 5), 3, start)


def test_nobody_to_evaluate(model):
    how = {"skeleton": model.skeleton, "generator": torch.Generator(), "sampler": None}
    reference = torch.ones(1)
    _refused(evaluation.evaluate_pictures, model.model, [], {}, **how)
    _refused(evaluation.evaluate_photographs, model.model, [], {}, reference=reference, **how)
