"""Search spaces: read from TOML, and checked as a whole against the recipe that is tuned.

::

    "train.learning_rate" = { low = 1e-4, high = 1e-2, log = true }
    "train.batch_size" = { low = 8, high = 32, step = 8 }
    "model.size" = { choices = [128, 160, 192] }
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from onebox.distributed.tuning.augmentation_strength import STRENGTH
from onebox.distributed.tuning.changes import changed, value_of
from onebox.distributed.tuning.dimensions import Choices, Dimension, Range, Space
from onebox.errors import SettingError, suggest
from onebox.recipes.recipe import Recipe

DEFAULT = "default-space.toml"
"""The space that comes with the package, beside this module."""

_OF_RANGE = ("low", "high", "log", "step")
_OF_DIMENSION = (*_OF_RANGE, "choices")
_FIXED = {
    "train.seed": "all trials have one seed, so that they differ by their settings alone",
    "train.epochs": "all trials have one schedule, so that they can be compared",
    "train.minutes": "all trials have one schedule, so that they can be compared",
    "train.save_every_epoch": "it changes no result",
    "model.refinement": "it is chosen after training",
    "model.pretrained": "all trials start from the same weights",
    "source": "it changes no result",
}


class _Problem(Exception):  # noqa: N818 - a sentence on its way to a SettingError
    pass


def default_text() -> str:
    """The TOML text of the default space."""
    return resources.files(__package__).joinpath(DEFAULT).read_text("utf-8")


def default_space(recipe: Recipe) -> Space:
    """The default space of a recipe: without settings that its network does not read.

    Raises:
        SettingError: If the recipe refuses a value of what is left.
    """
    tables = tomllib.loads(default_text())
    if recipe.model.vectorizer != "pyramid":
        del tables["model.width"]
    return parse_space(tables, recipe, place="the default space")


def read_space(path: Path, recipe: Recipe) -> Space:
    """Read the space of a file.

    Raises:
        SettingError: If it cannot be read, is not TOML, or does not fit the recipe; the message
            lists every problem.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingError(
            f"--space {path}: cannot be read ({error.strerror}). Correct the path."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: is not TOML: {error}. Correct it there.") from error
    return parse_space(tables, recipe, place=str(path))


def parse_space(tables: Mapping[str, Any], recipe: Recipe, *, place: str) -> Space:
    """Make a space of nested tables; each line of an error message begins with ``place``.

    Raises:
        SettingError: If a table is wrong or the recipe refuses a value; the message lists every
            problem.
    """
    space: dict[str, Dimension] = {}
    problems: list[str] = []
    for name, table in _flatten(tables):
        try:
            dimension = _dimension(name, table)
            _check_setting(name, dimension, recipe)
            space[name] = dimension
        except _Problem as problem:
            problems.append(str(problem))
    if not space and not problems:
        problems.append(
            "names no setting to search. Add one, such as "
            '"train.learning_rate" = { low = 1e-4, high = 1e-2, log = true }.'
        )
    if problems:
        raise SettingError("\n".join(f"{place}: {problem}" for problem in problems))
    return space


def as_tables(space: Space) -> dict[str, Any]:
    """A space as the tables of its file."""
    return {name: dimension.as_table() for name, dimension in space.items()}


def _flatten(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names with their tables: ``[train]`` with ``learning_rate = {...}`` counts, too."""
    for name, table in tables.items():
        is_dimension = not isinstance(table, dict) or any(key in table for key in _OF_DIMENSION)
        if is_dimension or not table:
            yield f"{prefix}{name}", table
        else:
            yield from _flatten(table, f"{prefix}{name}.")


def _dimension(name: str, table: Any) -> Dimension:  # noqa: ANN401 - whatever the file has
    if not isinstance(table, dict):
        raise _Problem(
            f"{name}: must be a table, got {table!r}. Write {{ low = ..., high = ... }} or "
            "{ choices = [...] }, or set one value with --set."
        )
    for key in table:
        if key not in _OF_DIMENSION:
            raise _Problem(
                f"{name}: has no key '{key}'; a table has low and high, with log or step, or "
                f"choices.{suggest(key, _OF_DIMENSION)}"
            )
    if "choices" in table:
        return _choices(name, table)
    return _range(name, table)


def _choices(name: str, table: Mapping[str, Any]) -> Choices:
    others = [key for key in _OF_RANGE if key in table]
    if others:
        raise _Problem(f"{name}: has both choices and {others[0]}. Leave one out.")
    values = table["choices"]
    if not isinstance(values, list) or not values:
        raise _Problem(f"{name}: choices must be a list of values, got {values!r}. Name some.")
    if len({json.dumps(value, default=str) for value in values}) < len(values):
        raise _Problem(f"{name}: choices must differ, got {values!r}. Remove the repeated one.")
    if len(values) == 1:
        raise _Problem(
            f"{name}: choices has one value. Add another, or set it with --set "
            f"'{name}={json.dumps(values[0], default=str)}'."
        )
    return Choices(tuple(values))


def _range(name: str, table: Mapping[str, Any]) -> Range:
    for key in ("low", "high"):
        if key not in table:
            raise _Problem(f"{name}: has no {key}. Give both low and high.")
    for key in ("low", "high", "step"):
        value = table.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise _Problem(f"{name}: {key} must be a number, got {value!r}. Correct it.")
    low, high, log, step = table["low"], table["high"], table.get("log", False), table.get("step")
    if not isinstance(log, bool):
        raise _Problem(f"{name}: log must be true or false, got {log!r}. Correct it.")
    if low >= high:
        raise _Problem(f"{name}: low must be below high, got {low} and {high}. Exchange them.")
    if log and low <= 0:
        raise _Problem(f"{name}: low must be above 0 with log = true, got {low}. Raise it.")
    if log and step is not None:
        raise _Problem(f"{name}: has both log and step. Leave one out, or list choices.")
    if step is not None and not 0 < step <= high - low:
        raise _Problem(
            f"{name}: step must be above 0 and at most high - low = {high - low}, got {step}. "
            "Correct it."
        )
    return Range(low, high, log=log, step=step)


def _is_finite(value: int | float) -> bool:
    return abs(value) < float("inf")  # false for not-a-number, too


def _check_setting(name: str, dimension: Dimension, recipe: Recipe) -> None:
    # It may be searched, and the recipe accepts its values.
    if name in _FIXED:
        raise _Problem(f"{name}: cannot be searched: {_FIXED[name]}. Remove it.")
    if name.partition(".")[0] in {"data", "hog"}:
        raise _Problem(
            f"{name}: cannot be searched: a search trains networks on one data set. Remove it."
        )
    if name == STRENGTH and not isinstance(dimension, Range):
        _check_numbers(name, dimension)
    for value in dimension.probes():
        try:
            recipe_of_value = changed(recipe, {name: value})
        except SettingError as error:
            raise _refusal(name, dimension, error) from error
        if name != STRENGTH and value_of(recipe_of_value, name) is None and value is not None:
            raise _Problem(f"{name}: is no single setting. Name one inside it.")


def _check_numbers(name: str, dimension: Choices) -> None:
    for value in dimension.values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Problem(f"{name}: choices must be numbers, got {value!r}. Correct it.")


def _refusal(name: str, dimension: Dimension, error: SettingError) -> _Problem:
    reason = str(error).splitlines()[0].removeprefix("recipe: ")
    if isinstance(dimension, Range) and dimension.step is None and "valid integer" in reason:
        return _Problem(f"{name}: takes whole numbers. Add step = 1, or list choices.")
    return _Problem(reason)
