"""The commands of ``onebox`` and the options that belong to none of them."""

from typing import Annotated

import typer

from onebox.cli import (
    annotate,
    audit,
    calibrate,
    convert,
    evaluate,
    export,
    info,
    label,
    predict,
    recipes,
    serve,
    train,
    tune,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="One image, one subject: what it is, where it is, and how sure.",
)


# A callback runs before a missing command is an error, so that `onebox --version` needs none.
def _print_version(is_asked: bool) -> bool:  # noqa: FBT001  (Typer calls it so)
    if is_asked:
        from onebox import __version__

        typer.echo(__version__)
        raise typer.Exit
    return is_asked


@app.callback()
def onebox(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """One image, one subject: what it is, where it is, and how sure."""


app.command()(train.train)
app.command()(tune.tune)
app.command()(predict.predict)
app.command()(evaluate.evaluate)
app.command()(calibrate.calibrate)
app.command()(audit.audit)
app.command()(label.label)
app.command()(serve.serve)
app.command()(export.export)
app.command()(convert.convert)
app.command()(convert.synth)
app.command()(recipes.recipes)
app.command()(info.info)
app.command()(train.demo)
app.add_typer(annotate.app, name="annotate")
