"""The index of a large set: the same people, made again when a file changes, wherever it lies."""

import os
import zlib
from pathlib import Path

import pytest
import torch
from miniatures import (
    write_3dhp_test,
    write_3dhp_train,
    write_fetch_h36m,
    write_pickled_h36m,
    write_raw_h36m,
    write_videopose3d_h36m,
)
from miniatures_packings import (
    write_h36m_coco,
    write_h36m_metadata,
    write_mmpose_3dhp,
    write_pstmo_3dhp,
    write_spin_3dhp,
    write_spin_h36m,
)
from opening import open_recorded
from torch.testing import assert_close

from unihpe.datasets import index, videopose3d
from unihpe.datasets.human36m import record
from unihpe.datasets.human36m.reader import open_human36m
from unihpe.datasets.mpi_inf_3dhp.reader import open_mpi_inf_3dhp
from unihpe.errors import InputError
from unihpe.io import mapped


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
    monkeypatch.setattr(
        record,
        "open_human36m",
        lambda *given, **named: (calls.append(given), open_human36m(*given, **named))[1],
    )
    return calls


def same(a, b):
    one, other = (source.read(torch.arange(len(source)), torch.Generator()) for source in (a, b))
    for part in ("keypoints", "confidence", "pose"):
        assert_close(getattr(one, part), getattr(other, part), rtol=0, atol=0, equal_nan=True)
    assert_close(
        one.camera.project(one.pose),
        other.camera.project(other.pose),
        rtol=0,
        atol=0,
        equal_nan=True,
    )
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


def write_raw_3dhp(root):
    write_3dhp_train(root)
    write_3dhp_test(root)


@pytest.mark.parametrize(
    "write",
    [
        write_raw_h36m,
        write_fetch_h36m,
        write_spin_h36m,
        write_h36m_coco,
        lambda root: write_pickled_h36m(root, "LCN"),
        lambda root: (write_raw_h36m(root), write_h36m_metadata(root)),
    ],
)
def test_every_layout_of_human36m_opens_from_an_index(tmp_path, monkeypatch, write, built):
    monkeypatch.setattr(index, "WORTH", 0)
    write(tmp_path)
    first = open_recorded("human36m", tmp_path, "gt", "train")
    calls = len(built)
    second = open_recorded("human36m", tmp_path, "gt", "train")
    assert second.maps and len(built) == calls == 1
    same(first, second)
    same(open_human36m(tmp_path, split="train").select(lambda view: view.split == "train"), second)
    for file in tmp_path.rglob("*.*"):
        if file.suffix in (".cdf", ".h5", ".pkl", ".npz", ".json", ".xml"):
            os.utime(file, ns=(1, 1))
            open_recorded("human36m", tmp_path, "gt", "train")
            calls += 1
            assert len(built) == calls, file
            break


@pytest.mark.parametrize(
    "write", [write_mmpose_3dhp, write_pstmo_3dhp, write_spin_3dhp, write_raw_3dhp]
)
def test_3dhp_has_an_index_of_each_split(tmp_path, monkeypatch, write):
    monkeypatch.setattr(index, "WORTH", 0)
    write(tmp_path)
    for split in ("train", "test"):
        plain = open_mpi_inf_3dhp(tmp_path, split=split)
        first, second = (open_recorded("mpi_inf_3dhp", tmp_path, "gt", split) for _ in range(2))
        assert first.maps and second.maps and not plain.maps
        same(plain, first)
        same(plain, second)
    assert len([*tmp_path.rglob("*.index")]) == 2
    exact = open_recorded("mpi_inf_3dhp", tmp_path, "exact", "test")
    assert exact.keypoints is None and exact.layout == f"{first.layout}, 2D exact"
    if write is not write_raw_3dhp:  # raw files have both truths
        held = {"annot3", "univ_annot3"} & {*first.layout.replace(",", "").split()}
        other = ({"annot3", "univ_annot3"} - held).pop()
        with pytest.raises(InputError, match=f"not {other}"):
            open_recorded("mpi_inf_3dhp", tmp_path, "gt", "test", truth=other)


def test_other_cameras_make_another_index(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 0)
    write_mmpose_3dhp(tmp_path)
    open_recorded("mpi_inf_3dhp", tmp_path, "gt", "train")
    (before,) = tmp_path.rglob("*.index")
    (cameras,) = tmp_path.rglob("cameras_train.pkl")
    cameras.unlink()
    open_recorded("mpi_inf_3dhp", tmp_path, "gt", "train")
    (after,) = tmp_path.rglob("*.index")
    assert before.name != after.name


def test_a_changed_file_makes_another_index(data, built):
    open_recorded("human36m", data, "gt", None)
    (before,) = (data / ".unihpe").iterdir()
    os.utime(data / "data_2d_h36m_gt.npz", ns=(1, 1))
    open_recorded("human36m", data, "gt", None)
    (after,) = (data / ".unihpe").iterdir()
    assert len(built) == 2 and before.name != after.name


def test_readers_of_another_version_make_another_index(data, built, monkeypatch):
    open_recorded("human36m", data, "gt", None)
    monkeypatch.setattr(index, "READERS", index.READERS + 1)
    open_recorded("human36m", data, "gt", None)
    assert len(built) == 2 and len(list((data / ".unihpe").iterdir())) == 1


def test_a_file_that_hides_its_change_makes_another_index(data, built):
    """Another content of the same size and time, as `cp -p` and `rsync` leave it."""
    file = data / "data_2d_h36m_gt.npz"
    open_recorded("human36m", data, "gt", None)
    before = file.stat()
    file.write_bytes(file.read_bytes())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    open_recorded("human36m", data, "gt", None)
    assert len(built) == 2


def described_as(change):
    """A damage: another description, with a checksum that fits."""

    def damage(whole):
        start, length, _ = index.FOOTER.unpack(whole[-index.FOOTER.size :])
        text = change(whole[start : start + length])
        return whole[:start] + text + index.FOOTER.pack(start, len(text), zlib.crc32(text))

    return damage


def flipped_at(whole, place):
    return whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]


DAMAGES = {
    "cut": lambda whole: whole[:-1],
    "empty": lambda whole: b"",
    "other": lambda whole: b"x" * len(whole),
    "a list of arrays": described_as(lambda text: b'{"arrays": []}'),
    "deep": described_as(lambda text: b"[" * 200_000),
    "a number": described_as(lambda text: b"1"),
    "a column": lambda whole: flipped_at(whole, len(index.MAGIC)),
    "a coordinate": lambda whole: flipped_at(
        whole, index.FOOTER.unpack(whole[-index.FOOTER.size :])[0] - 200
    ),
    "a letter": lambda whole: flipped_at(whole, len(whole) - index.FOOTER.size - 20),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_made_again(data, built, damage):
    first = open_recorded("human36m", data, "gt", None)
    (file,) = (data / ".unihpe").iterdir()
    whole = file.read_bytes()
    file.unlink()  # `first` still sees the old file
    file.write_bytes(DAMAGES[damage](whole))
    same(first, open_recorded("human36m", data, "gt", None))
    assert len(built) == 2 and len(open_recorded("human36m", data, "gt", None)) and len(built) == 2


def test_a_folder_that_is_renamed_keeps_its_index(data, built):
    open_recorded("human36m", data, "gt", None)
    moved = data.rename(data.with_name("moved"))
    open_recorded("human36m", moved, "gt", None)
    assert len(built) == 1 and len(list((moved / ".unihpe").iterdir())) == 1


def test_what_killed_processes_left_is_removed(data, built):
    """Not what is being written, nor what belongs to the index of other 2D."""
    open_recorded("human36m", data, "gt", None)
    (file,) = (data / ".unihpe").iterdir()
    stamp = file.stem.removeprefix("human36m-gt-")
    names = {
        "old": f".{file.name}.0a1b2c3d.tmp",
        "new": f".{file.name}.4e5f6a7b.tmp",
        "other": f".human36m-gt-x-{stamp}.index.0a.tmp",
    }
    for name, text in names.items():
        (file.parent / text).write_text("half")
        if name != "new":
            os.utime(file.parent / text, (1, 1))
    (file.parent / f"human36m-gt-x-{stamp}.index").write_text("of other 2D")
    open_recorded("human36m", data, "gt", None)
    os.utime(data / "data_2d_h36m_gt.npz", ns=(1, 1))
    open_recorded("human36m", data, "gt", None)
    left = {found.name for found in file.parent.iterdir()}
    assert {names["new"], names["other"], f"human36m-gt-x-{stamp}.index"} < left and len(left) == 4
    assert names["old"] not in left and file.name not in left


def test_the_index_lies_in_the_cache_where_the_folder_cannot_be_written(data, built, tmp_path):
    (data / ".unihpe").write_text(
        "in the way"
    )  # root may write anywhere, so a mode would prove nothing
    for _ in range(2):
        open_recorded("human36m", data, "gt", None)
    assert len(built) == 1 and len(list((tmp_path / "cache" / "index").iterdir())) == 1
    (tmp_path / "other").write_text("in the way")
    os.environ["UNIHPE_CACHE"] = str(tmp_path / "other")
    assert len(open_recorded("human36m", data, "gt", None)) and len(built) == 2  # nowhere at all


def test_small_sets_have_none(data, built, tmp_path, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 1 << 26)
    assert len(open_recorded("human36m", data, "gt", None)) and built
    assert not (data / ".unihpe").exists() and not (tmp_path / "cache").exists()


def test_mapped_numbers(tmp_path):
    import numpy as np

    parts = [np.arange(6, dtype=np.float64).reshape(2, 3), np.ones((1, 3))]
    (in_memory, none), (in_file, maps) = (
        mapped.stacked(iter(parts), large) for large in (False, True)
    )
    assert (
        torch.equal(in_memory, in_file) and in_file.shape == (3, 3) and not none and len(maps) == 1
    )
    maps[0].release()
    assert torch.equal(in_memory, in_file)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux's full disk")
def test_a_full_temporary_folder_is_one_sentence(data, monkeypatch):
    monkeypatch.setattr(mapped.tempfile, "tempdir", "/full")
    monkeypatch.setattr(mapped.tempfile, "TemporaryFile", lambda: Path("/dev/full").open("wb"))  # noqa: SIM115
    with pytest.raises(
        InputError, match=r"^/full: No space left on device; .* set TMPDIR to a folder with room$"
    ):
        open_recorded("human36m", data, "gt", None)
