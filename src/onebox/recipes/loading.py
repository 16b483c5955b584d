"""Reading recipes: bundled ones by name, others from TOML files, with single settings changed.

The bundled recipes are the TOML files beside this module.
"""

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from onebox.errors import SettingError, suggest
from onebox.recipes.changing import change
from onebox.recipes.recipe import Recipe, check_recipe


def recipe_names() -> list[str]:
    """Return the names of the bundled recipes."""
    files = resources.files("onebox.recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def recipe_text(name: str) -> str:
    """Return the TOML text of a bundled recipe.

    Raises:
        SettingError: If there is no recipe of that name.
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
        changes: Such as ``train.epochs=20``; the value is TOML, and a bare word is text.

    Returns:
        The checked recipe.

    Raises:
        SettingError: If there is no such recipe, it is not TOML, or a setting is unknown or wrong.
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
    for text in changes:
        name, value = _parse(text)
        change(settings, name, value, Recipe)
    return check_recipe(settings, place=str(name_or_file))


def _parse(text: str) -> tuple[str, object]:
    name, sign, value = (part.strip() for part in text.partition("="))
    if not sign or not name:
        raise SettingError(f"--set '{text}' is not of the form key=value, such as train.epochs=20.")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value
