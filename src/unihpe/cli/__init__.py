"""The command line: one file a command; everything that is said to people is said here."""

import sys
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer
from typer import Option

from unihpe import __version__
from unihpe.cli import data, demo, evaluate, info, plot, predict, recipes, train, weights
from unihpe.errors import InputError, one_line, printable

__all__ = ["app", "main"]

_LONGEST = 2000  # characters of a message: a damaged file may hold any "word"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",  # typer 0.12 has no default, and would show the escapes in help texts
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"unihpe {__version__}")
        raise typer.Exit


@app.callback()
def _before_all(
    modules: Annotated[list[str], Option("--import", help="A module of yours to import.")] = [],
    version: Annotated[bool, Option("--version", callback=_show_version)] = False,
) -> None:
    """One embedding space for a person's picture, 2D keypoints and 3D pose."""
    from unihpe.io.outside import import_outside

    for module in modules:
        import_outside(module)


app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("demo")(demo.run_demo)
app.command("plot")(plot.plot)
app.command("recipes")(recipes.recipes)
app.command("info")(info.info)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    if isinstance(sys.stdout, TextIOWrapper):  # as stderr: names of files need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False)
        print(end="", flush=True)  # here, where a full disk is one line
    except InputError as error:
        _stop(str(error))
    except PermissionError as error:
        _stop(f"{error.filename}: permission denied; give yourself the right to it")
    except OSError as error:  # what is printed goes to a full disk, for example
        _stop(f"{error.filename or 'output'}: {error.strerror or error}")
    except typer.Abort:
        sys.exit(130)  # interrupted
    except Exception as error:  # a usage error, of whichever click typer carries
        if not hasattr(error, "format_message"):
            raise
        text = error.format_message()
        if "\n" not in text:
            _stop(f"{text.rstrip('.')}; see --help")
        print(text)  # the help, where there are no arguments at all
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(text: str) -> NoReturn:
    print(f"unihpe: {printable(one_line(text, _LONGEST))}", file=sys.stderr)
    sys.exit(2)
