"""Results as NPZ: plain numbers and text, no pickles (layout: docs/formats.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unihpe.inference.results import AXES, VERSION, Results
from unihpe.io.files import replacing


def write_npz(path: Path, results: Results) -> None:
    """Write results as NPZ (plain numbers and text, no pickles), whole or not at all."""
    arrays: dict[str, Any] = {
        "version": np.array(VERSION),
        "joints": np.array(results.skeleton.joints),
        "skeleton": np.array(results.skeleton.name),
        "units": np.array("mm, pixels"),
        "axes": np.array(AXES),
        "bones": np.array(results.skeleton.bones),
        "estimate": np.array(results.estimate),
        "image": np.array(results.image),
        "person": np.array(results.person),
        "focal_source": np.array(results.focal_source),
        "synthesised": np.array(results.synthesised),
    }
    for name in (
        "pose",
        "keypoints",
        "confidence",
        "translation",
        "image_size",
        "focal",
        "samples",
        "spread",
    ):
        value = getattr(results, name)
        if value is not None:
            arrays[name] = value.numpy().astype(np.float32)
    for name, pose in results.paths.items():
        arrays[f"pose_{name}"] = pose.numpy().astype(np.float32)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
