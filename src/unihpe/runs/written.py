"""What a run wrote into a folder, so that the next one can take away what it has not replaced.

A list in the folder, `.unihpe/<name>.json`, holds each file's size and time. A file that somebody
else wrote, or that was changed since, is not as listed, and stays.
"""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from unihpe.errors import InputError
from unihpe.export import FORMATS, Results, read_results
from unihpe.io.files import read_json, write_text

FOLDER = ".unihpe"
PARTIAL = ".partial"  # in names of files of a clip that was stopped before its end
BESIDE = "-video.mp4"  # of a page, which may have one
KINDS = (*(form.suffix for form in FORMATS.values()), ".html", ".mp4", BESIDE)
State = list[int]  # of a file: its size, bytes, and when it was changed, nanoseconds


def take_the_place(base: Path, written: Sequence[Path]) -> list[Path]:
    """Remove what an earlier run wrote under the same name, `<base>…`, and of the same kinds, and
    this one has not `written`; list what there is now. What was removed.

    One person's `<base>.trc` makes way for `<base>_1.trc` and `<base>_2.trc`, or those for it.
    """
    kinds, listed = {_kind(path) for path in written}, _listed(base)
    kinds |= {BESIDE} if ".html" in kinds else set()
    names = {path.name for path in written}
    old = [name for name in listed if name not in names and _kind(base.with_name(name)) in kinds]
    removed = _removed(base, {name: listed.pop(name) for name in old})
    now = {path.name: _state(path) for path in written}
    with contextlib.suppress(InputError):  # the files are there; a list is not worth an error
        write_text(_list_of(base), json.dumps(listed | now, indent=1) + "\n")
    return removed


def take_away_partial(base: Path, results: Results) -> list[Path]:
    """Remove what earlier runs wrote of a clip before they were stopped, where these results have
    all those frames; what was removed."""
    partial = base.with_name(base.name + PARTIAL)
    if not (listed := _listed(partial)):
        return []
    try:
        old = read_results(partial.with_name(f"{partial.name}.npz"))
    except InputError:
        return []
    if not _has_all(results, old):
        return []
    _list_of(partial).unlink(missing_ok=True)
    return _removed(partial, listed)


def _has_all(results: Results, old: Results) -> bool:
    """Whether a clip's results reach as far as older ones of it do, as finely."""
    if results.frame is None or old.frame is None or results.image[:1] != old.image[:1]:
        return False
    reaches = results.frame.min() <= old.frame.min() and results.frame.max() >= old.frame.max()
    return bool(reaches) and (results.frame_rate or 0) >= (old.frame_rate or 0)


def _removed(base: Path, listed: dict[str, State]) -> list[Path]:
    """Remove files that are as listed, and say which those were."""
    paths = [base.with_name(name) for name in listed]
    same = [path for path in paths if path.is_file() and _state(path) == listed[path.name]]
    for path in same:
        path.unlink()
    return same


def _list_of(base: Path) -> Path:
    return base.with_name(FOLDER) / f"{base.name}.json"


def _listed(base: Path) -> dict[str, State]:
    """The list of a name's files in its folder; none where there is no list that can be read."""
    try:
        content = read_json(_list_of(base))
    except InputError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: state for name, state in content.items() if Path(name).name == name}


def _state(path: Path) -> State:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


def _kind(path: Path) -> str:
    """What ends a file's name: that of its format."""
    return max((kind for kind in KINDS if path.name.endswith(kind)), key=len, default="")
