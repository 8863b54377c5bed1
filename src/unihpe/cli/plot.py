"""`unihpe plot`: the paper's figures."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from unihpe.cli.options import Checkpoint, Device, OutFile, Seed, console
from unihpe.errors import InputError

FIGURES = ("space", "cosines", "people")


def plot(
    what: Annotated[str, Argument(help=f"{', '.join(FIGURES)}.")],
    of: Checkpoint,
    out: OutFile,
    people: Annotated[Path | None, Option(help="A packed set, such as people/test.pack.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """The paper's figures, as PNG: the space by t-SNE (figs. 1 and 6), cosines over a run's
    training (5), best and worst people (4, 7 and 9)."""
    from unihpe.show.plots import draw_cosines, draw_people, draw_space

    if what not in FIGURES:
        raise InputError(f"plot {what}: there are {', '.join(FIGURES)}")
    if what == "cosines":
        draw_cosines(Path(of), out)
    elif people is None:
        raise InputError(f"plot {what} needs --people PACK")
    else:
        draw = draw_space if what == "space" else draw_people
        draw(of, people, out, seed=seed, device=device)
    console.print(f"Look at {out}.")
