"""The command line: parse, call one function, print.

Results go to standard output, progress and everything said in passing to standard error.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 data, 4 model.
"""

import sys
from typing import Annotated

import typer

from onebox.cli import data, measuring, prediction, recipes, training
from onebox.cli.console import complain
from onebox.errors import OneboxError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="One picture, one subject: what it is, where it is, and how sure.",
)


@app.callback()
def onebox(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """One picture, one subject: what it is, where it is, and how sure."""
    if version:
        from onebox import __version__

        typer.echo(__version__)
        raise typer.Exit


app.command()(training.train)
app.command()(prediction.predict)
app.command()(measuring.evaluate)
app.command()(data.convert)
app.command()(data.synth)
app.add_typer(recipes.app, name="recipes")
app.command()(measuring.info)
app.command()(training.demo)


def main() -> None:
    """Run the command line; an error that a user can repair ends it with its own code."""
    try:
        app()
    except OneboxError as error:
        complain(str(error))
        sys.exit(error.exit_code)
