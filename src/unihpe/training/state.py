"""A run's state: saved whole in one file, and resumed."""

import contextlib
import math
import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from unihpe.errors import InputError, one_line
from unihpe.io.files import input_errors, replacing
from unihpe.io.locks import lock
from unihpe.io.mapped import Mapped
from unihpe.training.processes import ALONE, Processes

STATE_FILE, LOG_FILE, LOCK_FILE = "training.pt", "log.jsonl", ".lock"
# At the end of the file, after torch's: a CRC-32 of all before. States of older times lack it.
MARK, CHECK = b"crc32", struct.Struct("<5sI")
STATE_KEYS = {"fingerprint", "progress", "best", "model", "averaged", "optimiser"}


@dataclass(frozen=True)
class Schedule:
    """How often things happen, in steps."""

    save_every: int = 500
    log_every: int = 50
    validate_every: int = 0  # of stages that do not say themselves; 0 is at their end


@dataclass(frozen=True)
class Origin:
    """What a run keeps of the checkpoint that it began from, to be resumed without it."""

    pose_scale: float  # the checkpoint's and therefore the run's; see `Recipe`
    keypoint_scale: float
    samples: int  # that the checkpoint was trained on


@dataclass(frozen=True)
class Run:
    """What stays the same throughout a run."""

    out: Path  # folder of the state and the log
    fingerprint: str  # of the recipe; a state saved under another one is refused
    seed: int = 0  # of everything random
    device: str = "cpu"
    schedule: Schedule = Schedule()
    processes: Processes = ALONE  # that train together; the first of them writes
    origin: Origin | None = None  # None for a fresh model
    workers: int = 0  # processes that draw batches ahead; they change nothing else


@dataclass
class Progress:
    """Where a run stands, and the averaged weights that validated best in its stage so far."""

    stage: int = 0
    step: int = 0  # of the stage
    samples: int = 0
    score: float = math.inf  # of the best weights; lower is better
    waited: int = 0  # validations since then
    best: dict[str, Tensor] | None = None

    def keep_best(self, score: float, averaged: nn.Module) -> None:
        """Keep a copy of the weights if they score better than all before."""
        if score < self.score:
            self.score, self.waited = score, 0
            self.best = {name: value.clone() for name, value in averaged.state_dict().items()}
        else:
            self.waited += 1


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a run's folder, which a crash frees; InputError while another training holds it."""
    path = folder / LOCK_FILE
    with input_errors(f"cannot write {path}", "choose another folder", (OSError,)):
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    with file:
        try:
            lock(file)
        except BlockingIOError as error:
            remedy = "wait until it ends, or choose another folder"
            raise InputError(f"{folder}: another training is writing there; {remedy}") from error
        except OSError:  # a file system without locks
            pass
        yield


def begin_run(
    run: Run, resume: bool, model: nn.Module, averaged: nn.Module
) -> tuple[Progress, dict[str, Any] | None]:
    """Progress and the optimiser's state; those of a resumed run, whose models are loaded, too."""
    path = run.out / STATE_FILE
    if not resume:
        if path.exists():
            raise InputError(f"{run.out} already holds a training run: --resume it or change --out")
        return Progress(), None
    if not path.exists():
        raise InputError(f"nothing to resume: {path} does not exist")
    state = _read_state(path)
    if state["fingerprint"] != run.fingerprint:
        start = " and, if the run began from a checkpoint, --from it" * ("origin" not in state)
        remedy = f"resume with that one{start}, or choose another folder"
        raise InputError(f"{path} was saved by another recipe; {remedy}")
    model.load_state_dict(state["model"])
    averaged.load_state_dict(state["averaged"])
    return Progress(*state["progress"], *state["best"]), state["optimiser"]


def save_state(
    run: Run, model: nn.Module, averaged: nn.Module, optimiser: Optimizer | None, progress: Progress
) -> None:
    """Everything that a run needs to continue, in one file replaced in one rename."""
    state = {
        "fingerprint": run.fingerprint,
        "progress": [progress.stage, progress.step, progress.samples],
        "best": [progress.score, progress.waited, progress.best],
        "origin": None if run.origin is None else list(astuple(run.origin)),
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": None if optimiser is None else optimiser.state_dict(),
    }
    with replacing(run.out / STATE_FILE) as temporary, temporary.open("w+b") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # torch says so too where writing failed, and not why
            if not isinstance(error.__context__, OSError):
                raise
            raise error.__context__ from error
        file.flush()
        file.write(CHECK.pack(MARK, zlib.crc32(Mapped(file, mmap.ACCESS_READ).map)))


def saved_origin(path: Path, otherwise: Origin | None) -> Origin | None:
    """What a saved run began from; `otherwise` where the state is too old to say."""
    state = _read_state(path, mapped=True)
    if "origin" not in state:
        return otherwise
    return None if state["origin"] is None else Origin(*state["origin"])


def _read_state(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    """A saved training state; `mapped` leaves its tensors on the disk until they are used."""
    try:
        _require_undamaged(path)
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise InputError(f"{path}: not a whole training state ({one_line(error, 120)})") from error
    if not isinstance(state, dict) or not state.keys() >= STATE_KEYS:
        what = "a torch file, but no training state of this unihpe"
        raise InputError(f"{path}: {what}; choose another folder")
    return state


def _require_undamaged(path: Path) -> None:
    """ValueError where a state's bytes are not those that were written."""
    with path.open("rb") as file:
        whole = memoryview(Mapped(file, mmap.ACCESS_READ).map)
    mark, check = CHECK.unpack(whole[-CHECK.size :])
    if mark == MARK and zlib.crc32(whole[: -CHECK.size]) != check:
        raise ValueError("its checksum is another")
