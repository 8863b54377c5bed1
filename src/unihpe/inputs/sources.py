"""What people name on a command line: pictures, videos, folders of them, patterns, addresses."""

import glob
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os.path import commonpath
from pathlib import Path
from tempfile import mkdtemp

from unihpe.errors import InputError
from unihpe.inputs.media import is_clip
from unihpe.io.fetch import CHUNK, LARGEST, Report, fetch, is_address, unheard
from unihpe.io.files import in_order
from unihpe.io.picture import is_picture, pictures_in


@dataclass(frozen=True)
class _Sources:
    """Files of what people name."""

    place: Path | None  # of the pictures: one, a folder of them, or where several lie; None: none
    pictures: tuple[Path, ...] = ()  # where they are not all those of `place`
    clips: tuple[Path, ...] = ()
    cameras: tuple[int, ...] = ()  # webcams


def find_sources(
    named: Sequence[str], fetched: Path, private: bool = False, report: Report = unheard
) -> _Sources:
    """The pictures and clips that people name: files, folders, patterns such as `*.jpg`, http and
    https addresses, numbers of webcams, and `-`, standard input.

    Args:
        fetched: an empty folder for what is not in a file yet.
        private: whether addresses may lie in private networks.
        report: of what is fetched from them.

    Raises:
        InputError: for a pattern of nothing, a folder with neither, pictures of one name, and what
            cannot be fetched.
    """
    cameras = [name for name in named if name.isdecimal() and not Path(name).exists()]
    if cameras:
        others = [name for name in named if name not in cameras]
        files = find_sources(others, fetched, private, report)
        return replace(files, cameras=tuple(dict.fromkeys(map(int, cameras))))
    names = dict.fromkeys(named)
    paths = [path for name in names for path in _paths_of(name, fetched, private, report)]
    if len(paths) == 1 and not (_shows_motion(paths[0], fetched) or _clips_in(paths[0])):
        return _Sources(paths[0])  # whatever is wrong with it is said by who reads it
    clips, pictures = list[Path](), list[Path]()
    for path in paths:
        own = _clips_in(path) if path.is_dir() else [path] * _shows_motion(path, fetched)
        clips += own
        if not own or (path.is_dir() and _has_pictures(path)):
            pictures += pictures_in(path)
    pictures, clips = (list(dict.fromkeys(each)) for each in (pictures, clips))
    called = [path.name for path in pictures]
    if twice := [name for name in called if called.count(name) > 1]:
        raise InputError(f"several pictures are called {twice[0]}: predict them one by one")
    if not pictures:
        return _Sources(None, (), tuple(clips))
    place = Path(commonpath([path.absolute().parent for path in pictures]))
    return _Sources(place, tuple(pictures), tuple(clips))


def _paths_of(name: str, fetched: Path, private: bool, report: Report) -> list[Path]:
    """A file or folder, or what a pattern, an address or `-` stands for."""
    if name == "-":
        return [_saved_input(fetched / "stdin")]
    if is_address(name):
        own = Path(mkdtemp(dir=fetched))  # two may end in the same name
        return [fetch(name, own, private, report=report)]
    if not glob.has_magic(name) or Path(name).exists():
        return [Path(name)]
    found = in_order(Path(path) for path in glob.glob(name, recursive=True))
    if not found:
        raise InputError(f"{name}: no file is called so")
    return found


def _saved_input(path: Path) -> Path:
    """What comes from standard input, as a file."""
    with path.open("wb") as file:
        while chunk := sys.stdin.buffer.read(CHUNK):
            file.write(chunk)
            if file.tell() > LARGEST:
                most = f"{LARGEST // 2**20:,} MB"
                raise InputError(f"standard input is larger than {most}: save it to a file first")
    if not path.stat().st_size:
        raise InputError("standard input is empty: what is to be read from it?")
    return path


def _shows_motion(path: Path, fetched: Path) -> bool:
    """Whether a file is a clip: by its name, or if it was fetched, by what it holds."""
    return not is_picture(path) if path.is_relative_to(fetched) else is_clip(path)


def _clips_in(path: Path) -> list[Path]:
    return in_order(one for one in path.iterdir() if is_clip(one)) if path.is_dir() else []


def _has_pictures(folder: Path) -> bool:
    try:
        return bool(pictures_in(folder))
    except InputError:
        return False
