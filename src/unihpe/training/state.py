"""A run's state: saved, resumed, and its log."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unihpe.errors import InputError, one_line
from unihpe.io.files import replacing

STATE_FILE, LOG_FILE = "training.pt", "log.jsonl"
STATE_KEYS = {"fingerprint", "progress", "best", "model", "averaged", "optimiser"}


@dataclass
class Best:
    """The best averaged weights of a stage so far: their score (lower is better) and the validations since."""

    score: float = math.inf
    since: int = 0
    weights: dict[str, Tensor] | None = None

    def judge(self, score: float, averaged: nn.Module) -> None:
        """Keep a copy of the weights if they are better than all before."""
        if score < self.score:
            weights = {name: value.clone() for name, value in averaged.state_dict().items()}
            self.score, self.since, self.weights = score, 0, weights
        else:
            self.since += 1


@dataclass(frozen=True)
class Origin:
    """What a run keeps of the checkpoint that it began from, so that it goes on without it.

    Attributes:
        pose_scale, keypoint_scale: of the checkpoint and therefore of the run; see `Recipe`.
        samples: the checkpoint was trained on.
    """

    pose_scale: float
    keypoint_scale: float
    samples: int


@dataclass
class Progress:
    """Where a run stands."""

    stage: int = 0
    step: int = 0  # of the stage
    samples: int = 0
    best: Best = field(default_factory=Best)  # of the stage


def begin_run(
    state_path: Path, resume: bool, fingerprint: str, model: nn.Module, averaged: nn.Module
) -> tuple[Progress, dict[str, Tensor] | None]:
    """Where a run begins: at nothing, or at its saved state, which is loaded; progress and the optimiser's state."""
    if not resume:
        if state_path.exists():
            raise InputError(
                f"{state_path.parent} already holds a training run; add --resume to continue it, or choose another folder"
            )
        return Progress(), None
    if not state_path.exists():
        raise InputError(f"nothing to resume: {state_path} does not exist")
    for left_over in state_path.parent.glob(
        f".{STATE_FILE}.*.tmp"
    ):  # of a run that was killed while it saved
        left_over.unlink(missing_ok=True)
    return load_state(state_path, fingerprint, model, averaged)


class Log:
    """Rows of JSON, one a line; on resuming, rows beyond the resumed state are dropped."""

    def __init__(self, path: Path, samples: int, report: Callable[[dict[str, Any]], None]) -> None:
        self.path, self.report = path, report
        kept = [row for row in read_log(path) if row["samples"] <= samples]
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def write(self, row: dict[str, Any]) -> None:
        """Append a row and show it."""
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}") from error
        self.report(row)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log; a last line that was cut short is left out."""
    return list(whole_rows(path)) if path.exists() else []


def whole_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows up to the first that is not whole."""
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


def save_state(
    path: Path,
    fingerprint: str,
    model: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer | None,
    progress: Progress,
    origin: Origin | None,
) -> None:
    """Everything a run needs to go on, in one file replaced in one rename."""
    state = {
        "fingerprint": fingerprint,
        "progress": [progress.stage, progress.step, progress.samples],
        "best": [progress.best.score, progress.best.since, progress.best.weights],
        "origin": None
        if origin is None
        else [origin.pose_scale, origin.keypoint_scale, origin.samples],
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": None if optimiser is None else optimiser.state_dict(),
    }
    with replacing(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # torch's own wrapping of a full disk
            raise OSError(f"{error}".splitlines()[0]) from error


def load_state(
    path: Path, fingerprint: str, model: nn.Module, averaged: nn.Module
) -> tuple[Progress, dict[str, Tensor] | None]:
    """Load a saved run into the model and its average; returns its progress and the optimiser's state."""
    state = read_state(path)
    if state["fingerprint"] != fingerprint:
        beginning = (
            "" if "origin" in state else " and, if the run began from a checkpoint, --from it"
        )
        raise InputError(
            f"{path} was saved by another recipe; resume with that one{beginning}, or choose another folder"
        )
    model.load_state_dict(state["model"])
    averaged.load_state_dict(state["averaged"])
    stage, step, samples = state["progress"]
    return Progress(stage, step, samples, Best(*state["best"])), state["optimiser"]


def saved_origin(path: Path, otherwise: Origin | None) -> Origin | None:
    """What the run of a saved state began from; `otherwise` where the state is older than that note."""
    state = read_state(path, mapped=True)
    if "origin" not in state:
        return otherwise
    return None if state["origin"] is None else Origin(*state["origin"])


def read_state(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    """A saved training state.

    Args:
        mapped: leave its tensors on the disk until they are looked at.

    Raises:
        InputError: for a file that is damaged, or no such state.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise InputError(f"{path}: not a whole training state ({one_line(error, 120)})") from error
    if not isinstance(state, dict) or not state.keys() >= STATE_KEYS:
        raise InputError(
            f"{path}: a torch file, but no training state of this unihpe; put the run's own there, or choose another folder"
        )
    return state
