"""Checks before an audit: the data, the recipe and the rate."""

from collections.abc import Callable

from onebox.errors import DataError, SettingError, format_count
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset

LEAST_IMAGES = 20
"""Fewer images with a box do not show how right labels score."""

MANY_IMAGES = 200
"""From so many images on, the lists were measured to be good: docs/audit.md."""

_LEAST_FOLDS = 2


def check_rate(rate: float) -> None:
    """Check a false-discovery rate.

    Raises:
        SettingError: If it is not between 0 and 1, both excluded.
    """
    if not 0 < rate < 1:
        raise SettingError(
            f"--fdr must be above 0 and below 1, got {rate:g}. 0.1 lets one label in ten of a "
            "list be right after all."
        )


def check_recipe(recipe: Recipe, name: str | None) -> None:
    """Check that a recipe trains a network.

    Raises:
        SettingError: If it trains HOG windows.
    """
    if recipe.hog is not None:
        raise SettingError(
            f"recipe '{name}' trains HOG windows, and an audit trains networks. Choose another "
            "recipe, such as default."
        )


def check_data(data: Dataset, folds: int, note: Callable[[str], None]) -> None:
    """Check that a data set can be audited.

    Args:
        data: The data set.
        folds: Number of folds.
        note: Told if more images would be better, and if there is only one class.

    Raises:
        DataError: If it has too few images with a box.
        SettingError: If there are too few folds, or too many for the images.
    """
    name, count = data.name or "the data set", len(data.boxes())
    if not count:
        raise DataError(f"{name}: no image has a box, so there is nothing to audit. Add boxes.")
    if count < LEAST_IMAGES:
        raise DataError(
            f"{name}: has {format_count(count, 'image', 'images')} with a box; an audit needs at "
            f"least {LEAST_IMAGES} to learn what right labels look like. Look at so few yourself."
        )
    if not _LEAST_FOLDS <= folds <= count // 2:
        raise SettingError(
            f"--folds must be between {_LEAST_FOLDS} and half the number of images with a box, "
            f"here {count // 2}; got {folds}."
        )
    if count < MANY_IMAGES:
        note(
            f"{name} has {count} images with a box; the lists are best from {MANY_IMAGES} images "
            "on, since short training on few images leaves larger residuals."
        )
    if len(data.classes) == 1:
        note(f"{name} has one class, '{data.classes[0]}': there is no list of classes.")
