"""The trials of a search compared: at one progress, and by each setting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onebox.distributed.tuning.changes import value_of
from onebox.distributed.tuning.dimensions import Range
from onebox.distributed.tuning.importance import Importance, of_choices, of_numbers
from onebox.distributed.tuning.records import Found, Outcome
from onebox.recipes.recipe import check_recipe


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting over the trials.

    Attributes:
        name: Its dotted name.
        dimension: What it was drawn from.
        pairs: Its value and the metric of each trial, at the progress of the comparison.
        importance: How much it matters; None if that cannot be measured.
    """

    name: str
    dimension: Any
    pairs: tuple[tuple[Any, float], ...]
    importance: Importance | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All settings over the trials, the most important first.

    Attributes:
        progress: The furthest that every trial came, in percent: where they are compared.
        settings: The settings.
    """

    progress: int
    settings: tuple[Setting, ...]


def compare(found: Found) -> Comparison:
    """Compare the trials that did not fail at the furthest progress that all of them reached."""
    outcomes = [one for one in found.outcomes if one.status != "failed" and one.curve]
    progress = min((one.progress for one in outcomes), default=0)
    settings = [_setting(found, name, outcomes, progress) for name in found.space]
    settings.sort(key=lambda one: -(one.importance.explained if one.importance else -1.0))
    return Comparison(progress, tuple(settings))


def metric_at(outcome: Outcome, progress: int) -> float | None:
    """The metric of a trial at a progress: at its latest validation until then, if any."""
    values = [point.value for point in outcome.curve if point.progress <= progress]
    return values[-1] if values else None


def setting_values(found: Found, number: int) -> dict[str, Any]:
    """The value of each searched setting in a trial; the first has those of the recipe."""
    changes = found.question.trials[number]
    recipe = check_recipe(found.question.recipe, place="recipe")
    return {
        name: changes[name] if name in changes else value_of(recipe, name) for name in found.space
    }


def _setting(found: Found, name: str, outcomes: Sequence[Outcome], progress: int) -> Setting:
    dimension = found.space[name]
    pairs = []
    for outcome in outcomes:
        value = setting_values(found, outcome.number)[name]
        metric = metric_at(outcome, progress)
        if value is not None and metric is not None:
            pairs.append((value, metric))
    metrics = np.array([metric for _, metric in pairs])
    values = [value for value, _ in pairs]
    if isinstance(dimension, Range):
        importance = of_numbers(np.array(values, np.float64), metrics)
    else:
        importance = of_choices([str(value) for value in values], metrics)
    return Setting(name, dimension, tuple(pairs), importance)
