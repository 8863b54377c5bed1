"""The command line: thin, one call into the library a command; everything said to people is said here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from unihpe.errors import InputError

app = typer.Typer(
    help="One embedding space for a person's picture, 2D keypoints and 3D pose.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(highlight=False, soft_wrap=True)

Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for what is written.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps.")]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")]
Checkpoint = Annotated[Path, typer.Argument(help="A .safetensors file, or the folder of a training run.")]


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (see `unihpe recipes`), or a .toml file.")],
    out: Out,
    change: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change one setting.")] = [],  # noqa: B006
    start: Annotated[Path | None, typer.Option("--from", help="Fine-tune this checkpoint.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    tensorboard: Annotated[bool, typer.Option(help="Also log for TensorBoard (unihpe[plots]).")] = False,
    half: Annotated[bool, typer.Option(help="Store the weights as float16.")] = False,
    device: Device = "cpu",
) -> None:
    """Train a recipe: all its stages, one after the other."""
    from unihpe.progress import training_report
    from unihpe.recipe import load_recipe
    from unihpe.run import MODEL_FILE, train_recipe

    loaded = load_recipe(recipe, tuple(change))
    with training_report(console, loaded.stage, out if tensorboard else None) as report:
        train_recipe(loaded, out, resume=resume, start=start, device=device, report=report, half=half)
    console.print(f"The model is {out / MODEL_FILE}; its log is {out / 'log.jsonl'}.")


@app.command("eval")
def evaluate(
    checkpoint: Checkpoint,
    root: Annotated[Path, typer.Option(help="The data's file or folder.")],
    data: Annotated[str, typer.Option(help="Data set: motion.")] = "motion",
    rig: Annotated[Path | None, typer.Option(help="TOML that names the joints of a BVH rig.")] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    stride: Annotated[int, typer.Option(min=1, help="Every n-th frame of each motion.")] = 10,
    two_d: Annotated[str, typer.Option(help="exact or detected.")] = "exact",
    unknown_focal: Annotated[bool, typer.Option(help="Assume √(W² + H²) instead of the true focal length.")] = False,
    samples: Annotated[int, typer.Option(min=0, help="Hypotheses for each pose.")] = 0,
    sampler: Annotated[str, typer.Option(help="How they are drawn; see docs/samplers.md.")] = "auto",
    steps: Annotated[int, typer.Option(min=0, help="Steps of the sampler; 0 is its own default.")] = 0,
    gallery: Annotated[int, typer.Option(min=0, help="People in the retrieval gallery.")] = 2000,
    seed: Seed = 0,
    device: Device = "cpu",
    json: Json = None,
) -> None:
    """Score a checkpoint; the protocol is printed in words."""
    from unihpe.run import evaluate_checkpoint, write_report

    if data != "motion":
        raise InputError(f"--data {data}: known data sets are motion")
    if two_d not in ("exact", "detected"):
        raise InputError(f"--two-d {two_d}: it is exact or detected")
    report = evaluate_checkpoint(
        checkpoint,
        data,
        root,
        rig=rig,
        split=split,
        stride=stride,
        two_d=two_d,  # type: ignore[arg-type]
        focal_known=not unknown_focal,
        samples=samples,
        sampler=sampler,
        steps=steps,
        gallery=gallery,
        seed=seed,
        device=device,
    )
    show_report(report)
    if json is not None:
        write_report(json, report)


def show_report(report: dict[str, Any]) -> None:
    """The protocol in words, and the figures as a table."""
    for name, value in report["protocol"].items():
        console.print(f"[bold]{name}[/]: {value}")
    errors = report["errors_mm"]
    groups = list(next(iter(errors.values())))
    table = Table("mm", *groups, title=f"{report['poses']} poses")
    for name, values in errors.items():
        table.add_row(name, *(f"{values[group]:.2f}" for group in groups))
    console.print(table)
    cosine = report["cosine_2d_3d"]
    console.print(f"cosine 2D–3D: matched {cosine['matched']:.3f}, unmatched {cosine['unmatched']:.3f}")
    for way, found in report.get("retrieval", {}).items():
        recall = ", ".join(f"@{k} {share:.3f}" for k, share in found["recall"].items())
        console.print(
            f"retrieval {way} among {found['gallery']}: recall {recall}; MPJPE of the nearest {found['pose_error']:.1f} mm"
        )


@app.command()
def recipes() -> None:
    """List the shipped recipes."""
    from unihpe.recipe import load_recipe, shipped_recipes

    for name in shipped_recipes():
        console.print(f"[bold]{name}[/]  {load_recipe(name).about.strip().splitlines()[0]}")


@app.command()
def info(checkpoint: Annotated[Path | None, typer.Argument(help="Default: the one in the package.")] = None) -> None:
    """What a checkpoint says of itself."""
    from unihpe.checkpoint import load_checkpoint
    from unihpe.predict import default_checkpoint

    path = checkpoint or default_checkpoint()
    tensors, card = load_checkpoint(path / "model.safetensors" if path.is_dir() else path)
    console.print_json(card.model_dump_json())
    console.print(f"{sum(tensor.numel() for tensor in tensors.values()) / 1e6:.2f} M parameters in {path}")


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    try:
        app(standalone_mode=True)
    except InputError as error:
        print(f"unihpe: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
