"""npy and npz: plain arrays, as people and rtmlib's users save them, and VideoPose3D's files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.errors import InputError
from unihpe.inputs.detections import Detections, Person, Source
from unihpe.inputs.readers.videopose3d import read_detectron, read_videopose3d
from unihpe.io.pickles import load_npy, load_npz, npz_keys

SETS = ("coco_wholebody133", "halpe136")  # nothing else has as many joints
SCORES = ("confidence", "scores", "keypoint_scores")
UNDERSTOOD = {"keypoints", "skeleton", "image_size", "image", "person", *SCORES}
WANTED = "keypoints must be numbers (N, J, 2 or 3)"


def read_arrays(path: Path) -> Detections:
    """The people of an npy or npz file."""
    if path.suffix == ".npy":
        return _read_plain(
            {"keypoints": load_npy(path, "give a whole file of plain numbers")}, path
        )
    keys = npz_keys(path)
    if "positions_2d" in keys:
        return read_videopose3d(load_npz(path, ("positions_2d", "metadata")), path)
    if {"boxes", "keypoints", "metadata"} <= {*keys}:
        return read_detectron(load_npz(path, ("keypoints", "metadata")), path)
    return _read_plain(load_npz(path, sorted({"keypoints", *keys}), objects=False), path)


def _read_plain(fields: Mapping[str, Any], path: Path) -> Detections:
    """`keypoints` (N, J, 2 or 3) or (J, 2 or 3), a third column is the confidence.

    Beside them there may be confidence (N, J), also as `scores` or `keypoint_scores`, `skeleton`,
    `image_size` (2,) or (N, 2), and the names `image` and `person` (N,).
    """
    points = fields["keypoints"]
    shape, kind = points.shape, points.dtype
    if kind.kind not in "fiu" or len(shape) not in (2, 3) or shape[-1] not in (2, 3):
        raise InputError(f"{path}: keypoints are {kind} {shape}; {WANTED}")
    points = points.reshape(-1, *shape[-2:])
    given = [name for name in SCORES if name in fields]
    if len(given) > 1:
        raise InputError(f"{path}: holds {' and '.join(given)}; keep one")
    count, columns = len(points), dict[str, Any]()
    if "image_size" in fields:
        sizes = np.broadcast_to(fields["image_size"].astype(np.float64), (count, 2))
        columns["size"] = [tuple(size) for size in sizes.tolist()]
    if given:
        columns["scores"] = fields[given[0]].reshape(points.shape[:2])
    names = {key: np.ravel(fields[key]).tolist() for key in ("image", "person") if key in fields}
    columns |= {"image": [str(n) for n in range(count)], "person": ["0"] * count, **names}
    rows = zip(points, *columns.values(), strict=True)
    people = [Person(joints=own, **dict(zip(columns, rest, strict=True))) for own, *rest in rows]
    unknown = sorted(fields.keys() - UNDERSTOOD)
    notes = (f"arrays that are not understood: {', '.join(unknown)}",) if unknown else ()
    skeleton = str(fields["skeleton"]) if "skeleton" in fields else None
    source: Source = "pictures" if "image" in fields else "rows"
    return Detections(people, SETS, skeleton, named_by=source, notes=notes)
