"""A long run's poses so far: kept in a folder that one run has, and read again after a kill."""

import subprocess
import sys

import clip as clips
import pytest
import torch

from unihpe.errors import InputError
from unihpe.runs.parts import Parts, left_in


def test_parts_come_back_in_order_and_the_folder_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("unihpe.runs.parts.SECONDS", -1.0)
    results = clips.clip(frames=36)
    parts = Parts.begin(tmp_path / "a" / "b.parts")
    for n in range(12):
        parts.add(results.rows(range(n * 6, n * 6 + 6)))
    assert len(list(parts.folder.glob("*.npz"))) == 12
    whole = parts.whole()
    assert torch.equal(whole.pose, results.pose) and whole.person == results.person
    assert torch.equal(whole.frame, results.frame)
    with parts:
        pass
    assert not parts.folder.exists() and left_in(parts.folder) is None


def test_nobody_is_no_results(tmp_path):
    with Parts.begin(tmp_path / "parts") as parts:
        assert parts.whole() is None


def test_one_run_at_a_time(tmp_path):
    with Parts.begin(tmp_path / "parts"):
        for other in (Parts.begin, left_in):
            with pytest.raises(InputError, match="another run is writing"):
                other(tmp_path / "parts")
    with Parts.begin(tmp_path / "parts"):
        pass


def test_an_error_leaves_what_is_done(tmp_path):
    with pytest.raises(MemoryError), Parts.begin(tmp_path / "parts") as parts:
        parts.add(clips.clip(frames=3))
        parts.whole()
        raise MemoryError
    assert len(left_in(tmp_path / "parts")) == 6


def test_a_kill_leaves_what_was_written(tmp_path):
    code = f"""
import os, sys
sys.path[:0] = {sys.path!r}
import clip as clips
from unihpe.runs import parts
parts.SECONDS = -1.0
own = parts.Parts.begin(parts.Path({str(tmp_path / "parts")!r}))
own.add(clips.clip(frames=3))
parts.SECONDS = 1000
own.add(clips.clip(frames=5))
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    (tmp_path / "parts" / "000001.npz").write_bytes(b"half")
    assert len(left_in(tmp_path / "parts")) == 6
    with Parts.begin(tmp_path / "parts") as parts:
        assert parts.whole() is None, "a new run begins anew"


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        Parts.begin(tmp_path / "file" / "parts")
