"""Logs of runs: rows of JSON, one a line."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unihpe.io.files import input_errors, replacing

Row = dict[str, Any]


class Log:
    """A log to append to; on resuming, rows beyond the resumed state are dropped."""

    def __init__(self, path: Path, samples: int, report: Callable[[Row], None]) -> None:
        self.path, self.report = path, report
        kept = [row for row in read_log(path) if row["samples"] <= samples]
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def write(self, row: Row) -> None:
        remedy = "choose a folder with room"
        unwritten = input_errors(f"cannot write {self.path}", remedy, (OSError,))
        with unwritten, self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.report(row)


def read_log(path: Path) -> list[Row]:
    """The rows of a log up to the first that is not whole; none where there is no log."""
    rows: list[Row] = []
    with contextlib.suppress(json.JSONDecodeError):
        for line in path.read_text().splitlines() if path.exists() else ():
            rows.append(json.loads(line))
    return rows
