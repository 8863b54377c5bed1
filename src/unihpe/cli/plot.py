"""`unihpe plot`: the paper's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unihpe.cli.options import Seed, console
from unihpe.errors import InputError

FIGURES = ("space", "cosines", "people")


def plot(
    what: Annotated[str, typer.Argument(help=f"{', '.join(FIGURES)}.")],
    of: Annotated[
        Path, typer.Argument(help="A checkpoint; of cosines, the folder of a training run.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG to write.")],
    people: Annotated[
        Path | None, typer.Option(help="A packed set of rendered people, such as people/test.pack.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """The paper's figures: the space by t-SNE (1, 6), cosines over training (5), best and worst people (4, 7, 9)."""
    from unihpe.show.plots import draw_cosines, draw_people, draw_space

    if what not in FIGURES:
        raise InputError(f"plot {what}: there are {', '.join(FIGURES)}")
    if what == "cosines":
        draw_cosines(of, out)
    elif people is None:
        raise InputError(f"plot {what} needs --people PACK")
    else:
        (draw_space if what == "space" else draw_people)(of, people, out, seed=seed)
    console.print(f"Look at {out}.")
