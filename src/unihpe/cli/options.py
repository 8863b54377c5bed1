"""What the commands share: the console, and options that several of them have."""

import sys
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Argument, Option

from unihpe.errors import InputError, printable

if TYPE_CHECKING:
    from unihpe.inputs.checks import Focal

# paths and names may hold brackets, which are no markup
WIDEST = 10_000  # columns of a table
console = Console(highlight=False, soft_wrap=True, markup=False)


def named(name: str, value: object, style: str = "bold") -> Text:
    return Text.assemble((name, style), f": {value}")


def print_whole(table: Table) -> None:
    """Print a table of figures with all their digits, however narrow the terminal is."""
    table.width = console.measure(table, options=console.options.update(max_width=WIDEST)).maximum
    console.print(table, crop=False)


def leave_skipped(skipped: list[str]) -> None:
    """List what was left out, and end with exit code 1 if something was."""
    for line in skipped:
        print(f"left out: {printable(line)}", file=sys.stderr)
    if skipped:
        raise typer.Exit(1)


def require_data(root: Path) -> None:
    if not root.exists():
        raise InputError(f"no data at {root}: check --root")


def parse_size(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        width, height = (float(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise InputError(f"--image-size {text}: write WIDTHxHEIGHT, as in 1920x1080") from error
    if not (0 < width < float("inf") and 0 < height < float("inf")):
        raise InputError(f"--image-size {text}: width and height must be above 0")
    return width, height


def _parse_sampler(name: str) -> str:
    from torch import Generator

    from unihpe.diffusion.sampling import build_sampler

    try:
        build_sampler(name, generator=Generator())
    except InputError as error:
        raise InputError(f"--sampler {name}: {error}") from error
    return name


def parse_camera(focal: str | None, centre: str | None, camera: str | None) -> "Focal":
    """What --focal, --centre and --camera say: nothing, a focal length, or a whole camera."""
    from unihpe.inputs.calibration import Lens, read_lens

    if camera is not None:
        if focal or centre:
            raise InputError("--camera says all of the camera: leave --focal and --centre out")
        path, _, name = camera.partition("#")
        return read_lens(Path(path), name or None)
    if focal is None:
        if centre:
            raise InputError(f"--centre {centre}: it needs --focal, too")
        return None
    given = _numbers("--focal", focal, "a focal length is above 0, in pixels: 1145 or 1145,1143")
    if len(given) > 2 or min(given) <= 0:
        raise InputError(f"--focal {focal}: a focal length is above 0, in pixels, one or FX,FY")
    if len(given) == 1 and centre is None:
        return given[0]
    middle = None if centre is None else _numbers("--centre", centre, "write CX,CY in pixels")
    if middle is not None and len(middle) != 2:
        raise InputError(f"--centre {centre}: write CX,CY in pixels")
    return Lens((given[0], given[-1]), None if middle is None else (middle[0], middle[1]))


def _numbers(option: str, text: str, remedy: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"{option} {text}: {remedy}") from error
    if not all(map(isfinite, numbers)):
        raise InputError(f"{option} {text}: {remedy}")
    return numbers


def one_of(value: str | None, option: str, values: Sequence[str]) -> None:
    """Raise unless an option has one of its values, or none."""
    if value is not None and value not in values:
        raise InputError(f"{option} {value}: it is {' or '.join(values)}")


def _parse_device(name: str) -> str:
    from unihpe.model.device import usable_device

    try:
        return usable_device(name)
    except InputError as error:
        raise InputError(f"--{error}") from error


Checkpoint = Annotated[str, Argument(help="A .safetensors file, a training run, or shipped.")]
Device = Annotated[str, Option(help="auto, cuda, cuda:1, mps or cpu.", callback=_parse_device)]
CameraFile = Annotated[
    str | None, Option("--camera", metavar="FILE[#NAME]", help="Calibration (docs/formats.md).")
]
Centre = Annotated[str | None, Option(metavar="CX,CY", help="Principal point, pixels.")]
FocalLength = Annotated[
    str | None, Option("--focal", metavar="F or FX,FY", help="Pixels; default √(W² + H²).")
]
Flip = Annotated[bool, Option("--flip", help="Flip test: the mean with the mirrored estimate.")]
ImageSize = Annotated[str | None, Option(metavar="WxH", help="If the file does not say it.")]
Json = Annotated[Path | None, Option("--json", help="Also write the report to this file.")]
LiftingModel = Annotated[
    str | None, Option("--checkpoint", help="A file, a run, shipped or shipped:lifting.")
]
Model = Annotated[str, Option("--checkpoint", help="A file, a training run, or shipped.")]
OutFile = Annotated[Path, Option("-o", "--out", help="The file to write.")]
OutFolder = Annotated[Path, Option("-o", "--out", help="The folder to write to.")]
Rig = Annotated[Path | None, Option(help="TOML that names the joints of a BVH rig.")]
Root = Annotated[Path, Option(help="The data's folder or file.")]
Sampler = Annotated[
    str, Option(help="How hypotheses are drawn; see docs/samplers.md.", callback=_parse_sampler)
]
Seed = Annotated[int, Option(min=0, max=2**62, help="Seed of everything random.")]
SkeletonName = Annotated[str | None, Option(help="The joint set, if the layout does not say it.")]
Steps = Annotated[int, Option(min=0, help="Steps of the sampler; 0: its own default.")]
