"""Results as JSON (layout: docs/formats.md)."""

import json
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unihpe.inference.results import AXES, BY_PERSON, VERSION, Results
from unihpe.io.files import write_text

ROUND = 3  # decimals: micrometres and thousandths of a pixel
UNITS = dict.fromkeys(("pose", "translation", "spread", "radii"), "mm")
UNITS |= dict.fromkeys(("keypoints", "focal"), "pixels")


def write_json(path: Path, results: Results) -> None:
    """Write results as JSON, whole or not at all."""
    skeleton = results.skeleton
    content = {
        "format": "unihpe-results",
        "version": VERSION,
        "joints": skeleton.joints,
        "skeleton": skeleton.name,
        "bones": [[skeleton.joints[n] for n in bone] for bone in skeleton.bones],
        "units": UNITS,
        "axes": AXES,
        "estimate": results.estimate,
        "focal_source": results.focal_source,
        "synthesised": list(compress(skeleton.joints, results.synthesised)),
        "people": [_person(results, n) for n in range(len(results))],
    }
    write_text(path, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def _person(results: Results, n: int) -> dict[str, Any]:
    columns = {name: getattr(results, name) for name in BY_PERSON}
    row = {name: _numbers(own[n]) for name, own in columns.items() if own is not None}
    if results.samples is not None:
        row["samples"] = _numbers(results.samples[:, n])
    if results.paths:
        row["paths"] = {name: _numbers(pose[n]) for name, pose in results.paths.items()}
    return {"image": results.image[n], "person": results.person[n], **row}


def _numbers(values: Tensor) -> Any:
    """A tensor as rounded nested lists; NaN becomes null."""
    rounded = np.asarray(np.round(values.double().numpy(), ROUND))
    objects = rounded.astype(object)
    objects[np.isnan(rounded)] = None
    return objects.tolist()
