"""Results from the JSON and NPZ that this package wrote."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unihpe.body.skeleton import SKELETONS, Skeleton
from unihpe.body.turns import UPS
from unihpe.errors import InputError, listing
from unihpe.export.results import AXES, BY_PERSON, FORMAT, VERSION, Results
from unihpe.io.arrays import as_dict, as_floats, require_keys
from unihpe.io.files import input_errors, read_json
from unihpe.io.pickles import load_npz, npz_keys

REMEDY = "give the .json or .npz that `unihpe predict` or `Results.save` wrote"
OF_PEOPLE = (
    "image", "person", "pose", "keypoints", "confidence", "translation", "image_size", "focal",
)  # fmt: skip
NEEDED = ("joints", "focal_source", "synthesised", *OF_PEOPLE)
OF_CLIPS = ("frame", "time", "filled", "boxes")
PATH = "pose_"  # begins the names of `paths` in an NPZ
KINDS: Mapping[str, torch.dtype] = {  # of what is not float32
    "frame": torch.int64, "time": torch.float64, "filled": torch.bool,
}  # fmt: skip
MOST = 1e12  # of any number: a million kilometres in mm
WHOLE = ("image_size", "focal", "frame", "time", "filled")  # of which none may be missing
Fields = Mapping[str, Any]


def read_results(path: str | Path) -> Results:
    """Results from a JSON or NPZ file, of this version of its layout or an older one.

    Lengths are millimetres to three decimals in JSON, single precision in NPZ.

    Raises:
        InputError: for a file that is neither, or broken, or of a newer version.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path}: results are read from .json and .npz; {REMEDY}")
    fields = READERS[path.suffix.lower()](path)
    with input_errors(f"{path}: broken results", "write them again", (TypeError, ValueError)):
        return _results_of(fields, str(path))


def _from_npz(path: Path) -> Fields:
    keys = npz_keys(path)
    fields = load_npz(path, sorted({*NEEDED, "version", *keys}), objects=False)
    _check_version(str(fields.get("format", FORMAT)), fields["version"].tolist(), path)
    fields |= {name: fields[name].tolist() for name in ("image", "person", "joints")}
    if "bones" in fields:
        joints = fields["joints"]
        with input_errors(f"{path}: broken bones", "write it again"):
            fields["bones"] = [(joints[a], joints[b]) for a, b in fields["bones"].tolist()]
    return fields


def _from_json(path: Path) -> Fields:
    content = as_dict(read_json(path), "results", path, REMEDY)
    _check_version(content.get("format"), content.get("version"), path)
    require_keys(content, ("joints", "people", "synthesised"), path, REMEDY)
    with input_errors(f"{path}: broken results", "write them again"):
        people = [as_dict(person, "a person", path, REMEDY) for person in content.pop("people")]
        keys: Collection[str] = people[0].keys() if people else OF_PEOPLE
        if not people and content.get("frame_rate"):
            keys = OF_PEOPLE + OF_CLIPS  # a clip of nobody
        columns: dict[str, Any] = {key: [person[key] for person in people] for key in keys}
        paths = columns.pop("paths", [])
        columns |= {PATH + way: [own[way] for own in paths] for way in (paths or [{}])[0]}
        if "samples" in columns:
            columns["samples"] = np.moveaxis(np.array(columns["samples"], float), 0, 1)
        made = [joint in content["synthesised"] for joint in content["joints"]]
    return {**content, **columns, "synthesised": np.array(made, bool)}


READERS: Mapping[str, Callable[[Path], Fields]] = {".json": _from_json, ".npz": _from_npz}


def _check_version(name: object, version: object, path: Path) -> None:
    if name != FORMAT or not isinstance(version, int):
        raise InputError(f"{path}: not results of this package; {REMEDY}")
    if version > VERSION:
        newer = f"of version {version}, this unihpe reads up to {VERSION}"
        raise InputError(f"{path}: results {newer}; upgrade it")


def _results_of(fields: Fields, where: str) -> Results:
    """Fields, checked, as results."""
    require_keys(fields, NEEDED, where, REMEDY)
    skeleton = _skeleton_of(fields)
    n, joints = len(fields["pose"]), len(skeleton)
    shapes: dict[str, tuple[int | None, ...]] = {
        "pose": (n, joints, 3), "keypoints": (n, joints, 2), "confidence": (n, joints),
        "translation": (n, 3), "image_size": (n, 2), "focal": (n,), "spread": (n, joints),
        "radii": (n, joints, 2), "frame": (n,), "time": (n,), "filled": (n,), "boxes": (n, 4),
        "samples": (None, n, joints, 3),
    }  # fmt: skip

    def tensor(name: str, shape: tuple[int | None, ...]) -> Tensor:
        values = np.asarray(fields[name], dtype=np.float64)
        if n == 0:  # nested lists lose their shape
            values = values.reshape([size or 0 for size in shape])
        checked = torch.from_numpy(as_floats(values, shape, where, name))
        kind = KINDS.get(name, torch.float32)
        most = torch.where(checked.isnan(), 0, checked).abs().amax() if checked.numel() else 0
        if most > MOST or (name in WHOLE and not bool(checked.isfinite().all())):
            raise InputError(f"{where}: {name} has numbers that cannot be; write it again")
        return checked.to(kind)

    names = {name: tuple(map(str, fields[name])) for name in ("image", "person")}
    made = tuple(np.asarray(fields["synthesised"], bool).tolist())
    rate, up = fields.get("frame_rate"), str(fields.get("up", "-y"))
    odd = [name for name, own in names.items() if len(own) != n]
    odd += ["synthesised"] if len(made) != joints else []
    odd += ["up"] if up not in UPS else []
    odd += ["frame_rate"] if rate is not None and not 0 < float(rate) < MOST else []
    if odd:
        raise InputError(f"{where}: {listing(odd)} cannot be; write it again")
    ways = [key.removeprefix(PATH) for key in fields if key.startswith(PATH)]
    return Results(
        skeleton=skeleton,
        synthesised=made,
        focal_source=str(fields["focal_source"]),
        estimate=str(fields.get("estimate", "")),
        frame_rate=None if rate is None else float(rate),
        partial=bool(fields.get("partial", False)),
        axes=str(fields.get("axes", AXES)),
        up=up,
        paths={way: tensor(PATH + way, shapes["pose"]) for way in ways},
        **names,  # type: ignore[arg-type]
        **{  # type: ignore[arg-type]
            name: tensor(name, shapes[name]) for name in (*BY_PERSON, "samples") if name in fields
        },
    )


def _skeleton_of(fields: Fields) -> Skeleton:
    """The joint set of that name, or one of the file's own joints and bones."""
    joints, name = tuple(map(str, fields["joints"])), str(fields.get("skeleton", ""))
    known = SKELETONS.get(name)
    if known and known.joints == joints:
        return known
    return Skeleton(name, joints, {child: parent for parent, child in fields.get("bones", [])})
