"""What people name: files, folders, patterns, standard input; sorted into pictures and clips."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clips import numbered, write_clip
from PIL import Image

from unihpe.errors import InputError
from unihpe.inputs import sources
from unihpe.inputs.sources import _Sources, find_sources


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "my files"
    (place / "sub").mkdir(parents=True)
    for name in ("a.jpg", "b.PNG", "sub/c.jpg", "b.mp4", "a.MOV", "notes.txt"):
        (place / name).touch()
    return place


@pytest.fixture
def find(tmp_path):
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    return lambda *named: find_sources([str(name) for name in named], fetched)


def test_one_picture_or_folder_of_pictures_stays_as_it_is(folder, find):
    assert find(folder / "a.jpg") == _Sources(folder / "a.jpg")
    assert find(folder / "sub") == _Sources(folder / "sub")
    assert find(folder / "none.jpg") == _Sources(folder / "none.jpg"), (
        "its reader says what is wrong"
    )
    assert find() == _Sources(None)


def test_clips_and_folders_of_both(folder, find):
    assert find(folder / "b.mp4") == _Sources(None, (), (folder / "b.mp4",))
    both = find(folder)
    assert both.clips == (folder / "a.MOV", folder / "b.mp4")
    assert both.pictures == (folder / "a.jpg", folder / "b.PNG") and both.place == folder


def test_several_and_patterns(folder, find):
    several = find(folder / "a.jpg", folder / "sub", folder / "b.mp4")
    assert several.pictures == (folder / "a.jpg", folder / "sub" / "c.jpg")
    assert several.place == folder and several.clips == (folder / "b.mp4",)
    assert find(folder / "*.jpg", folder / "a.jpg").pictures == (folder / "a.jpg",)
    every = find(folder / "**" / "*.jpg")
    assert {path.name for path in every.pictures} == {"a.jpg", "c.jpg"}
    (folder / "odd[1].jpg").touch()
    assert find(folder / "odd[1].jpg") == _Sources(folder / "odd[1].jpg")


def test_numbers_are_webcams_unless_files_are_called_so(folder, find, monkeypatch):
    assert find("0", "2", folder / "b.mp4") == _Sources(None, (), (folder / "b.mp4",), (0, 2))
    monkeypatch.chdir(folder)
    (folder / "0").touch()
    assert find("0") == _Sources(Path("0"))


def test_what_is_not_there_or_twice(folder, find):
    with pytest.raises(InputError, match=r"\*.tif: no file is called so"):
        find(folder / "*.tif")
    (folder / "sub" / "a.jpg").touch()
    with pytest.raises(InputError, match=r"several pictures are called a.jpg"):
        find(folder / "a.jpg", folder / "sub" / "a.jpg")


def test_standard_input_may_be_either(find, tmp_path, monkeypatch):
    picture = io.BytesIO()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(picture, "PNG")
    clip = write_clip(tmp_path / "a.mp4", numbered(2)).read_bytes()
    for content, is_clip in ((picture.getvalue(), False), (clip, True)):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        found = find("-")
        paths = found.clips if is_clip else (found.place,)
        assert len(paths) == 1 and Path(paths[0]).read_bytes() == content
        assert bool(found.clips) == is_clip
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    with pytest.raises(InputError, match="standard input is empty"):
        find("-")
    monkeypatch.setattr(sources, "LARGEST", 1000)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(bytes(2000))))
    with pytest.raises(InputError, match="standard input is larger"):
        find("-")


def test_addresses_are_fetched(find, monkeypatch, tmp_path):
    asked = []

    def fetch(address, folder, private, report):
        asked.append((address, private))
        return write_clip(folder / "clip.mp4", numbered(2))

    monkeypatch.setattr(sources, "fetch", fetch)
    assert [path.name for path in find("https://example.com/clip").clips] == ["clip.mp4"]
    assert asked == [("https://example.com/clip", False)]


def test_files_of_one_name_at_two_addresses_are_both_there(find, monkeypatch):
    def fetch(address, folder, private, report):
        return write_clip(folder / "clip.mp4", numbered(1 + len(address) % 2))

    monkeypatch.setattr(sources, "fetch", fetch)
    one, other = find("http://one.de/clip.mp4", "http://two.com/clip.mp4").clips
    assert one.name == other.name == "clip.mp4" and one.read_bytes() != other.read_bytes()
    assert len(find("http://one.de/clip.mp4", "http://one.de/clip.mp4").clips) == 1
