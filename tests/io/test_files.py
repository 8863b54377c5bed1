"""Files that are written whole or not at all: full disks, killed writers, several together."""

import errno
import json
import os
import resource
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from unihpe.datasets.packed import PackedPeople, pack
from unihpe.errors import InputError
from unihpe.io.files import all_or_none, replacing, write_text
from unihpe.io.locks import lock
from unihpe.io.log import Log
from unihpe.model.checkpoint import Card, save_checkpoint
from unihpe.show.draw import save_png
from unihpe.training.state import Progress, Run, save_state

LITTLE = 4096  # bytes that there is room for


def _people():
    """A person for a packed set."""
    from unihpe.body.batch import LabelledCrop
    from unihpe.body.camera import Camera

    camera = Camera.simple(torch.tensor([640.0, 480.0]))
    picture = np.random.default_rng(0).integers(0, 255, (256, 192, 3), dtype=np.uint8)
    joints, pose = np.zeros((17, 2), np.float32), np.zeros((17, 3), np.float32)
    yield LabelledCrop(picture, joints, pose, np.ones(17, np.uint8), np.ones(4), camera, 0, "one")


def _write_log(path):
    log = Log(path, 0, print)
    for n in range(LITTLE):
        log.write({"step": n, "samples": n})


WRITERS = {
    "text.html": lambda path: write_text(path, "x" * 4 * LITTLE),
    "picture.png": lambda path: save_png(
        path, np.random.default_rng(0).integers(0, 255, (99, 99, 3), dtype=np.uint8)
    ),
    "people.pack": lambda path: pack(_people(), path, {}),
    "model.safetensors": lambda path: save_checkpoint(
        path, {"a": torch.rand(LITTLE)}, Card(skeleton="human36m17", recipe={})
    ),
    "training.pt": lambda path: save_state(
        Run(path.parent, ""), nn.Linear(99, 99), nn.Linear(99, 99), None, Progress()
    ),
    "log.jsonl": _write_log,
}


def _refused(write, folder, name, reason):
    """A writer that has no room says so, with the file's name, and leaves what was there."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError) as refusal:
        write(folder / name)
    text = str(refusal.value)
    assert str(folder / name) in text and reason in text and "\n" not in text
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    if name == "log.jsonl":  # grows line by line
        after.pop(name), before.pop(name)
    assert after == before


@pytest.mark.parametrize("name", WRITERS)
def test_where_a_write_fails_nothing_is_half_written(name, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / name).write_bytes(b"")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LITTLE, limits[1]))
        _refused(WRITERS[name], tmp_path, name, os.strerror(errno.EFBIG))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_called_one(name, tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk needs the right to mount one")
    try:
        (tmp_path / name).write_bytes(b"")
        _refused(WRITERS[name], tmp_path, name, os.strerror(errno.ENOSPC))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_several_files_are_replaced_together_or_not_at_all(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("old")
    with pytest.raises(InputError, match="cannot write .*b: Is a directory"), all_or_none():
        write_text(first, "new")
        second.mkdir()
        write_text(second, "new")
    second.rmdir()
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and first.read_text() == "old"
    with all_or_none():
        write_text(first, "new")
        write_text(second, "new")
        assert first.read_text() == "old" and not second.exists()
    assert first.read_text() == second.read_text() == "new"
    write_text(first, "alone")
    assert first.read_text() == "alone" and len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    path = tmp_path / "poses [1].json"
    killed = """
import os, signal, sys
from pathlib import Path
from unihpe.io.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", killed, str(path)], check=False)
    other = tmp_path / ".poses [1].json.txt.0000.tmp"
    other.touch()
    assert len(list(tmp_path.iterdir())) == 2
    with replacing(path) as mine:
        mine.write_text("first")
        write_text(path, "second")  # meanwhile
        assert mine.exists(), "another writer, who lives, was robbed"
    assert path.read_text() == "first"
    assert sorted(tmp_path.iterdir()) == sorted([other, path])


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": None},
        {"settings": 3},
        {"groups": []},
        {"groups": 5},
        {"arrays": 7},
        {"people": "two"},
        {"people": -1},
    ],
)
def test_a_packed_set_with_an_odd_description_is_refused(tmp_path, changes):
    path = tmp_path / "people.pack"
    pack(_people(), path, {})
    whole = path.read_bytes()
    start, length = struct.unpack("<QQ", whole[-16:])
    described = json.loads(whole[start : start + length]) | changes
    text = json.dumps(
        {key: value for key, value in described.items() if value is not None}
    ).encode()
    path.write_bytes(whole[:start] + text + struct.pack("<QQ", start, len(text)))
    with pytest.raises(
        InputError, match=r"people.pack: not a packed set, or not whole \(.+\); pack"
    ):
        PackedPeople(path)


def test_a_lock_ends_with_its_file(tmp_path):
    path = tmp_path / "lock"
    with path.open("ab") as first, path.open("ab") as second:
        lock(first)
        with pytest.raises(BlockingIOError):
            lock(second)
    with path.open("ab") as third:
        lock(third)
