"""The index of a large set: the same people, made again when a file changes, wherever it may lie."""

import os

import pytest
import torch
from miniatures import write_videopose3d_h36m
from torch.testing import assert_close

from unihpe.data import index, mapped, sets, videopose3d
from unihpe.data.human36m import open_human36m
from unihpe.data.sets import open_recorded


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A miniature that counts as large."""
    monkeypatch.setattr(index, "WORTH", 0)
    monkeypatch.setattr(videopose3d, "LARGE", 0)
    monkeypatch.setenv("UNIHPE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    write_videopose3d_h36m(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def built(monkeypatch):
    """How often the set's own files were read."""
    calls = []
    monkeypatch.setattr(sets, "open_human36m", lambda *given: (calls.append(given), open_human36m(*given))[1])
    return calls


def same(a, b):
    one, other = (source.read(torch.arange(len(source)), torch.Generator()) for source in (a, b))
    for part in ("keypoints", "confidence", "pose"):
        assert_close(getattr(one, part), getattr(other, part), rtol=0, atol=0, equal_nan=True)
    assert_close(one.camera.project(one.pose), other.camera.project(other.pose), rtol=0, atol=0, equal_nan=True)
    assert one.group == other.group
    assert (a.layout, a.notes, a.skeleton) == (b.layout, b.notes, b.skeleton)


@pytest.mark.parametrize("keypoints", ["gt", "exact"])
def test_the_second_opening_gives_the_same_from_the_index(data, built, keypoints, monkeypatch):
    first, second = (open_recorded("human36m", data, keypoints, None) for _ in range(2))
    assert len(built) == 1 and second.maps and len(list((data / ".unihpe").iterdir())) == 1
    same(first, second)
    monkeypatch.setattr(videopose3d, "LARGE", 1 << 26)
    same(open_human36m(data, keypoints), second)  # never in a file
    whole = second.select(lambda view: view.split == "train", 2)
    same(whole, open_human36m(data, keypoints).select(lambda view: view.split == "train", 2))


def test_a_changed_file_makes_another_index(data, built):
    open_recorded("human36m", data, "gt", None)
    (before,) = (data / ".unihpe").iterdir()
    os.utime(data / "data_2d_h36m_gt.npz", ns=(1, 1))
    open_recorded("human36m", data, "gt", None)
    (after,) = (data / ".unihpe").iterdir()
    assert len(built) == 2 and before.name != after.name


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda whole: b"", lambda whole: b"x" * len(whole)])
def test_a_damaged_index_is_made_again(data, built, damage):
    first = open_recorded("human36m", data, "gt", None)
    (file,) = (data / ".unihpe").iterdir()
    whole = file.read_bytes()
    file.unlink()  # `first` still sees the old file
    file.write_bytes(damage(whole))
    same(first, open_recorded("human36m", data, "gt", None))
    assert len(built) == 2 and len(open_recorded("human36m", data, "gt", None)) and len(built) == 2


def test_the_index_lies_in_the_cache_where_the_folder_cannot_be_written(data, built, tmp_path):
    (data / ".unihpe").write_text("in the way")  # root may write anywhere, so a mode would prove nothing
    for _ in range(2):
        open_recorded("human36m", data, "gt", None)
    assert len(built) == 1 and len(list((tmp_path / "cache" / "index").iterdir())) == 1
    (tmp_path / "other").write_text("in the way")
    os.environ["UNIHPE_CACHE"] = str(tmp_path / "other")
    assert len(open_recorded("human36m", data, "gt", None)) and len(built) == 2  # nowhere at all


def test_small_sets_have_none(data, built, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 1 << 26)
    assert not open_recorded("human36m", data, "gt", None).maps or built
    assert not (data / ".unihpe").exists()


def test_mapped_numbers(tmp_path):
    import numpy as np

    parts = [np.arange(6, dtype=np.float64).reshape(2, 3), np.ones((1, 3))]
    (in_memory, none), (in_file, maps) = (mapped.stacked(iter(parts), large) for large in (False, True))
    assert torch.equal(in_memory, in_file) and in_file.shape == (3, 3) and not none and len(maps) == 1
    maps[0].release()
    assert torch.equal(in_memory, in_file)
