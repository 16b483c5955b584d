"""``onebox recipes`` and ``onebox recipes show NAME``."""

import json
from typing import Annotated

import typer

from onebox.cli.console import print_table
from onebox.cli.options import AsJson, check_choice
from onebox.errors import SettingError


def recipes(
    action: Annotated[
        str | None, typer.Argument(metavar="show", help="Print one recipe instead of the list.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The recipe to print, as TOML.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the bundled recipes, or print one."""
    if action is None:
        _list(as_json=as_json)
        return
    check_choice("the word after recipes", action, ("show",))
    if name is None:
        raise SettingError(
            "onebox recipes show needs the NAME of a recipe; onebox recipes lists them."
        )
    _show(name, as_json=as_json)


def _list(*, as_json: bool) -> None:
    from onebox.recipes.loading import read_recipe, recipe_names

    sources = {name: read_recipe(name).source for name in recipe_names()}
    if as_json:
        typer.echo(json.dumps(sources))
    else:
        print_table("recipes", sources)


def _show(name: str, *, as_json: bool) -> None:
    """Print the file of a recipe; as JSON, all settings, including those that the file omits."""
    from onebox.recipes.loading import read_recipe, recipe_text

    text = recipe_text(name)
    if as_json:
        typer.echo(json.dumps(read_recipe(name).model_dump(mode="json")))
    else:
        typer.echo(text, nl=False)
