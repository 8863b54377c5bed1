"""Recipes: every shipped one loads and builds; what is wrong in one is named."""

import sys
from importlib import resources
from types import SimpleNamespace

import pytest
import torch

from unihpe.body.batch import Batch
from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.model.backbones import public_files
from unihpe.model.backbones.hrnet import HRNet, coarse_fuse_prefixes
from unihpe.model.build import load_public_weights
from unihpe.model.checkpoint import checkpoint_file, load_checkpoint
from unihpe.model.heatmaps import HeatmapHead
from unihpe.recipe import Recipe, build_model, load_recipe, measure_scales, shipped_recipes
from unihpe.runs.start import load_start
from unihpe.settings import parse
from unihpe.training.stage import Stage
from unihpe.training.streams import StageStream, _alternating, training_stream


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_recipe_loads_builds_and_says_what_it_is(name):
    recipe = load_recipe(name)
    assert len(recipe.about.strip()) > 60
    model = build_model(recipe)
    again = build_model(recipe)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )


# by which saved runs are resumed: a recipe's, and of its stages written out in full
FINGERPRINTS = {
    "heatmaps": "49fb861b39686bd8c73ccd4e3a91715ad6a13b957436dd5a381bd153fbbbd059",
    "humaneva": "05d18236a75dbc350af4a746b4a25ec16c4747a474a44766d0f22d295bd27421",
    "lifting": "069fe98df33bfbe8206fee96b2bcbaf908a2b52416fe3760d222eb91d288a1c8",
    "lifting-mlp": "192510e3d570ab1bfb80731b9d6a8d3e7dd19a10289e199d2ac8ef8c64a3a304",
    "lifting-cpn": "83d591235e5fe39d8528ba3d796c0b7594534405323801c2194536bab64029f2",
    "lifting-paper": "c7732269add86f9ecd9f7d8c6563a2e0a9adf79722b84b31cdceb4f9b3f77bc1",
    "paper-w32": "2628d6dba05e8d626c7cebd5de9a011eac40e055247d021fd771af5a5cfa4779",
    "paper-w48": "696a5b2b7481c642692d0b44ec36ac2864df4f5375adf4dc258427bf10961642",
    "photographs": "d65329ed54b7cd36b3dc331b27bdff7754ac8ae84af8f6749b7a91fb47ba20ab",
    "pictures": "3e1ce3b45e8a6e420028ac889cb3a55f335a69aa1f18534ba3379b450dd4259c",
    "quick": "14d130744ddfc6fd787f598e4fd8db7d59af47200f885203f28efc855060bbd8",
}


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_is_a_page_and_its_fingerprint_stays(name):
    lines = resources.files("unihpe").joinpath("recipes", f"{name}.toml").read_text().splitlines()
    assert len(lines) <= 90 and max(map(len, lines)) <= 100
    assert load_recipe(name).fingerprint() == FINGERPRINTS[name]


SHORT = """
about = "x"
[[stage]]
name = "first"
losses = { contrastive = 0.5 }
optimiser = { learning_rate = 0.1, ema = 0.9 }
steps = 5
batch_size = 4
decode = [{ source = "pose_2d", target = "pose_3d" }, { source = "pose_3d", target = "pose_3d" }]
[[stage]]
name = "second"
like = "first"
optimiser = { ema = 0.5 }
decode.1.weight = 2.0
"""


def test_a_stage_like_another_takes_its_keys(tmp_path):
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    first, second = load_recipe(str(path)).stage
    assert (first.contrastive, first.learning_rate, first.ema, first.steps) == (0.5, 0.1, 0.9, 5)
    taken = first.model_dump() | {"name": "second", "ema": 0.5}
    taken["decode"][1]["weight"] = 2.0
    assert second.model_dump() == taken and first.decode[1].weight == 1.0


def test_changes_reach_one_stage_of_those_alike(tmp_path):
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    first, second = load_recipe(str(path), ("stage.0.decode.0.weight=3", "stage.1.steps=7")).stage
    assert (first.decode[0].weight, second.decode[0].weight) == (3, 1)
    assert (first.steps, second.steps) == (5, 7)


def test_tables_like_a_recipe_take_its_own(tmp_path):
    path = tmp_path / "short.toml"
    own = '[poses]\nlike = "lifting"\nbalance = 0.7\nvariety.bodies = 0.1\n'
    path.write_text(SHORT + own + '[model]\nlike = "lifting"\nerror_head = false\n')
    made, lifting = load_recipe(str(path), ("poses.root=x",)), load_recipe("lifting")
    said = {"description": "", "licence": "", "root": "x", "balance": 0.7}
    variety = lifting.data.variety.model_copy(update={"bodies": 0.1})
    assert made.poses == lifting.data.model_copy(update={**said, "variety": variety})
    assert made.model == lifting.model.model_copy(update={"error_head": False})
    bad = tmp_path / "bad.toml"
    for text, message in (
        ("data = ", "bad.toml: not valid TOML"),
        ("data = 3", "data is no table"),
    ):
        bad.write_text(text)
        path.write_text(SHORT + f"[poses]\nlike = '{bad}'\n")
        with pytest.raises(InputError, match=message):
            load_recipe(str(path))
    path.write_text(SHORT + '[poses]\nlike = "nothing"\n')
    with pytest.raises(InputError, match="no recipe 'nothing': shipped are"):
        load_recipe(str(path))


def test_a_table_may_be_like_one_that_is_like_another(tmp_path):
    path, other = tmp_path / "short.toml", tmp_path / "other.toml"
    path.write_text(SHORT + '[model]\nlike = "photographs"\nerror_head = false\n')
    model = load_recipe("photographs").model
    assert load_recipe(str(path)).model == model.model_copy(update={"error_head": False})
    path.write_text(SHORT + f"[model]\nlike = '{other}'\n")
    other.write_text(SHORT + f"[model]\nlike = '{path}'\n")
    with pytest.raises(InputError, match="which is like its own"):
        load_recipe(str(path))


def test_a_stage_also_decodes(tmp_path):
    path = tmp_path / "short.toml"
    more = '{ source = "pose_3d", target = "pose_2d", weight = 9.0 }'
    path.write_text(SHORT + f"also_decode = [{more}]\n")
    first, second = load_recipe(str(path)).stage
    assert [path.weight for path in first.decode] == [1.0, 1.0]
    assert [path.weight for path in second.decode] == [1.0, 2.0, 9.0]
    path.write_text(SHORT + "also_decode = 3\n")
    with pytest.raises(InputError, match="short.toml: also_decode must be a list of paths"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'like = "first"',
            'like = "third"',
            "stage second is like 'third', which is no stage before",
        ),
        (
            "losses = { con",
            "losses = { cun",
            r"\[stage.0\] has no setting cuntrastive; it has name",
        ),
        (
            "decode.1.weight",
            "decode.2.weight",
            "short.toml: the recipe has no place decode.2.weight",
        ),
        ("losses = { contrastive = 0.5 }", "losses = 3", r"\[stage.0\] has no setting losses"),
    ],
)
def test_what_is_wrong_in_short_stages_is_named(tmp_path, old, new, message):
    path = tmp_path / "short.toml"
    path.write_text(SHORT.replace(old, new))
    with pytest.raises(InputError, match=message):
        load_recipe(str(path))


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build_model(load_recipe("quick"))
    assert torch.equal(torch.rand(1), expected)


def test_the_papers_sizes():
    """Method facts: 1.85 M for a transformer encoder; GFPose's network has 10.6 M with one summed
    condition.
    """
    model = build_model(load_recipe("lifting-paper"))
    size = {
        name: sum(p.numel() for p in part.parameters()) / 1e6
        for name, part in model.named_children()
    }
    assert size["encoder_2d"] == pytest.approx(1.85, abs=0.03)
    assert size["decoder_3d"] == pytest.approx(10.6, abs=0.4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stage.0.lr=1", r"\[stage.0\] has no setting lr; it has name, trains"),
        (
            "model.encoder_2d.widht=1",
            r"\[model.encoder_2d\] has no setting widht; it has kind, width",
        ),
        ("modle.x=1", r"\[recipe\] has no setting modle; it has about, seed"),
        ("stage.1.decode.0.shere=1", r"has no setting shere; it has source, target, share"),
        ("model.encoder_2d.kind=cnn", "'transformer', 'mlp' or 'bones'"),
        ("stage.0.steps=0", "greater than 0"),
        ("data.joint_dropout=1.5", "less than 1"),
        (
            "data.augmentation.zoom=1",
            r"\[data.augmentation\] has no setting zoom; it has flip, rotation",
        ),
        ("data.augmentation.grey=2", "data.augmentation.grey: .*less than or equal to 1"),
        ("model.error_head=true", "no decode path teaches the error head"),
        ("stage.1.decode.0.errors=1.0", "the model no error head"),
        ("data.two_d=maybe", "'exact', 'detected', 'both' or 'coco'"),
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
                "quick",
                (
                    "model.decoder_3d.prediction=epsilon",
                    *(f"stage.1.decode.{n}.point=0" for n in range(4)),
                ),
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
    assert (
        load_recipe("quick", ("data.root=elsewhere", "about=other words")).fingerprint()
        == recipe.fingerprint()
    )
    assert load_recipe("quick", ("seed=1",)).fingerprint() != recipe.fingerprint()


def test_data_must_be_named_and_be_there(tmp_path):
    recipe = load_recipe("quick")
    with pytest.raises(InputError, match="data.root=FOLDER"):
        open_source(recipe.data, Part("train", training=True))
    with pytest.raises(InputError, match="no data at"):
        open_source(
            recipe.data.model_copy(update={"root": str(tmp_path / "x")}),
            Part("train", training=True),
        )


def test_a_point_estimate_needs_a_prediction_that_has_one():
    with pytest.raises(InputError, match="ε-predicting decoder has no answer at t = 1"):
        load_recipe(
            "quick", ("model.decoder_3d.path=sub_vp", "model.decoder_3d.prediction=epsilon")
        )


def test_scales_are_measured(motion_file):
    recipe = load_recipe("quick", (f"data.root={motion_file}",))
    draw = training_stream(open_source(recipe.data, Part("train", training=True)), recipe.data)
    measured = measure_scales(recipe, draw)
    assert 100 < measured.pose_scale < 600 and 0.2 < measured.keypoint_scale < 0.6
    assert measure_scales(measured, draw) == measured


def test_the_shipped_checkpoint_was_trained_by_the_shipped_recipes():
    path = checkpoint_file()
    tensors, card = load_checkpoint(path)
    trained, shipped, before = (
        parse(Recipe, card.recipe, "card"),
        load_recipe("photographs"),
        load_recipe("lifting"),
    )
    scales = {"pose_scale": trained.pose_scale, "keypoint_scale": trained.keypoint_scale}
    assert trained.fingerprint() == shipped.model_copy(update=scales).fingerprint()
    stages = (*before.stage, *shipped.stage)
    assert card.samples == sum(stage.steps * stage.step_samples for stage in stages)
    assert tensors["pose_scale"].item() == pytest.approx(trained.pose_scale)
    assert path.stat().st_size <= 64e6 and "command" in card.scores and card.licence == "Apache-2.0"


def started(path, *changes):
    """The recipe `heatmaps` on a small network, with these public weights: its parts before and
    after.
    """
    recipe = load_recipe(
        "heatmaps",
        (
            "model.image_encoder.kind=hrnet_w18_small",
            f"model.image_encoder.weights={path}",
            *changes,
        ),
    )
    model, fresh = build_model(recipe), build_model(recipe)
    load_public_weights(model, recipe.model.image_encoder, recipe.data.skeleton)
    return model, fresh


def same(module, state):
    return all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_heat_maps_begin_with_a_fresh_head_where_the_weights_have_none(tmp_path):
    """ImageNet files, as the recipe names one."""
    assert load_recipe("heatmaps").model.image_encoder.weights == "hrnet_w32_imagenet"
    backbone = HRNet("w18_small").state_dict()
    torch.save(backbone, tmp_path / "hrnet.pth")
    model, fresh = started(tmp_path / "hrnet.pth")
    assert same(model.image_encoder.backbone, backbone) and same(
        model.heatmap_head, fresh.heatmap_head.state_dict()
    )


@pytest.mark.parametrize(
    ("name", "skeleton", "taken"),
    [
        ("hrnet_w32_human36m", "human36m17", True),
        ("hrnet_w32_coco", "human36m17", False),
        ("hrnet_w32_coco", "coco17", True),
        ("hrnet_w32_human36m", "coco17", False),
    ],
)
def test_a_head_is_taken_where_it_is_of_the_recipes_joints(tmp_path, name, skeleton, taken):
    """Both sets have 17 joints, in another order."""
    network, head = HRNet("w18_small"), HeatmapHead(16, 17).state_dict()
    coarse = coarse_fuse_prefixes(network)
    backbone = {k: v for k, v in network.state_dict().items() if not k.startswith(coarse)}
    tensors = {f"backbone.{key}": value for key, value in backbone.items()}
    path = tmp_path / public_files()[name].file
    torch.save(
        {"state_dict": tensors | {f"head.{key}": value for key, value in head.items()}}, path
    )
    model, fresh = started(path, f"data.skeleton={skeleton}")
    assert same(HRNet("w18_small"), model.image_encoder.backbone.state_dict()) is False
    assert all(
        torch.equal(model.image_encoder.backbone.state_dict()[key], value)
        for key, value in backbone.items()
    )
    assert same(model.heatmap_head, head if taken else fresh.heatmap_head.state_dict())


class StubViT(torch.nn.Module):
    """As much of transformers' backbone as building and starting an encoder looks at."""

    def __init__(self, config):
        super().__init__()
        self.config = config


def stub_of_transformers(hidden_size, layers=12, heads=12):
    """The library, with one model of this size on the disk."""
    config = {
        "hidden_size": hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_experts": 1,
    }
    loaded = SimpleNamespace(backbone=StubViT(SimpleNamespace(**config)))
    return SimpleNamespace(
        VitPoseBackbone=StubViT,
        VitPoseBackboneConfig=lambda **fields: SimpleNamespace(**fields),
        VitPoseForPoseEstimation=SimpleNamespace(
            from_pretrained=lambda *_, **__: (loaded, {"missing_keys": []})
        ),
    ), loaded.backbone


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (
            (768,),
            r"weights of ViT-base \(hidden_size 768\), wanted is one of hidden_size 384;"
            r" give those, or set kind to vit_base",
        ),
        (
            (384, 6),
            r"another ViT \(num_hidden_layers 6\), wanted is one of num_hidden_layers 12;"
            r" give those$",
        ),
        ((384, 12, 6), r"another ViT \(num_attention_heads 6\)"),
    ],
)
def test_a_vit_of_another_size_is_refused(monkeypatch, tmp_path, size, message):
    (tmp_path / "config.json").write_text("{}")
    recipe = load_recipe(
        "paper-w32",
        ("model.image_encoder.kind=vit_small", f"model.image_encoder.weights={tmp_path}"),
    )
    library, _ = stub_of_transformers(*size)
    monkeypatch.setitem(sys.modules, "transformers", library)
    with pytest.raises(InputError, match=message):
        load_public_weights(build_model(recipe), recipe.model.image_encoder, recipe.data.skeleton)
    library, backbone = stub_of_transformers(384)
    monkeypatch.setitem(sys.modules, "transformers", library)
    model = build_model(recipe)
    load_public_weights(model, recipe.model.image_encoder, recipe.data.skeleton)
    assert model.image_encoder.backbone.vit is backbone


def numbered(first):
    """A stream whose people are numbered, in the place of a keypoint."""

    def draw(size, generator, pictures=True):
        keypoints = (first + torch.arange(size, dtype=torch.float32))[:, None, None].expand(
            size, 17, 2
        )
        return Batch(keypoints, torch.ones(size, 17), torch.zeros(size, 3), group=("x",) * size)

    return draw


MIX = ((0.25, numbered(100)), (0.25, numbered(200)))


def drawn(share, mix=MIX):
    """The numbers of a batch of 16, in order, with one decoding path on this share of it."""
    path = {"source": "pose_2d", "target": "pose_2d", "share": share}
    stage = Stage(name="s", steps=1, batch_size=16, decode=(path, path | {"share": 1.0}))
    (batch,) = StageStream(numbered(0), mix, None)(stage, torch.Generator())
    return batch.keypoints[:, 0, 0].tolist()


def test_paths_that_take_a_share_of_a_mixed_batch_see_all_of_its_sources():
    order = drawn(0.25)
    assert [sum(n // 100 == source for n in order[:4]) for source in (0, 1, 2)] == [2, 1, 1]
    assert sorted(order) == [*range(8), *range(100, 104), *range(200, 204)]
    assert [n for n in order if n < 100] == [*range(8)]


def test_all_other_batches_stay_in_order():
    assert drawn(1.0) == [*range(8), *range(100, 104), *range(200, 204)]
    assert drawn(0.25, mix=()) == [*range(16)]
    assert drawn(0.25, mix=((0.01, numbered(100)),)) == [*range(16)]  # too little for one person


def test_alternating_keeps_shares_throughout():
    order = _alternating([60, 0, 40])
    assert sorted(order.tolist()) == [*range(100)]
    for count in range(1, 100):
        assert abs((order[:count] < 60).sum().item() - 0.6 * count) <= 1


@pytest.mark.parametrize("name", ["photographs", "lifting"])
def test_the_shipped_checkpoint_may_be_trained_on(name):
    assert load_start(load_recipe(name), "shipped").card.samples > 1e6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ("image_encoder.shrink=2",),
            "has model.image_encoder.shrink=1, the recipe 2: add --set"
            " model.image_encoder.shrink=1$",
        ),
        (
            ("decoder_3d.path=sub_vp",),
            "has model.decoder_3d.path=linear, the recipe sub_vp: add --set"
            " model.decoder_3d.path=linear",
        ),
        (("decoder_2d.prediction=v",), "add --set model.decoder_2d.prediction=x0"),
        (("decoder_2d.kind=mlp",), "has model.decoder_2d.kind=diffusion, the recipe mlp"),
        (("encoder_2d.kind=transformer",), "add --set model.encoder_2d.kind=bones"),
        (("image_encoder.read_out=pooled",), "add --set model.image_encoder.read_out=joints"),
        (
            ("image_encoder.heatmaps_from=finest",),
            "add --set model.image_encoder.heatmaps_from=person",
        ),
        (
            ("decoder_3d.path=vp", "decoder_3d.prediction=v"),
            "has model.decoder_3d.path=linear, model.decoder_3d.prediction=x0, the recipe vp, v:"
            " add --set model.decoder_3d.path=linear --set model.decoder_3d.prediction=x0",
        ),
    ],
)
def test_a_checkpoint_that_means_something_else_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        load_start(
            load_recipe("photographs", tuple(f"model.{change}" for change in changes)), "shipped"
        )


def test_what_an_mlp_does_not_have_need_not_agree():
    load_start(
        load_recipe(
            "photographs", ("model.encoder_2d.heads=4", "model.image_encoder.weights=x.pth")
        ),
        "shipped",
    )
