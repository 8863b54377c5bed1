"""A page of people: 2D beside 3D, to turn by hand; one self-contained HTML file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.body.skeleton import Skeleton
from unihpe.io.files import write_text
from unihpe.show.draw import Floats, bone_side


@dataclass(frozen=True)
class Scene:
    """One person for the page."""

    name: str  # shown in the list
    pose: Floats  # (J, 3), mm, camera axes
    keypoints: Floats | None = None  # (J, 2), pixels, NaN where missing; None without 2D
    size: tuple[float, float] = (1000.0, 1000.0)  # width and height of the picture, pixels
    samples: Floats | None = None  # hypotheses, (S, J, 3), mm
    truth: Floats | None = None  # (J, 3), mm


def plain(value: Any) -> Any:
    """What JSON takes: arrays as lists, to one decimal, NaN as null."""
    if not isinstance(value, np.ndarray):
        return value
    rounded = np.round(value.astype(np.float64), 1).astype(object)
    rounded[~np.isfinite(value)] = None
    return rounded.tolist()


def write_viewer(path: Path, scenes: Sequence[Scene], skeleton: Skeleton, title: str) -> None:
    """Write the page: the 3D turns with mouse, touch or arrow keys; a slider over scenes."""
    content = {
        "title": title,
        "bones": [[a, b, bone_side(skeleton, a, b)] for a, b in skeleton.bones],
        "scenes": [
            {name: plain(value) for name, value in asdict(scene).items()} for scene in scenes
        ],
    }
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    data = data.replace("</", "<\\/").replace("<!--", "<\\!--")
    page = resources.files("unihpe.show").joinpath("viewer.html").read_text(encoding="utf-8")
    write_text(path, page.replace("/*DATA*/null", data))
