"""The table of formats, and writing several of them, all or none."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unihpe.errors import InputError
from unihpe.export.json import write_json
from unihpe.export.npz import write_npz
from unihpe.export.results import Results
from unihpe.io.extra import extra
from unihpe.io.files import all_or_none

ALL = "all"
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')  # in names of files, on one system or another


@dataclass(frozen=True)
class Format:
    """A way to write results."""

    suffix: str
    write: Callable[[Path, Results], None]  # one file, whole or not at all
    of_clips: bool = False  # it holds motion: people of a clip alone
    one_person: bool = False  # each person gets a file
    needs: str = ""  # the module, of the extra `export`


FORMATS: Mapping[str, Format] = {
    "json": Format(".json", write_json),
    "npz": Format(".npz", write_npz),
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
        if FORMATS[name].needs:
            extra(FORMATS[name].needs, "export", f"{name} files need {FORMATS[name].needs}")
    return list(dict.fromkeys(names))


def write(results: Results, base: Path, formats: Sequence[str]) -> list[Path]:
    """Write results as `<base>.json` and so on, all the files or none.

    A format whose files hold one person writes one for each: `<base>.trc` for one person alone,
    `<base>_1.trc`, `<base>_2.trc`, … by the names of several.

    Args:
        base: a path without suffix.
        formats: names in `FORMATS`; see `chosen`.

    Raises:
        InputError: for a format that is not known, that cannot hold these results or whose package
            is not installed, and for a place that cannot be written.
    """
    names = chosen(formats, clip=results.is_clip)
    with all_or_none():
        return [path for name in names for path in _write_one(results, base, FORMATS[name])]


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
    def named(ending: str) -> Path:
        return base.with_name(base.name + ending + form.suffix)

    if not form.one_person:
        form.write(named(""), results)
        return [named("")]
    files = dict[Path, str]()
    for person in results.people:
        ending = f"_{_safe_name(person)}" if len(results.people) > 1 else ""
        while named(ending) in files:
            ending += "_"
        files[named(ending)] = person
    for path, person in files.items():
        form.write(path, results.select(person=person))
    return [*files]


def _safe_name(text: str) -> str:
    """Text as a part of a file's name on any system."""
    return UNSAFE.sub("_", text).strip(" .")[:80] or "_"
