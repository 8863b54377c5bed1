"""The table of formats, and writing several of them, all or none."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unihpe.errors import InputError
from unihpe.export.bvh import write_bvh
from unihpe.export.c3d import write_c3d
from unihpe.export.chart import write_angles_chart
from unihpe.export.coco import write_coco
from unihpe.export.glb import write_glb
from unihpe.export.json import write_json
from unihpe.export.measures import write_angles_csv, write_angles_parquet
from unihpe.export.mmpose import write_mmpose
from unihpe.export.motion import Motion, motions
from unihpe.export.npz import write_npz
from unihpe.export.pose_format import write_pose
from unihpe.export.results import Results
from unihpe.export.table import write_csv, write_parquet
from unihpe.export.trc import write_trc
from unihpe.io.extra import extra
from unihpe.io.files import all_or_none

ALL = "all"
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')  # in names of files, on one system or another


@dataclass(frozen=True)
class Format:
    """A way to write results: one of its writers, each of which writes one file.

    Files hold all results; or, where a writer takes motions, everybody of one picture or clip, or
    one person.
    """

    suffix: str
    write: Callable[[Path, Results], None] | None = None
    write_scene: Callable[[Path, Sequence[Motion]], None] | None = None
    write_person: Callable[[Path, Motion], None] | None = None
    on_floor: bool = True  # y up from an origin on the floor (`Results.to_floor`), else as given
    of_clips: bool = False  # it needs times
    needs: str = ""  # a module of the extra
    extra: str = "export"


FORMATS: Mapping[str, Format] = {
    "json": Format(".json", write_json, on_floor=False),
    "npz": Format(".npz", write_npz, on_floor=False),
    "csv": Format(".csv", write_csv),
    "parquet": Format(".parquet", write_parquet, needs="pyarrow"),
    "angles": Format(".angles.csv", write_angles_csv),
    "angles-parquet": Format(".angles.parquet", write_angles_parquet, needs="pyarrow"),
    "angles-plot": Format(
        ".angles.png",
        write_person=write_angles_chart,
        of_clips=True,
        needs="matplotlib",
        extra="plots",
    ),
    "coco": Format(".coco.json", write_coco, on_floor=False),
    "mmpose": Format(".mmpose.json", write_mmpose, on_floor=False),
    "trc": Format(".trc", write_person=write_trc, of_clips=True),
    "c3d": Format(".c3d", write_person=write_c3d, of_clips=True, needs="ezc3d"),
    "bvh": Format(".bvh", write_person=write_bvh),
    "glb": Format(".glb", write_scene=write_glb, needs="pygltflib"),
    "pose": Format(".pose", write_scene=write_pose, on_floor=False, of_clips=True),
}


def chosen(asked: Sequence[str], clip: bool) -> list[str]:
    """Names of formats, also several with commas, or `all`; each once, in the order given.

    Args:
        clip: whether the results will be those of a clip. `all` are all that can hold them.

    Raises:
        InputError: for a name that is no format, for one that cannot hold the results, and for one
            whose package is not installed.
    """
    names = [name.strip().lower().removeprefix(".") for one in asked for name in one.split(",")]
    able = [name for name, form in FORMATS.items() if clip or not form.of_clips]
    names = [each for name in names if name for each in (able if name == ALL else [name])]
    for name in names:
        if name not in FORMATS:
            raise InputError(f"no format '{name}'; there are {', '.join(FORMATS)}, and all")
        if name not in able:
            raise InputError(f"{name} holds motion, and these are pictures; take {', '.join(able)}")
        form = FORMATS[name]
        if form.needs:
            extra(form.needs, form.extra, f"{name} files need {form.needs}")
    return list(dict.fromkeys(names))


def write(results: Results, base: str | Path, formats: Sequence[str]) -> list[Path]:
    """Write results as `<base>.json` and so on, all the files or none.

    A format whose files hold one person (or one picture) writes one for each: `<base>.trc` for one
    alone, `<base>_1.trc`, `<base>_2.trc`, … by the names of several.

    Args:
        base: a path without suffix.
        formats: names in `FORMATS`; see `chosen`.

    Raises:
        InputError: for a format that is not known, that cannot hold these results or whose package
            is not installed, and for a place that cannot be written.
    """
    names = chosen(formats, clip=results.is_clip)
    with all_or_none():
        return [p for name in names for p in _write_one(results, Path(base), FORMATS[name])]


def save(results: Results, path: str | Path) -> list[Path]:
    """Write results in the format that the suffix names; see `write`."""
    path = Path(path)
    fitting = [n for n, form in FORMATS.items() if path.name.lower().endswith(form.suffix)]
    if not fitting:
        suffixes = ", ".join(form.suffix for form in FORMATS.values())
        raise InputError(f"{path}: no format has this suffix; there are {suffixes}")
    name = max(fitting, key=lambda name: len(FORMATS[name].suffix))
    base = path.with_name(path.name[: -len(FORMATS[name].suffix)])
    return write(results, base, [name])


def _write_one(results: Results, base: Path, form: Format) -> list[Path]:
    placed = results.to_floor() if form.on_floor else results
    whole = base.with_name(base.name + form.suffix)
    if form.write is not None:
        form.write(whole, placed)
        return [whole]
    scenes = motions(placed)
    if form.write_scene is not None:
        paths = _named(base, form.suffix, [Path(name).stem for name in scenes])
        for path, scene in zip(paths, scenes.values(), strict=True):
            form.write_scene(path, scene)
        return paths
    assert form.write_person is not None
    everybody = [(name, one) for name, scene in scenes.items() for one in scene]
    several = len(scenes) > 1
    labels = [
        f"{Path(name).stem}_{one.person}" if several else one.person for name, one in everybody
    ]
    paths = _named(base, form.suffix, labels)
    for path, (_, one) in zip(paths, everybody, strict=True):
        form.write_person(path, one)
    return paths


def _named(base: Path, suffix: str, labels: Sequence[str]) -> list[Path]:
    """A path for each label, which it ends in if there are several; no two are the same.

    Nor are they on systems for which `A` and `a` are one file.
    """
    endings = list[str]()
    for label in labels:
        ending = f"_{_safe_name(label)}" if len(labels) > 1 else ""
        while ending.lower() in map(str.lower, endings):
            ending += "_"
        endings.append(ending)
    return [base.with_name(base.name + ending + suffix) for ending in endings]


def _safe_name(text: str) -> str:
    """Text as a part of a file's name on any system."""
    return UNSAFE.sub("_", text).strip(" .")[:80] or "_"
