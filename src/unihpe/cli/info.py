"""`unihpe info`: what a checkpoint says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unihpe.cli.options import console


def info(
    checkpoint: Annotated[
        Path | None, typer.Argument(help="Default: the one in the package.")
    ] = None,
) -> None:
    """What a checkpoint says of itself."""
    from unihpe.model.checkpoint import checkpoint_file, load_checkpoint

    path = checkpoint_file(checkpoint)
    tensors, card = load_checkpoint(path)
    console.print_json(card.model_dump_json())
    console.print(
        f"{sum(tensor.numel() for tensor in tensors.values()) / 1e6:.2f} M parameters in {path}"
    )
