"""Memory that is freed stays with the program, on GNU's C library, unless somebody else decides."""

import os
import subprocess
import sys

import pytest

from unihpe.io import allocator

FILLS = """
import resource
from unihpe.io.allocator import keep_freed_memory
print(keep_freed_memory())
def fill():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * (1 << 28)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
fill()
print(fill())
"""


def run(**environment):
    """Whether it was done, and how many pages a second block as large as the first one asks for."""
    own = {k: v for k, v in os.environ.items() if k not in allocator.SAID_OTHERWISE}
    command = [sys.executable, "-c", FILLS]
    done = subprocess.run(
        command, env=own | environment, capture_output=True, text=True, check=True
    )
    kept, pages = done.stdout.split()
    return kept == "True", int(pages)


@pytest.mark.skipif(not allocator._is_glibc(), reason="another C library")
def test_a_second_block_needs_no_new_pages():
    kept, pages = run()
    assert kept and pages < 10


@pytest.mark.skipif(not allocator._is_glibc(), reason="another C library")
@pytest.mark.parametrize("name", ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"])
def test_thresholds_of_the_environment_stay(name):
    kept, pages = run(**{name: "100000"})
    assert not kept and pages > 10


@pytest.mark.parametrize("error", [ValueError, AttributeError, OSError])
def test_other_c_libraries_are_left_alone(monkeypatch, error):
    def unknown(name):
        raise error

    monkeypatch.setattr(os, "confstr", unknown, raising=False)
    assert not allocator.keep_freed_memory()
