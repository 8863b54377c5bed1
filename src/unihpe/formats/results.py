"""Results out: JSON and NPZ with named joints, units and axes (layout: docs/formats.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.files import replacing, write_text
from unihpe.skeleton import Skeleton

VERSION = 1
AXES = "camera: x right, y down, z forward; relative to the root joint"
ROUND = 3  # decimals in JSON: micrometres and thousandths of a pixel


@dataclass(frozen=True)
class Results:
    """Poses of N people.

    Attributes:
        skeleton: names the J joints.
        pose: (N, J, 3), mm, root-relative, camera axes.
        keypoints: the 2D they came from, in the same joints, (N, J, 2), pixels; NaN where missing.
        confidence: of the 2D, (N, J).
        synthesised: which 2D joints were made from others, length J.
        translation: the root's place in camera axes by least squares, (N, 3), mm: as good as the focal length.
        image_size: (N, 2), pixels.
        focal: focal length the translation and box token used, (N,), pixels.
        focal_source: "given" or "assumed √(W² + H²)".
        image, person: names from the input, length N.
        samples: hypotheses, (S, N, J, 3), mm, or None.
        spread: root-mean-square distance of the samples from their mean, (N, J), mm, or None.
        estimate: how `pose` was found, in words.
        paths: where a picture and keypoints were given: poses by what they came from ("image", "2d", "fused"), (N, J, 3) each.
    """

    skeleton: Skeleton
    pose: Tensor
    keypoints: Tensor
    confidence: Tensor
    synthesised: tuple[bool, ...]
    translation: Tensor
    image_size: Tensor
    focal: Tensor
    focal_source: str
    image: tuple[str, ...]
    person: tuple[str, ...]
    samples: Tensor | None = None
    spread: Tensor | None = None
    estimate: str = ""
    paths: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pose)

    @property
    def absolute(self) -> Tensor:
        """Poses in camera axes, not relative to the root: (N, J, 3), mm."""
        return self.pose + self.translation[:, None]


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
        "bones": [[results.skeleton.joints[a], results.skeleton.joints[b]] for a, b in results.skeleton.bones],
        "units": {"pose": "mm", "translation": "mm", "spread": "mm", "keypoints": "pixels", "focal": "pixels"},
        "axes": AXES,
        "estimate": results.estimate,
        "focal_source": results.focal_source,
        "synthesised": [j for j, made in zip(results.skeleton.joints, results.synthesised, strict=True) if made],
        "people": people,
    }
    write_text(path, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


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
    for name in ("pose", "keypoints", "confidence", "translation", "image_size", "focal", "samples", "spread"):
        value = getattr(results, name)
        if value is not None:
            arrays[name] = value.numpy().astype(np.float32)
    for name, pose in results.paths.items():
        arrays[f"pose_{name}"] = pose.numpy().astype(np.float32)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def select(results: Results, rows: list[int]) -> Results:
    """Some of the people."""
    chosen = torch.tensor(rows)
    return replace(
        results,
        pose=results.pose[chosen],
        keypoints=results.keypoints[chosen],
        confidence=results.confidence[chosen],
        translation=results.translation[chosen],
        image_size=results.image_size[chosen],
        focal=results.focal[chosen],
        image=tuple(results.image[n] for n in rows),
        person=tuple(results.person[n] for n in rows),
        samples=None if results.samples is None else results.samples[:, chosen],
        spread=None if results.spread is None else results.spread[chosen],
        paths={name: pose[chosen] for name, pose in results.paths.items()},
    )


def join(parts: Sequence[Results]) -> Results:
    """The people of several results, one after the other; all of one model and one way."""
    first = parts[0]

    def rows(name: str, axis: int = 0) -> Tensor | None:
        tensors = [getattr(part, name) for part in parts]
        return None if tensors[0] is None else torch.cat(tensors, dim=axis)

    names = ("pose", "keypoints", "confidence", "translation", "image_size", "focal", "spread")
    together: dict[str, Any] = {name: rows(name) for name in names}
    return replace(
        first,
        **together,
        samples=rows("samples", axis=1),
        paths={name: torch.cat([part.paths[name] for part in parts]) for name in first.paths},
        image=tuple(name for part in parts for name in part.image),
        person=tuple(name for part in parts for name in part.person),
    )
