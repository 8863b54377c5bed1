"""HRNet, its heat maps, image encoders and public weights; names and sizes against a description
written apart.
"""

import pickle
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from unihpe.body.boxes import crop_matrix, to_box
from unihpe.errors import InputError
from unihpe.model.backbones import public_files
from unihpe.model.backbones.hrnet import (
    PLANS,
    HRNet,
    coarse_fuse_prefixes,
    start_coarse_fuse_layers,
)
from unihpe.model.backbones.hrnet_weights import fill, read_weights
from unihpe.model.backbones.vitpose import ViTPose, _pretrained_vit
from unihpe.model.heatmap_embedding import JointReadOut, ShownJoints, _averaged, features_at
from unihpe.model.heatmaps import (
    BranchesHead,
    HeatmapHead,
    _box_to_cells,
    _keypoints_of,
    _sharpened,
    _soft_argmax,
    cells_to_box,
    gaussian_heatmaps,
    joint_maps,
)
from unihpe.model.image_encoder import ImageEncoder


def seed():
    return torch.Generator().manual_seed(0)


def load_pretrained(network, path, head=None, start="identity"):
    """What a recipe does with a file of public weights."""
    weights = read_weights(path)
    fill(network, weights, head, start)
    return weights


def finest(network):
    """The part of a network that COCO checkpoints hold: what leads to its finest map."""
    coarse = coarse_fuse_prefixes(network)
    return {n: t for n, t in network.state_dict().items() if not n.startswith(coarse)}


# What the official files hold, written down from the architecture: (stem blocks' width, count), C,
# blocks, modules.
OFFICIAL = {
    "w18_small": (32, 1, 16, 2, (1, 1, 1)),
    "w32": (64, 4, 32, 4, (1, 4, 3)),
    "w48": (64, 4, 48, 4, (1, 4, 3)),
}


def convolution(table, name, outputs, inputs, kernel):
    table[f"{name}.weight"] = (outputs, inputs, kernel, kernel)


def norm(table, name, channels):
    for part in ("weight", "bias", "running_mean", "running_var"):
        table[f"{name}.{part}"] = (channels,)
    table[f"{name}.num_batches_tracked"] = ()


def official_fuse(table, name, channels, target):
    for source in range(len(channels)):
        if source > target:
            convolution(table, f"{name}.{target}.{source}.0", channels[target], channels[source], 1)
            norm(table, f"{name}.{target}.{source}.1", channels[target])
        for step in range(target - source):
            outputs = channels[target] if step == target - source - 1 else channels[source]
            convolution(table, f"{name}.{target}.{source}.{step}.0", outputs, channels[source], 3)
            norm(table, f"{name}.{target}.{source}.{step}.1", outputs)


def official_shapes(width, multi_scale):
    inner, count, channels, blocks, modules = OFFICIAL[width]
    c = [channels, 2 * channels, 4 * channels, 8 * channels]
    table = {}
    for n, inputs in ((1, 3), (2, 64)):
        convolution(table, f"conv{n}", 64, inputs, 3)
        norm(table, f"bn{n}", 64)
    for n in range(count):
        inputs = 64 if n == 0 else 4 * inner
        sizes = ((inputs, inner, 1), (inner, inner, 3), (inner, 4 * inner, 1))
        for k, (before, after, kernel) in enumerate(sizes, start=1):
            convolution(table, f"layer1.{n}.conv{k}", after, before, kernel)
            norm(table, f"layer1.{n}.bn{k}", after)
        if n == 0:
            convolution(table, "layer1.0.downsample.0", 4 * inner, 64, 1)
            norm(table, "layer1.0.downsample.1", 4 * inner)
    convolution(table, "transition1.0.0", c[0], 4 * inner, 3)
    norm(table, "transition1.0.1", c[0])
    for stage, before in ((1, 4 * inner), (2, c[1]), (3, c[2])):
        convolution(table, f"transition{stage}.{stage}.0.0", c[stage], before, 3)
        norm(table, f"transition{stage}.{stage}.0.1", c[stage])
    for stage, number in zip((2, 3, 4), modules, strict=True):
        for module in range(number):
            for branch in range(stage):
                for block in range(blocks):
                    for k in (1, 2):
                        name = f"stage{stage}.{module}.branches.{branch}.{block}"
                        convolution(table, f"{name}.conv{k}", c[branch], c[branch], 3)
                        norm(table, f"{name}.bn{k}", c[branch])
            only_first = stage == 4 and module == number - 1 and not multi_scale
            for target in range(1 if only_first else stage):
                official_fuse(table, f"stage{stage}.{module}.fuse_layers", c[:stage], target)
    return table


@pytest.mark.parametrize("width", list(PLANS))
@pytest.mark.parametrize("multi_scale", [True, False])
def test_names_and_shapes_are_the_official_ones(width, multi_scale):
    with torch.device("meta"):
        network = HRNet(width)
    state = network.state_dict() if multi_scale else finest(network)
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == official_shapes(
        width, multi_scale
    )


@pytest.mark.parametrize(
    ("width", "coco", "every"),
    [
        ("w18_small", 1_284_672, 1_477_920),
        ("w32", 28_535_552, 29_305_536),
        ("w48", 63_594_912, 65_325_120),
    ],
)
def test_numbers_of_parameters(width, coco, every):
    """README: 28.5 M and 63.6 M with the head; our recount of the multi-scale ones: 29.31 M and
    65.33 M.
    """
    with torch.device("meta"):
        network = HRNet(width)
        parameters = dict(network.named_parameters())
        assert sum(parameters[n].numel() for n in finest(network) if n in parameters) == coco
        assert sum(p.numel() for p in parameters.values()) == every
        head = HeatmapHead(PLANS[width].channels, 17)
    assert sum(p.numel() for p in head.parameters()) == PLANS[width].channels * 17 + 17


def test_forward_shapes():
    network = HRNet("w18_small").eval()
    with torch.inference_mode():
        maps = network(torch.randn(2, 3, 256, 192, generator=seed()))
        heat = HeatmapHead(network.channels[0], 17)(maps)
    assert [tuple(x.shape) for x in maps] == [
        (2, 16, 64, 48),
        (2, 32, 32, 24),
        (2, 64, 16, 12),
        (2, 128, 8, 6),
    ]
    assert heat.shape == (2, 17, 64, 48)


def test_every_parameter_learns():
    network = HRNet("w18_small")
    encoder = ImageEncoder(network, embedding=8)
    loss = (encoder(torch.randn(4, 3, 64, 64, generator=seed())) * torch.arange(8.0)).sum()
    loss.backward()
    assert all(
        p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in encoder.parameters()
    )


def test_what_is_refused():
    with pytest.raises(InputError, match="multiples of 32, not 190 × 256"):
        HRNet("w18_small")(torch.zeros(1, 3, 256, 190))
    with pytest.raises(
        InputError, match="no HRNet is named 'w64': take one of w18_small, w32, w48"
    ):
        HRNet("w64")


def branches_before_fusion(network, picture):
    """The trained branches themselves."""
    kept = {}
    hooks = [
        branch.register_forward_hook(lambda m, i, out, n=n: kept.__setitem__(n, out))
        for n, branch in enumerate(network.stage4[-1].branches)
    ]
    maps = network(picture)
    for hook in hooks:
        hook.remove()
    return maps, [kept[n] for n in range(4)]


def unsettle(network):
    """Batch norms away from their start, so that nothing passes by chance."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5, generator=seed())
            torch.nn.init.normal_(module.bias, generator=seed())


def test_identity_start_passes_the_own_branch_through():
    network = HRNet("w18_small").eval()
    unsettle(network)
    start_coarse_fuse_layers(network, "identity")
    picture = torch.randn(1, 3, 64, 64, generator=seed())
    with torch.inference_mode():
        maps, branches = branches_before_fusion(network, picture)
    for fused, branch in zip(maps[1:], branches[1:], strict=True):
        assert torch.equal(fused, branch)
    assert not torch.equal(maps[0], branches[0])
    start_coarse_fuse_layers(network, "random")
    with torch.inference_mode():
        maps, branches = branches_before_fusion(network, picture)
    assert not any(torch.equal(fused, branch) for fused, branch in zip(maps, branches, strict=True))


def test_identity_start_can_learn_its_cross_terms():
    network = HRNet("w18_small")
    start_coarse_fuse_layers(network)
    sum((x**2).mean() for x in network(torch.randn(2, 3, 64, 64, generator=seed()))).backward()
    last = network.stage4[-1].fuse_layers[3][0][-1][1]
    assert last.weight.abs().max() == 0
    assert last.weight.grad.abs().max() > 0


def test_heat_maps_from_all_branches_are_those_of_the_branches_concatenated():
    channels = [4, 8, 16, 32]
    head = BranchesHead(channels, joints=3, width=6).eval()
    torch.nn.init.normal_(head.heatmaps.final_layer.weight, generator=seed())
    head.norm.running_mean.normal_(generator=seed())
    maps = [torch.randn(2, c, 16 >> n, 8 >> n, generator=seed()) for n, c in enumerate(channels)]
    large = [
        x.repeat_interleave(1 << n, 2).repeat_interleave(1 << n, 3) for n, x in enumerate(maps)
    ]
    weight = torch.cat([layer.weight for layer in head.mix], dim=1)
    mixed = torch.relu(head.norm(torch.nn.functional.conv2d(torch.cat(large, dim=1), weight)))
    with torch.no_grad():
        heat = head(maps)
        torch.testing.assert_close(heat, head.heatmaps.final_layer(mixed))
    assert heat.shape == (2, 3, 16, 8) and heat.std() > 0


# --- image encoders


def test_image_encoder_is_unit_and_float32_under_autocast():
    encoder = ImageEncoder(HRNet("w18_small"), embedding=32).eval()
    assert encoder.project.in_features == 16 + 32 + 64 + 128
    picture = torch.randn(2, 3, 64, 64, generator=seed())
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        x = encoder(picture)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.norm(dim=-1), torch.ones(2))


def test_image_encoder_pools_each_branch():
    encoder = ImageEncoder(HRNet("w18_small"), embedding=32)
    maps = [
        torch.randn(2, c, 8 >> n, 4, generator=seed())
        for n, c in enumerate(encoder.backbone.channels)
    ]
    pooled = torch.cat([x.flatten(2).mean(-1) for x in maps], dim=1)
    wanted = torch.nn.functional.normalize(encoder.project(pooled), dim=-1)
    torch.testing.assert_close(encoder.read_out(encoder.features(maps)), wanted)


def test_features_are_read_where_the_heat_map_points():
    channels, heat = [2, 4], torch.zeros(1, 3, 8, 6)
    heat[0, 0, 2, 4], heat[0, 1, 7, 1] = 2.0, 1.5
    maps = [torch.randn(1, 2, 8, 6, generator=seed()), torch.randn(1, 4, 4, 3, generator=seed())]
    share = _sharpened(heat)
    torch.testing.assert_close(_averaged(maps[0], share)[0, 0], maps[0][0, :, 2, 4])
    torch.testing.assert_close(_averaged(maps[1], share)[0, 1], maps[1][0, :, 3, 0])
    torch.testing.assert_close(
        _averaged(maps[1], share)[0, 2], maps[1][0].mean((1, 2))
    )  # a flat map: everywhere alike
    read_out = JointReadOut(sum(channels), 3, embedding=8, width=16, kept=4).eval()
    torch.nn.init.normal_(read_out.project.weight, generator=seed())
    with torch.no_grad():
        out = read_out(features_at(maps, _sharpened(heat)), shown_by(heat))
        heat[0, 0, 2, 4], heat[0, 0, 5, 1] = 0.0, 2.0
        features = features_at(maps, _sharpened(heat))
        assert not torch.allclose(out, read_out(features, shown_by(heat)))
        assert not torch.allclose(out, read_out(features, shown_by(heat, box=1.0)))


def shown_by(heat, box=0.0, embedding=8):
    """What heat maps show, with a made-up embedding of their keypoints."""
    vectors = torch.randn(len(heat), embedding, generator=seed())
    return ShownJoints(*_keypoints_of(heat), torch.full((len(heat), 3), box), vectors)


def test_faint_heat_maps_show_nothing():
    heat = torch.zeros(1, 3, 8, 6)
    heat[0, 0, 2, 4], heat[0, 1, 7, 1] = 2.0, 0.05
    keypoints, confidence = _keypoints_of(heat)
    assert confidence.tolist() == [[1.0, 0.0, 0.0]]
    torch.testing.assert_close(keypoints[0, 0], cells_to_box(torch.tensor([4.0, 2.0]), 6, 8))


def test_an_encoder_that_reads_at_the_joints_begins_as_the_encoder_of_what_its_heat_maps_show():
    backbone = HRNet("w18_small")
    encoder = ImageEncoder(
        backbone, 32, shrink=2, joints=JointReadOut(sum(backbone.channels), 17, embedding=32)
    ).eval()
    picture = torch.randn(2, 3, 128, 64, generator=seed())
    heat = torch.randn(2, 17, 16, 8, generator=seed())
    shown = shown_by(heat, embedding=32)
    with torch.no_grad():
        maps = encoder.maps(picture)
        assert maps[0].shape == (2, 16, 16, 8)  # half of 64 × 128, over 4
        torch.testing.assert_close(
            encoder.read_out(encoder.features(maps, joint_maps(heat)), shown),
            torch.nn.functional.normalize(shown.embedding),
        )
    with pytest.raises(ValueError, match="pass what the heat maps show"):
        encoder(picture)


def test_some_people_are_left_to_their_keypoints_in_training():
    backbone, people = HRNet("w18_small"), 64
    joints = JointReadOut(sum(backbone.channels), 17, embedding=32)
    encoder = ImageEncoder(backbone, 32, joints=joints, dropout=0.5)
    torch.nn.init.normal_(encoder.project.weight, generator=seed())
    heat = torch.randn(people, 17, 16, 8, generator=seed())
    features = torch.randn(people, 18, sum(backbone.channels), generator=seed())
    shown = shown_by(heat, embedding=32)
    of_keypoints = torch.nn.functional.normalize(shown.embedding)
    for training, least, most in ((True, 0.25, 0.75), (False, 0.0, 0.0)):
        torch.manual_seed(0)
        with torch.no_grad():
            embedding = encoder.train(training).read_out(features, shown)
        alone = torch.isclose(embedding, of_keypoints, atol=1e-6).all(1).float().mean()
        assert least <= alone <= most


def test_bells_keep_their_size_in_the_picture():
    points, seen = torch.zeros(1, 1, 2), torch.ones(1, 1)
    large, small = gaussian_heatmaps(points, seen, 48, 64), gaussian_heatmaps(points, seen, 24, 32)
    torch.testing.assert_close(large.mean(), small.mean(), rtol=1e-3, atol=0)


def test_without_transformers_a_vit_is_refused_clearly(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for build in (lambda: ViTPose("small"), lambda: _pretrained_vit(tmp_path)):
        with pytest.raises(InputError, match=r"needs transformers .*pip install 'unihpe\[vit\]'"):
            build()


@pytest.fixture
def vitpose(tmp_path):
    """A small ViTPose model in the layout of the Hub."""
    library = pytest.importorskip("transformers")

    def save(**changes):
        sizes = {
            "hidden_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "out_indices": [2],
            **changes,
        }
        config = library.VitPoseBackboneConfig(image_size=[256, 192], **sizes)
        model = library.VitPoseForPoseEstimation(
            library.VitPoseConfig(backbone_config=config, num_labels=17)
        )
        model.save_pretrained(tmp_path)
        return model

    return save


def test_vit_encoder(vitpose, tmp_path):
    model = vitpose().eval()
    encoder = ImageEncoder(ViTPose("small", _pretrained_vit(tmp_path)), embedding=32).eval()
    assert all(
        torch.equal(t, model.backbone.state_dict()[n])
        for n, t in encoder.backbone.state_dict().items()
    )
    picture = torch.randn(2, 3, 256, 192, generator=seed())
    with torch.inference_mode():
        x = encoder(picture)
        tokens = encoder.backbone.vit(pixel_values=encoder.prepared(picture)).feature_maps[-1]
    assert tokens.shape == (2, 192, 24)
    torch.testing.assert_close(
        tokens.mean(-1), torch.zeros(2, 192), atol=1e-5, rtol=0
    )  # after the last LayerNorm
    torch.testing.assert_close(
        x, torch.nn.functional.normalize(encoder.project(tokens.mean(1)), dim=-1)
    )


def test_vit_sizes():
    pytest.importorskip("transformers")
    with torch.device("meta"):
        assert sum(p.numel() for p in ViTPose("small").parameters()) == pytest.approx(
            22e6, rel=0.03
        )
        assert sum(p.numel() for p in ViTPose("base").parameters()) == pytest.approx(86e6, rel=0.03)


def test_other_vit_folders_are_refused(vitpose, tmp_path):
    with pytest.raises(InputError, match="no config.json"):
        _pretrained_vit(tmp_path / "none")
    vitpose(num_experts=6, part_features=4)
    with pytest.raises(InputError, match=r"ViTPose\+ model with 6 experts"):
        _pretrained_vit(tmp_path)
    vitpose()
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    first = next(name for name in sorted(tensors) if name.startswith("backbone."))
    save_file(
        {name: t for name, t in tensors.items() if name != first}, file, metadata={"format": "pt"}
    )
    with pytest.raises(InputError, match=f"lacks 1 tensors of the backbone .*{first}"):
        _pretrained_vit(tmp_path)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(InputError, match="not a ViTPose model"):
        _pretrained_vit(tmp_path)


# --- heat maps


def test_cells_by_hand():
    """Cell 0 of a 48 × 64 map covers crop pixels 0 to 4: its centre is pixel 2, that is (2 − 96) /
    128 in box units.
    """
    corner = torch.tensor([0.0, 0.0])
    assert cells_to_box(corner, 48, 64).tolist() == [(2 - 96) / 128, (2 - 128) / 128]
    assert cells_to_box(torch.tensor([23.5, 31.5]), 48, 64).tolist() == [0, 0]
    points = torch.rand(5, 2, generator=seed()) - 0.5
    torch.testing.assert_close(cells_to_box(_box_to_cells(points, 48, 64), 48, 64), points)


def test_box_units_are_those_of_boxes():
    """A picture pixel goes through the crop to a cell and back by the heat map's own rule."""
    box = np.array([300.0, 200.0, 150.0, 200.0])
    pixel = np.array([321.0, 150.0, 1.0])
    in_crop = crop_matrix(box, 192, 256) @ pixel
    cell = torch.tensor(in_crop / 4 - 0.5, dtype=torch.float64)
    wanted = to_box(torch.tensor(pixel[None, :2]), torch.tensor(box))[0]
    torch.testing.assert_close(cells_to_box(cell, 48, 64), wanted)


def test_decoding_finds_the_joint():
    points = torch.rand(4, 17, 2, generator=seed()) * torch.tensor([1.2, 1.6]) - torch.tensor(
        [0.6, 0.8]
    )
    heat = gaussian_heatmaps(points, torch.ones(4, 17))
    assert heat.shape == (4, 17, 64, 48)
    cell = 2 / 64
    assert (_soft_argmax(heat) - points).abs().max() < 0.1 * cell
    assert (_soft_argmax(0.5 * heat) - points).abs().mean() < 0.1 * cell


def test_soft_argmax_has_a_gradient():
    heat = gaussian_heatmaps(torch.zeros(1, 1, 2), torch.ones(1, 1)).requires_grad_()
    _soft_argmax(heat)[..., 0].sum().backward()
    # more heat right of the joint (cell 23.5) moves it to the right, left of it to the left
    assert heat.grad[0, 0, 32, 25] > 0 > heat.grad[0, 0, 32, 22]


def test_gaussians_by_hand():
    points = cells_to_box(torch.tensor([[[10.0, 20.0], [10.0, 20.0]]]), 48, 64)
    heat = gaussian_heatmaps(points, torch.tensor([[1.0, 0.0]]), sigma=2.0)
    assert heat[0, 0].max() == heat[0, 0, 20, 10] == pytest.approx(1, abs=1e-6)
    assert heat[0, 0, 20, 12].item() == pytest.approx(np.exp(-0.5), abs=1e-5)
    assert heat[0, 0, 22, 12].item() == pytest.approx(np.exp(-1), abs=1e-5)
    assert heat[0, 1].abs().max() == 0


# --- public weights


def trained(width="w18_small"):
    network = HRNet(width)
    unsettle(network)
    return network


def coco_file(folder, joints=17):
    state, head = finest(trained()), HeatmapHead(16, joints)
    path = folder / "pose_hrnet_w18.pth"
    torch.save({**state, **head.state_dict()}, path)
    return path, state, head.state_dict()


def classifier():
    return {
        "incre_modules.0.0.conv1.weight": torch.zeros(32, 16, 1, 1),
        "downsamp_modules.0.0.weight": torch.zeros(256, 128, 3, 3),
        "final_layer.0.weight": torch.zeros(2048, 1024, 1, 1),
        "final_layer.1.running_mean": torch.zeros(2048),
        "classifier.weight": torch.zeros(1000, 2048),
    }


def mmpose_meta():
    """What MMPose 1.x writes beside the weights: NumPy arrays among it."""
    return {
        "mmpose_version": "1.0.0",
        "dataset_meta": {
            "sigmas": np.ones(17, dtype=np.float32),
            "colors": np.zeros((17, 3), dtype=np.uint8),
        },
        "seed": np.float64(1),
    }


def assert_holds(network, state):
    mine = network.state_dict()
    assert all(torch.equal(mine[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("start", ["identity", "random"])
def test_official_coco_file(tmp_path, start):
    path, state, head_state = coco_file(tmp_path)
    network, head = HRNet("w18_small").eval(), HeatmapHead(16, 17)
    weights = load_pretrained(network, path, head, start)
    assert weights.layout == "COCO"
    assert_holds(network, state)
    assert_holds(head, head_state)
    with torch.inference_mode():
        maps, branches = branches_before_fusion(
            network, torch.randn(1, 3, 64, 64, generator=seed())
        )
    assert torch.equal(maps[1], branches[1]) is (start == "identity")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_imagenet_files_official_and_timm(tmp_path, suffix):
    state = trained().state_dict()
    path = tmp_path / f"hrnet{suffix}"
    content = {**state, **classifier()}
    save_file(content, path) if suffix == ".safetensors" else torch.save(content, path)
    network = HRNet("w18_small")
    weights = load_pretrained(network, path)
    assert (weights.layout, weights.head) == ("ImageNet", {})
    assert_holds(network, state)
    with pytest.raises(InputError, match=r"no heat-map head in it \(ImageNet\)"):
        load_pretrained(network, path, HeatmapHead(16, 17))


@pytest.mark.parametrize("head_name", ["keypoint_head", "head"])
def test_mmpose_files(tmp_path, head_name):
    state, head = finest(trained()), HeatmapHead(16, 17)
    tensors = {f"backbone.{name}": t for name, t in state.items()}
    tensors |= {f"{head_name}.{name}": t for name, t in head.state_dict().items()}
    path = tmp_path / "mmpose.pth"
    torch.save({"meta": mmpose_meta(), "state_dict": tensors}, path)
    filled, filled_head = HRNet("w18_small"), HeatmapHead(16, 17)
    assert load_pretrained(filled, path, filled_head).layout == "MMPose"
    assert_holds(filled, state)
    assert_holds(filled_head, head.state_dict())


def test_arrays_written_under_numpy_1(tmp_path):
    """NumPy 1 called its module numpy.core; public files are older than NumPy 2."""
    path = tmp_path / "old.pth"
    old = pickle.dumps({"a": np.ones(2)}, protocol=2).replace(
        b"numpy._core.multiarray", b"numpy.core.multiarray"
    )
    assert b"numpy.core" in old
    network = trained()
    torch.save(
        {"meta": {"x": np.ones(2)}, "state_dict": network.state_dict()},
        path,
        _use_new_zipfile_serialization=False,
    )
    path.write_bytes(
        path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    )
    filled = HRNet("w18_small")
    load_pretrained(filled, path)
    assert_holds(filled, network.state_dict())


def test_old_files_without_step_counters_and_with_parallel_prefix(tmp_path):
    network = trained()
    tensors = {
        f"module.{n}": t
        for n, t in network.state_dict().items()
        if not n.endswith("num_batches_tracked")
    }
    torch.save(tensors, tmp_path / "old.pth")
    filled = HRNet("w18_small")
    load_pretrained(filled, tmp_path / "old.pth")
    assert_holds(filled, dict(network.named_parameters()))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code in a weight file was run",))


def test_files_that_run_code_are_refused_in_one_line(tmp_path):
    path = tmp_path / "bomb.pth"
    torch.save({"state_dict": trained().state_dict(), "extra": Bomb()}, path)
    with pytest.raises(
        InputError, match=r"bomb.pth: refused.*asks for .*_Fail.*\.safetensors"
    ) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="refused"):
        read_weights(path)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04 no zip"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files(tmp_path, content, suffix):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="download it again"):
        read_weights(path)


def test_truncated_files(tmp_path):
    path, _, _ = coco_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="refused, damaged"):
        read_weights(path)


def test_nothing_there_and_no_hrnet(tmp_path):
    with pytest.raises(InputError, match="no weights at"):
        read_weights(tmp_path / "none.pth")
    torch.save({"layer1.0.conv1.weight": torch.zeros(2)}, tmp_path / "resnet.pth")
    with pytest.raises(
        InputError, match=r"not the weights of an HRNet \(it holds layer1.0.conv1.weight\)"
    ):
        read_weights(tmp_path / "resnet.pth")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(InputError, match="no table of tensors"):
        read_weights(tmp_path / "list.pth")
    torch.save({"epoch": 3, "a": torch.zeros(2)}, tmp_path / "mixed.pth")
    with pytest.raises(InputError, match="'epoch' in it is no tensor"):
        read_weights(tmp_path / "mixed.pth")


def test_another_width_is_named(tmp_path):
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in HRNet("w32").state_dict().items()}
    name = "stage2.0.branches.0.0.conv1.weight"
    torch.save(
        {name: torch.zeros(shapes[name]), "stage4.0.x": torch.zeros(1)}, tmp_path / "w32.pth"
    )
    with pytest.raises(InputError, match="weights of HRNet w32, wanted are HRNet w18_small's"):
        load_pretrained(HRNet("w18_small"), tmp_path / "w32.pth")
    torch.save(
        {name: torch.zeros(40, 40, 3, 3), "stage4.0.x": torch.zeros(1)}, tmp_path / "w40.pth"
    )
    with pytest.raises(InputError, match=r"another network \(40 channels"):
        load_pretrained(HRNet("w18_small"), tmp_path / "w40.pth")


def test_missing_left_over_and_misshapen_tensors_change_nothing(tmp_path):
    state = trained().state_dict()
    network = HRNet("w18_small")
    before = {name: t.clone() for name, t in network.state_dict().items()}
    path = tmp_path / "x.pth"

    def refused(content, message):
        torch.save(content, path)
        with pytest.raises(InputError, match=message):
            load_pretrained(network, path)

    refused(
        {n: t for n, t in state.items() if n != "bn1.bias"},
        r"1 tensors missing, 0 unknown \(first: bn1.bias\)",
    )
    refused(
        {**state, "stage5.x": torch.zeros(1)}, r"0 tensors missing, 1 unknown \(first: stage5.x\)"
    )
    # the coarse fuse layers may be missing all together, not one of them
    one = "stage4.0.fuse_layers.2.0.0.0.weight"
    refused({n: t for n, t in state.items() if n != one}, rf"1 tensors missing.*{one}")
    refused(
        {**state, "bn1.bias": torch.zeros(3)}, r"bn1.bias is \(3,\), HRNet w18_small needs \(64,\)"
    )
    assert_holds(network, before)


def test_a_head_for_other_joints(tmp_path):
    path, _, _ = coco_file(tmp_path, joints=14)
    network = HRNet("w18_small")
    before = {name: t.clone() for name, t in network.state_dict().items()}
    with pytest.raises(InputError, match="its head has 14 joints, wanted are 17"):
        load_pretrained(network, path, HeatmapHead(16, 17))
    assert_holds(network, before)


@pytest.mark.parametrize(("joints", "name"), [(17, "coco17"), (16, "")])  # 16: MPII's
def test_heads_of_the_official_code_say_their_joints_by_their_number(tmp_path, joints, name):
    assert read_weights(coco_file(tmp_path, joints)[0]).joints == name


def test_only_public_names_say_the_joints_of_mmposes_heads(tmp_path):
    """COCO's and Human3.6M's heads look alike: 17 maps each."""
    state, head = finest(trained()), HeatmapHead(16, 17)
    tensors = {f"backbone.{name}": t for name, t in state.items()}
    tensors |= {f"head.{name}": t for name, t in head.state_dict().items()}
    known = {
        name: public_files()[name].file
        for name in ("hrnet_w32_coco", "hrnet_w48_coco_mmpose0", "hrnet_w32_human36m")
    }
    found = []
    for file in ("mine.pth", *known.values()):
        torch.save({"state_dict": tensors}, tmp_path / file)
        found.append(read_weights(tmp_path / file).joints)
    assert found == ["", "coco17", "coco17", "human36m17"]
    torch.save(
        trained().state_dict() | classifier(), tmp_path / public_files()["hrnet_w32_coco"].file
    )
    assert (
        read_weights(tmp_path / public_files()["hrnet_w32_coco"].file).joints == ""
    )  # no head, no joints


def test_public_files_with_a_head_name_its_joints():
    assert {name for name, file in public_files().items() if not file.joints} == {
        name for name in public_files() if "imagenet" in name
    }
