"""A command that is stopped: one line, the right exit code, no process and no file left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WAITING = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from unihpe.io.workers import begin_worker
with ProcessPoolExecutor(2, initializer=begin_worker) as pool:
    places = [pool.submit(time.sleep, 60) for _ in range(2)]
    time.sleep(0.5)
    print(*pool._processes, flush=True)
    places[0].result()
"""


def _start(*arguments):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    heeding = {"preexec_fn": _heed_ctrl_c if os.name == "posix" else None}
    return subprocess.Popen([sys.executable, *map(str, arguments)], **pipes, **heeding)


def _heed_ctrl_c():
    """Jobs in the background of a shell ignore it, and what they start does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _status(process):
    """State and parent of a process; Z, which is a name that nobody asks about, if it is gone."""
    try:
        state, parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "Z", 0
    return state, int(parent)


def _running(process):
    return _status(process)[0] != "Z"


def _children_of(parent):
    names = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(name) for name in names if _status(name)[1] == parent]


def _all_end(processes, seconds=15):
    deadline = time.monotonic() + seconds
    while any(map(_running, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(_running, processes))


@pytest.mark.parametrize("moment", ["typer", "numpy.version", "torch.nn", "safetensors"])
def test_ctrl_c_ends_in_one_line_also_while_modules_are_imported(moment):
    with _start("-X", "importtime", "-m", "unihpe", "info") as started:
        for line in started.stderr:  # each module as it has been imported
            if line.rpartition("|")[2].strip().startswith(moment):
                break
        else:
            pytest.fail(f"{moment} is not imported")
        started.send_signal(signal.SIGINT)
        rest = [line for line in started.stderr if not line.startswith("import time:")]
    assert started.returncode == 130 and rest == ["unihpe: interrupted\n"]


def test_ctrl_c_while_a_command_works(motion_file, tmp_path):
    where = ("-o", tmp_path / "run", "--set", f"data.root={motion_file}")
    started = _start("-m", "unihpe", "train", "quick", *where)
    while not (tmp_path / "run" / "log.jsonl").exists():
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, error = started.communicate()
    assert (started.returncode, error) == (130, "unihpe: interrupted\n")
    assert not list((tmp_path / "run").glob("*.tmp"))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(number):
    with _start("-c", WAITING) as started:
        workers = [int(one) for one in started.stdout.readline().split()]
        assert len(workers) == 2 and all(map(_running, workers))
        started.send_signal(number)
        started.wait()
        ended = _all_end(workers)
        for one in workers if not ended else ():
            os.kill(one, signal.SIGKILL)
    assert ended


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_rendering_that_is_stopped_leaves_nothing(motion_file, tmp_path):
    pytest.importorskip("anny", reason="rendering needs the extra synthetic")
    out = tmp_path / "people.pack"
    command = ("-m", "unihpe", "data", "render", "--motion", motion_file, "-o", out)
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)):
        before, half = set(tmp_path.iterdir()), set()
        with _start(*command, "--workers", 2, "--count", 5000) as started:
            while started.poll() is None and not any(f.stat().st_size > 99_999 for f in half):
                time.sleep(0.1)
                half = set(tmp_path.iterdir()) - before
            workers = _children_of(started.pid)
            started.send_signal(number)
            _, error = started.communicate()
        assert started.returncode == code and len(workers) >= 2 and _all_end(workers)
        assert not {file for file in before if "people.pack" in file.name} & set(tmp_path.iterdir())
    assert error == "unihpe: terminated\n"
    assert not [file for file in tmp_path.iterdir() if "people.pack" in file.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
@pytest.mark.parametrize("command", ["recipes", "--version"])
def test_printing_to_a_full_disk_is_one_line(command):
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "unihpe", command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (2, "unihpe: output: No space left on device\n")
