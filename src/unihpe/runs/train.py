"""Train a recipe, as the command does."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.io.log import Row
from unihpe.model.build import load_public_weights
from unihpe.model.checkpoint import MODEL_FILE, Card, load_into, save_checkpoint
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe, build_model, measure_scales
from unihpe.runs.calibrate import calibrate
from unihpe.runs.start import ERROR_HEAD, PICTURE_PARTS, load_start, origin_of
from unihpe.runs.validation import validation
from unihpe.training.loop import train
from unihpe.training.processes import ALONE, Processes
from unihpe.training.state import STATE_FILE, Progress, Run, Schedule, alone_in
from unihpe.training.streams import StageStream, open_stream, training_stream


def train_recipe(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    start: str | Path | None = None,  # a checkpoint to begin from; a resumed run needs it no more
    device: str = "cpu",
    schedule: Schedule = Schedule(),  # noqa: B008 (frozen)
    report: Callable[[Row], None] = lambda row: None,
    half: bool = False,  # store the weights as float16
    processes: Processes = ALONE,
    workers: int = 0,  # processes that draw batches ahead, beside each that trains
) -> tuple[UniHPE, Progress]:
    """Train into the folder `out`: log, state, and at the end `model.safetensors` with its card.

    A run that begins from a checkpoint keeps its scales, and must build its parts alike.

    Raises:
        InputError: for data or a folder or a checkpoint that do not fit the recipe, and while
            another training writes to the folder.
    """
    source = open_source(recipe.data, Part(recipe.data.split, training=True))
    if (theirs := source.skeleton.name) != (ours := recipe.data.skeleton):
        raise InputError(f"the data has the joints of {theirs}, the recipe names {ours}")
    begun = None if start is None else load_start(recipe, start)
    origin = origin_of(begun, out / STATE_FILE if resume else None)
    if origin is None:
        free = recipe.data.model_copy(update={"apart": 0})
        recipe = measure_scales(recipe, training_stream(source, free))
    else:
        scales = {"pose_scale": origin.pose_scale, "keypoint_scale": origin.keypoint_scale}
        recipe = recipe.model_copy(update=scales)
    model = build_model(recipe)
    load_public_weights(model, recipe.model.image_encoder, recipe.data.skeleton)
    if begun is not None:
        load_into(model, begun.tensors, begun.file, may_lack=(*PICTURE_PARTS, ERROR_HEAD))
    mix = [(table.share, open_stream(table)) for table in recipe.mix]
    poses = None if recipe.poses is None else open_stream(recipe.poses)
    draw = StageStream(training_stream(source, recipe.data), mix, poses)
    own = (out, recipe.fingerprint(), recipe.seed, device, schedule, processes, origin, workers)
    run = Run(*own)
    validate = validation(recipe, device)
    how: dict[str, Any] = {"resume": resume, "validate": validate, "report": report}
    with alone_in(out) if processes.writes else nullcontext():
        model, progress = train(model, recipe.stage, draw, run, **how)
        if processes.writes:
            calibrate(model, recipe)
            card = card_of(recipe, progress.samples + (0 if origin is None else origin.samples))
            save_checkpoint(out / MODEL_FILE, model.state_dict(), card, half=half)
    return model, progress


def card_of(recipe: Recipe, samples: int) -> Card:
    """The checkpoint's card; `samples` are those of all runs that led to it."""
    fields = recipe.model_dump(mode="json")
    for table in filter(None, (fields["data"], fields["poses"], *fields["mix"])):
        table |= {"root": "", "also": []}  # paths mean nothing elsewhere
    joints, data, licence = recipe.data.skeleton, recipe.data.description, recipe.data.licence
    return Card(skeleton=joints, recipe=fields, data=data, licence=licence, samples=samples)
