"""What a page of results holds, as its scripts read it (viewer/data.js)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.errors import number_of
from unihpe.export.results import Results
from unihpe.show.colours import PEOPLE, SIDES, Colour, Palette, colours_of
from unihpe.show.compact import small, text_of, whole
from unihpe.show.scenes import Scene, beginnings, shown_rows
from unihpe.show.space import Extent, Floats
from unihpe.show.strokes import bone_side

STEPS = 16_000  # of the 2D, along the picture's longer side
DEGREE = 0.1  # steps of angles
SHOWN_SAMPLES = 12  # hypotheses of each person
PALETTES = (SIDES, *PEOPLE)


def content_of(
    results: Results, scenes: Sequence[Scene], size: tuple[int, int] | None, truth: Tensor | None
) -> dict[str, Any]:
    """People, and the scenes that they are in; `size` is that of a clip's frames."""
    made = {"facts": _facts(results, scenes), "how": _how(results)} | _bodies(results)
    made |= {"angles": _angles(results, shown_rows(scenes))}
    scenery, rows = _scenes(results, scenes, size), _rows(results, scenes, truth)
    return made | {"scenes": scenery, "rows": rows}


def _facts(results: Results, scenes: Sequence[Scene]) -> str:
    """How much there is, in words."""
    if results.frame is not None:
        seconds = (scenes[-1].time or 0) - (scenes[0].time or 0) if scenes else 0
        what = f"{number_of(len(scenes), 'frame', 'frames')}, {seconds:.1f} s"
        people = len(set(results.person))
    else:
        what = number_of(len(scenes), "picture", "pictures")
        people = len(shown_rows(scenes))
    some = f" of {len(results)}" if results.frame is None and people < len(results) else ""
    partial = ", stopped before its end" if results.partial else ""
    return f"{what}{partial}; {people}{some} {'person' if people == 1 else 'people'}"


def _how(results: Results) -> str:
    """What the poses rest on, in words."""
    return "; ".join(filter(None, [results.estimate, f"focal length {results.focal_source}"]))


def _bodies(results: Results) -> dict[str, Any]:
    """Bones, names and colours."""
    skeleton = results.skeleton
    return {
        "joints": len(skeleton),
        "bones": [[a, b, bone_side(skeleton, a, b)] for a, b in skeleton.bones],
        "palettes": [_hexadecimal(palette) for palette in PALETTES],
        "people": list(dict.fromkeys(results.person)),
    }


def _hexadecimal(palette: Palette) -> dict[str, str]:
    def code(colour: Colour) -> str:
        return "#" + bytes(colour).hex()

    return {name: code(colour) for name, colour in palette._asdict().items()}


def _scenes(
    results: Results, scenes: Sequence[Scene], size: tuple[int, int] | None
) -> dict[str, Any]:
    """Names or times of the scenes, how large their pictures are, and where they are in space."""
    sizes = [_size(results, scene, size) for scene in scenes]
    poses = results.absolute.numpy()
    made: dict[str, Any] = {"first": text_of(np.array(beginnings(scenes)), "u4")}
    if results.frame is None:
        made |= {"names": [scene.name for scene in scenes], "sizes": sizes}
        return made | {"extents": [_extent(poses[list(scene.rows)]) for scene in scenes]}
    times = np.array([scene.time for scene in scenes], dtype=np.float64)
    return made | {"times": text_of(times, "f4"), "sizes": sizes[:1], "extents": [_extent(poses)]}


def _size(results: Results, scene: Scene, size: tuple[int, int] | None) -> list[float]:
    """Width and height of a scene's picture."""
    if size is not None:
        return [*size]
    rows = scene.rows or range(min(1, len(results)))
    return results.image_size[rows[0]].tolist() if rows else [16.0, 9.0]


def _extent(poses: Floats) -> list[float]:
    """The corners of what poses (N, J, 3) take up, and the floor, mm."""
    extent = Extent.of(poses)
    return [round(float(value)) for value in (*extent.low, *extent.high, extent.floor)]


def _rows(results: Results, scenes: Sequence[Scene], truth: Tensor | None) -> dict[str, Any]:
    """People's arrays, in the order in which the scenes show them."""
    rows = shown_rows(scenes)
    number = {name: n for n, name in enumerate(dict.fromkeys(results.person))}
    made: dict[str, Any] = {
        "person": text_of(np.array([number[results.person[row]] for row in rows]), "u2"),
        "palette": text_of(np.array(_palettes(results, scenes)), "u1"),
        "root": text_of(results.translation[rows].numpy(), "f4"),
        "pose": whole(results.pose[rows].numpy()),
        "flat": whole(_flat(results)[rows].numpy()),
        "paths": {name: whole(pose[rows].numpy()) for name, pose in results.paths.items()},
        "path": next((n for n, p in results.paths.items() if torch.equal(p, results.pose)), ""),
    }
    if results.filled is not None and bool(results.filled.any()):
        made["filled"] = text_of(results.filled[rows].numpy(), "u1")
    if results.samples is not None:
        apart = results.samples[:SHOWN_SAMPLES, rows] - results.pose[rows]
        made["samples"] = {"count": len(apart)} | small(apart.numpy())
    if results.radii is not None:
        made["radii"] = whole(results.radii[rows].numpy())
    if truth is not None:
        made["truth"] = whole(truth[rows].numpy())
    return made


def _angles(results: Results, rows: Sequence[int]) -> dict[str, Any]:
    """Joint angles of the rows by name, in steps of a tenth of a degree; without empty ones."""
    known = {name: of for name, of in results.angles().items() if bool(of.isfinite().any())}
    table = np.stack([of[rows] for of in known.values()], axis=-1) if known else np.zeros(0)
    return {"names": [*known], "values": whole(table / DEGREE)}


def _flat(results: Results) -> Tensor:
    """The 2D in steps along the picture's longer side, (N, J, 2); NaN where it is missing.

    Where somebody was not seen but before and after, it is where they would be.
    """
    longer = results.image_size.amax(-1)[:, None, None]
    spots = results.keypoints * STEPS / longer
    missing = results.confidence <= 0
    if results.filled is not None:
        missing &= ~results.filled[:, None]
    return spots.masked_fill(missing[..., None], torch.nan)


def _palettes(results: Results, scenes: Sequence[Scene]) -> list[int]:
    """The number of each row's palette: people keep theirs in a clip."""
    everybody = colours_of(results.person) if results.frame is not None else {}
    chosen: list[int] = []
    for scene in scenes:
        names = [results.person[row] for row in scene.rows]
        colours = everybody or colours_of(names)
        chosen += [PALETTES.index(colours[name]) for name in names]
    return chosen
