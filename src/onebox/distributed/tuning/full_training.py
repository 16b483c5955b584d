"""The full training at the end of a search: the best recipe, in a run's folder of its own."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox.distributed.tuning.budget import Budget
from onebox.distributed.tuning.journal import Journal
from onebox.distributed.tuning.learning import import_trial
from onebox.distributed.tuning.records import TuneFiles
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.runs.folder import last_checkpoint
from onebox.runs.options import RunOptions
from onebox.runs.results import MODEL
from onebox.runs.train import run
from onebox.structures import Dataset

_LAST_FILE = "samples.png"  # what a run writes last


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial: its number, and its recipe."""

    number: int
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Trained:
    """The full training: its model, its metrics by split, and whether Ctrl-C ended it early."""

    model: Path
    metrics: Mapping[str, Mapping[str, Any]]
    is_interrupted: bool = False


def train_best(
    data: Dataset, best: Best, journal: Journal, budget: Budget, listener: Listener
) -> Trained:
    """Train the best recipe in full, or go on where an earlier attempt stopped.

    The training has the seed and the number of steps of the trials. Its time is what is left of the
    budget.

    Args:
        data: The data set, checked.
        best: The best trial.
        journal: The search; it learns which trial's recipe is trained, and whether to the end.
        budget: The time of the search.
        listener: Told of the progress.

    Raises:
        OneboxError: As `onebox.train`, and its children.
    """
    folder = TuneFiles(journal.path.parent).run
    if journal.trained != best.number:
        shutil.rmtree(folder, ignore_errors=True)  # of a trial that was the best before
        journal.append_training(best.number)
    # A training that Ctrl-C ended has exported and written all files, too.
    if journal.is_trained_to_end and (folder / _LAST_FILE).is_file():
        return Trained(folder / MODEL, json.loads((folder / "metrics.json").read_text("utf-8")))
    weights = journal.question.weights
    options = RunOptions(time.monotonic(), None if weights is None else Path(weights), folder)
    if last_checkpoint(folder).is_file():
        options = RunOptions(time.monotonic(), resume=folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)  # killed before its first checkpoint
    listener.stage("Training with the best recipe")
    done = run(data, _in_time(data, best.recipe, budget), options, listener)
    if not done.is_interrupted:
        journal.append_end_of_training()
    return Trained(done.model, done.metrics, done.is_interrupted)


def _in_time(data: Dataset, recipe: Recipe, budget: Budget) -> Recipe:
    """The recipe with the time that is left, and with the number of epochs that a trial had."""
    minutes = budget.left_minutes()
    if minutes is None:
        return recipe
    epochs = import_trial().count_trial_epochs(data, recipe)
    return recipe.changed({"train.epochs": epochs, "train.minutes": max(minutes, 0.01)})
