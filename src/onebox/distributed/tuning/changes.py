"""What a trial changes in a recipe, and the value that a setting of a recipe has."""

from collections.abc import Mapping
from typing import Any

from onebox.distributed.tuning.augmentation_strength import STRENGTH, UNCHANGED, scaled
from onebox.distributed.tuning.dimensions import Changes
from onebox.recipes.recipe import Recipe


def changed(recipe: Recipe, changes: Changes) -> Recipe:
    """Return the recipe of a trial, checked as a whole.

    Raises:
        SettingError: If the changed recipe is not valid; the message names the setting.
    """
    return recipe.changed(as_settings(recipe, changes))


def as_settings(recipe: Recipe, changes: Changes) -> dict[str, Any]:
    """Changes as settings of a recipe: the strength of augmentation as the limits it scales.

    Raises:
        SettingError: If the strength is negative.
    """
    settings = {name: value for name, value in changes.items() if name != STRENGTH}
    if STRENGTH in changes:
        settings |= scaled(recipe, changes[STRENGTH])
    return settings


def value_of(recipe: Recipe, name: str) -> Any:  # noqa: ANN401 - a value of any setting
    """The value of a setting by its dotted name, as a recipe file has it; None if it has none."""
    if name == STRENGTH:
        return UNCHANGED
    value: Any = recipe.model_dump(mode="json")
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
