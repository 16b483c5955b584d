"""What must hold before a search: its recipe, its data, and a space that the weights leave open."""

import dataclasses
from pathlib import Path

from onebox.distributed.tuning.changes import as_settings, value_of
from onebox.distributed.tuning.dimensions import Space
from onebox.distributed.tuning.learning import import_trial
from onebox.errors import SettingError
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset


def check_recipe(recipe: Recipe, name: str) -> None:
    """Check that a recipe can be tuned.

    Raises:
        SettingError: If it trains no network, or has a time budget of its own.
    """
    if recipe.hog is not None:
        raise SettingError(
            f"--recipe {name}: onebox tune searches the settings of networks, and this recipe "
            "trains HOG windows. Name another recipe, such as default."
        )
    if recipe.train.minutes is not None:
        raise SettingError(
            f"train.minutes is {recipe.train.minutes:g}: all trials have the same number of steps, "
            "however long they take. Remove it from the recipe, and give the time of the whole "
            "search with --minutes."
        )


def open_settings(
    space: Space, recipe: Recipe, data: Dataset, weights: Path | None
) -> tuple[Space, dict[str, object]]:
    """Divide a space into what may be searched, and what the initial weights decide.

    Returns:
        The settings to search, and those that the weights decide with the value they ask for.

    Raises:
        OneboxError: If weights cannot be had, or a package is missing.
        SettingError: If the weights cannot be read, or the recipe does not fit the data.
    """
    settings_of_weights = import_trial().settings_of_weights
    decided: dict[str, object] = {}
    for name, dimension in space.items():
        own = value_of(recipe, name)
        other = next(value for value in dimension.probes() if value != own)
        changes = as_settings(recipe, {name: other})
        kept = settings_of_weights(data, recipe, weights, changes)
        if kept:
            decided[name] = next(iter(kept.values()))
    return {name: each for name, each in space.items() if name not in decided}, decided


def check_open(decided: dict[str, object], place: str) -> None:
    """Check that the initial weights decide no setting of a space.

    Raises:
        SettingError: If they do; the message names each.
    """
    problems = [
        f"{place}: {name}: cannot be searched: the initial weights need {value}. Remove it, or "
        "start from other weights."
        for name, value in decided.items()
    ]
    if problems:
        raise SettingError("\n".join(problems))


def data_of_trials(data: Dataset) -> Dataset:
    """The ``train`` and ``val`` images alone, with absolute paths for processes elsewhere."""
    samples = [sample for split in ("train", "val") for sample in data if sample.split == split]
    absolute = [
        dataclasses.replace(sample, image=sample.image.absolute())
        if isinstance(sample.image, Path)
        else sample
        for sample in samples
    ]
    return dataclasses.replace(data, samples=tuple(absolute), notes=())
