"""A trial in a process of the cluster."""

import importlib
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox.distributed.tuning.changes import changed
from onebox.distributed.tuning.dimensions import Changes
from onebox.errors import OneboxError
from onebox.optional import require
from onebox.recipes.recipe import check_recipe
from onebox.structures import Dataset

NUMBER, PROGRESS, VALUE, SECONDS, ERROR = "number", "progress", "value", "seconds", "error"
"""Names in what Ray Tune carries between the processes."""

# How long Ray Tune waits for a stopped trial to leave its process, before the next one enters. Its
# default is 2 seconds, and a search in which a trial takes longer hangs (Ray 2.60).
_LEAVE_S = "600"


@dataclass(frozen=True, slots=True)
class TrialInputs:
    """What all trials of a search share; each process of the cluster receives it once.

    Attributes:
        data: The ``train`` and ``val`` images alone, with absolute paths.
        recipe: The recipe that is tuned, as nested tables.
        trials: What each trial changes.
        weights: Initial weights, as an absolute path, or None.
        threads: Cores of a trial.
    """

    data: Dataset
    recipe: Mapping[str, Any]
    trials: tuple[Changes, ...]
    weights: Path | None
    threads: int


def run(config: Mapping[str, int], *, inputs: TrialInputs) -> None:
    """Run the trial of a number, as a trainable of Ray Tune; an error is a report of its own."""
    tune = require("ray.tune", extra="ray", purpose="searches")
    os.environ["TUNE_FUNCTION_THREAD_TIMEOUT_S"] = _LEAVE_S
    began_s = time.monotonic()

    def report(fraction: float, metric: float) -> None:
        seconds = round(time.monotonic() - began_s, 2)
        tune.report({PROGRESS: int(100 * fraction), VALUE: metric, SECONDS: seconds})

    try:
        recipe = changed(check_recipe(inputs.recipe, place="recipe"), inputs.trials[config[NUMBER]])
        trial = importlib.import_module("onebox.learning.network_runs.trial")
        # Ray makes the working directory a folder of the trial's own.
        with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
            place = trial.TrialPlace(Path(folder), inputs.threads, inputs.weights)
            trial.run_trial(inputs.data, recipe, place, report)
    except KeyboardInterrupt:  # Ray Tune stopped the trial
        return
    except Exception as error:  # noqa: BLE001 - whatever ends a trial is its outcome
        tune.report({ERROR: _sentence(error)})


def _sentence(error: Exception) -> str:
    text = str(error).strip().splitlines()
    first = text[0] if text else ""
    more = f" (and {len(text) - 1} more lines)" if len(text) > 1 else ""
    name = "" if isinstance(error, OneboxError) else f"{type(error).__name__}: "
    return f"{name}{first}{more}"
