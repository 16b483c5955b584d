"""The files of a search: the trials as a table, the best recipe, and the page."""

import json
from collections.abc import Mapping
from typing import Any

import tomli_w

from onebox.distributed.tuning.changes import changed
from onebox.distributed.tuning.charts import by_setting, learning_curves, progress_of_search
from onebox.distributed.tuning.comparison import compare, setting_values
from onebox.distributed.tuning.records import Found, Outcome, TuneFiles
from onebox.files import write_atomically
from onebox.formats.csv import format_row
from onebox.pages import template
from onebox.recipes.recipe import Recipe, check_recipe

_FACTS = ("trial", "status", "val_mean_iou", "progress", "seconds")
"""The first columns of ``trials.csv``; the settings and ``error`` follow."""


def best_recipe(found: Found, data_name: str) -> Recipe | None:
    """The recipe of the best trial that trained to the end; None if none did."""
    best = found.best
    if best is None:
        return None
    count = len(found.outcomes)
    source = (
        f"The best of {count} trials of onebox tune on {data_name or 'a data set'}: "
        f"trial {best.number}, val mean IoU {best.value:.4f}."
    )
    recipe = check_recipe(found.question.recipe, place="recipe")
    return changed(recipe, found.question.trials[best.number]).changed({"source": source})


def write_results(found: Found, files: TuneFiles, facts: Mapping[str, str]) -> None:
    """Write ``trials.csv``, ``tuning.html`` and, if a trial ended, ``best.toml``.

    Args:
        found: The search.
        files: Where to write.
        facts: Names and values about the search (data, backbone, seed, ...), in order.

    Raises:
        OneboxError: If a file cannot be written.
    """
    write_atomically(files.table, _table(found).encode())
    recipe = best_recipe(found, facts.get("Data", ""))
    if recipe is not None:
        settings = recipe.model_dump(mode="json", exclude_none=True)
        write_atomically(files.recipe, tomli_w.dumps(settings).encode())
    comparison = compare(found)
    page = template("tuning.html.jinja").render(
        found=found,
        facts=dict(facts),
        rows=_rows(found),
        settings=list(found.space),
        comparison=comparison,
        curves=[progress_of_search(found), learning_curves(found)],
        scatters=by_setting(comparison),
        counts=count_by_status(found),
    )
    write_atomically(files.page, page.encode("utf-8", errors="replace"))


def count_by_status(found: Found) -> dict[str, int]:
    """Number of trials that ended, were stopped, or failed."""
    counts = dict.fromkeys(("ended", "stopped", "failed"), 0)
    for outcome in found.outcomes:
        counts[outcome.status] += 1
    return counts


def _rows(found: Found) -> list[tuple[Outcome, dict[str, str]]]:
    """Trials with their settings: those that ended first, the best before the others."""
    others = [one for one in found.outcomes if one.status != "ended"]
    others.sort(key=lambda one: (one.status == "failed", -one.progress, -(one.value or 0.0)))
    return [
        (one, {name: word(value) for name, value in setting_values(found, one.number).items()})
        for one in [*found.ended, *others]
    ]


def word(value: Any) -> str:  # noqa: ANN401 - a value of any setting
    """A value of a setting as text.

    Examples:
        >>> word(0.00213), word(128), word("gap"), word([1, 2])
        ('0.00213', '128', 'gap', '[1, 2]')
    """
    if isinstance(value, str):
        return value
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def _table(found: Found) -> str:
    rows: list[list[object]] = [[*_FACTS, *found.space, "error"]]
    for one in sorted(found.outcomes, key=lambda outcome: outcome.number):
        values = setting_values(found, one.number)
        metric = "" if one.value is None else f"{one.value:.6f}"
        facts = [one.number, one.status, metric, one.progress, f"{one.seconds:.1f}"]
        settings = ["" if value is None else word(value) for value in values.values()]
        rows.append([*facts, *settings, one.error])
    return "".join(f"{format_row(cells)}\n" for cells in rows)
