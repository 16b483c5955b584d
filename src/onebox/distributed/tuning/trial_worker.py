"""A trial in a process of the cluster."""

import importlib
import queue
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox.distributed.tuning.changes import changed
from onebox.distributed.tuning.dimensions import Changes
from onebox.errors import OneboxError
from onebox.optional import require
from onebox.progress import StopTraining
from onebox.recipes.recipe import check_recipe
from onebox.structures import Dataset

NUMBER, PROGRESS, VALUE, SECONDS, ERROR = "number", "progress", "value", "seconds", "error"
"""Names in what Ray Tune carries between the processes."""

_GO_ON, _STOP = "go on", "stop"
_ONE_AT_A_TIME = threading.Lock()


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
    """Run the trial of a number, as a trainable of Ray Tune; an error is a report of its own.

    Ray Tune ends this function inside a report. It must then return at once: with Ray 2.60, a
    search hangs in which it takes two seconds. So the training is in a thread of its own, which may
    take its time to end; the next trial of the process waits for it.
    """
    tune = require("ray.tune", extra="ray", purpose="searches")
    relay = _Relay()
    # Ray makes the working directory a folder of the trial's own.
    given = (config[NUMBER], inputs, Path.cwd(), relay)
    threading.Thread(target=_train, args=given, daemon=True).start()
    try:
        while (report := relay.reports.get()) is not None:
            tune.report(report)
            relay.answers.put(_GO_ON)
    finally:
        relay.answers.put(_STOP)


class _Relay:
    """Reports of the training, each of which waits for an answer: whether to go on."""

    def __init__(self) -> None:
        self.reports: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.answers: queue.Queue[str] = queue.Queue()
        self._is_stopped = False

    def send(self, report: dict[str, Any]) -> None:
        if not self._is_stopped:  # after that, nobody answers
            self.reports.put(report)
            self._is_stopped = self.answers.get() == _STOP
        if self._is_stopped:
            raise StopTraining


def _train(number: int, inputs: TrialInputs, place: Path, relay: _Relay) -> None:
    with _ONE_AT_A_TIME:
        try:
            _run_trial(number, inputs, place, relay)
        except StopTraining:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever ends a trial is its outcome
            relay.reports.put({ERROR: _sentence(error)})
        relay.reports.put(None)


def _run_trial(number: int, inputs: TrialInputs, place: Path, relay: _Relay) -> None:
    began_s = time.monotonic()

    def report(fraction: float, metric: float) -> None:
        seconds = round(time.monotonic() - began_s, 2)
        relay.send({PROGRESS: int(100 * fraction), VALUE: metric, SECONDS: seconds})

    recipe = changed(check_recipe(inputs.recipe, place="recipe"), inputs.trials[number])
    trial = importlib.import_module("onebox.learning.network_runs.trial")
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
        where = trial.TrialPlace(Path(folder), inputs.threads, inputs.weights)
        trial.run_trial(inputs.data, recipe, where, report)


def _sentence(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    first = text[0] if text else ""
    more = f" (and {len(text) - 1} more lines)" if len(text) > 1 else ""
    name = "" if isinstance(error, OneboxError) else f"{type(error).__name__}: "
    return f"{name}{first}{more}"
