"""How much of a piece of work is spent inside the networks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from unihpe.model.unihpe import UniHPE

MODEL = "encode", "encode_image", "fuse", "sample", "radii"  # of a model: tensors in and out


@dataclass
class Stopwatch:
    """Seconds inside some functions, of which one may call another."""

    clock: Callable[[], float]
    seconds: float = 0.0
    running: bool = False

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            if self.running:
                return function(*given, **named)
            begin, self.running = self.clock(), True
            try:
                return function(*given, **named)
            finally:
                self.seconds, self.running = self.seconds + self.clock() - begin, False

        return run


@contextmanager
def networks(clock: Callable[[], float] = time.process_time) -> Iterator[Stopwatch]:
    """A stopwatch that runs while a network does: the finder's, Thunder, or a model."""
    watch, finding = Stopwatch(clock), import_module("unihpe.people.find")
    network, methods = finding._network, {name: getattr(UniHPE, name) for name in MODEL}
    finding._network = lambda *which: watch.timed(network(*which))
    for name, method in methods.items():
        setattr(UniHPE, name, watch.timed(method))
    try:
        yield watch
    finally:
        finding._network = network
        for name, method in methods.items():
            setattr(UniHPE, name, method)
