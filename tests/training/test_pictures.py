"""Stages with pictures: who learns, who is frozen, and what a batch without pictures or 3D takes
part in.
"""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from test_coco import person as coco_person
from test_coco import write as write_coco
from torch.testing import assert_close

from unihpe.body.batch import Batch, LabelledCrop, Modality, joined
from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.packed import PeopleSource, pack
from unihpe.diffusion.sampling import build_sampler
from unihpe.errors import InputError
from unihpe.io.log import read_log
from unihpe.model.heatmaps import _soft_argmax, joint_maps
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe, build_model, load_recipe
from unihpe.runs.start import load_start
from unihpe.runs.train import train_recipe
from unihpe.runs.validation import validation
from unihpe.settings import parse
from unihpe.training.freeze import begin_stage, set_modes
from unihpe.training.objective import _heatmap_losses, _people_with, stage_losses
from unihpe.training.stage import Stage
from unihpe.training.state import Schedule
from unihpe.training.streams import StageStream, open_stream

WORDS = {"name": "rendered-people"}


@dataclass(frozen=True)
class Settings:
    seed: int = 0


class Painted:
    """People without a renderer: noise with a bright disc at each joint."""

    def __init__(self, motion):
        self.motion = motion

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        camera = Camera.simple(torch.tensor([1000.0, 1000.0]), torch.tensor(1145.0))
        pose = self.motion.poses[index] * torch.tensor([1.0, -1.0, -1.0]) + torch.tensor(
            [0.0, 900.0, 4500.0]
        )
        keypoints = camera.project(pose).double().numpy()
        low, high = keypoints.min(0), keypoints.max(0)
        side = (high - low).max() * 1.3
        box = np.array([*(low + high) / 2, side * 0.75, side])
        picture = rng.integers(0, 60, (256, 192, 3), dtype=np.uint8)
        spots = (keypoints - box[:2]) * (256 / side) + [96, 128]
        y, x = np.mgrid[:256, :192] + 0.5
        for n, (u, v) in enumerate(spots):
            picture[(x - u) ** 2 + (y - v) ** 2 < 16] = 100 + 9 * n
        seen = np.full(17, 2, np.uint8)
        return LabelledCrop(picture, keypoints, pose.double().numpy(), seen, box, camera, index)


@pytest.fixture(scope="module")
def folder(motion, tmp_path_factory):
    path = tmp_path_factory.mktemp("people")
    people = Painted(motion)
    pack((people[n] for n in range(24)), path / "train.pack", {})
    pack((people[n] for n in range(24, 32)), path / "val.pack", {})
    return path


DECODE = [
    {"source": "image", "target": "pose_3d", "point": 1.0},
    {"source": "image", "target": "pose_2d", "point": 1.0},
]


def recipe(folder, motion_file, **changes):
    small = {"kind": "mlp", "width": 32, "depth": 1, "dropout": 0.0}
    decoder = {"width": 64, "path": "linear", "prediction": "x0"}
    three = ["image", "pose_2d", "pose_3d"]
    fields = {
        "about": "pictures",
        "pose_scale": 300.0,
        "keypoint_scale": 0.35,
        "data": {"name": "people", "root": str(folder), "two_d": "exact"},
        "poses": {"name": "motion", "root": str(motion_file)},
        "model": {
            "embedding": 64,
            "image_encoder": {
                "kind": "hrnet_w18_small",
                "heatmap_head": True,
                "read_out": "joints",
                "shrink": 2,
            }
            | {"heatmaps_from": "all"},
            "encoder_2d": small,
            "encoder_3d": small,
            "decoder_2d": decoder,
            "decoder_3d": decoder,
        },
        "stage": [
            {
                "name": "heat maps",
                "trains": ["image_encoder", "heatmap_head"],
                "contrastive": 0,
                "heatmap": 1.0,
            }
            | {"steps": 2, "batch_size": 4},
            {
                "name": "poses",
                "trains": ["encoder_2d", "encoder_3d"],
                "steps": 2,
                "batch_size": 4,
                "pose_batch": 16,
            },
            {
                "name": "align",
                "trains": ["image_encoder"],
                "align": three,
                "triplet": 1.0,
                "temperature": 0.2,
            }
            | {"steps": 2, "batch_size": 4, "accumulate": 2},
            {
                "name": "joint",
                "align": three,
                "triplet": 1.0,
                "decode": DECODE,
                "steps": 1,
                "batch_size": 4,
            }
            | {"pose_batch": 8, "bfloat16": True},
        ],
    }
    return parse(Recipe, fields | changes, "test")


def test_all_four_stages_train_and_resume(folder, motion_file, tmp_path):
    rows = []
    whole = recipe(folder, motion_file)
    model, progress = train_recipe(
        whole, tmp_path / "a", schedule=Schedule(log_every=1, save_every=1), report=rows.append
    )
    assert progress.samples == 2 * 4 + 2 * (4 + 16) + 2 * 4 * 2 + (4 + 8)
    terms = {row["stage"]: row.keys() for row in rows}
    assert "heatmap" in terms["heat maps"] and "triplet" not in terms["heat maps"]
    assert {"pair image-2d", "pair image-3d", "pair 2d-3d", "triplet"} <= terms["align"]
    assert {"score image→pose_3d", "point image→pose_2d"} <= terms["joint"]
    assert model.image_encoder is not None


def batch_of(folder, n=6, with_pose=True):
    from unihpe.body.prepare import prepare

    source = PeopleSource(folder / "train.pack", with_pose=with_pose)
    return prepare(source.read(torch.arange(n), torch.Generator().manual_seed(0)), source.skeleton)


def test_a_settled_stage_keeps_the_statistics_of_the_pose_encoders_and_trains_their_weights(
    folder, motion_file, tmp_path
):
    whole = recipe(folder, motion_file)
    joint = whole.stage[3].model_copy(update={"ema": 0.0, "warm_up": 0})
    before = build_model(whole).state_dict()
    for settled in (True, False):
        stage = joint.model_copy(update={"settled": settled})
        model, _ = train_recipe(
            whole.model_copy(update={"stage": (stage,)}), tmp_path / str(settled)
        )
        after = model.state_dict()
        changed = {name for name in after if not torch.equal(after[name], before[name])}
        means = {
            name
            for name in after
            if name.startswith("encoder_2d") and name.endswith("running_mean")
        }
        assert means and (not means & changed if settled else means <= changed)
        assert any(name.startswith("encoder_2d") and name.endswith("weight") for name in changed)
        assert "image_encoder.backbone.bn1.running_mean" in changed  # a backbone's go on


def test_heat_maps_learn_to_point_at_what_lies_in_the_picture(folder):
    batch = batch_of(folder, 1)
    where = torch.zeros(17, 2)
    where[0], where[1], where[2], where[3] = (
        torch.tensor(place) for place in ((0.8, 0.0), (0.0, -1.1), (-0.7, 0.95), (0.1, 0.1))
    )
    confidence = torch.zeros(17)
    confidence[:3] = 1.0
    batch = replace(batch, keypoints=where[None], confidence=confidence[None])
    heat = torch.randn(1, 17, 32, 24, generator=torch.Generator().manual_seed(0)).requires_grad_()
    stage = Stage(name="x", steps=1, batch_size=2, contrastive=0, integral=1.0)
    loss = _heatmap_losses(joint_maps(heat), batch, stage)["integral"]
    loss.backward()
    assert heat.grad is not None
    assert heat.grad.abs().amax((0, 2, 3)).gt(0).nonzero()[:, 0].tolist() == [
        2
    ]  # the others lie outside, or are not known
    assert_close(
        loss.detach(), (_soft_argmax(heat.detach())[0, 2] - where[2]).norm(), atol=1e-4, rtol=0
    )
    unknown = replace(batch, confidence=torch.zeros(1, 17))
    assert _heatmap_losses(joint_maps(heat), unknown, stage)["integral"] == 0


@pytest.mark.parametrize("loss", ["heatmap", "integral"])
def test_losses_of_heat_maps_need_their_head(loss):
    with pytest.raises(InputError, match="needs pictures, and the model has no"):
        load_recipe("quick", (f"stage.1.{loss}=5.0",))
    with pytest.raises(InputError, match="trains heat maps: set heatmap_head = true"):
        load_recipe("paper-w32", (f"stage.2.{loss}=5.0",))


def test_frozen_encoders_stay_as_they_are(folder, motion_file):
    settings = recipe(folder, motion_file)
    model, stage = build_model(settings), settings.stage[2]
    optimiser = begin_stage(model, stage, fresh=True)
    set_modes(model, stage)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    total = sum(
        stage_losses(model, batch_of(folder), stage, torch.Generator().manual_seed(0)).values()
    )
    total.backward()
    optimiser.step()
    changed = {
        name.split(".")[0]
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"image_encoder", "log_scale"}


def test_pictures_without_3d_are_masked_not_guessed(folder, motion_file):
    settings = recipe(folder, motion_file)
    model, stage = build_model(settings).eval(), settings.stage[3]
    whole, flat = batch_of(folder), batch_of(folder, with_pose=False)
    assert bool(torch.isnan(flat.pose).all()) and not bool(torch.isnan(flat.keypoints).any())
    terms = stage_losses(model, flat, stage, torch.Generator().manual_seed(0))
    assert "pair image-2d" in terms and "pair image-3d" not in terms and "triplet" not in terms
    assert terms["point image→pose_3d"].item() == 0 and terms["point image→pose_2d"].item() > 0
    assert all(bool(torch.isfinite(term)) for term in terms.values())
    mixed = Batch(
        whole.keypoints,
        whole.confidence,
        whole.box_token,
        torch.cat([whole.pose[:4], flat.pose[4:]]),
        whole.box,
        whole.image,
    )
    assert _people_with(mixed, (Modality.IMAGE, Modality.POSE_3D)).tolist() == [0, 1, 2, 3]
    head = Batch(
        whole.keypoints[:4],
        whole.confidence[:4],
        whole.box_token[:4],
        whole.pose[:4],
        whole.box[:4],
        whole.image[:4],
    )
    pair = "pair image-3d"
    some = stage_losses(model, mixed, stage, torch.Generator().manual_seed(0))[pair]
    torch.testing.assert_close(
        some, stage_losses(model, head, stage, torch.Generator().manual_seed(0))[pair]
    )


def test_people_without_3d_do_not_reach_the_3d_encoder_nor_are_decoded_from_it(folder, motion_file):
    model = build_model(recipe(folder, motion_file)).train()
    whole, flat = batch_of(folder, 4), batch_of(folder, 3, with_pose=False)
    back = {"source": "pose_3d", "target": "pose_2d", "draws": 0, "point": 1.0}
    stage = Stage(name="x", steps=1, batch_size=2, align=("pose_2d", "pose_3d"), decode=(back,))
    before = {name: value.clone() for name, value in model.encoder_3d.state_dict().items()}
    terms = stage_losses(model, flat, stage, torch.Generator())
    assert terms == {} and all(
        torch.equal(value, before[name]) for name, value in model.encoder_3d.state_dict().items()
    )

    found = []
    for batch in (whole, joined(whole, flat)):
        model.load_state_dict(
            model.state_dict() | {f"encoder_3d.{name}": value for name, value in before.items()}
        )
        found.append(
            (stage_losses(model, batch, stage, torch.Generator()), model.encoder_3d.state_dict())
        )
        found[-1] = found[-1][0], {name: value.clone() for name, value in found[-1][1].items()}
    assert all(torch.equal(value, found[1][1][name]) for name, value in found[0][1].items())
    assert any(not torch.equal(value, before[name]) for name, value in found[0][1].items())
    name = "point pose_3d→pose_2d"
    torch.testing.assert_close(found[0][0][name], found[1][0][name], rtol=1e-3, atol=1e-5)


def test_rendered_people_and_pictures_without_3d_in_one_batch(folder, motion_file, tmp_path):
    """What has no 3D moves nothing that 3D alone teaches, and the rest as it should."""
    fields = recipe(folder, motion_file).model_dump()
    flat = fields["data"] | {"with_pose": False}
    joint = fields["stage"][3] | {
        "batch_size": 7,
        "pose_batch": 0,
        "heatmap": 1.0,
        "bfloat16": False,
    }
    rows = []
    whole = parse(Recipe, fields | {"mix": [flat | {"share": 0.4}], "stage": [joint]}, "test")
    train_recipe(whole, tmp_path / "a", schedule=Schedule(log_every=1), report=rows.append)
    assert rows[0]["samples"] == 7 and rows[0]["heatmap"] > 0

    model, stage = build_model(whole), whole.stage[0]
    only_flat = batch_of(folder, with_pose=False)
    sum(stage_losses(model, only_flat, stage, torch.Generator().manual_seed(0)).values()).backward()
    parts = {
        name.split(".")[0]
        for name, p in model.named_parameters()
        if p.grad is not None and bool(p.grad.any())
    }
    assert parts == {"image_encoder", "heatmap_head", "encoder_2d", "decoder_2d", "log_scale"}


def test_joined_batches_keep_their_rows(folder):
    whole, flat = batch_of(folder, 4), batch_of(folder, 3, with_pose=False)
    both = joined(whole, flat)
    assert len(both) == 7 and both.group == whole.group + flat.group
    assert torch.equal(both.image[4:], flat.image) and torch.equal(both.pose[:4], whole.pose)
    assert _people_with(both, (Modality.IMAGE, Modality.POSE_3D)).tolist() == [0, 1, 2, 3]


def test_the_heat_map_loss_looks_at_seen_joints(folder):
    batch = batch_of(folder, 2)
    stage = Stage(name="x", steps=1, batch_size=2, contrastive=0, heatmap=1.0)

    def loss_of(heat):
        return _heatmap_losses(joint_maps(heat), batch, stage)["heatmap"]

    heat = torch.zeros(2, 17, 64, 48)
    batch.confidence[0, 3] = 0
    loss = loss_of(heat)
    heat[0, 3] = 100.0
    assert torch.equal(loss, loss_of(heat)) and loss > 0
    heat[0, 4] = 100.0
    assert loss_of(heat) > loss


def test_what_a_recipe_with_pictures_must_have(folder, motion_file):
    fields = recipe(folder, motion_file).model_dump()
    with pytest.raises(InputError, match="no \\[model.image_encoder\\]"):
        parse(Recipe, fields | {"model": fields["model"] | {"image_encoder": None}}, "test")
    with pytest.raises(InputError, match="heatmap_head = true"):
        parse(
            Recipe,
            fields | {"model": fields["model"] | {"image_encoder": {"kind": "hrnet_w32"}}},
            "test",
        )
    lacking = {"image_encoder": {"kind": "hrnet_w18_small", "read_out": "joints"}}
    with pytest.raises(InputError, match="needs heat maps: set heatmap_head = true"):
        parse(
            Recipe,
            fields | {"model": fields["model"] | lacking, "stage": fields["stage"][1:]},
            "test",
        )
    with pytest.raises(InputError, match="leave out shrink"):
        shrunk = {"image_encoder": {"kind": "vit_small", "shrink": 2}}
        parse(
            Recipe,
            fields | {"model": fields["model"] | shrunk, "stage": fields["stage"][1:]},
            "test",
        )
    with pytest.raises(InputError, match="recipe no \\[poses\\]"):
        parse(Recipe, fields | {"poses": None}, "test")
    for mixed, message in (
        ([{"share": 0.5}] * 2, "1 or more"),
        ([{"share": 0.5, "skeleton": "coco17"}], "same skeleton"),
    ):
        with pytest.raises(InputError, match=message):
            parse(Recipe, fields | {"mix": mixed}, "test")
    with pytest.raises(InputError, match="aligns all three"):
        parse(
            Recipe,
            fields | {"stage": [{"name": "x", "steps": 1, "batch_size": 2, "triplet": 1.0}]},
            "test",
        )


def test_a_missing_pack_and_a_wrong_weight_file_say_so(folder, motion_file, tmp_path):
    with pytest.raises(InputError, match="test.pack"):
        settings = recipe(folder, motion_file)
        train_recipe(
            settings.model_copy(
                update={"data": settings.data.model_copy(update={"split": "test"})}
            ),
            tmp_path / "a",
        )
    wrong = tmp_path / "weights.pth"
    torch.save({"something": torch.zeros(3)}, wrong)
    encoder = {"kind": "hrnet_w18_small", "heatmap_head": True, "weights": str(wrong)}
    fields = recipe(folder, motion_file).model_dump()
    with pytest.raises(InputError, match="weights.pth"):
        train_recipe(
            parse(Recipe, fields | {"model": fields["model"] | {"image_encoder": encoder}}, "t"),
            tmp_path / "b",
        )


def test_models_without_pictures_say_so(motion_file):
    from unihpe.recipe import load_recipe

    model: UniHPE = build_model(load_recipe("quick"))
    batch = Batch(torch.zeros(1, 17, 2), torch.ones(1, 17), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="no image encoder"):
        model.encode(batch, Modality.IMAGE)
    stage = Stage(name="x", steps=1, batch_size=2, contrastive=0, heatmap=1.0)
    assert stage_losses(model, batch, stage, torch.Generator()) == {}


def test_pictures_are_scored_on_every_path(folder, motion_file):
    from unihpe.body.skeleton import get_skeleton
    from unihpe.evaluation.pictures import _square, evaluate_pictures

    model = build_model(recipe(folder, motion_file)).eval()
    rest = {"skeleton": get_skeleton("human36m17"), "sampler": build_sampler("zero-temperature", 2)}
    report = evaluate_pictures(
        model,
        [batch_of(folder, 8), batch_of(folder, 4)],
        WORDS,
        generator=torch.Generator().manual_seed(0),
        gallery=10,
        **rest,
    )
    assert report["poses"] == 12 and len(report["retrieval"]) == 6
    assert {"MPJPE image", "MPJPE lifting", "PA-MPJPE image and 2D"} <= report["errors_mm"].keys()
    assert set(report["cosine"]) == {"image–2d", "image–3d", "2d–3d"}
    pck = [report["image_to_2d"][f"PCK@{share}"] for share in (0.05, 0.1, 0.2)]
    assert 0 <= pck[0] <= pck[1] <= pck[2] <= 1 and report["image_to_2d"]["EPE px"] > 0

    flipped = evaluate_pictures(
        model, [batch_of(folder, 8)], WORDS, generator=torch.Generator(), gallery=0,
        flip=True, **rest,
    )  # fmt: skip
    tested = {
        name.removesuffix(", flip test")
        for name in flipped["errors_mm"]
        if name.endswith("flip test")
    }
    assert tested == {
        f"{metric} {path}"
        for metric in ("MPJPE", "PA-MPJPE", "N-MPJPE")
        for path in ("image", "lifting", "image and 2D")
    }
    assert flipped["heat_maps, flip test"] != flipped["heat_maps"]
    assert flipped["image_to_2d, flip test"].keys() == flipped["image_to_2d"].keys()

    whole = report["image_to_2d"]["PCK@0.05, table 3"]
    assert 0 <= whole <= 1 and report["heat_maps"].keys() == report["image_to_2d"].keys()
    keypoints = torch.tensor([[[0.0, 0.0], [100.0, 50.0], [7.0, 500.0]]])
    torch.testing.assert_close(
        _square(keypoints, torch.tensor([[True, True, False]])), torch.tensor([120.0])
    )

    paper = {
        "width": 64,
        "path": "sub_vp",
        "prediction": "epsilon",
    }  # has no point estimate: it is sampled
    fields = recipe(folder, motion_file).model_dump()
    stage = fields["stage"][0]
    model = build_model(
        parse(
            Recipe,
            fields
            | {
                "model": fields["model"] | {"decoder_2d": paper, "decoder_3d": paper},
                "stage": [stage],
            },
            "test",
        )
    ).eval()
    batches, protocol = [batch_of(folder, 4)], WORDS
    sampled = evaluate_pictures(
        model, batches, protocol, generator=torch.Generator(), gallery=0, **rest
    )
    assert (
        "MPJPE image" in sampled["errors_mm"] and "MPJPE image and 2D" not in sampled["errors_mm"]
    )


def test_the_flip_test_of_heat_maps_puts_back_what_the_mirror_swapped():
    """Two wrists in a picture; the left one is that further right, as of somebody who faces the
    camera.
    """
    from unihpe.inference.answer import answer

    skeleton = get_skeleton("human36m17")
    wrists = [skeleton.index(name) for name in ("left_wrist", "right_wrist")]
    image = torch.zeros(1, 3, 64, 48)
    image[0, 0, 20, 33] = image[0, 0, 50, 8] = 1.0

    def look(batch):
        rows, columns = batch.image[0, 0].nonzero().T
        heat = torch.zeros(1, 17, 64, 48)
        for joint, dot in zip(wrists, columns.argsort(descending=True), strict=True):
            heat[0, joint, rows[dot], columns[dot]] = 1.0
        return torch.zeros(1, 4), joint_maps(heat)

    model = SimpleNamespace(encode_image=look, encode=lambda batch, modality: torch.zeros(1, 4))
    batch = Batch(torch.zeros(1, 17, 2), torch.ones(1, 17), torch.zeros(1, 3), image=image)
    points = answer(model, skeleton, batch, [Modality.IMAGE], targets=[], flip=True).keypoints
    plain, tested = points["heat maps"], points["heat maps, flip test"]
    assert torch.equal(tested, plain)
    heat = look(batch)[1].heatmaps
    assert torch.equal(plain, _soft_argmax(heat)) and heat[0, wrists[0], 20, 33]


def test_fusion_is_mirrored_back(folder, motion_file):
    """Of a person and his mirror image the flip test must say mirrored things."""
    from unihpe.body.mirror import mirrored_batch
    from unihpe.inference.answer import answer

    model, skeleton = build_model(recipe(folder, motion_file)).eval(), get_skeleton("human36m17")
    batch, kinds = replace(batch_of(folder, 2), pose=None), (Modality.IMAGE, Modality.POSE_2D)
    found = [
        answer(model, skeleton, seen, kinds, flip=True).poses
        for seen in (batch, mirrored_batch(batch, skeleton))
    ]
    for name in ("image", "2d", "fused"):
        plain, mirrored = (rows[f"{name}, flip test"] for rows in found)
        assert_close(skeleton.mirrored(mirrored), plain, rtol=1e-4, atol=1e-2)
        assert not torch.allclose(skeleton.mirrored(found[1][name]), found[0][name], atol=1.0)


def test_photographs_alone_train_heat_maps_and_are_not_validated_in_3d(
    folder, motion_file, tmp_path
):
    for split in ("train2017", "val2017"):
        write_coco(
            tmp_path,
            [coco_person(1, 0), coco_person(2, 1)],
            place=split,
            name=f"annotations/person_keypoints_{split}.json",
        )
    fields = recipe(folder, motion_file).model_dump()
    data = fields["data"] | {"name": "coco", "root": str(tmp_path)}
    stages = [fields["stage"][0] | {"batch_size": 2}]
    train_recipe(parse(Recipe, fields | {"data": data, "stage": stages}, "test"), tmp_path / "run")
    last = read_log(tmp_path / "run" / "log.jsonl")[-1]
    assert last["heatmap"] > 0 and not any(name.startswith("validation") for name in last)


def test_joints_that_a_set_lacks_do_not_count(folder, motion_file):
    from unihpe.evaluation.lifting import _best
    from unihpe.evaluation.pictures import evaluate_pictures

    model, skeleton = build_model(recipe(folder, motion_file)).eval(), get_skeleton("human36m17")
    whole, head = batch_of(folder, 4), skeleton.index("head")
    lacking = replace(whole, pose=whole.pose.clone())
    lacking.pose[:, head] = torch.nan
    protocol, rest = (
        WORDS,
        {"skeleton": skeleton, "sampler": None, "gallery": 4},
    )
    found = evaluate_pictures(model, [lacking], protocol, generator=torch.Generator(), **rest)
    assert all(
        np.isfinite(value) for values in found["errors_mm"].values() for value in values.values()
    )
    assert np.isfinite(found["retrieval"]["image→3d"]["pose_error"])
    samples = torch.stack([whole.pose + 50, whole.pose + 1, whole.pose + 90])
    samples[1, :, head] += 1e4  # far off where nobody knows the truth
    assert_close(_best(samples, lacking), samples[1])


def test_withheld_3d_is_validated_with(folder, motion_file, tmp_path):
    fields = recipe(folder, motion_file).model_dump()
    flat = fields["data"] | {"with_pose": False}
    stage = fields["stage"][3] | {"pose_batch": 0, "bfloat16": False}
    train_recipe(parse(Recipe, fields | {"data": flat, "stage": [stage]}, "test"), tmp_path / "run")
    row = read_log(tmp_path / "run" / "log.jsonl")[-1]
    assert row["validation mpjpe"] > 0 and row["validation mpjpe lifting"] > 0


def test_cosines_are_logged_and_drawn(folder, motion_file, tmp_path, unihpe):
    pytest.importorskip("matplotlib", reason="needs the extra 'plots': pip install 'unihpe[plots]'")
    whole = recipe(folder, motion_file)
    run = tmp_path / "run"
    train_recipe(whole, run, schedule=Schedule(log_every=1, validate_every=1))
    rows = [row for row in read_log(run / "log.jsonl") if "validation mpjpe lifting" in row]
    assert len(rows) == sum(stage.steps for stage in whole.stage)
    assert -1 <= rows[-1]["validation cosine image–3d matched"] <= 1
    packed = folder / "train.pack"
    for what, of, more in (
        ("cosines", run, ()),
        ("space", run, ("--people", packed)),
        ("people", run, ("--people", packed)),
    ):
        code, text, error = unihpe("plot", what, of, "-o", tmp_path / f"{what}.png", *more)
        assert code == 0 and "Look at" in text, error
        with Image.open(tmp_path / f"{what}.png") as picture:
            assert min(picture.size) > 300
    for arguments, message in (
        (("walls", run), "there are space, cosines, people"),
        (("space", run), "needs --people PACK"),
        (("cosines", folder), "holds no cosines"),
    ):
        code, _, error = unihpe("plot", *arguments, "-o", tmp_path / "x.png")
        assert code == 2 and message in error and not (tmp_path / "x.png").exists()


def test_pictures_leave_the_statistics_of_keypoints_alone(folder, motion_file):
    model, batch = build_model(recipe(folder, motion_file)).train(), batch_of(folder)
    before = {name: value.clone() for name, value in model.encoder_2d.named_buffers()}
    model.encode(batch, Modality.IMAGE)
    assert all(torch.equal(value, before[name]) for name, value in model.encoder_2d.named_buffers())
    model.encode(batch, Modality.POSE_2D)
    assert any(
        not torch.equal(value, before[name]) for name, value in model.encoder_2d.named_buffers()
    )
    assert all(module.training for module in model.encoder_2d.modules())


def test_fusing_one_kind_of_evidence_is_that_path(folder, motion_file):
    model, batch = build_model(recipe(folder, motion_file)).eval(), batch_of(folder)
    embedding = model.encode(batch, Modality.POSE_2D)
    alone = model.estimate(embedding, Modality.POSE_2D, Modality.POSE_3D, batch)
    torch.testing.assert_close(
        model.fuse({Modality.POSE_2D: embedding}, Modality.POSE_3D, batch), alone
    )
    both = {Modality.POSE_2D: embedding, Modality.IMAGE: model.encode(batch, Modality.IMAGE)}
    fused = model.fuse(both, Modality.POSE_3D, batch)
    assert not torch.equal(fused, alone)
    trust = {Modality.IMAGE: 0.0, Modality.POSE_2D: 3.0}
    torch.testing.assert_close(model.fuse(both, Modality.POSE_3D, batch, trust), alone)
    even = model.fuse(both, Modality.POSE_3D, batch, {Modality.IMAGE: 1.0, Modality.POSE_2D: 1.0})
    assert (fused - alone).norm() < (even - alone).norm()


def test_a_lifting_model_may_grow_eyes(folder, motion_file, tmp_path):
    """Pose encoders and decoders of a checkpoint without pictures are where training with pictures
    begins.
    """
    whole = recipe(folder, motion_file)
    blind = whole.model.model_copy(update={"image_encoder": None})
    poses = whole.stage[1].model_copy(update={"pose_batch": 0})
    first = whole.model_copy(
        update={"data": whole.poses, "poses": None, "model": blind, "stage": (poses,)}
    )
    train_recipe(first, tmp_path / "a")
    still = whole.stage[0].model_copy(update={"learning_rate": 1e-12})
    model, _ = train_recipe(
        whole.model_copy(update={"stage": (still,)}), tmp_path / "b", start=tmp_path / "a"
    )
    kept = build_model(first)
    from unihpe.model.checkpoint import load_checkpoint

    tensors, card = load_checkpoint(tmp_path / "a" / "model.safetensors")
    kept.load_state_dict(tensors)
    for name, value in model.encoder_2d.state_dict().items():
        torch.testing.assert_close(value, kept.encoder_2d.state_dict()[name])
    with pytest.raises(InputError, match="built another way"):
        wider = whole.model.model_copy(
            update={"decoder_3d": whole.model.decoder_3d.model_copy(update={"blocks": 3})}
        )
        train_recipe(
            whole.model_copy(update={"model": wider, "stage": (still,)}),
            tmp_path / "c",
            start=tmp_path / "a",
        )


def test_eyes_may_be_left_behind_but_not_exchanged(folder, motion_file, tmp_path):
    whole = recipe(folder, motion_file)
    still = whole.stage[0].model_copy(update={"steps": 1})
    model, _ = train_recipe(whole.model_copy(update={"stage": (still,)}), tmp_path / "a")
    blind = whole.model.model_copy(update={"image_encoder": None})
    poses = whole.stage[1].model_copy(update={"pose_batch": 0, "learning_rate": 1e-12, "steps": 1})
    lifting = whole.model_copy(
        update={"data": whole.poses, "poses": None, "model": blind, "stage": (poses,)}
    )
    after, _ = train_recipe(lifting, tmp_path / "b", start=tmp_path / "a")
    assert after.image_encoder is None
    for ours, theirs in zip(
        after.encoder_2d.parameters(), model.encoder_2d.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    image = whole.model.image_encoder.model_copy(update={"kind": "hrnet_w32"})
    other = whole.model.model_copy(update={"image_encoder": image})
    with pytest.raises(
        InputError,
        match="has model.image_encoder.kind=hrnet_w18_small, the recipe hrnet_w32: add --set model",
    ):
        train_recipe(
            whole.model_copy(update={"model": other}), tmp_path / "c", start=tmp_path / "a"
        )


def test_a_lifting_model_whose_decoders_mean_something_else_grows_no_eyes(
    folder, motion_file, tmp_path
):
    whole = recipe(folder, motion_file)
    blind = whole.model.model_copy(update={"image_encoder": None})
    poses = whole.stage[1].model_copy(update={"pose_batch": 0, "steps": 1})
    lifting = whole.model_copy(
        update={"data": whole.poses, "poses": None, "model": blind, "stage": (poses,)}
    )
    train_recipe(lifting, tmp_path / "a")
    other = whole.model.model_copy(
        update={"decoder_2d": whole.model.decoder_2d.model_copy(update={"prediction": "flow"})}
    )
    with pytest.raises(InputError, match="has model.decoder_2d.prediction=x0, the recipe flow"):
        load_start(whole.model_copy(update={"model": other}), tmp_path / "a")
    eyes = whole.model.image_encoder.model_copy(update={"shrink": 1})
    load_start(
        whole.model_copy(update={"model": whole.model.model_copy(update={"image_encoder": eyes})}),
        tmp_path / "a",
    )


def test_a_share_of_a_mixed_batch_is_decoded_from_all_of_it(folder, motion_file):
    """3D that only the mixed people have: the path's eighth of the batch has some of them."""
    fields = recipe(folder, motion_file).model_dump()
    flat, whole = fields["data"] | {"with_pose": False}, fields["data"] | {"share": 0.5}
    back = {"source": "pose_3d", "target": "pose_3d", "share": 0.25}
    joint = fields["stage"][3] | {
        "batch_size": 16,
        "pose_batch": 0,
        "decode": [back],
        "contrastive": 0,
        "triplet": 0,
    }
    mixed = parse(
        Recipe, fields | {"data": flat, "mix": [whole], "poses": None, "stage": [joint]}, "test"
    )
    draw = StageStream(open_stream(mixed.data), [(0.5, open_stream(mixed.mix[0]))], None)
    (batch,) = draw(mixed.stage[0], torch.Generator().manual_seed(0))
    terms = stage_losses(
        build_model(mixed), batch, mixed.stage[0], torch.Generator().manual_seed(0)
    )
    assert terms["score pose_3d→pose_3d"].item() > 0


@pytest.mark.parametrize("content", ["cut", "something else"])
def test_a_damaged_validation_pack_is_not_passed_over(folder, motion_file, tmp_path, content):
    people = tmp_path / "people"
    people.mkdir()
    for name in ("train.pack", "val.pack"):
        (people / name).write_bytes((folder / name).read_bytes())
    whole = recipe(people, motion_file)
    assert validation(whole, "cpu") is not None
    data = (people / "val.pack").read_bytes()
    (people / "val.pack").write_bytes(data[:-100] if content == "cut" else b"x")
    with pytest.raises(InputError, match="val.pack: not a packed set, or not whole"):
        train_recipe(whole, tmp_path / "run")
    (people / "val.pack").unlink()
    assert validation(whole, "cpu") is None
