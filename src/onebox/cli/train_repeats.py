"""``onebox train --seeds`` and ``--folds``: the same training several times."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox.cli.console import ConsoleListener, format_metric, print_note, print_rows, print_table
from onebox.cli.task_runners import task_runner
from onebox.errors import OneboxError, SettingError
from onebox.structures import Dataset

if TYPE_CHECKING:
    from onebox.recipes.recipe import Recipe
    from onebox.runs.options import RunOptions
    from onebox.runs.repeats.intervals import Estimate
    from onebox.runs.repeats.plan import Kind
    from onebox.runs.repeats.summary import Repeats

Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        help="Train N times with different seeds, and report means and intervals.",
    ),
]

Folds = Annotated[
    int | None,
    typer.Option(
        "--folds",
        metavar="N",
        help="Cross-validate: deal the images into N folds, and test each by a model trained on "
        "the others.",
    ),
]


@dataclass(frozen=True, slots=True)
class Repetition:
    """How training is repeated, and on which cluster.

    Attributes:
        asked: What differs from run to run, and the number of runs.
        on: The value of ``--on``; None for this machine, one run after the other.
        workers: Runs at once on a cluster; None for as many as it has room for.
    """

    asked: tuple["Kind", int]
    on: str | None
    workers: int | None


def asked_repeats(
    seeds: int | None, folds: int | None, resume: Path | None
) -> tuple["Kind", int] | None:
    """What the options, or the folder that is resumed, say of repeated training.

    Returns:
        What differs from run to run, and the number of runs; None for one run.

    Raises:
        SettingError: If both options are given, or the number is too small.
    """
    from onebox.runs.repeats.plan import check_count, has_plan, read_plan

    if seeds is not None and folds is not None:
        raise SettingError(
            "--seeds and --folds exclude each other: one measures the noise of training on the "
            "same images, the other measures on all images. Leave one out."
        )
    if resume is not None and has_plan(resume):
        plan = read_plan(resume)
        return plan.kind, plan.count
    asked: dict[Kind, int | None] = {"seeds": seeds, "folds": folds}
    for kind, count in asked.items():
        if count is not None:
            check_count(kind, count)
            return kind, count
    return None


def check_single_run(options: Mapping[str, object]) -> None:
    """Check that no option is given that is for one run, in place of several.

    Raises:
        SettingError: If one is.
    """
    if given := [name for name, value in options.items() if value]:
        raise SettingError(
            f"{', '.join(given)}: is for one run, and --seeds and --folds train several. Leave it "
            "out."
        )


def train_repeats(
    data: Dataset,
    recipe: "Recipe",
    options: "RunOptions",
    repetition: Repetition,
    *,
    as_json: bool,
) -> None:
    """Train several runs, print what they have in common, and fail if one of them failed."""
    from onebox.runs.repeats.job import RepeatOptions, train_repeatedly

    kind, count = repetition.asked
    asked = RepeatOptions(kind, count, options)
    with (
        ConsoleListener() as progress,
        task_runner(repetition.on, repetition.workers, count) as runner,
    ):
        repeats = train_repeatedly(data, recipe, asked, runner, progress)
    _print_repeats(repeats, as_json=as_json)
    if repeats.failed:
        print_note(
            f"{len(repeats.failed)} of {len(repeats.runs)} runs failed; the numbers are those of "
            f"the others. Train what is missing with --resume {repeats.folder}."
        )
        raise typer.Exit(OneboxError.exit_code)


def _print_repeats(repeats: "Repeats", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(repeats.as_json()))
        return
    finished = [run for run in repeats.runs if not run.error]
    header = ["metric", "mean", "95 % interval", *(run.name for run in finished)]
    rows = [
        [name, *_cells(mean), *(format_metric(run.metrics.get(name)) for run in finished)]
        for name, mean in repeats.over_runs.items()
    ]
    title = f"{repeats.split} images, {len(finished)} runs"
    print_rows(title, [header, *rows], alignments="<" + ">" * (len(header) - 1))
    if repeats.over_images:
        _print_over_images(repeats)
    for sentence in repeats.meanings():
        print_note(sentence)
    print_table("files", {"runs": repeats.folder, "report": repeats.report})


def _print_over_images(repeats: "Repeats") -> None:
    rows = [[name, *_cells(one), str(one.count)] for name, one in repeats.over_images.items()]
    measured = sum(run.images for run in repeats.runs)
    title = f"all {measured} images, each by a model that was not trained on it"
    header = ["metric", "value", "95 % interval", "images"]
    print_rows(title, [header, *rows], alignments="<>>>")


def _cells(one: "Estimate") -> list[str]:
    interval = "-" if one.low is None else f"{one.low:.4f} to {one.high:.4f}"
    return [format_metric(one.value), interval]
