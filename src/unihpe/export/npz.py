"""Results as NPZ: plain numbers and text, no pickles (layout: docs/formats.md)."""

from pathlib import Path
from typing import Any

import numpy as np

from unihpe.inference.results import AXES, BY_PERSON, VERSION, Results
from unihpe.io.files import replacing

AS_THEY_ARE = ("estimate", "image", "person", "focal_source", "synthesised")


def write_npz(path: Path, results: Results) -> None:
    """Write results as NPZ, whole or not at all."""
    tensors = {name: getattr(results, name) for name in (*BY_PERSON, "samples")}
    tensors |= {f"pose_{name}": pose for name, pose in results.paths.items()}
    arrays: dict[str, Any] = {
        "version": VERSION,
        "joints": results.skeleton.joints,
        "skeleton": results.skeleton.name,
        "bones": results.skeleton.bones,
        "units": "mm, pixels",
        "axes": AXES,
        **{name: getattr(results, name) for name in AS_THEY_ARE},
        **{k: x.numpy().astype(np.float32) for k, x in tensors.items() if x is not None},
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
