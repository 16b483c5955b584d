"""``onebox recipes`` and ``onebox recipes show NAME``."""

import json
from typing import Annotated

import typer

from onebox.cli.console import show_table
from onebox.cli.options import AsJson

app = typer.Typer(
    help="List the recipes that come with onebox, or print one.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def list_recipes(context: typer.Context, as_json: AsJson = False) -> None:
    """List the recipes that come with onebox, or print one."""
    if context.invoked_subcommand is not None:
        return
    from onebox.learning.recipe import read_recipe, recipe_names

    sources = {name: read_recipe(name).source for name in recipe_names()}
    if as_json:
        typer.echo(json.dumps(sources))
    else:
        show_table("recipes", sources)


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Print a recipe's TOML."""
    from onebox.learning.recipe import recipe_text

    typer.echo(recipe_text(name), nl=False)
