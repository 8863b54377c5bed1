"""`unihpe weights …`: what can be fetched."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table
from typer import Argument, Option

from unihpe.cli.options import console

app = typer.Typer(help="Public weights of image backbones.", no_args_is_help=True)


@app.command("list")
def _weights_list() -> None:
    """The public weight files we know."""
    from unihpe.model.backbones import public_files

    wide = {"name": 26, "what": 14, "licence": 12, "SHA-256": 8}  # at least
    table = Table(*(Column(name, overflow="fold", min_width=n) for name, n in wide.items()))
    for name, entry in public_files().items():
        table.add_row(name, entry.about, entry.licence, entry.sha256 or "not published")
    console.print(table, crop=False)


@app.command("download")
def _weights_download(
    names: Annotated[list[str], Argument(help="See `unihpe weights list`.")],
    cache: Annotated[Path | None, Option(help="Default $UNIHPE_CACHE or ~/.cache/unihpe.")] = None,
    mirror: Annotated[str | None, Option(help="URL of a folder with the same files.")] = None,
    offline: Annotated[bool, Option(help="Never use the network.")] = False,
) -> None:
    """Fetch weight files, checked and resumable; prints where they are."""
    from unihpe.cli.progress import download_report
    from unihpe.io.downloads import download
    from unihpe.model.backbones import public_file

    for name in names:
        with download_report(name) as progress:
            path = download(public_file(name), cache, mirror, offline, progress)
        print(path)
