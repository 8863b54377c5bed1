"""The training loop: one for all stages, resumable bit for bit.

Every random number of a batch comes from (seed, stage, step, place in the step). So a run continued
from its last saved state, on the same machine and with as many threads, ends with the very weights
of one that never stopped.
"""

import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from unihpe.body.batch import Batch
from unihpe.errors import InputError
from unihpe.io.log import Log, Row
from unihpe.losses import clamp_log_scale_
from unihpe.model.device import mixed_precision
from unihpe.model.unihpe import UniHPE
from unihpe.training.ahead import made_in_order
from unihpe.training.freeze import begin_stage, set_modes
from unihpe.training.keeping import begun_with, keep_share
from unihpe.training.looking import first_that_looks, look_once
from unihpe.training.objective import Terms, stage_losses
from unihpe.training.seeds import step_seed
from unihpe.training.stage import Draw, Stage
from unihpe.training.state import LOG_FILE, Progress, Run, begin_run, save_state

LARGEST_TEMPERATURE = 1e4  # upper end of τ's range (§4.2)
BEST_BY = "validation mpjpe"  # the score by which a stage's best weights are chosen
Scores = dict[str, float]
# Batches that belong together, the seed that they come from, and their generator's state.
Drawn = tuple[list[Batch], int, Tensor]


def train(
    model: UniHPE,
    stages: tuple[Stage, ...],
    draw: Draw,
    run: Run,
    *,
    resume: bool = False,  # from the state in `run.out`; without it there must be none
    validate: Callable[[UniHPE], Scores] | None = None,  # as scheduled, and at a stage's end
    report: Callable[[Row], None] = lambda row: None,  # gets each row of the log
) -> tuple[UniHPE, Progress]:
    """Train `model` in place, stage by stage; returns the averaged (EMA) model and the progress."""
    for stage in stages:
        if stage.check_every and validate is None:
            raise InputError(
                f"stage {stage.name} keeps the weights that validate best, and the data has no"
                " split 'val': set data.held_out to a share of its training part, or check_every=0"
            )
    run.processes.require_shares(stages)
    model.to(run.device)
    averaged = copy.deepcopy(model).eval().requires_grad_(False)
    progress, saved_optimiser = begin_run(run, resume, model, averaged)
    log = Log(run.out / LOG_FILE, progress.samples, report) if run.processes.writes else None
    drawn = draw
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        looking = first_that_looks(stages, progress.stage)
        draw = look_once(model, stage, drawn, run, looking) if stage.looks else drawn
        begun = begun_with(model, run, progress.stage) if stage.kept else {}
        optimiser = begin_stage(model, stage, fresh=progress.step == 0)
        if saved_optimiser is not None:
            optimiser.load_state_dict(saved_optimiser)
            saved_optimiser = None
        drawn_ahead = _drawn(draw, stage, run, progress)
        while not _is_over(stage, progress):
            row = _train_step(model, optimiser, stage, drawn_ahead, run, progress)
            _average(averaged, model, stage.ema, progress.samples // stage.step_samples)
            scores: Scores = {}
            every = stage.check_every or run.schedule.validate_every
            if validate and _is_due(every, stage, progress):
                scores = run.processes.agreed(lambda: validate(averaged))
            if scores and stage.check_every:
                progress.keep_best(scores[BEST_BY], averaged)
            if log and (scores or _is_due(run.schedule.log_every, stage, progress)):
                log.write(row | scores)
            saves = progress.step % run.schedule.save_every == 0
            if log and saves and not _is_over(stage, progress):
                save_state(run, model, averaged, optimiser, progress)
        if progress.best is not None:  # the stage chose some
            for module in (model, averaged):
                module.load_state_dict(progress.best)
        if stage.reach < 1 and model.image_encoder and averaged.image_encoder:
            for encoder in (model.image_encoder, averaged.image_encoder):
                encoder.restrain(stage.reach)
        if stage.kept:
            for module in (model, averaged):
                keep_share(module, begun, stage.kept)
        progress = Progress(progress.stage + 1, samples=progress.samples)
        if log:
            save_state(run, model, averaged, None, progress)
    return averaged, progress


def _drawn(draw: Draw, stage: Stage, run: Run, progress: Progress) -> Iterator[Drawn]:
    """The batches of the rest of a stage, in the order of its steps and of the places in them."""
    number = progress.stage

    def draw_at(key: tuple[int, int]) -> Drawn:
        seed = step_seed(run.seed, number, *key)
        generator = Generator().manual_seed(seed)
        batches = draw(stage, generator)
        return batches, seed, generator.get_state()

    places = run.processes.share(stage.accumulate)
    keys = [(step, place) for step in range(progress.step, stage.steps) for place in places]
    return made_in_order(draw_at, keys, run.workers)


def _is_over(stage: Stage, progress: Progress) -> bool:
    """Whether the stage has no steps left, or no patience."""
    return progress.step >= stage.steps or 0 < stage.patience <= progress.waited


def _is_due(every: int, stage: Stage, progress: Progress) -> bool:
    """Whether a multiple of `every` steps is done, or the stage's last one."""
    return progress.step == stage.steps or (every > 0 and progress.step % every == 0)


def _train_step(
    model: UniHPE,
    optimiser: Optimizer,
    stage: Stage,
    drawn: Iterator[Drawn],
    run: Run,
    progress: Progress,
) -> Row:
    """One step of gradient descent; returns its log row, with its last batch's losses."""
    for group in optimiser.param_groups:
        group["lr"] = _learning_rate(stage, progress.step)
    optimiser.zero_grad(set_to_none=True)
    set_modes(model, stage)
    on_gpu = run.device.startswith("cuda")
    with torch.random.fork_rng([torch.device(run.device)] if on_gpu else []):
        for _ in run.processes.share(stage.accumulate):
            losses = _add_gradients(model, stage, next(drawn), run, progress.step)
    trained = [p for group in optimiser.param_groups for p in group["params"]]
    run.processes.add_up_gradients(trained)
    run.processes.average(_running_statistics_of(model))
    norm = nn.utils.clip_grad_norm_(trained, stage.clip)
    optimiser.step()
    clamp_log_scale_(model.log_scale, stage.temperature_min, LARGEST_TEMPERATURE)
    progress.step += 1
    progress.samples += stage.step_samples
    row: Row = {"stage": stage.name, "step": progress.step, "steps": stage.steps}
    row |= {"samples": progress.samples} | {name: loss.item() for name, loss in losses.items()}
    row |= {"temperature": model.temperature.item(), "gradient": norm.item()}
    return row | {"learning_rate": optimiser.param_groups[0]["lr"]}


def _add_gradients(model: UniHPE, stage: Stage, drawn: Drawn, run: Run, step: int) -> Terms:
    """Add up the gradients of the batches at one place of a step; returns the losses."""
    batches, seed, state = drawn
    torch.manual_seed(seed)  # dropout draws from the global generator
    batches = [batch.to(run.device) for batch in batches]
    generator = Generator()
    generator.set_state(state)
    with mixed_precision(run.device, stage.bfloat16):
        terms = _losses_of(model, batches, stage, generator)
        total = torch.stack(list(terms.values())).sum()
    if not bool(torch.isfinite(total)):
        where = f"step {step} of stage {stage.name}"
        raise InputError(f"the loss is {total.item()} at {where}; lower its learning_rate")
    (total / stage.accumulate).backward()
    return {"loss": total, **terms}


def _losses_of(model: UniHPE, batches: list[Batch], stage: Stage, generator: Generator) -> Terms:
    """The losses of batches that belong together, added up by name; some must train something."""
    terms: Terms = {}
    for batch in batches:
        for name, loss in stage_losses(model, batch, stage, generator).items():
            terms[name] = terms[name] + loss if name in terms else loss
    if not terms:
        lack = "none of its people has what it learns from"
        raise InputError(f"stage {stage.name} has no loss on a batch: {lack}")
    if not any(term.requires_grad for term in terms.values()):
        raise InputError(
            f"stage {stage.name} trains {', '.join(stage.trains)}, which none of its losses"
            f" ({', '.join(terms)}) reaches: add one, a decode path for example, or change trains"
        )
    return terms


def _running_statistics_of(model: nn.Module) -> Iterator[Tensor]:
    """Means and variances of the batch norms that are in training."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.training:
            yield from (buffer for buffer in layer.buffers() if buffer.dtype.is_floating_point)


def _learning_rate(stage: Stage, step: int) -> float:
    """Warm-up, then constant or down a cosine."""
    warm = min(1.0, (step + 1) / stage.warm_up) if stage.warm_up else 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * step / stage.steps))
    return stage.learning_rate * warm * (cosine if stage.schedule == "cosine" else 1.0)


@torch.no_grad()
def _average(averaged: UniHPE, model: UniHPE, decay: float, updates: int) -> None:
    """Move the averaged weights towards the model's; a decay that ramps up forgets early steps."""
    decay = min(decay, updates / (9 + updates))
    pairs = zip(averaged.state_dict().values(), model.state_dict().values(), strict=True)
    moving = []
    for old, new in pairs:
        if old.dtype.is_floating_point:
            moving.append((old, new))
        else:
            old.copy_(new)
    ours, theirs = (list(column) for column in zip(*moving, strict=True))
    get_ema_multi_avg_fn(decay)(ours, theirs, 0)  # all at once: a GPU would wait for each
