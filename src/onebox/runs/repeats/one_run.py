"""One of several runs: trained into its folder, and recorded as its last act.

``result.json`` in the folder of a run says that the run is finished. A folder without it is one of
a run that was stopped: it is resumed from its last checkpoint, or begun again.
"""

import json
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox.errors import OneboxError, StoppedError, first_line
from onebox.evaluation import Report
from onebox.files import write_atomically
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe
from onebox.runs.folder import last_checkpoint
from onebox.runs.options import RunOptions
from onebox.runs.repeats.predictions import as_records
from onebox.runs.results import Run
from onebox.runs.train import run
from onebox.structures import Dataset, Split

RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class OneRun:
    """A run that is to be trained.

    Attributes:
        folder: Its folder.
        data: Its images, each in its split.
        recipe: Its recipe; ``train.minutes`` counts from when the run begins.
        weights: Initial weights, as in `onebox.train`.
        split: The split whose metrics are compared.
        keeps_predictions: Whether its predictions for that split are recorded.
    """

    folder: Path
    data: Dataset
    recipe: Recipe
    weights: Path | None
    split: Split
    keeps_predictions: bool


def train_one(asked: OneRun, listener: Listener) -> Mapping[str, Any]:
    """Train a run, or resume it if it was stopped.

    Returns:
        The content of ``result.json``.

    Raises:
        OneboxError: If the run failed; a fault of the program leaves its traceback in
            ``error.txt``.
        KeyboardInterrupt: If the user stopped it.
    """
    started_s = time.monotonic()
    try:
        done = _train(asked, started_s, listener)
    except StoppedError:
        raise KeyboardInterrupt from None
    except OneboxError:
        raise
    except Exception as error:
        trace = asked.folder / "error.txt"
        write_atomically(trace, traceback.format_exc().encode())
        raise OneboxError(
            f"{type(error).__name__}: {first_line(error)} ({trace} has the traceback)"
        ) from error
    if done.is_interrupted:
        raise KeyboardInterrupt
    return _record(asked, done, time.monotonic() - started_s)


def read_result(folder: Path) -> Mapping[str, Any] | None:
    """The content of a run's ``result.json``; None if the run is not finished."""
    try:
        found = json.loads((folder / RESULT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _train(asked: OneRun, started_s: float, listener: Listener) -> Run:
    folder = asked.folder
    can_resume = last_checkpoint(folder).is_file() and (folder / "recipe.toml").is_file()
    if can_resume and asked.recipe.hog is None:
        options = RunOptions(started_s, resume=folder)
    else:
        if folder.exists():
            shutil.rmtree(folder)
        options = RunOptions(started_s, asked.weights, folder)
    return run(asked.data, asked.recipe, options, listener)


def _record(asked: OneRun, done: Run, seconds: float) -> Mapping[str, Any]:
    report: Report = done.reports[asked.split]
    result = {
        "split": asked.split,
        "seconds": round(seconds, 1),
        "epochs": done.epochs,
        "model": done.model_name,
        "metrics": report.overall.as_json(),
        "predictions": as_records(report) if asked.keeps_predictions else [],
    }
    write_atomically(asked.folder / RESULT, json.dumps(result).encode())
    return result
