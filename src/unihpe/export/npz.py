"""Results as NPZ: plain numbers and text, no pickles (layout: docs/formats.md)."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unihpe.export.results import BY_PERSON, FORMAT, VERSION, Results
from unihpe.io.files import replacing

AS_THEY_ARE = (
    "estimate",
    "image",
    "person",
    "focal_source",
    "synthesised",
    "partial",
    "axes",
    "up",
)


def write_npz(path: Path, results: Results) -> None:
    """Write results as NPZ, whole or not at all."""
    tensors = {name: getattr(results, name) for name in (*BY_PERSON, "samples")}
    tensors |= {f"pose_{name}": pose for name, pose in results.paths.items()}
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "joints": results.skeleton.joints,
        "skeleton": results.skeleton.name,
        "bones": np.array(results.skeleton.bones, dtype=np.int64).reshape(-1, 2),
        "units": "mm, pixels, seconds",
        **{name: getattr(results, name) for name in AS_THEY_ARE},
        **{name: _array(x, name) for name, x in tensors.items() if x is not None},
    }
    if results.frame_rate is not None:
        arrays["frame_rate"] = results.frame_rate
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _array(values: Tensor, name: str) -> Any:
    """Single precision is enough for all but times."""
    exact = name == "time" or not values.is_floating_point()
    return values.numpy() if exact else values.numpy().astype(np.float32, copy=False)
