"""Encoders of bones, poses in the person's frame, and radii of stated odds."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

import unihpe.model.unihpe
from unihpe.body.batch import Modality, chosen
from unihpe.body.prepare import prepare, root_relative
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.motion.source import MotionSource
from unihpe.diffusion.sampling import build_sampler
from unihpe.inference.answer import Draw, answer
from unihpe.losses import quantile_loss
from unihpe.model.build import ModelSettings, build_model
from unihpe.model.error_head import SHARES, ErrorHead

SKELETON = get_skeleton("human36m17")
BONES = {"kind": "bones", "width": 64, "depth": 1, "dropout": 0.0}
DECODER = {"width": 64, "path": "linear", "prediction": "x0"}
PATH = Modality.POSE_2D, Modality.POSE_3D


def small(**changes):
    settings = {
        "embedding": 64,
        "frame": "person",
        "encoder_2d": BONES,
        "encoder_3d": BONES,
        "decoder_2d": {**DECODER, "box_token": True},
        "decoder_3d": DECODER,
        "error_head": True,
        **changes,
    }
    made = build_model(ModelSettings.model_validate(settings), "human36m17", 0, (300.0, 0.4))
    return made.eval()


@pytest.fixture(scope="module")
def batch(motion):
    frames = MotionSource(motion, "free").read(torch.arange(40), torch.Generator().manual_seed(0))
    return prepare(frames, SKELETON)


def test_the_persons_frame_is_inside_alone(batch):
    """What goes in as camera axes comes out as camera axes, and 2D as it was seen."""
    model, plain = small(), small(frame="camera")
    scales = {Modality.POSE_3D: 300.0, Modality.POSE_2D: 0.4}
    truths = {Modality.POSE_3D: batch.pose, Modality.POSE_2D: batch.keypoints}
    for kind, truth in truths.items():
        inside, seen = model.target(batch, kind)
        assert not torch.allclose(inside * scales[kind], truth, atol=0.01 * scales[kind])
        assert_close(model._outside(inside, kind, batch), truth, atol=0.01, rtol=1e-4)
        assert seen.float().mean() > 0.9
        assert_close(plain.target(batch, kind)[0] * scales[kind], truth, atol=0.01, rtol=1e-4)


def test_a_rolled_camera_rolls_the_answer(batch):
    """But for the numbers that say where people are and which way up, held still here."""
    model = small()
    with torch.no_grad():
        model.encoder_2d.stem.weight[:, -5:-3] = 0  # the ray
        model.encoder_2d.stem.weight[:, -2:] = 0
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    batch = chosen(batch, (batch.confidence > 0).all(1).nonzero()[:, 0])
    token = torch.cat([0 * batch.box_token[:, :2], batch.box_token[:, 2:]], dim=1)
    middle = replace(batch, box_token=token)
    poses = [
        model.estimate(model.encode(seen, Modality.POSE_2D), *PATH, seen)
        for seen in (middle, replace(middle, keypoints=batch.keypoints @ turn.mT))
    ]
    flat = poses[0][..., :2] @ turn.mT
    assert_close(poses[1], torch.cat([flat, poses[0][..., 2:]], dim=-1), atol=2.0, rtol=1e-3)


def test_a_missing_joints_place_does_not_matter(batch):
    model = small()
    confidence = batch.confidence.clone()
    confidence[:, 4] = 0
    keypoints = batch.keypoints.clone()
    keypoints[:, 4] = 7.0
    embeddings = [
        model.encoder_2d(points, confidence, batch.box_token)
        for points in (batch.keypoints, keypoints)
    ]
    assert_close(*embeddings)
    assert_close(embeddings[0].norm(dim=1), torch.ones(40))


@pytest.mark.parametrize("rows", [32_768, 10])
@pytest.mark.parametrize("name", ["auto", "euler-maruyama"])
def test_nobodys_hypotheses_depend_on_company(batch, monkeypatch, name, rows):
    """Neither where all are drawn at once, nor two at a time."""
    monkeypatch.setattr(unihpe.model.unihpe, "ROWS", rows)
    model = small()

    def drawn(rows):
        part = chosen(batch, rows)
        generator = torch.Generator().manual_seed(3)
        draw = Draw(build_sampler(name, 8, generator), generator, 5)
        return answer(model, SKELETON, part, [Modality.POSE_2D], draw).hypotheses

    together, alone = drawn(torch.arange(12)), drawn(torch.tensor([7]))
    assert_close(together[:, 7], alone[:, 0], atol=0.01, rtol=1e-3)
    assert (alone[0] - alone[1]).abs().max() > 0.02  # samples differ


def test_quantile_loss_is_least_at_the_quantiles():
    error = torch.rand(4000, 1, generator=torch.Generator().manual_seed(0)) + 0.05
    seen = torch.ones(4000, 1, dtype=torch.bool)
    losses = {}
    for factor in (0.8, 1.0, 1.25):
        radius = factor * torch.stack([error.quantile(q) for q in torch.tensor(SHARES)])
        losses[factor] = quantile_loss(radius.expand(4000, 1, 2), error, SHARES, seen)
    assert losses[1.0] < losses[0.8] and losses[1.0] < losses[1.25]
    spoiled = error.clone()
    spoiled[0] = torch.nan
    unseen = seen.clone()
    unseen[0] = False
    masked = quantile_loss(torch.ones(4000, 1, 2), spoiled.nan_to_num(9.0), SHARES, unseen)
    assert masked.isfinite()


def test_radii_are_stated_only_after_calibration_and_the_second_is_larger(batch):
    model = small()
    embedding = model.encode(batch, Modality.POSE_2D)
    assert model.radii(embedding, Modality.POSE_2D) is None
    assert small(error_head=False).radii(embedding, Modality.POSE_2D) is None
    model.error_head.calibration[Modality.POSE_2D] = 2.0
    radii = model.radii(embedding, Modality.POSE_2D)
    assert radii.shape == (40, 17, 2) and (radii[..., 1] > radii[..., 0]).all()
    raw = model.error_head(embedding, Modality.POSE_2D)
    assert_close(radii, 2 * raw * 300)
    assert model.radii(embedding, Modality.IMAGE) is None
    made = answer(model, SKELETON, batch, [Modality.POSE_2D])
    assert_close(made.radii, radii)


def test_an_error_head_can_learn_quantiles():
    torch.manual_seed(0)
    head = ErrorHead(32, 2)
    embedding = torch.nn.functional.normalize(torch.randn(1, 32), dim=1).expand(2000, 32)
    error = torch.rand(2000, 2) * torch.tensor([1.0, 0.2])
    optimiser = torch.optim.AdamW(head.parameters(), lr=3e-3)
    for _ in range(300):
        radius = head(embedding, Modality.POSE_2D)
        loss = quantile_loss(radius, error, SHARES, torch.ones_like(error, dtype=torch.bool))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    inside = (error[..., None] <= radius).float().mean((0, 1))
    assert_close(inside, torch.tensor(SHARES), atol=0.08, rtol=0)


def test_root_stays_where_it_is(batch):
    model = small()
    embedding = model.encode(batch, Modality.POSE_2D)
    pose = model.estimate(embedding, *PATH, batch)
    assert root_relative(pose, SKELETON)[:, 0].abs().max() < 1e-3


def test_the_estimate_is_the_networks_answer_at_the_centre_of_the_noise(batch):
    """As training asks for it: of a condition prepared for any time."""
    model = small()
    decoder, embedding = model.decoder_3d, model.encode(batch, Modality.POSE_2D)
    prepared = decoder.network.prepare(embedding, Modality.POSE_2D, batch.box_token)
    centre = torch.zeros(len(batch), *decoder.shape)
    trained = decoder.denoiser(prepared)(centre, torch.ones(1))
    condition = decoder.network.condition(embedding, Modality.POSE_2D, batch.box_token)
    assert_close(decoder.estimate(condition), trained, atol=1e-4, rtol=0)


def test_the_flip_test_of_samples_turns_them_out_of_their_own_frames(batch):
    """Without a point estimate, off the middle of the picture: a decoder that knows the truth gives
    it of the mirrored people, too."""
    model = small(decoder_3d={"width": 64, "prediction": "epsilon", "path": "sub_vp"})
    inside = model.target(batch, Modality.POSE_3D)[0]

    def sampler(denoise, diffusion, noise):  # works with people as they stand, in both views
        return inside.expand_as(noise)

    draw, kinds = Draw(sampler), [Modality.POSE_2D]
    made = answer(model, SKELETON, batch, kinds, draw, targets=[Modality.POSE_3D], flip=True)
    assert len(made.poses) == 2
    for pose in made.poses.values():
        assert_close(pose, batch.pose, atol=0.5, rtol=1e-3)


def test_geometry_keeps_its_digits_under_autocast(batch):
    model = small()
    plain = model.target(batch, Modality.POSE_3D)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert_close(model.target(batch, Modality.POSE_3D)[0], plain)


def test_samples_lie_about_the_estimate_where_the_recipe_says_so(batch):
    """Their spread is that of samples as drawn; one sample, and samples of the prior, stay."""
    drawn = {}
    embedding = small().encode(batch, Modality.POSE_2D)
    for about in (False, True):
        model = small(decoder_3d={**DECODER, "about_estimate": about})
        for count in (1, 6):
            generator = torch.Generator().manual_seed(0)
            sampler = build_sampler("auto", 8, generator)
            drawn[about, count] = model.sample(embedding, *PATH, batch, sampler, count, generator)
    estimate = model.estimate(embedding, *PATH, batch)
    assert_close(drawn[True, 6].mean(0), estimate, atol=0.01, rtol=1e-3)
    assert (drawn[False, 6].mean(0) - estimate).abs().max() > 1
    own = [x - x.mean(0) for x in (drawn[False, 6], drawn[True, 6])]
    assert_close(own[0] * (6 / 5) ** 0.5, own[1], atol=0.01, rtol=1e-3)
    assert_close(drawn[False, 1], drawn[True, 1])
    drop = torch.ones(len(batch), dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    sampler = build_sampler("auto", 8, generator)
    prior = model.sample(embedding, *PATH, batch, sampler, 6, generator, drop)
    assert (prior.mean(0) - estimate).abs().max() > 1
