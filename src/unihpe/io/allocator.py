"""What the C library does with memory that has been freed."""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
NEVER = 2**31 - 1  # bytes, the most there is
SAID_OTHERWISE = "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"


def keep_freed_memory() -> bool:
    """Keep memory that is freed for what comes next; only with glibc, and unless the environment
    sets its thresholds. Says whether that was done.

    By itself glibc gives large blocks back to the system, and the next layer of a network gets new
    ones, whose pages the system must clear first: a fifth of the time that `unihpe predict` took
    for photographs on a CPU. What it costs, and brings, is in docs/results.md.
    """
    if not _is_glibc() or any(name in os.environ for name in SAID_OTHERWISE):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(which, NEVER) for which in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD))


def _is_glibc() -> bool:
    """Whether this Python runs on GNU's C library: not on macOS, Windows or with musl."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):
        return False
