"""Results as JSON (layout: docs/formats.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unihpe.inference.results import AXES, VERSION, Results
from unihpe.io.files import write_text

ROUND = 3  # decimals in JSON: micrometres and thousandths of a pixel


def numbers(values: Tensor) -> Any:
    """A tensor as rounded nested lists; NaN becomes null."""
    rounded = np.round(values.double().numpy(), ROUND)
    objects = rounded.astype(object)
    objects[np.isnan(rounded)] = None
    return objects.tolist()


def write_json(path: Path, results: Results) -> None:
    """Write results as JSON, whole or not at all."""
    people = []
    for n in range(len(results)):
        row: dict[str, Any] = {
            "image": results.image[n],
            "person": results.person[n],
            "image_size": numbers(results.image_size[n]),
            "keypoints": numbers(results.keypoints[n]),
            "confidence": numbers(results.confidence[n]),
            "pose": numbers(results.pose[n]),
            "translation": numbers(results.translation[n]),
            "focal": round(float(results.focal[n]), ROUND),
        }
        if results.spread is not None:
            row["spread"] = numbers(results.spread[n])
        if results.samples is not None:
            row["samples"] = numbers(results.samples[:, n])
        if results.paths:
            row["paths"] = {name: numbers(pose[n]) for name, pose in results.paths.items()}
        people.append(row)
    content = {
        "format": "unihpe-results",
        "version": VERSION,
        "joints": list(results.skeleton.joints),
        "skeleton": results.skeleton.name,
        "bones": [
            [results.skeleton.joints[a], results.skeleton.joints[b]]
            for a, b in results.skeleton.bones
        ],
        "units": {
            "pose": "mm",
            "translation": "mm",
            "spread": "mm",
            "keypoints": "pixels",
            "focal": "pixels",
        },
        "axes": AXES,
        "estimate": results.estimate,
        "focal_source": results.focal_source,
        "synthesised": [
            j for j, made in zip(results.skeleton.joints, results.synthesised, strict=True) if made
        ],
        "people": people,
    }
    write_text(path, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
