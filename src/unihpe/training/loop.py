"""The training loop: one for all stages, resumable bit for bit.

Every random number of a batch comes from (seed, stage, step, place in the step), so a run continued
from its last saved state, on the same machine and thread count, ends with the very weights of one
that never stopped.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unihpe.body.batch import Batch
from unihpe.errors import InputError
from unihpe.losses import clamp_log_scale_
from unihpe.model.unihpe import UniHPE
from unihpe.training.freeze import begin_stage, set_modes
from unihpe.training.objective import stage_losses
from unihpe.training.processes import ALONE, Processes
from unihpe.training.stage import Stage
from unihpe.training.state import (
    LOG_FILE,
    STATE_FILE,
    Best,
    Log,
    Origin,
    Progress,
    begin_run,
    save_state,
)

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
    """Run the stages one after the other; returns the averaged (EMA) model and where the run
    stands.

    Args:
        model: trained in place.
        draw: the batches of one step of a stage, from a generator; their losses are added up.
        out: folder for the training state and the log (one JSON object a line).
        seed: of everything random.
        fingerprint: of the recipe; a state saved under another one is refused.
        device: where to train.
        resume: continue from the state in `out`.
        validate: scores the averaged model; called as `schedule` and the stage say and at the end
            of each stage.
        report: gets each row of the log, for a progress display.
        processes: share each step's accumulated batches; the first of them writes.
        origin: where the model comes from, kept with the state for `saved_origin`; None for a fresh
            one.

    Raises:
        InputError: if `out` holds a run and `resume` is off, or a run of another recipe; if a loss
            is not finite; if the losses reach nothing that their stage trains; if a stage chooses
            its best weights and nothing can be validated; if the processes cannot share a stage's
            batches evenly.
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
            row = train_step(
                model, averaged, optimiser, stage, draw, seed, progress, device, processes
            )
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
    return progress.step < stage.steps and not (
        stage.patience and progress.best.since >= stage.patience
    )


def end_stage(model: UniHPE, averaged: UniHPE, progress: Progress) -> None:
    """Go back to the stage's best weights, where it chose some, and on to the next stage."""
    if progress.best.weights is not None:
        for module in (model, averaged):
            module.load_state_dict(progress.best.weights)
    progress.stage, progress.step, progress.best = progress.stage + 1, 0, Best()


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


def losses_of(
    model: UniHPE, batches: list[Batch], stage: Stage, generator: torch.Generator
) -> dict[str, Tensor]:
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


def learning_rate(stage: Stage, step: int) -> float:
    """Warm-up, then constant or cosine."""
    warm = min(1.0, (step + 1) / stage.warm_up) if stage.warm_up else 1.0
    decay = (
        0.5 * (1 + math.cos(math.pi * step / stage.steps)) if stage.schedule == "cosine" else 1.0
    )
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
    digest = hashlib.sha256(
        "/".join(map(str, (seed, stage, step, *([place] if place else [])))).encode()
    ).digest()
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
