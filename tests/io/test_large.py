"""Hypotheses of any number of people: beyond what memory should hold they lie in a file."""

import json
import tempfile
from pathlib import Path

import pytest
import torch

import unihpe
from unihpe.errors import InputError
from unihpe.export import read_results, save
from unihpe.export.json import as_dict_of
from unihpe.inference import predictor
from unihpe.io import large


@pytest.fixture
def on_disk(monkeypatch):
    monkeypatch.setattr(large, "IN_MEMORY", 1000)


def lifted(people=7, samples=3):
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(people, 17, 2, generator=generator) * 500 + 200
    return unihpe.load("shipped:lifting").lift(keypoints, (1000, 1000), samples=samples)


def test_hypotheses_on_disk_and_in_parts_are_the_same(monkeypatch, tmp_path):
    whole = lifted()
    monkeypatch.setattr(large, "IN_MEMORY", 1000)
    monkeypatch.setattr(predictor, "MOST_DRAWN", 7)  # two people at a time
    parts = lifted()
    torch.testing.assert_close(parts.samples, whole.samples, atol=0.02, rtol=1e-4)
    torch.testing.assert_close(parts.spread, whole.spread, atol=0.02, rtol=1e-4)
    assert parts.samples[:, :, 0].abs().max() < 1e-3  # root-relative
    for name in ("a.json", "a.npz"):
        save(parts, tmp_path / name)
        read = read_results(tmp_path / name)
        torch.testing.assert_close(read.samples, parts.samples, atol=1e-3, rtol=0)


def test_json_is_written_a_person_at_a_time(tmp_path):
    results = lifted()
    for some in (results, results.rows([2])):
        save(some, tmp_path / "a.json")
        assert json.loads((tmp_path / "a.json").read_text()) == as_dict_of(some)


def test_a_large_tensor_lies_in_a_file_without_a_name(on_disk, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = large.empty((100, 30))
    if (maps := Path("/proc/self/maps")).exists():
        assert "/unihpe-" in maps.read_text() or str(tmp_path) in maps.read_text()
    assert not [*Path(tmp_path).iterdir()]
    made[:] = 3
    assert made.sum() == 9000
    parts = [torch.rand(4, n, 50) for n in (2, 3)]
    assert torch.equal(large.joined(parts, 1), torch.cat(parts, 1))


def test_rows_of_what_lies_in_a_file_lie_in_one_too(on_disk, monkeypatch):
    whole, rooms = lifted(), []
    empty = large.empty
    monkeypatch.setattr(large, "empty", lambda shape: rooms.append(shape) or empty(shape))
    some = whole.rows([5, -7, 2])
    assert torch.equal(some.samples, whole.samples[:, [5, 0, 2]]) and rooms == [(3, 3, 17, 3)]
    assert whole.rows([]).samples.shape == (3, 0, 17, 3)


def test_a_disk_without_room_is_called_that(on_disk, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(large.os, "posix_fallocate", full)
    with pytest.raises(InputError, match=r"no room for .* GB .*No space left.* fewer samples"):
        large.empty((100, 30))
