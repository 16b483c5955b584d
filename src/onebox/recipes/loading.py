"""Recipes by name, from TOML files, and with single settings changed.

The recipes that come with the package lie in ``recipes/``, one file each. A recipe of one's own is
a file with the same sections.
"""

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from onebox.errors import SettingError, suggest
from onebox.recipes.recipe import Recipe, check_recipe


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    files = resources.files("onebox.recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def recipe_text(name: str) -> str:
    """The TOML of a recipe that comes with the package.

    Raises:
        SettingError: If there is none of that name.
    """
    names = recipe_names()
    if name not in names:
        hint = suggest(name, names)
        raise SettingError(f"recipe '{name}' is not one of {', '.join(names)}.{hint}")
    return resources.files("onebox.recipes").joinpath(f"{name}.toml").read_text("utf-8")


def read_recipe(name_or_file: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name or from a file, with single settings changed.

    Args:
        name_or_file: A name of `recipe_names`, or a TOML file.
        changes: Each as ``train.epochs=20``; the value is TOML, a bare word is taken as text.

    Returns:
        The checked recipe.

    Raises:
        SettingError: If the recipe is not there, is no TOML, or a setting is unknown or wrong.
    """
    path = Path(name_or_file)
    is_file = path.suffix == ".toml" or path.is_file()
    try:
        text = path.read_text("utf-8") if is_file else recipe_text(str(name_or_file))
        settings = tomllib.loads(text)
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}). Correct it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: is not TOML: {error}. Correct it there.") from error
    for change in changes:
        _change(settings, change)
    return check_recipe(settings, place=str(name_or_file))


def _change(settings: dict[str, Any], change: str) -> None:
    """Set one dotted key of nested tables.

    Raises:
        SettingError: If the change is not ``section.key=value``.
    """
    key, sign, value = change.partition("=")
    if not sign or not key.strip():
        raise SettingError(f"--set '{change}' is not of the form key=value, as train.epochs=20.")
    *sections, last = key.strip().split(".")
    table = settings
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise SettingError(f"--set '{change}': {section} is a value, not a section.")
    table[last] = _value(value.strip())


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
