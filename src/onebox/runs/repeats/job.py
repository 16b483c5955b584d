"""Repeated training as a whole: plan, runs, summary.

::

    runs/NAME/  plan.json  recipe.toml  fold-0/  fold-1/  ...  repeats.json  report.html

Each run is an ordinary run in a folder of its own. The runs that are finished say so themselves,
so that a command that is killed at any time resumes with those that are left.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox.errors import DataError, OneboxError, SettingError
from onebox.files import check_writable
from onebox.folds.datasets import deal, group_by_copies
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.runs.folder import choose_folder
from onebox.runs.options import RunOptions
from onebox.runs.preflight import check_data
from onebox.runs.repeats.one_run import OneRun, read_result, train_one
from onebox.runs.repeats.page import write_page
from onebox.runs.repeats.plan import (
    Kind,
    Plan,
    check_count,
    check_same_data,
    digest_labels,
    read_plan,
    write_plan,
)
from onebox.runs.repeats.summary import Repeats, summarize, write_summary
from onebox.runs.results import write_recipe
from onebox.structures import Dataset
from onebox.tasks import TaskRunner, listeners_of, rounds_left

_SUMMARY_S = 2.0  # for summary and page after the last run; not tuned


@dataclass(frozen=True, slots=True)
class RepeatOptions:
    """How training is repeated, and where the runs start and go.

    Attributes:
        kind: Whether the seed differs from run to run, or the fold.
        count: Number of runs.
        run: As of one run. Its time budget is that of all runs together.
    """

    kind: Kind
    count: int
    run: RunOptions


def train_repeatedly(
    data: Dataset, recipe: Recipe, options: RepeatOptions, runner: TaskRunner, listener: Listener
) -> Repeats:
    """Train several runs, and say what they have in common.

    A run that fails does not end the others: it is recorded, and the summary is made of the rest.

    Raises:
        OneboxError: If every run failed (the error of the first), or files cannot be written.
        DataError: If the images cannot be dealt into folds.
        SettingError: If settings are wrong or do not fit together.
        KeyboardInterrupt: If the user stopped it; the finished runs are kept.
    """
    folder, plan = _prepare(data, recipe, options, listener)
    for note in data.notes:
        listener.note(note)
    job = _Job(data, recipe, plan, folder, options.run.started_s, runner)
    names = plan.names()
    waiting = [n for n in range(plan.count) if read_result(folder / names[n]) is None]
    listeners = listeners_of(listener, (names[number] for number in waiting), runner)
    errors: dict[str, OneboxError] = {}
    try:
        for position, result in runner.map(train_one, job.draw(waiting), listeners):
            if isinstance(result, OneboxError):
                errors[names[waiting[position]]] = result
                listener.note(f"{names[waiting[position]]} failed: {result}")
    except KeyboardInterrupt:
        listener.note(f"stopped; finished runs are kept. Continue with --resume {folder}.")
        raise
    if len(errors) == plan.count:
        raise errors[names[0]]
    listener.stage("Comparing the runs")
    repeats = summarize(plan, data, folder, {name: str(error) for name, error in errors.items()})
    write_summary(repeats)
    write_page(repeats, _facts(data, recipe, plan))
    return repeats


@dataclass(frozen=True, slots=True)
class _Job:
    data: Dataset
    recipe: Recipe
    plan: Plan
    folder: Path
    started_s: float
    runner: TaskRunner

    def draw(self, waiting: Sequence[int]) -> Iterator[OneRun]:
        """The runs of these numbers, each with its share of the time that is left then."""
        names, weights = self.plan.names(), self.plan.weights
        for position, number in enumerate(waiting):
            data = self.plan.data_of(number, self.data)
            yield OneRun(
                self.folder / names[number],
                data,
                self._recipe(number, len(waiting) - position),
                None if weights is None else Path(weights),
                self.plan.measured_split(self.data),
                self.plan.kind == "folds",
            )

    def _recipe(self, number: int, left: int) -> Recipe:
        recipe = self.plan.recipe_of(number, self.recipe)
        if recipe.hog is not None or recipe.train.minutes is None:
            return recipe
        minutes = recipe.train.minutes
        left_s = minutes * 60 - (time.monotonic() - self.started_s) - _SUMMARY_S
        share_s = left_s / rounds_left(left, self.runner.at_once) - self.runner.start_s
        if share_s <= 0:
            raise SettingError(
                f"--minutes {minutes:g}: is for all runs together, and leaves no time for those "
                "that are left. Give more minutes."
            )
        return recipe.changed({"train.minutes": share_s / 60})


def _prepare(
    data: Dataset, recipe: Recipe, options: RepeatOptions, listener: Listener
) -> tuple[Path, Plan]:
    """The folder and the plan of new runs, or of those that are resumed."""
    resume = options.run.resume
    if resume is not None:
        plan = read_plan(resume)
        check_same_data(plan, data, resume)
        return resume, plan
    check_count(options.kind, options.count)
    folder = choose_folder(options.run.out, data.name)
    plan = _make_plan(data, recipe, options, listener)
    check_data(plan.data_of(0, data), lambda _: None)
    check_writable(folder)
    write_recipe(recipe, folder)
    write_plan(plan, folder)
    return folder, plan


def _make_plan(data: Dataset, recipe: Recipe, options: RepeatOptions, listener: Listener) -> Plan:
    seed = recipe.train.seed if recipe.hog is None else recipe.hog.seed
    weights = None if options.run.weights is None else str(options.run.weights)
    folds: tuple[int, ...] = ()
    if options.kind == "folds":
        folds = _deal(data, options.count, seed, listener)
    return Plan(options.kind, options.count, seed, weights, digest_labels(data), folds)


def _deal(data: Dataset, count: int, seed: int, listener: Listener) -> tuple[int, ...]:
    name = data.name or "the data set"
    if not len(data.boxes()):
        raise DataError(f"{name}: no image has a box. Add boxes to the label file.")
    listener.stage("Looking for copies of images")
    copies = group_by_copies(data, progress=listener.advance)
    folds = deal(data, copies, count, seed)
    tests = len(data.part("test"))
    moved = f"; the {tests} test images of the label file train the other folds" if tests else ""
    listener.note(f"the images of {name} are dealt into {count} folds: each is tested once{moved}.")
    return tuple(folds.tolist())


def _facts(data: Dataset, recipe: Recipe, plan: Plan) -> dict[str, str]:
    system = "HOG windows" if recipe.hog is not None else recipe.model.backbone
    last = plan.seed + plan.count - 1
    seeds = f"{plan.seed} to {last}" if plan.kind == "seeds" else str(plan.seed)
    return {"Data": data.name, "System": system, "Seed": seeds, "Images": str(len(data))}
