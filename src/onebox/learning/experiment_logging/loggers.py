"""Experiment loggers by name, each a listener of a training run.

A logger writes into the run's folder and opens no connection, unless the user's environment asks
for one. If it fails, training goes on without it.
"""

import json
import tomllib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onebox.errors import check_choice, first_line
from onebox.learning.experiment_logging import mlflow_log, wandb_log
from onebox.learning.experiment_logging.csv_log import CsvLog
from onebox.learning.experiment_logging.mlflow_log import MlflowLog
from onebox.learning.experiment_logging.records import (
    ExperimentLog,
    RunResults,
    RunStart,
    values_of_epoch,
    values_of_results,
)
from onebox.learning.experiment_logging.tensorboard_log import TensorBoardLog
from onebox.learning.experiment_logging.wandb_log import WandbLog
from onebox.learning.quiet import quiet
from onebox.optional import require
from onebox.progress import EpochMetrics, Silent


@dataclass(frozen=True, slots=True)
class LoggerKind:
    """One logger: the package that it needs, and what opens a run in it."""

    open: Callable[[RunStart], ExperimentLog]
    module: str = ""  # empty if Lightning alone does it
    prepare: Callable[[], None] = lambda: None  # called before the package is imported


LOGGERS: dict[str, LoggerKind] = {
    "csv": LoggerKind(CsvLog),
    "tensorboard": LoggerKind(TensorBoardLog, "tensorboard"),
    "mlflow": LoggerKind(MlflowLog, "mlflow", mlflow_log.prepare),
    "wandb": LoggerKind(WandbLog, "wandb", wandb_log.prepare),
}
"""Loggers by name; each but ``csv`` has an extra of its name."""


class ExperimentLogger(Silent):
    """A listener that logs a run; of several runs, one after the other."""

    def __init__(self, name: str, kind: LoggerKind, note: Callable[[str], object]) -> None:
        """Log with a kind of logger; ``note`` is told if it fails."""
        self._name, self._kind, self._note = name, kind, note
        self._log: ExperimentLog | None = None
        self._last_epoch = 0

    def begin(self, folder: Path) -> None:
        """Start a run in the logger, or continue that of a resumed run."""
        self.close()
        self._last_epoch = 0
        self._try(lambda: self._open(folder))

    def epoch(self, metrics: EpochMetrics) -> None:
        """Log the epoch."""
        self._last_epoch = metrics.epoch
        self._tell(lambda log: log.epoch(metrics.epoch, values_of_epoch(metrics)))

    def finish(self, folder: Path) -> None:
        """Log the results, and end the run in the logger."""
        self._tell(lambda log: log.results(self._results(folder)))
        self._end(is_finished=True)

    def close(self) -> None:
        """End a run that did not finish."""
        self._end(is_finished=False)

    def __enter__(self) -> "ExperimentLogger":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open(self, folder: Path) -> None:
        recipe = tomllib.loads((folder / "recipe.toml").read_text("utf-8"))
        self._log = self._kind.open(RunStart(folder, recipe))

    def _results(self, folder: Path) -> RunResults:
        metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
        return RunResults(self._last_epoch, values_of_results(metrics), folder)

    def _end(self, *, is_finished: bool) -> None:
        self._tell(lambda log: log.close(is_finished=is_finished))
        self._log = None

    def _tell(self, tell: Callable[[ExperimentLog], None]) -> None:
        log = self._log
        if log is not None:
            self._try(lambda: tell(log))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            with quiet("lightning.pytorch"):
                act()
        # Whatever a package of others raises (a full disk, a server that is away), the training is
        # worth more than its log.
        except Exception as error:  # noqa: BLE001
            self._log = None
            self._note(
                f"--log {self._name} ended: {first_line(error)}. Training goes on; history.csv has "
                "every epoch."
            )


def open_logger(name: str, note: Callable[[str], object] = warnings.warn) -> ExperimentLogger:
    """A listener that logs the runs it hears of, for ``onebox.train(listeners=[...])``.

    Args:
        name: A key of `LOGGERS`.
        note: Told in a sentence if the logger fails; the training goes on without it.

    Raises:
        OneboxError: If the logger's package is missing; the message names the extra to install.
        SettingError: If there is no such logger.
    """
    kind = LOGGERS[check_choice("log", name, LOGGERS)]
    kind.prepare()
    if kind.module:
        require(kind.module, extra=name, purpose=f"logs for {name}")
    return ExperimentLogger(name, kind, note)
