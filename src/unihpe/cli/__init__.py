"""The command line: one file a command; everything said to people is said here."""

import sys

import typer

from unihpe.cli import data, demo, evaluate, info, plot, predict, recipes, train, weights
from unihpe.errors import InputError

app = typer.Typer(
    help="One embedding space for a person's picture, 2D keypoints and 3D pose.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",  # said here, as typer 0.12 leaves it open and shows the escapes
)
app.command()(train.train)
app.command("eval")(evaluate.evaluate)
app.command()(predict.predict)
app.command("demo")(demo.run_demo)
app.command()(plot.plot)
app.command()(recipes.recipes)
app.command()(info.info)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except InputError as error:
        print(f"unihpe: {error}", file=sys.stderr)
        sys.exit(2)
    except PermissionError as error:
        print(
            f"unihpe: {error.filename}: permission denied; give yourself the right to it",
            file=sys.stderr,
        )
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)  # interrupted
    except Exception as error:
        said = getattr(
            error, "format_message", None
        )  # of a usage error, whichever click typer carries
        if said is None:
            raise
        text = said()
        if "\n" in text:  # no arguments at all: the help
            print(text)
        else:
            print(f"unihpe: {text.rstrip('.')}; see --help", file=sys.stderr)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
