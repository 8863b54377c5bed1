"""Locks that a crash frees: the system holds them for an open file, and no note stays behind."""

import sys
from typing import IO, Any

FAR = 1 << 40  # bytes: Windows forbids others to write what is locked, so nothing lies there

if sys.platform == "win32":
    import msvcrt

    def lock(file: IO[Any]) -> None:
        """Lock an open file until it is closed; BlockingIOError while another process has it."""
        file.seek(FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
        file.seek(0)

else:
    import fcntl

    def lock(file: IO[Any]) -> None:
        """Lock an open file until it is closed: BlockingIOError while another process has it,
        OSError on a file system without locks."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
