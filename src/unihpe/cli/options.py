"""What the commands share: their console and their options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from unihpe.errors import InputError

console = Console(highlight=False, soft_wrap=True, markup=False)  # names may hold brackets


def named(name: str, value: object, style: str = "bold") -> Text:
    """A line of a report."""
    return Text.assemble((name, style), f": {value}")


def usable_device(name: str) -> str:
    """The device, if torch knows it and it is there."""
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"--device {name}: not usable here ({str(error).splitlines()[0][:80]}); try cpu"
        ) from error
    return name


def parse_size(text: str | None) -> tuple[float, float] | None:
    """WIDTHxHEIGHT as two numbers."""
    if text is None:
        return None
    try:
        width, height = (float(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise InputError(
            f"--image-size {text}: write it as WIDTHxHEIGHT, for example 1920x1080"
        ) from error
    if not (0 < width < float("inf") and 0 < height < float("inf")):
        raise InputError(f"--image-size {text}: width and height must be above 0")
    return width, height


def leave_skipped(skipped: list[str]) -> None:
    """List who was left out, and end with exit code 1 if somebody was."""
    for line in skipped:
        print(f"left out: {line}", file=sys.stderr)
    if skipped:
        raise typer.Exit(1)


Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for what is written.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps.", callback=usable_device)]
Seed = Annotated[int, typer.Option(min=0, max=2**62, help="Of everything random.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")]
Checkpoint = Annotated[
    Path, typer.Argument(help="A .safetensors file, or the folder of a training run.")
]
Model = Annotated[
    Path | None, typer.Option("--checkpoint", help="Default: the one in the package.")
]
ImageSize = Annotated[
    str | None, typer.Option("--image-size", metavar="WxH", help="Where the file does not hold it.")
]
SkeletonName = Annotated[
    str | None, typer.Option(help="The file's joints, where the layout does not tell.")
]
