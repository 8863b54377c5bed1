"""The interface of image backbones, those from outside the package, and what checkpoints may not
do.
"""

import copy
import importlib
import sys

import pytest
import torch

from unihpe.body.batch import Batch, Modality
from unihpe.errors import InputError
from unihpe.model.backbones import AT_ONCE, KINDS, build_backbone
from unihpe.model.build import ImageEncoderSettings, ModelSettings, build_model, load_model
from unihpe.model.checkpoint import Card, save_checkpoint
from unihpe.model.heatmaps import _soft_argmax
from unihpe.model.image_encoder import _fitted
from unihpe.settings import parse

TOY = """
import torch
from torch import nn
from unihpe.model.backbones import Backbone

class Toy(Backbone):
    channels, strides, size = (6, 8), (4, 16), (128, 128)
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 6, 4, 4), nn.Conv2d(6, 8, 4, 4)
        self.seen = []

    def forward(self, picture):
        self.seen.append(picture)
        fine = self.fine(picture)
        return [fine, self.coarse(fine.relu())]

class Blind(Toy):
    strides = (16,)

class Roomy(Toy):
    any_size = True

def text():
    return "no backbone"
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A module of one's own in the current folder, forgotten afterwards."""
    (tmp_path / "toy_backbone.py").write_text(TOY)
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("toy_backbone", None)


def settings(kind, **image):
    small = {"width": 32, "depth": 1, "heads": 2}
    decoder = {"width": 64, "path": "linear", "prediction": "x0"}
    parts = {"encoder_2d": small, "encoder_3d": small, "decoder_2d": decoder, "decoder_3d": decoder}
    return parse(
        ModelSettings, {"embedding": 16, "image_encoder": {"kind": kind, **image}} | parts, "test"
    )


def pictures(people=2):
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(256, (people, 3, 256, 192), generator=generator, dtype=torch.uint8)
    joints = torch.zeros(people, 17, 2)
    return Batch(joints, torch.ones(people, 17), torch.zeros(people, 3), image=image)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hrnet_w48"])
def test_maps_are_as_the_interface_says(kind):
    if kind.startswith("vit"):
        pytest.importorskip("transformers")
    backbone = build_backbone(kind).eval()
    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, 256, 192))
    assert [x.shape[1] for x in maps] == list(backbone.channels)
    assert [(256 // x.shape[2], 192 // x.shape[3]) for x in maps] == [
        (stride, stride) for stride in backbone.strides
    ]
    assert list(backbone.strides) == sorted(backbone.strides) and backbone.size == (192, 256)


def test_unknown_kinds_are_named_with_the_known():
    with pytest.raises(InputError, match="kind: there are hrnet_w18_small.*my_module:build; not r"):
        settings("resnet")


@pytest.mark.parametrize("read_out", ["pooled", "joints"])
def test_a_backbone_from_outside_makes_embeddings_and_heat_maps(toy, read_out):
    wanted = settings("toy_backbone:Toy", heatmap_head=True, heatmaps_from="all", read_out=read_out)
    model = build_model(wanted, "human36m17", seed=1).eval()
    batch = pictures()
    embedding, shown = model.encode_image(batch)
    torch.testing.assert_close(embedding.norm(dim=-1), torch.ones(2))
    assert shown.heatmaps.shape == (2, 17, 32, 32)
    seen = model.image_encoder.backbone.seen[0]
    assert seen.shape == (2, 3, 128, 128)
    assert (seen[..., :16] == -2).all() and (seen[..., 112:] == -2).all()  # black, by its own norm
    pose = model.estimate(embedding, Modality.IMAGE, Modality.POSE_3D, batch)
    assert pose.shape == (2, 17, 3)


def test_where_nothing_learns_a_cpu_sees_a_few_pictures_at_a_time(toy):
    encoder = build_model(settings("toy_backbone:Toy"), "human36m17", seed=1).image_encoder
    image = pictures(AT_ONCE + 1).image
    learning = encoder.maps(image)
    encoder.eval()
    with torch.no_grad():
        few = encoder.maps(image)
        nobody = encoder.maps(image[:0])
    assert [len(x) for x in encoder.backbone.seen] == [AT_ONCE + 1, AT_ONCE, 1, 0]
    for one, other, none in zip(few, learning, nobody, strict=True):
        torch.testing.assert_close(one, other.detach())
        assert none.shape == (0, *one.shape[1:])


def test_what_a_backbone_from_outside_cannot_do_is_said(toy):
    for wanted, message in (
        (settings("toy_backbone:Blind", heatmap_head=True), "needs a map of 8 pixels a cell"),
        (settings("toy_backbone:Toy", shrink=2), "one size only: leave out shrink"),
        (settings("toy_backbone:text"), "'toy_backbone:text' is no Backbone"),
        (settings("toy_backbone:none"), "there is no none in toy_backbone"),
        (settings("no_such_module:build"), "no_such_module cannot be imported"),
    ):
        with pytest.raises(InputError, match=message):
            build_model(wanted, "human36m17")
    build_model(settings("toy_backbone:Roomy", shrink=2), "human36m17")
    with pytest.raises(InputError, match="Toy reads no public weights, so leave out .*x.pth"):
        build_backbone("toy_backbone:Toy").load_public(toy / "x.pth", None, "human36m17")


def test_a_vit_has_no_map_for_heat_maps():
    with pytest.raises(InputError, match="8 pixels a cell or finer, vit_small has 16"):
        settings("vit_small", heatmap_head=True)


def test_checkpoints_import_nothing(toy):
    """A recipe is the user's own file; a checkpoint is somebody else's."""
    wanted = settings("toy_backbone:Toy")
    model = build_model(wanted, "human36m17", seed=1).eval()
    card = Card(skeleton="human36m17", recipe={"model": wanted.model_dump()})
    save_checkpoint(toy / "model.safetensors", model.state_dict(), card)
    del sys.modules["toy_backbone"]
    with pytest.raises(
        InputError, match="`import toy_backbone` first, .* `unihpe --import toy_backbone …`"
    ):
        load_model(toy)
    assert "toy_backbone" not in sys.modules
    sys.path.insert(0, str(toy))
    importlib.import_module("toy_backbone")
    sys.path.remove(str(toy))
    loaded, read = load_model(toy / "model.safetensors")
    assert read == card and not loaded.training
    batch = pictures()
    assert torch.equal(loaded.encode_image(batch)[0], model.encode_image(batch)[0])


@pytest.mark.parametrize("function", ["os:abort", "sys:exit", "pathlib:Path"])
def test_checkpoints_call_nothing_but_backbones(tmp_path, function):
    """Any function of a module that is loaded anyway could be named."""
    recipe = {"model": settings(function).model_dump()}
    weights = {"x": torch.zeros(1)}
    save_checkpoint(tmp_path / "x.safetensors", weights, Card(skeleton="coco17", recipe=recipe))
    with pytest.raises(InputError, match=f"'{function}' is no Backbone"):
        load_model(tmp_path / "x.safetensors")


def test_pictures_are_fitted_so_that_box_units_stay():
    """What lies at a place of the crop lies at that place of a square picture's heat map too."""
    crop = torch.zeros(1, 1, 256, 192)
    crop[..., 64:68, 40:44] = 255.0
    whole = _soft_argmax(torch.nn.functional.avg_pool2d(crop, 4))
    for size in (256, 128):
        square = _fitted(crop, size, size)
        assert square.shape == (1, 1, size, size)
        small = _soft_argmax(torch.nn.functional.avg_pool2d(square, 4 * size // 256))
        torch.testing.assert_close(small, whole, atol=0.01, rtol=0)
    assert torch.equal(_fitted(crop, 192, 256), crop)


def test_a_vit_can_be_copied(monkeypatch):
    """It keeps transformers' network beside its parts: both must be copied as one."""

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.config = type("Config", (), {"hidden_size": 4})
            self.embeddings = torch.nn.Linear(2, 4)

    from unihpe.model.backbones.vitpose import ViTPose

    first = ViTPose("small", Network())
    second = copy.deepcopy(first)
    assert set(second.state_dict()) == {"embeddings.weight", "embeddings.bias"}
    assert second.vit is not first.vit and second.vit.embeddings is second.embeddings
    second.double()
    assert second.vit.embeddings.weight.dtype == torch.float64


def test_settings_name_the_shipped_kinds():
    assert all(ImageEncoderSettings(kind=kind).kind == kind for kind in KINDS)
