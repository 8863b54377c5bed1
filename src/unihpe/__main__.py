"""The `unihpe` command, also as `python -m unihpe`; Ctrl-C ends it in one line, at any moment."""

import atexit
import os
import signal
import sys
from types import FrameType
from typing import Any

ENDED_BY = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
IMPORTING = "<frozen importlib._bootstrap>"  # the file of the frames that import


def _main() -> None:
    """Run the command line, whose imports take a while."""
    sys.unraisablehook = _end_all_the_same
    atexit.register(_listen, signal.SIG_IGN)  # all is done by then, and Python puts things away
    _listen(_end)
    try:
        from unihpe.cli import main as run
        from unihpe.io.allocator import keep_freed_memory

        keep_freed_memory()  # here, not where the library is imported: it is the whole process's
        run()
    finally:
        _listen(_end_at_once)


def _listen(handler: Any) -> None:
    for number in ENDED_BY:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in the background of a shell
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    """Say so, and leave through all that removes what is half-written; at once if asked again, and
    during an import: torch goes on where one fails."""
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            _end_at_once(number, frame)
        frame = frame.f_back
    _listen(_end_at_once)
    _say(number)
    sys.exit(128 + number)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    _say(number)
    os._exit(128 + number)


def _say(number: int) -> None:
    os.write(2, f"unihpe: {ENDED_BY[signal.Signals(number)]}\n".encode())


def _end_all_the_same(what: "sys.UnraisableHookArgs") -> None:
    """End also where the signal came in code that cannot raise, such as a weak reference's."""
    if isinstance(what.exc_value, SystemExit):
        os._exit(what.exc_value.code if isinstance(what.exc_value.code, int) else 1)
    sys.__unraisablehook__(what)


if __name__ == "__main__":
    _main()
