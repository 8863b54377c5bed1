"""Stages whose backbone looks at pictures once, and layers that stay as they are."""

from dataclasses import replace

import pytest
import torch
from test_pictures import batch_of, folder, recipe  # noqa: F401 (a fixture)

from unihpe.body.batch import Modality
from unihpe.errors import InputError
from unihpe.model.checkpoint import load_checkpoint
from unihpe.recipe import Recipe, build_model
from unihpe.runs.train import train_recipe
from unihpe.settings import parse
from unihpe.training.freeze import begin_stage
from unihpe.training.looking import PIECE, look_once
from unihpe.training.loop import train
from unihpe.training.objective import stage_losses
from unihpe.training.stage import Decoding
from unihpe.training.state import Run, Schedule
from unihpe.training.streams import StageStream, open_stream


def looking(folder, motion_file, **changes):  # noqa: F811
    whole = recipe(folder, motion_file)
    own = {"looks": 3, "steps": 6, "accumulate": 1, "pose_batch": 4}
    stage = whole.stage[2].model_copy(update=own | changes)
    return whole.model_copy(update={"stage": (stage,)})


def test_what_was_seen_stands_for_the_picture(folder, motion_file):  # noqa: F811
    model = build_model(recipe(folder, motion_file)).eval()
    batch = batch_of(folder)
    with torch.no_grad():
        torch.nn.init.normal_(model.image_encoder.joints.project.weight)
        wanted = model.encode(batch, Modality.IMAGE)
        seen = model.look(batch)
        blind = replace(batch, image=None, seen=seen)
        torch.testing.assert_close(model.encode(blind, Modality.IMAGE), wanted)
        none = replace(blind, seen=torch.zeros_like(seen))
        assert not torch.allclose(model.encode(none, Modality.IMAGE), wanted)
    assert seen.shape == (6, 18, sum(model.image_encoder.backbone.channels) + 3)


def test_the_backbone_looks_once_and_the_rest_learns(folder, motion_file, tmp_path, monkeypatch):  # noqa: F811
    whole, calls = looking(folder, motion_file), []
    model = type(build_model(whole))
    look = model.look
    monkeypatch.setattr(model, "look", lambda *args: (calls.append(1), look(*args))[1])
    before = build_model(whole).state_dict()
    train_recipe(whole, tmp_path / "a")
    after, _ = load_checkpoint(tmp_path / "a" / "model.safetensors")
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    parts = "image_encoder.joints.", "image_encoder.project.", "log_scale"
    assert changed and all(name.startswith(parts) for name in changed)
    assert any(name.startswith("image_encoder.joints.reduce") for name in changed)
    assert len(calls) == 3 and (tmp_path / "a" / "looked-0-0000.safetensors").exists()


def test_stages_in_a_row_share_what_was_seen(folder, motion_file, tmp_path, monkeypatch):  # noqa: F811
    whole, calls = looking(folder, motion_file), []
    first = whole.stage[0]
    more = first.model_copy(update={"name": "more", "trains": ("encoder_2d", "decoder_3d")})
    other = first.model_copy(update={"name": "other", "looks": 2})
    whole = whole.model_copy(update={"stage": (first, more, other)})
    model = type(build_model(whole))
    look = model.look
    monkeypatch.setattr(model, "look", lambda *args: (calls.append(1), look(*args))[1])
    train_recipe(whole, tmp_path)
    assert len(calls) == 3 + 2
    kept = sorted(file.name for file in tmp_path.glob("looked-*"))
    assert kept == ["looked-0-0000.safetensors", "looked-2-0000.safetensors"]


def test_a_resumed_run_takes_what_it_saw_before(folder, motion_file, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("unihpe.training.looking.PIECE", 2)
    assert PIECE > 2
    whole, saving = looking(folder, motion_file), Schedule(save_every=2)
    straight, _ = train_recipe(whole, tmp_path / "straight", schedule=saving)

    def stop(row):
        if row["step"] == 4:
            raise KeyboardInterrupt

    eager = Schedule(save_every=2, log_every=1)
    with pytest.raises(KeyboardInterrupt):
        train_recipe(whole, tmp_path / "broken", schedule=eager, report=stop)
    kept = sorted((tmp_path / "broken").glob("looked-*"))
    assert len(kept) == 2
    kept[1].unlink()  # it looks again for what is lost, and for no more
    written = kept[0].stat().st_mtime_ns
    again, _ = train_recipe(whole, tmp_path / "broken", schedule=saving, resume=True)
    assert kept[1].exists() and kept[0].stat().st_mtime_ns == written
    both = zip(straight.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in both)
    other = looking(folder, motion_file, learning_rate=0.5)
    (tmp_path / "other").mkdir()
    kept[0].rename(tmp_path / "other" / kept[0].name)
    with pytest.raises(InputError, match="was written by another recipe"):
        train_recipe(other, tmp_path / "other")


@pytest.mark.parametrize("still", [0, 3])
def test_still_layers_stay(folder, motion_file, still):  # noqa: F811
    whole = recipe(folder, motion_file)
    stage = whole.stage[0].model_copy(update={"still": still})
    model = build_model(whole)
    begin_stage(model, stage, fresh=True)
    layers = model.image_encoder.backbone.layers()
    learns = [any(p.requires_grad for p in layer.parameters()) for layer in layers]
    assert learns == [n >= still for n in range(5)]
    with pytest.raises(InputError, match="holds 6 layers still, the backbone has 5: lower still"):
        begin_stage(model, stage.model_copy(update={"still": 6}), fresh=True)


def test_looks_that_make_no_sense_are_refused(folder, motion_file):  # noqa: F811
    stage = recipe(folder, motion_file).stage[0]
    fields = stage.model_dump() | {"looks": 3, "trains": ("image_encoder",)}
    with pytest.raises(ValueError, match="what was seen once has no heat maps"):
        type(stage)(**fields)
    with pytest.raises(ValueError, match="looks are of pictures, which it does not embed"):
        type(stage)(name="x", steps=1, batch_size=2, looks=3)


def test_runs_may_share_what_was_seen(folder, motion_file, tmp_path, monkeypatch):  # noqa: F811
    whole, calls = looking(folder, motion_file, pose_batch=0), []
    model = build_model(whole)
    look = type(model).look
    monkeypatch.setattr(type(model), "look", lambda *args: (calls.append(1), look(*args))[1])
    (tmp_path / "looked").mkdir()
    run = Run(tmp_path / "looked", whole.fingerprint(), whole.seed)
    draw = look_once(model, whole.stage[0], StageStream(open_stream(whole.data)), run, 0)
    one, other = (
        train(build_model(whole), stages, draw, replace(run, out=tmp_path / name))[0].state_dict()
        for name, stages in {"one": whole.stage, "two": whole.stage * 2}.items()
    )
    places = {file.parent.name for file in tmp_path.glob("*/looked-*")}
    assert len(calls) == 3 and places == {"looked"}
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed and not any("backbone" in name for name in changed)


def test_a_path_may_learn_from_the_other_poses_alone(folder, motion_file):  # noqa: F811
    whole = recipe(folder, motion_file)
    stage = looking(folder, motion_file).stage[0]
    lifting = Decoding(source="pose_2d", target="pose_3d", among="poses")
    stage = stage.model_copy(update={"decode": (lifting, *stage.decode)})
    model, batch = build_model(whole).eval(), batch_of(folder)
    with torch.no_grad():
        seen = replace(batch, image=None, seen=model.look(batch))
        given = {"seen": seen, "pictures": batch, "poses": replace(batch, image=None)}
        terms = {
            name: stage_losses(model, one, stage, torch.Generator().manual_seed(0))
            for name, one in given.items()
        }
    assert {name for name in terms if "score pose_2d→pose_3d" in terms[name]} == {"poses"}
    alone = whole.stage[0].model_copy(update={"decode": (lifting,)})
    with pytest.raises(InputError, match='a path among = "poses", and no pose_batch'):
        parse(Recipe, whole.model_dump() | {"stage": [alone.model_dump()]}, "test")
