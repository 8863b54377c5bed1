"""What a long run has done so far, on disk: a kill loses the last seconds, not the hours before."""

import contextlib
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from unihpe.errors import InputError
from unihpe.export import Results, read_results, write_npz
from unihpe.io.files import in_order
from unihpe.io.locks import lock

SECONDS = 5.0  # of work that a kill may lose


@dataclass
class Parts:
    """Results in order in a folder, `000000.npz` and so on, which one run alone writes.

    `with Parts.begin(folder) as parts:` removes the folder at the end, but after an error.
    """

    folder: Path
    _lock: IO[bytes]
    _count: int = 0
    _waiting: list[Results] = field(default_factory=list)
    _written: float = field(default_factory=time.monotonic)

    @classmethod
    def begin(cls, folder: Path) -> Self:
        """An empty folder; InputError while another run has it, or if it cannot be made."""
        file = _locked(folder)
        for old in folder.glob("*.npz"):
            old.unlink()
        return cls(folder, file)

    def add(self, results: Results) -> None:
        """More results; they are written now or within seconds."""
        self._waiting.append(results)
        if time.monotonic() - self._written > SECONDS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            write_npz(self.folder / f"{self._count:06}.npz", Results.join(self._waiting))
            self._count, self._waiting = self._count + 1, []
        self._written = time.monotonic()

    def whole(self) -> Results | None:
        """All results so far, in order; None where there are none."""
        self._flush()
        return _read(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *how: object) -> None:
        """Let go of the folder; after an error it stays, else it is removed."""
        self._lock.close()
        if error is None:
            shutil.rmtree(self.folder, ignore_errors=True)


def left_in(folder: Path) -> Results | None:
    """What a run that was killed left in a folder; None where there is nothing. InputError while
    another run has it."""
    if not folder.is_dir():
        return None
    with _locked(folder):
        return _read(folder)


def _locked(folder: Path) -> IO[bytes]:
    """The open lock of a folder, which is made where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("ab")
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        lock(file)
    except BlockingIOError as error:
        file.close()
        raise InputError(f"another run is writing to {folder}: choose another -o") from error
    except OSError:
        pass  # a file system without locks
    return file


def _read(folder: Path) -> Results | None:
    parts = list[Results]()
    for path in in_order(folder.glob("*.npz")):
        with contextlib.suppress(InputError):  # half a file, of a disk that was full
            parts.append(read_results(path))
    return Results.join(parts) if parts else None
