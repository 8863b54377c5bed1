"""A short run of the fuzzing: what every reader makes of some hundreds of odd files."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 12


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs fork and /proc")
def test_odd_files_are_refused_in_one_line_or_read_soundly():
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", str(SECONDS / 60)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]
    assert int(ended.stdout.split()[0]) > 5
