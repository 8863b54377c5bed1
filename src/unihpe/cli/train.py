"""`unihpe train`: a recipe becomes a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unihpe.cli.options import Device, Out, console


def train(
    recipe: Annotated[
        str, typer.Argument(help="A shipped recipe (see `unihpe recipes`), or a .toml file.")
    ],
    out: Out,
    change: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change one setting.")
    ] = [],  # noqa: B006
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Begin from this checkpoint; 'shipped' is the package's."),
    ] = None,
    stage: Annotated[
        list[str],
        typer.Option(
            "--stage", metavar="NAME", help="Run this stage of the recipe only; may be repeated."
        ),
    ] = [],  # noqa: B006
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in the folder.")
    ] = False,
    validate_every: Annotated[
        int,
        typer.Option(
            "--validate-every", min=0, help="Steps between validations; 0: at each stage's end."
        ),
    ] = 0,
    tensorboard: Annotated[
        bool, typer.Option(help="Also log for TensorBoard (unihpe\\[plots]).")
    ] = False,
    half: Annotated[bool, typer.Option(help="Store the weights as float16.")] = False,
    device: Device = "cpu",
) -> None:
    """Train a recipe: all its stages one after the other, or those that are named.

    Several processes: torchrun --nproc-per-node 2 -m unihpe train …, with stages that accumulate 2
    batches.
    """
    from unihpe.cli.progress import training_report
    from unihpe.recipe import load_recipe, with_stages
    from unihpe.runs.start import MODEL_FILE
    from unihpe.runs.train import train_recipe
    from unihpe.training.processes import joined
    from unihpe.training.state import Schedule

    loaded = load_recipe(recipe, tuple(change))
    if stage:
        loaded = with_stages(loaded, tuple(stage))
    with joined(device) as (processes, own):
        console.quiet = not processes.writes
        board = out if tensorboard and processes.writes else None
        with training_report(console, loaded.stage, board) as report:
            train_recipe(
                loaded,
                out,
                resume=resume,
                start=start,
                device=own,
                schedule=Schedule(validate_every=validate_every),
                report=report,
                half=half,
                processes=processes,
            )
    console.print(f"The model is {out / MODEL_FILE}; its log is {out / 'log.jsonl'}.")
