"""The command line: parse, call one function, print.

Results go to standard output, progress and everything said in passing to standard error.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 data, 4 model.
"""

import sys
from typing import Annotated

import typer

from onebox.cli import annotate, convert, evaluate, export, predict, recipes, train
from onebox.cli.console import complain
from onebox.errors import OneboxError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="One image, one subject: what it is, where it is, and how sure.",
)


# A callback is heard before a command is missed, so that `onebox --version` needs none.
def _print_version(is_asked: bool) -> bool:  # noqa: FBT001  (Typer calls it so)
    if is_asked:
        from onebox import __version__

        typer.echo(__version__)
        raise typer.Exit
    return is_asked


@app.callback()
def onebox(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, help="Print the version and end."),
    ] = False,
) -> None:
    """One image, one subject: what it is, where it is, and how sure."""


app.command()(train.train)
app.command()(predict.predict)
app.command()(evaluate.evaluate)
app.command()(export.export)
app.command()(convert.convert)
app.command()(convert.synth)
app.command()(recipes.recipes)
app.command()(evaluate.info)
app.command()(train.demo)
app.add_typer(annotate.app, name="annotate")


def main() -> None:
    """Run the command line; an error that a user can repair ends it with its own code."""
    try:
        app()
    except OneboxError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # most of all a full disk behind standard output
        complain(f"{error.filename or 'standard output'}: {error.strerror or error}.")
        sys.exit(OneboxError.exit_code)
