"""Results as JSON (layout: docs/formats.md)."""

import json
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unihpe.export.results import BY_PERSON, FORMAT, UNITS, VERSION, Results
from unihpe.io.files import writing_text

ROUND = {"time": 6}  # decimals: microseconds; of all else
OTHERS = 3  # micrometres and thousandths of a pixel


def write_json(path: Path, results: Results) -> None:
    """Write results as JSON, whole or not at all."""
    with writing_text(path) as file:  # a person at a time: hypotheses may be many
        file.write(_in_json(_about(results)).removesuffix("}") + ', "people": [')
        for n in range(len(results)):
            file.write((", " if n else "") + _in_json(_person(results, n)))
        file.write("]}\n")


def _in_json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def as_dict_of(results: Results) -> dict[str, Any]:
    """Results as what JSON holds: dicts, lists, numbers and text; NaN is None."""
    people = [_person(results, n) for n in range(len(results))]
    return _about(results) | {"people": people}


def _about(results: Results) -> dict[str, Any]:
    """What holds for all of the people."""
    skeleton = results.skeleton
    return {
        "format": FORMAT,
        "version": VERSION,
        "joints": list(skeleton.joints),
        "skeleton": skeleton.name,
        "bones": [[skeleton.joints[n] for n in bone] for bone in skeleton.bones],
        "units": UNITS,
        "axes": results.axes,
        "up": results.up,
        "estimate": results.estimate,
        "focal_source": results.focal_source,
        "synthesised": list(compress(skeleton.joints, results.synthesised)),
        "frame_rate": results.frame_rate,
        "partial": results.partial,
    }


def _person(results: Results, n: int) -> dict[str, Any]:
    columns = {name: getattr(results, name) for name in BY_PERSON}
    row = {name: _numbers(own[n], name) for name, own in columns.items() if own is not None}
    if results.samples is not None:
        row["samples"] = _numbers(results.samples[:, n])
    if results.paths:
        row["paths"] = {name: _numbers(pose[n]) for name, pose in results.paths.items()}
    return {"image": results.image[n], "person": results.person[n], **row}


def _numbers(values: Tensor, name: str = "") -> Any:
    """A tensor as nested lists, fractions rounded; NaN becomes None."""
    if not values.is_floating_point():
        return values.tolist()
    rounded = np.asarray(np.round(values.double().numpy(), ROUND.get(name, OTHERS)))
    objects = rounded.astype(object)
    objects[np.isnan(rounded)] = None
    return objects.tolist()
