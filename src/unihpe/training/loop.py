"""The training loop: one for all stages, resumable bit for bit.

Every random number of a batch comes from (seed, stage, step, place in the step), so a run continued from its last saved state, on the
same machine and thread count, ends with the very weights of one that never stopped.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unihpe.batch import Batch
from unihpe.errors import InputError, one_line
from unihpe.files import replacing
from unihpe.losses import clamp_log_scale_
from unihpe.nn.unihpe import UniHPE, hold_statistics
from unihpe.training.processes import ALONE, Processes
from unihpe.training.stages import PARTS, Part, Stage, stage_losses

STATE_FILE, LOG_FILE = "training.pt", "log.jsonl"
STATE_KEYS = {"fingerprint", "progress", "best", "model", "averaged", "optimiser"}
LARGEST_TEMPERATURE = 1e4  # §4.2's upper end of τ's range
JUDGE = "validation mpjpe"  # the score, of those that `validate` gives, by which a stage's best weights are chosen

Scores = dict[str, float]
Draw = Callable[[Stage, torch.Generator], list[Batch]]


@dataclass(frozen=True)
class Schedule:
    """How often things happen, in steps."""

    save_every: int = 500
    log_every: int = 50
    validate_every: int = 0


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


def train(
    model: UniHPE,
    stages: tuple[Stage, ...],
    draw: Draw,
    out: Path,
    *,
    seed: int,
    fingerprint: str,
    schedule: Schedule = Schedule(),
    device: str = "cpu",
    resume: bool = False,
    validate: Callable[[UniHPE], Scores] | None = None,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    processes: Processes = ALONE,
    origin: Origin | None = None,
) -> tuple[UniHPE, Progress]:
    """Run the stages one after the other; returns the averaged (EMA) model and where the run stands.

    Args:
        model: trained in place.
        draw: the batches of one step of a stage, from a generator; their losses are added up.
        out: folder for the training state and the log (one JSON object a line).
        seed: of everything random.
        fingerprint: of the recipe; a state saved under another one is refused.
        device: where to train.
        resume: continue from the state in `out`.
        validate: scores the averaged model; called as `schedule` and the stage say and at the end of each stage.
        report: gets each row of the log, for a progress display.
        processes: share each step's accumulated batches; the first of them writes.
        origin: where the model comes from, kept with the state for `saved_origin`; None for a fresh one.

    Raises:
        InputError: if `out` holds a run and `resume` is off, or a run of another recipe; if a loss is not finite; if the losses reach
            nothing that their stage trains; if a stage chooses its best weights and nothing can be validated; if the processes cannot
            share a stage's batches evenly.
    """
    require_judge(stages, validate)
    processes.require_shares(stages)
    state_path = out / STATE_FILE
    model.to(device)
    averaged = copy.deepcopy(model).eval().requires_grad_(False)
    progress, optimiser_state = begin_run(state_path, resume, fingerprint, model, averaged)
    log = Log(out / LOG_FILE, progress.samples, report) if processes.writes else None
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        optimiser = begin_stage(model, stage, fresh=progress.step == 0)
        if optimiser_state is not None:
            optimiser.load_state_dict(optimiser_state)
            optimiser_state = None
        while goes_on(stage, progress):
            row = train_step(model, averaged, optimiser, stage, draw, seed, progress, device, processes)
            last = progress.step == stage.steps
            scores = due_scores(validate, averaged, stage, schedule, progress, processes)
            if scores and stage.check_every:
                progress.best.judge(scores[JUDGE], averaged)
            if log and (scores or progress.step % schedule.log_every == 0 or last):
                log.write(row | scores)
            if log and progress.step % schedule.save_every == 0 and goes_on(stage, progress):
                save_state(state_path, fingerprint, model, averaged, optimiser, progress, origin)
        end_stage(model, averaged, progress)
        if log:
            save_state(state_path, fingerprint, model, averaged, None, progress, origin)
    return averaged, progress


def require_judge(stages: tuple[Stage, ...], validate: Callable[[UniHPE], Scores] | None) -> None:
    """Raise for a stage that chooses its best weights where nothing can be validated."""
    if chooser := next((stage for stage in stages if stage.check_every and validate is None), None):
        raise InputError(
            f"stage {chooser.name} keeps the weights that validate best, and the data has no split 'val': set data.held_out to a share"
            " of the training part, or check_every = 0"
        )


def goes_on(stage: Stage, progress: Progress) -> bool:
    """Whether the stage has steps left and its patience lasts."""
    return progress.step < stage.steps and not (stage.patience and progress.best.since >= stage.patience)


def end_stage(model: UniHPE, averaged: UniHPE, progress: Progress) -> None:
    """Go back to the stage's best weights, where it chose some, and on to the next stage."""
    if progress.best.weights is not None:
        for module in (model, averaged):
            module.load_state_dict(progress.best.weights)
    progress.stage, progress.step, progress.best = progress.stage + 1, 0, Best()


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
    for left_over in state_path.parent.glob(f".{STATE_FILE}.*.tmp"):  # of a run that was killed while it saved
        left_over.unlink(missing_ok=True)
    return load_state(state_path, fingerprint, model, averaged)


def begin_stage(model: UniHPE, stage: Stage, *, fresh: bool) -> torch.optim.Optimizer:
    """Freeze what the stage does not train, set its temperature, and make its optimiser."""
    for part, module in parts_of(model).items():
        module.requires_grad_(part in stage.trains)
    model.log_scale.requires_grad_(stage.contrastive > 0)
    if fresh and stage.temperature is not None:
        with torch.no_grad():
            model.log_scale.fill_(-math.log(stage.temperature))
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": stage.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=stage.learning_rate, fused=True)


def train_step(
    model: UniHPE,
    averaged: UniHPE,
    optimiser: torch.optim.Optimizer,
    stage: Stage,
    draw: Draw,
    seed: int,
    progress: Progress,
    device: str,
    processes: Processes = ALONE,
) -> dict[str, Any]:
    """One step of gradient descent; returns its log row, whose losses are those of this process's last batch."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(stage, progress.step)
    optimiser.zero_grad(set_to_none=True)
    set_modes(model, stage)
    with torch.random.fork_rng([torch.device(device)] if device.startswith("cuda") else []):
        for place in processes.share(stage.accumulate):
            own_seed = step_seed(seed, progress.stage, progress.step, place)
            torch.manual_seed(own_seed)  # dropout draws from the global generator
            generator = torch.Generator().manual_seed(own_seed)
            batches = [batch.to(device) for batch in draw(stage, generator)]
            with mixed_precision(device, stage.bfloat16):
                terms = losses_of(model, batches, stage, generator)
                total = torch.stack(list(terms.values())).sum()
            if not bool(torch.isfinite(total)):
                raise InputError(
                    f"the loss is {total.item()} at step {progress.step} of stage {stage.name}; lower its learning_rate"
                )
            (total / stage.accumulate).backward()
    trained = [p for group in optimiser.param_groups for p in group["params"]]
    processes.add_up_gradients(trained)
    processes.average(running_statistics_of(model))
    norm = nn.utils.clip_grad_norm_(trained, stage.clip)
    optimiser.step()
    clamp_log_scale_(model.log_scale, stage.temperature_min, LARGEST_TEMPERATURE)
    average(averaged, model, stage.ema, progress.samples // stage.step_samples)
    progress.step += 1
    progress.samples += stage.step_samples
    return {
        "stage": stage.name,
        "step": progress.step,
        "steps": stage.steps,
        "samples": progress.samples,
        "loss": total.item(),
        **{name: term.item() for name, term in terms.items()},
        "temperature": model.temperature.item(),
        "gradient": norm.item(),
        "learning_rate": optimiser.param_groups[0]["lr"],
    }


def losses_of(model: UniHPE, batches: list[Batch], stage: Stage, generator: torch.Generator) -> dict[str, Tensor]:
    """The losses of batches that belong together, added up by name.

    Raises:
        InputError: if there are none, or none that what the stage trains has a part in.
    """
    terms = summed([stage_losses(model, batch, stage, generator) for batch in batches])
    if not terms:
        raise InputError(
            f"stage {stage.name} has no loss on a batch: none of its people has the evidence that it learns from"
        )
    if not any(term.requires_grad for term in terms.values()):
        raise InputError(
            f"stage {stage.name} trains {', '.join(stage.trains)}, which none of its losses ({', '.join(terms)}) reaches:"
            " add a loss that does (a decode path of that decoder, say), or change trains"
        )
    return terms


def mixed_precision(device: str, wanted: bool) -> torch.autocast:
    """bfloat16 autocast where it is wanted and pays: of CPUs, those with AVX-512. On AVX2, HRNet took eight times as long as in float32."""
    kind = device.split(":")[0]
    pays = kind != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.autocast(kind, torch.bfloat16, enabled=wanted and pays)


def running_statistics_of(model: nn.Module) -> Iterator[Tensor]:
    """Means and variances of the batch norms that are in training."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.training:
            yield from (buffer for buffer in layer.buffers() if buffer.dtype.is_floating_point)


def summed(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Losses of several batches added up by name."""
    terms: dict[str, Tensor] = {}
    for part in parts:
        for name, loss in part.items():
            terms[name] = terms[name] + loss if name in terms else loss
    return terms


def set_modes(model: UniHPE, stage: Stage) -> None:
    """Training mode for what is trained, evaluation mode (no dropout) for what is frozen, and for batch norms that are settled."""
    for part, module in parts_of(model).items():
        module.train(part in stage.trains)
        if stage.settled:
            hold_statistics(module)


def parts_of(model: UniHPE) -> dict[Part, nn.Module]:
    """The parts this model has, by name."""
    return {part: getattr(model, part) for part in PARTS if getattr(model, part) is not None}


def learning_rate(stage: Stage, step: int) -> float:
    """Warm-up, then constant or cosine."""
    warm = min(1.0, (step + 1) / stage.warm_up) if stage.warm_up else 1.0
    decay = 0.5 * (1 + math.cos(math.pi * step / stage.steps)) if stage.schedule == "cosine" else 1.0
    return stage.learning_rate * warm * decay


@torch.no_grad()
def average(averaged: UniHPE, model: UniHPE, decay: float, step: int) -> None:
    """Move the averaged weights towards the model's; the decay ramps up, so that early steps are forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    for old, new in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


def step_seed(seed: int, stage: int, step: int, place: int = 0) -> int:
    """A seed for one batch of a step, unlike its neighbours' (any two of the numbers may be close)."""
    digest = hashlib.sha256("/".join(map(str, (seed, stage, step, *([place] if place else [])))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def due_scores(
    validate: Callable[[UniHPE], Scores] | None,
    averaged: UniHPE,
    stage: Stage,
    schedule: Schedule,
    progress: Progress,
    processes: Processes,
) -> Scores:
    """Validation scores if they are due at this step: by the stage, which then chooses by them, else by the schedule."""
    every, last = stage.check_every or schedule.validate_every, progress.step == stage.steps
    if validate is None or not (last or (every and progress.step % every == 0)):
        return {}
    return processes.agreed(lambda: validate(averaged))


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
        "origin": None if origin is None else [origin.pose_scale, origin.keypoint_scale, origin.samples],
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
        beginning = "" if "origin" in state else " and, if the run began from a checkpoint, --from it"
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
