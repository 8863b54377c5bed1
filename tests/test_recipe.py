"""Recipes: every shipped one loads and builds; what is wrong in one is named."""

import pytest
import torch

from unihpe.errors import InputError
from unihpe.recipe import (
    build_model,
    load_recipe,
    measure_scales,
    open_source,
    parse_recipe,
    shipped_recipes,
    training_stream,
)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_recipe_loads_builds_and_says_what_it_is(name):
    recipe = load_recipe(name)
    assert len(recipe.about.strip()) > 60
    model = build_model(recipe)
    again = build_model(recipe)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build_model(load_recipe("quick"))
    assert torch.equal(torch.rand(1), expected)


def test_the_papers_sizes():
    """Method facts: 1.85 M for a transformer encoder; GFPose's network has 10.6 M with one summed condition."""
    model = build_model(load_recipe("lifting-paper"))
    size = {name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in model.named_children()}
    assert size["encoder_2d"] == pytest.approx(1.85, abs=0.03)
    assert size["decoder_3d"] == pytest.approx(10.6, abs=0.4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stage.0.lr=1", r"\[stage.0\] has no setting lr; it has name, trains"),
        ("model.encoder_2d.widht=1", r"\[model.encoder_2d\] has no setting widht; it has kind, width"),
        ("modle.x=1", r"\[recipe\] has no setting modle; it has about, seed"),
        ("stage.1.decode.0.shere=1", r"has no setting shere; it has source, target, share"),
        ("model.encoder_2d.kind=cnn", "'transformer' or 'mlp'"),
        ("stage.0.steps=0", "greater than 0"),
        ("data.joint_dropout=1.5", "less than 1"),
        ("data.augmentation.zoom=1", r"\[data.augmentation\] has no setting zoom; it has flip, rotation"),
        ("data.augmentation.grey=2", "data.augmentation.grey: .*less than or equal to 1"),
        ("data.two_d=maybe", "'exact', 'detected' or 'both'"),
        ("stage=[]", "at least one"),
        ("stage.9.steps=3", "no place stage.9.steps"),
        ("noequals", "key=value"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(InputError, match=message):
        load_recipe("quick", (change,))


def test_ill_posed_parametrisations_are_refused_when_built():
    with pytest.raises(InputError, match="not well posed on Linear"):
        build_model(
            load_recipe(
                "quick", ("model.decoder_3d.prediction=epsilon", *(f"stage.1.decode.{n}.point=0" for n in range(4)))
            )
        )


def test_unknown_recipes_and_files():
    with pytest.raises(InputError, match="shipped are"):
        load_recipe("quik")
    with pytest.raises(InputError, match="no recipe at"):
        load_recipe("missing.toml")


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("about = 'x'\n[[stage]]\nname = 's'\nsteps = 1\nbatch_size = 4\n")
    assert load_recipe(str(path)).stage[0].steps == 1
    path.write_text("about = ")
    with pytest.raises(InputError, match="not valid TOML"):
        load_recipe(str(path))


def test_the_fingerprint_follows_training_not_places():
    recipe = load_recipe("quick")
    assert load_recipe("quick", ("data.root=elsewhere", "about=other words")).fingerprint() == recipe.fingerprint()
    assert load_recipe("quick", ("seed=1",)).fingerprint() != recipe.fingerprint()


def test_data_must_be_named_and_be_there(tmp_path):
    recipe = load_recipe("quick")
    with pytest.raises(InputError, match="data.root=FOLDER"):
        open_source(recipe.data, split="train", view="random")
    with pytest.raises(InputError, match="no data at"):
        open_source(recipe.data.model_copy(update={"root": str(tmp_path / "x")}), split="train", view="random")


def test_a_point_estimate_needs_a_prediction_that_has_one():
    with pytest.raises(InputError, match="ε-predicting decoder has no answer at t = 1"):
        load_recipe("quick", ("model.decoder_3d.path=sub_vp", "model.decoder_3d.prediction=epsilon"))


def test_scales_are_measured(motion_file):
    recipe = load_recipe("quick", (f"data.root={motion_file}",))
    draw = training_stream(open_source(recipe.data, split="train", view="random"), recipe.data)
    measured = measure_scales(recipe, draw)
    assert 100 < measured.pose_scale < 600 and 0.2 < measured.keypoint_scale < 0.6
    assert measure_scales(measured, draw) == measured


def test_the_shipped_checkpoint_was_trained_by_the_shipped_recipes():
    from unihpe.checkpoint import load_checkpoint
    from unihpe.predict import default_checkpoint

    path = default_checkpoint()
    tensors, card = load_checkpoint(path)
    trained, shipped, before = parse_recipe(card.recipe, "card"), load_recipe("pictures"), load_recipe("lifting")
    scales = {"pose_scale": trained.pose_scale, "keypoint_scale": trained.keypoint_scale}
    assert trained.fingerprint() == shipped.model_copy(update=scales).fingerprint()
    assert card.samples == sum(stage.samples for stage in (*before.stage, *shipped.stage))
    assert tensors["pose_scale"].item() == pytest.approx(trained.pose_scale)
    assert path.stat().st_size <= 64e6 and "command" in card.scores and card.licence == "Apache-2.0"
