"""`unihpe train`: a recipe becomes a model."""

from typing import Annotated, Any

from typer import Argument, Option

from unihpe.cli.options import Device, OutFolder, console


def train(
    recipe: Annotated[str, Argument(help="A name of `unihpe recipes`, or a .toml file.")],
    out: OutFolder,
    change: Annotated[list[str], Option("--set", metavar="KEY=VALUE", help="A setting.")] = [],
    start: Annotated[str | None, Option("--from", help="Begin with this checkpoint.")] = None,
    stage: Annotated[list[str], Option(metavar="NAME", help="This one only; repeatable.")] = [],
    resume: Annotated[bool, Option("--resume", help="Continue the folder's run.")] = False,
    validate_every: Annotated[int, Option(min=0, help="In steps; 0: at a stage's end.")] = 0,
    tensorboard: Annotated[bool, Option(help="Log for TensorBoard (unihpe\\[plots]).")] = False,
    workers: Annotated[int, Option(min=0, help="Processes that draw batches ahead.")] = 0,
    half: Annotated[bool, Option(help="Store the weights as float16.")] = False,
    device: Device = "auto",
) -> None:
    """Train a recipe: all its stages in order, or those that are named.

    Several processes: torchrun --nproc-per-node 2 -m unihpe train …, with stages that accumulate 2
    batches.
    """
    from unihpe.cli.progress import training_report
    from unihpe.cli.torchrun import joined
    from unihpe.model.checkpoint import MODEL_FILE
    from unihpe.recipe import load_recipe, with_stages
    from unihpe.runs.train import train_recipe
    from unihpe.training.state import Schedule

    loaded = load_recipe(recipe, tuple(change))
    if stage:
        loaded = with_stages(loaded, tuple(stage))
    how: dict[str, Any] = {"resume": resume, "start": start, "half": half, "workers": workers}
    how["schedule"] = Schedule(validate_every=validate_every)
    with joined(device) as (processes, own):
        console.quiet = not processes.writes
        board = out if tensorboard and processes.writes else None
        with training_report(loaded.stage, board) as report:
            train_recipe(loaded, out, device=own, report=report, processes=processes, **how)
    console.print(f"The model is {out / MODEL_FILE}; its log is {out / 'log.jsonl'}.")
