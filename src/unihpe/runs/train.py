"""Train a recipe, as the command does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from unihpe.datasets.settings import Part, open_source
from unihpe.datasets.source import Source
from unihpe.errors import InputError
from unihpe.model.build import load_public_weights
from unihpe.model.checkpoint import MODEL_FILE, Card, load_into, save_checkpoint
from unihpe.model.unihpe import UniHPE
from unihpe.recipe import Recipe, build_model, measure_scales
from unihpe.runs.start import PICTURE_PARTS, load_start, origin_of
from unihpe.runs.validation import validation
from unihpe.training.loop import train
from unihpe.training.processes import ALONE, Processes
from unihpe.training.state import STATE_FILE, Origin, Progress, Run, Schedule
from unihpe.training.streams import open_stream, stage_stream, training_stream


def train_recipe(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    start: str | Path | None = None,
    device: str = "cpu",
    schedule: Schedule = Schedule(),  # noqa: B008 (frozen)
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    half: bool = False,
    processes: Processes = ALONE,
) -> tuple[UniHPE, Progress]:
    """Train into the folder `out`: log, state, and at the end `model.safetensors` with its card.

    Args:
        start: a checkpoint to begin from (fine-tuning); its scales are kept, its parts must be
            built alike. A resumed run needs it no more.
        half: store the weights as float16.
        processes: that train together; the first of them writes.

    Raises:
        InputError: for data that cannot be read, a folder that holds another run, a checkpoint that
            does not fit.
    """
    source = open_trained_part(recipe)
    begun = None if start is None else load_start(recipe, start)
    origin = origin_of(begun, out / STATE_FILE if resume else None)
    recipe = with_scales(recipe, source, origin)
    model = build_model(recipe)
    load_public_weights(model, recipe.model.image_encoder, recipe.data.skeleton)
    if begun is not None:
        load_into(model, begun.tensors, begun.file, may_lack=PICTURE_PARTS)
    mix = [(table.share, open_stream(table)) for table in recipe.mix]
    poses = None if recipe.poses is None else open_stream(recipe.poses)
    draw = stage_stream(training_stream(source, recipe.data), mix, poses)
    run = Run(out, recipe.fingerprint(), recipe.seed, device, schedule, processes, origin)
    model, progress = train(
        model,
        recipe.stage,
        draw,
        run,
        resume=resume,
        validate=validation(recipe, device),
        report=report,
    )
    if processes.writes:
        card = card_of(recipe, progress.samples + (0 if origin is None else origin.samples))
        save_checkpoint(out / MODEL_FILE, model.state_dict(), card, half=half)
    return model, progress


def open_trained_part(recipe: Recipe) -> Source:
    """The recipe's [data], without what it holds out."""
    source = open_source(recipe.data, Part(recipe.data.split, training=True))
    if source.skeleton.name != recipe.data.skeleton:
        raise InputError(
            f"the data has the joints of {source.skeleton.name},"
            f" the recipe names {recipe.data.skeleton}"
        )
    return source


def with_scales(recipe: Recipe, source: Source, origin: Origin | None) -> Recipe:
    """The recipe with the scales of the checkpoint that it begins from, or of its data."""
    if origin is None:
        free = recipe.data.model_copy(update={"apart": 0})
        return measure_scales(recipe, training_stream(source, free))
    scales = {"pose_scale": origin.pose_scale, "keypoint_scale": origin.keypoint_scale}
    return recipe.model_copy(update=scales)


def card_of(recipe: Recipe, samples: int) -> Card:
    """The checkpoint's card; `samples` are those of all runs that led to it."""
    return Card(
        skeleton=recipe.data.skeleton,
        recipe=without_places(recipe).model_dump(mode="json"),
        data=recipe.data.description,
        licence=recipe.data.licence,
        samples=samples,
    )


def without_places(recipe: Recipe) -> Recipe:
    """The recipe without the paths of its data, which mean nothing elsewhere."""
    nowhere = {"root": ""}
    tables = {
        "data": recipe.data.model_copy(update=nowhere),
        "poses": recipe.poses and recipe.poses.model_copy(update=nowhere),
        "mix": tuple(table.model_copy(update=nowhere) for table in recipe.mix),
    }
    return recipe.model_copy(update=tables)
