"""Worker processes that never outlive the process that started them."""

import multiprocessing
import os
import signal
import threading


def begin_worker() -> None:
    """Make this process end with its parent, however that ends, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()  # a pipe that the system closes with the parent
        os._exit(1)
