"""MoveNet: its structure, its weights, what its heads say, and the conversion of its graphs."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.model.backbones import build_backbone, public_file
from unihpe.model.backbones.movenet import (
    HEADER,
    JOINTS,
    HeadMaps,
    PoseNetwork,
    open_pose_network,
)
from unihpe.model.backbones.movenet_reading import everybody, single_pose
from unihpe.model.build import ImageEncoderSettings, ModelSettings, build_model, load_public_weights
from unihpe.model.device import mixed_precision

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((Path(__file__).parent / "movenet_golden.json").read_text(encoding="utf-8"))
SIZES = {"thunder": 256, "lightning": 192, "multipose": 256}


@pytest.fixture(scope="module")
def converter():
    spec = importlib.util.spec_from_file_location("convert", ROOT / "tools" / "convert_movenet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def published(variant):
    try:
        return open_pose_network(variant)
    except InputError as error:
        pytest.skip(str(error))


def figure(size):
    """The figure that `tools/movenet_golden.js` draws, (1, 3, size, size), from -1 to 1."""
    rows, columns = np.mgrid[:size, :size] * 256 / size
    picture = np.zeros((size, size, 3), np.float32)
    for x, y, across, down, *colour in GOLDEN["figure"]:
        reach = ((columns - x) * down) ** 2 + ((rows - y) * across) ** 2
        picture[reach <= (across * down) ** 2] = colour
    return torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1


def sampled(maps):
    """Every 1009th number, of maps (1, …, h, w) in the graph's order: height, width, channels."""
    return maps[0].flatten(0, -3).permute(1, 2, 0).flatten()[::1009]


@pytest.mark.parametrize("variant", SIZES)
@torch.inference_mode()
def test_it_says_what_the_published_graph_says(variant):
    network = published(variant)
    maps = network(figure(SIZES[variant]))
    mine = [maps.heatmaps, maps.centre, maps.regress, maps.offset]
    if variant == "multipose":
        mine = [maps.heatmaps.logit(), maps.centre.logit(), maps.box[:, 2:], maps.box[:, :2]]
    for own, wanted in zip(mine, GOLDEN[variant]["maps"], strict=True):
        torch.testing.assert_close(sampled(own), torch.tensor(wanted), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("variant", ["thunder", "lightning"])
@torch.inference_mode()
def test_the_middle_person_is_read_as_the_published_graph_reads(variant):
    points, score = single_pose(published(variant)(figure(size := SIZES[variant])))
    wanted = torch.tensor(GOLDEN[variant]["answer"]).view(JOINTS, 3)  # y, x, score
    # the graph keeps 1 / 48 in float16
    torch.testing.assert_close(points[0].flip(-1), wanted[:, :2] * size, atol=0.06, rtol=0)
    torch.testing.assert_close(score[0], wanted[:, 2], atol=1e-3, rtol=0)


@torch.inference_mode()
def test_a_box_is_read_as_the_published_graph_reads():
    (seen,) = everybody(published("multipose")(figure(256)), 0.3)
    top, left, bottom, right = GOLDEN["multipose"]["answer"][-5 - 5 * 56 : -1 - 5 * 56]
    wanted = torch.tensor([[left, top, right, bottom]]) * 256
    torch.testing.assert_close(seen.corners, wanted, atol=0.06, rtol=0)
    assert seen.scores.item() > 0.9
    joints = torch.tensor(GOLDEN["multipose"]["answer"][: 3 * JOINTS]).view(JOINTS, 3)
    apart = (seen.points[0].flip(-1) - joints[:, :2] * 256).norm(dim=-1)
    assert apart.max() < 15  # the graph's are at peaks of heat maps
    torch.testing.assert_close(seen.joints[0], joints[:, 2], atol=0.4, rtol=0)


@pytest.mark.parametrize(
    ("variant", "backbone", "heads"),
    [
        ("thunder", 6_207_240, 18_806),
        ("lightning", 2_299_168, 18_806),
        ("multipose", 4_698_920, 24_426),
    ],
)
def test_as_many_parameters_as_in_the_published_file(variant, backbone, heads):
    network = PoseNetwork(variant)
    counts = [sum(p.numel() for p in part.parameters()) for part in network.children()]
    assert counts == [backbone, heads]


@pytest.mark.parametrize("learns", [False, True])
def test_a_stride_of_two_pads_right_and_below_as_tensorflow_does(learns):
    stem = build_backbone("movenet_lightning").stem.requires_grad_(learns)
    corner = torch.zeros_like(stem.weight)
    corner[:, :, 0, 0] = 1.0  # so each output is the top left one of what it sees
    picture = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4) / 8  # below ReLU6's 6
    stem.weight.data = corner
    assert stem(picture)[0, 0].tolist() == [[0.0, 0.75], [3.0, 3.75]]
    stem.weight.data = corner.flip(2, 3)  # the bottom right one: past the edge it is 0
    assert stem(picture)[0, 0].tolist() == [[3.75, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("half", [False, True])
def test_learning_sees_what_looking_sees(half):
    """Convolutions that halve go another way where gradients are asked for."""
    block = build_backbone("movenet_thunder").groups[1]
    x = torch.rand(2, 32, 32, 24)
    with mixed_precision("cpu", half):
        learning = block(x)
        with torch.no_grad():
            looking = block(x)
    assert learning.requires_grad and learning.dtype == looking.dtype
    near = (0.02 if half else 1e-5) * looking.abs().max().item()
    torch.testing.assert_close(learning, looking, atol=near, rtol=0)


def test_pictures_of_other_sides_are_refused():
    with pytest.raises(InputError, match="MoveNet takes .* multiples of 32, not 48 × 64"):
        build_backbone("movenet_thunder")(torch.zeros(1, 3, 64, 48))


def empty_maps(height, width):
    pairs = torch.zeros(1, JOINTS, 2, height, width)
    heat, box = torch.zeros(1, JOINTS, height, width), torch.zeros(1, 4, height, width)
    return HeadMaps(heat[:, :1].clone(), heat, pairs, pairs.clone(), box)


def test_joints_are_those_of_the_person_in_the_middle():
    """Two people: the one at the side has higher peaks, and its joints are not taken."""
    maps, nose = empty_maps(20, 30), get_skeleton("coco17").joints.index("nose")
    maps.centre[0, 0, 10, 16], maps.centre[0, 0, 10, 3] = 0.5, 0.9
    maps.regress[0, nose, :, 10, 16] = torch.tensor([-6.0, 1.0])  # so about row 4, column 17
    maps.heatmaps[0, nose, 5, 18], maps.heatmaps[0, nose, 4, 5] = 0.6, 0.9
    maps.offset[0, nose, :, 5, 18] = torch.tensor([0.25, 0.5])
    points, score = single_pose(maps)
    assert points[0, nose].tolist() == [18.5 * 4, 5.25 * 4] and score[0, nose] == 0.6


def test_boxes_are_peaks_of_the_centre_map():
    maps = empty_maps(20, 30)
    maps.centre[0, 0, 10, 16], maps.centre[0, 0, 10, 17] = 0.9, 0.8  # one person, not two
    maps.centre[0, 0, 3, 4], maps.centre[0, 0, 15, 2] = 0.2, 0.05
    maps.box[0, :, 10, 16] = torch.tensor([0.5, 0.25, 8.0, 4.0])  # offset y, x; height, width
    maps.box[0, :, 3, 4] = torch.tensor([0.0, 0.0, 2.0, -1.0])  # no box has a negative width
    nose = get_skeleton("coco17").joints.index("nose")
    maps.regress[0, nose, :, 10, 16] = torch.tensor([-6.2, 30.0])  # beyond the right edge, at row 4
    maps.heatmaps[0, nose, 5, 28] = 0.7  # near the last cell of that row
    (seen,) = everybody(maps, 0.1)
    assert seen.corners.tolist() == [[57.0, 26.0, 73.0, 58.0], [16.0, 8.0, 16.0, 16.0]]
    torch.testing.assert_close(seen.scores, torch.tensor([0.9, 0.2]))
    torch.testing.assert_close(seen.points[0, nose], torch.tensor([46.0 * 4, 3.8 * 4]))
    torch.testing.assert_close(seen.joints[:, nose], torch.tensor([0.7, 0.0]))


def write_graph(folder, network):
    """A graph file of a network's weights, by the names and in the layout of the published ones."""
    head = "StatefulPartitionedCall/"
    trunk = head + "center_net_mobile_net_v2fpn_feature_extractor/model_1/"
    entries, data = [], b""

    def add(name, array):
        nonlocal data
        half = {"dtype": "float16", "original_dtype": "float32"}
        entries.append({"name": name, "shape": list(array.shape), "dtype": "float32"})
        entries[-1] |= {"quantization": half}
        data += array.astype(np.float16).tobytes()

    def hwio(weight, depthwise=False):
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        return weight.detach().permute(*order).numpy()

    def folded(name, layer, kind="Conv2D"):
        add(f"{trunk}{name}/{kind}_weights", hwio(layer.weight, kind == "depthwise"))
        add(f"{trunk}{name}/{kind}_bn_offset", layer.bias.detach().numpy())

    def plain(name, layer):
        add(f"{name}/Conv2D/ReadVariableOp", hwio(layer.weight))
        add(f"{name}/BiasAdd/ReadVariableOp", layer.bias.detach().numpy())

    backbone = network.backbone
    folded("model/Conv1", backbone.stem)
    folded("model/Conv_1", backbone.last)
    blocks = [block for group in backbone.groups for block in group]
    for n, block in enumerate(blocks):
        place = f"model/block_{n}" if n else "model/expanded_conv"
        if n:
            folded(f"{place}_expand", block.expand)
        folded(f"{place}_depthwise", block.depthwise, "depthwise")
        folded(f"{place}_project", block.project)
    for n, layer in enumerate(backbone.lateral):
        plain(trunk + ("conv2d" if n == 0 else f"conv2d_{n}"), layer)
    for n, layer in enumerate(backbone.smooth):
        name = trunk + ("separable_conv2d" if n == 0 else f"separable_conv2d_{n}")
        add(f"{name}/separable_conv2d/ReadVariableOp", hwio(layer.depthwise.weight, True))
        add(f"{name}/separable_conv2d_weights", hwio(layer.pointwise.weight))
        add(f"{name}/separable_conv2d_bn_offset", layer.pointwise.bias.detach().numpy())
    for n, (kind, layers) in enumerate(network.heads.heads.items(), 3):
        name = f"{head}{kind}_0/separable_conv2d_{n}"
        add(f"{name}/separable_conv2d/ReadVariableOp", hwio(layers[0].depthwise.weight, True))
        add(f"{name}/separable_conv2d/ReadVariableOp_1", hwio(layers[0].pointwise.weight))
        add(f"{name}/BiasAdd/ReadVariableOp", layers[0].pointwise.bias.detach().numpy())
        plain(f"{head}{kind}_0/conv2d_{n + 1}", layers[1])
    entries.append({"name": f"{head}Reshape/shape", "shape": [2], "dtype": "int32"})
    data += np.array([1, 2], np.int32).tobytes()
    manifest = [{"paths": ["movenet-lightning.bin"], "weights": entries}]
    text = json.dumps({"generatedBy": "a test", "weightsManifest": manifest})
    (folder / "movenet-lightning.bin").write_bytes(data)
    (folder / "movenet-lightning.json").write_text(text)
    return folder / "movenet-lightning.json"


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """A made-up network, the graph file of it, and the folder."""
    torch.manual_seed(3)
    network, folder = PoseNetwork("lightning"), tmp_path_factory.mktemp("graph")
    with torch.no_grad():
        for parameter in network.parameters():  # biases too
            parameter.copy_(torch.randn_like(parameter) * 0.1)
    return network, write_graph(folder, network), folder


def test_a_graph_is_converted_and_read(converter, graph):
    network, path, folder = graph
    out = folder / "movenet_lightning.safetensors"
    converter.write(path, "lightning", out)
    stored = load_file(out)
    for name, tensor in network.state_dict().items():
        assert torch.equal(stored[name], tensor.half()), name
    backbone = build_backbone("movenet_lightning")
    backbone.load_public(out, None, "human36m17")
    wanted = network.backbone.half().float()
    picture = torch.rand(1, 3, 64, 32)
    for mine, theirs in zip(backbone(picture), wanted(picture), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_the_package_is_checked(converter, graph):
    with pytest.raises(InputError, match="movenet-lightning.json: not the file of @vlad.*unpack"):
        converter.check_files(graph[2], "lightning")
    with pytest.raises(InputError, match="movenet-thunder.json: cannot be read"):
        converter.check_files(graph[2], "thunder")


def test_bad_graphs_are_refused(converter, graph, tmp_path):
    path, data = tmp_path / "x.json", graph[1].with_suffix(".bin").read_bytes()
    text = graph[1].read_text()
    (tmp_path / "movenet-lightning.bin").write_bytes(data)
    cases = {
        text[: len(text) // 2]: "not a TensorFlow.js graph",
        "{}": "not a TensorFlow.js graph .*weightsManifest",
        text.replace("model/block_3_expand/", "model/other/"): "tensors missing",
    }
    for content, message in cases.items():
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            converter.write(path, "lightning", tmp_path / "out.safetensors")
    path.write_text(text)
    for wrong in (data[:-2], data + b"xx"):
        (tmp_path / "movenet-lightning.bin").write_bytes(wrong)
        with pytest.raises(InputError, match="graph with all its weights"):
            converter.write(path, "lightning", tmp_path / "out.safetensors")
    (tmp_path / "movenet-lightning.bin").write_bytes(data)
    with pytest.raises(InputError, match="MoveNet thunder needs"):
        converter.write(path, "thunder", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_bad_weights_are_refused_and_change_nothing(tmp_path):
    backbone, path = build_backbone("movenet_lightning"), tmp_path / "x.safetensors"
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    whole = {f"backbone.{name}": tensor.half() for name, tensor in before.items()}
    lacking = dict(list(whole.items())[1:])
    for tensors, said, message in (
        (whole, {HEADER: '{"variant": "thunder"}'}, "MoveNet thunder, wanted are lightning's"),
        (whole, {}, "not a MoveNet's weights .*movenet.*tools/convert_movenet.py"),
        (whole, {HEADER: "x"}, "not a MoveNet's weights"),
        (lacking, {HEADER: '{"variant": "lightning"}'}, "1 tensors missing"),
    ):
        save_file(tensors, path, metadata=said)
        with pytest.raises(InputError, match=message):
            backbone.load_public(path, None, "human36m17")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="not a whole safetensors file .*convert_movenet"):
        backbone.load_public(path, None, "human36m17")
    with pytest.raises(InputError, match="none.safetensors: not a whole"):
        backbone.load_public(tmp_path / "none.safetensors", None, "human36m17")
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())


def test_a_model_starts_from_the_weights_that_the_package_holds():
    settings = ImageEncoderSettings(
        kind="movenet_thunder", weights="movenet_thunder", heatmap_head=True
    )
    model = build_model(ModelSettings(embedding=16, image_encoder=settings), "human36m17")
    load_public_weights(model, settings, "human36m17")
    own = open_pose_network("thunder").backbone.state_dict()
    for name, tensor in model.image_encoder.backbone.state_dict().items():
        assert torch.equal(tensor, own[name]), name
    maps = model.image_encoder.maps(torch.full((1, 3, 256, 192), 127.5))  # mid-grey is 0
    wanted = model.image_encoder.backbone(torch.zeros(1, 3, 256, 192))
    torch.testing.assert_close(maps[0], wanted[0])
    assert model.heatmap_head(maps).shape == (1, 17, 64, 48)


def test_what_is_not_shipped_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setenv("UNIHPE_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"convert_movenet.py package/models lightning -o .*it"):
        open_pose_network("lightning")
    assert public_file("movenet_thunder").licence.startswith("Apache-2.0")


def test_depthwise_and_pointwise_make_one_convolution():
    """The pyramid's separable layers: a loop over channels gives the same."""
    layer = build_backbone("movenet_lightning").smooth[1]
    x = torch.randn(1, 32, 6, 5)
    each = [F.conv2d(x[:, [c]], layer.depthwise.weight[[c]], padding=1) for c in range(32)]
    wanted = sum(
        layer.pointwise.weight[:, c].view(1, -1, 1, 1) * each[c] for c in range(32)
    ) + layer.pointwise.bias.view(1, -1, 1, 1)
    torch.testing.assert_close(layer(x), wanted.relu(), atol=1e-4, rtol=1e-4)
