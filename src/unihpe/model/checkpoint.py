"""Checkpoints: one safetensors file of weights with, in its header, all that using them takes.

The same description is written beside it as JSON for people to read; the file itself is what
counts, so a checkpoint is replaced in one rename.
"""

import json
import os
import zlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from unihpe.errors import InputError, one_line
from unihpe.io.files import all_or_none, replacing, write_text

FORMAT_VERSION = 1
HEADER, CHECKSUM = "unihpe", "crc32"  # files written before the checksum was added lack it
HALF_FROM = 2  # tensors of fewer axes (norms, biases, scales) keep float32
# The package's own checkpoints, by name: pictures, 2D and 3D; and the better one of 2D and 3D.
SHIPPED = {"shipped": "photographs", "shipped:lifting": "lifting"}
MODEL_FILE = "model.safetensors"  # in the folder of a training run
Tensors = Mapping[str, Tensor]  # by their names in the model
Names = tuple[str, ...]


class Card(BaseModel):
    """What a checkpoint says of itself."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format_version: int = FORMAT_VERSION  # of this layout; newer ones are refused
    skeleton: str  # the joints of its poses
    recipe: dict[str, Any]  # the whole recipe it was trained by
    data: str = ""  # what it was trained on, in words
    licence: str = ""  # of the weights
    samples: int = 0  # training samples drawn, all stages counted
    scores: dict[str, Any] = {}  # what was measured, by name, with the command that measures it

    def require_skeleton(self, name: str, what: str) -> None:
        """Raise InputError where `what` has other joints."""
        if name != (own := self.skeleton):
            raise InputError(f"{what} has the joints of {name}, the checkpoint those of {own}")


def checkpoint_file(name: str | Path | None = None) -> Path:
    """The .safetensors file of that path, in that folder of a training run, or in the package (by a
    name of `SHIPPED`; None is "shipped"); InputError if it is not there."""
    if not isinstance(name, str | os.PathLike | None):
        raise InputError(f"a checkpoint is named by a path, not by {one_line(repr(name), 40)}")
    name = "shipped" if name is None else name
    if shipped := SHIPPED.get(str(name)):
        path = Path(str(resources.files("unihpe") / "checkpoints" / f"{shipped}.safetensors"))
    else:
        path = Path(name) / MODEL_FILE if Path(name).is_dir() else Path(name)
    if not path.is_file():
        ours = "this installation holds no checkpoint; name a file or a run's folder"
        raise InputError(ours if shipped else f"no checkpoint at {path}")
    return path


def save_checkpoint(path: Path, tensors: Tensors, card: Card, *, half: bool = False) -> None:
    """Write `path` (.safetensors), whole or not at all, and, beside it, the card as .json; `half`
    stores matrices as float16, which halves the file."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    if half:
        stored = {n: t.half() if t.ndim >= HALF_FROM else t for n, t in stored.items()}
    text = card.model_dump_json()
    header = {HEADER: text, CHECKSUM: _checksum_of(text, stored)}
    with all_or_none():
        with replacing(path) as temporary:  # the library's own writer leaves files when killed
            temporary.write_bytes(save(stored, header))
        write_text(path.with_suffix(".json"), card.model_dump_json(indent=2) + "\n")


def load_checkpoint(path: Path, device: str = "cpu") -> tuple[dict[str, Tensor], Card]:
    """Tensors in float32, and the card; InputError for a file that is missing, damaged, not
    safetensors (pickled files are never opened), without our header, or of a newer format."""
    path = checkpoint_file(path)
    tensors, metadata = read_safetensors(path)
    if HEADER not in metadata:
        raise InputError(f"{path}: not a unihpe checkpoint (no '{HEADER}' in its header)")
    card = _parse_card(path, metadata[HEADER])
    tensors = {name: tensor.to(device).float() for name, tensor in tensors.items()}
    if odd := [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]:
        raise InputError(f"{path}: {odd[0]} is not finite; copy or train it again")
    return tensors, card


def _checksum_of(card: str, tensors: Tensors) -> str:
    """CRC-32 of a card and of tensors on the CPU: the format itself has none."""
    check = zlib.crc32(card.encode())
    for name, tensor in sorted(tensors.items()):
        check = zlib.crc32(f"{name} {tensor.dtype} {list(tensor.shape)}".encode(), check)
        check = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, check)
    return f"{check:08x}"


def read_safetensors(
    path: Path, remedy: str = "copy or train it again"
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A file's tensors as they are stored, and what its header says; InputError with the remedy for
    a file that is missing, damaged or not safetensors."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors, metadata = {n: file.get_tensor(n) for n in file.keys()}, file.metadata() or {}  # noqa: SIM118 (not a dict)
        if metadata.get(CHECKSUM) not in (None, _checksum_of(metadata.get(HEADER, ""), tensors)):
            raise ValueError("its checksum is another")
        return tensors, metadata
    except (SafetensorError, OSError, ValueError) as error:
        what = f"not a whole safetensors file ({one_line(error, 200)})"
        raise InputError(f"{path}: {what}; {remedy}") from error


def _parse_card(path: Path, text: str) -> Card:
    """The card in a checkpoint's header, its version checked before anything else."""
    try:
        fields = json.loads(text)
        version = int(fields["format_version"])
        if version < 1:
            raise ValueError(f"format version {version}")
        if version <= FORMAT_VERSION:
            return Card.model_validate(fields)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        what = f"its header is damaged ({one_line(error, 200)})"
        raise InputError(f"{path}: {what}; copy or train it again") from error
    newer = f"format version {version}, this unihpe reads up to {FORMAT_VERSION}"
    raise InputError(f"{path}: {newer}; upgrade unihpe")


def load_into(model: nn.Module, tensors: Tensors, path: Path, may_lack: Names = ()) -> None:
    """Put tensors into a model built from the same recipe, see `whole_state`."""
    model.load_state_dict(whole_state(model, tensors, path, may_lack))


def whole_state(
    model: nn.Module, tensors: Tensors, path: Path, may_lack: Names = (), what: str = "the model"
) -> dict[str, Tensor]:
    """A file's tensors, and the model's own for names that begin with one of `may_lack`; InputError
    if names or shapes disagree, naming the first that does."""
    own = model.state_dict()
    missing = sorted(n for n in own.keys() - tensors.keys() if not n.startswith(may_lack))
    unknown = sorted(tensors.keys() - own.keys())
    if first := (missing + unknown)[:1]:
        counts = f"{len(missing)} tensors missing, {len(unknown)} unknown (first: {first[0]})"
        raise InputError(f"{path}: {counts}; {what} is built another way, or the file is damaged")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            shapes = f"{name} is {tuple(tensor.shape)}, {what} needs {tuple(own[name].shape)}"
            raise InputError(f"{path}: {shapes}: another skeleton or width")
    return own | dict(tensors)
