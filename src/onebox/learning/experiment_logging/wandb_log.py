"""Weights & Biases: a run in ``logs/wandb``, offline unless ``WANDB_MODE`` says otherwise."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger

from onebox.files import write_atomically
from onebox.learning.experiment_logging.records import RunResults, RunStart, Values
from onebox.optional import require

_PROJECT = "onebox"
_STEP = "trainer/global_step"  # what Lightning's logger calls the step
_RUN_ID = "wandb-run-id.txt"


def prepare() -> None:
    """Keep the package from reporting its errors to its makers; call before it is imported."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")


class WandbLog:
    """A run in Weights & Biases."""

    def __init__(self, start: RunStart) -> None:
        """Start a run, or a further part of the resumed run, which has the same id."""
        self._wandb: Any = require("wandb", extra="wandb")
        self._run: Any = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            name=start.folder.name,
            id=_run_id(start.logs / _RUN_ID),
            dir=start.logs,
            config=dict(start.recipe),
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow" if os.environ.get("WANDB_MODE") == "online" else None,
            settings=self._wandb.Settings(silent=True, console="off"),
        )
        self._run.define_metric(_STEP)
        self._run.define_metric("*", step_metric=_STEP)
        self._logger = WandbLogger(experiment=self._run)

    def epoch(self, epoch: int, values: Values) -> None:
        """Add a point to each curve."""
        self._logger.log_metrics(values, epoch)

    def results(self, results: RunResults) -> None:
        """Add the final metrics, the image of samples, the report and the model."""
        self._logger.log_metrics(results.values, results.epoch)
        self._logger.log_image("samples", [str(results.samples)], step=results.epoch)
        for path in results.artifacts:
            self._save(path)

    def close(self, *, is_finished: bool) -> None:
        """End the run, and wait until it is written."""
        self._run.finish(exit_code=0 if is_finished else 1)

    def _save(self, path: Path) -> None:
        """Put a file into the run: outside its folder, the package would link it with a warning."""
        target = Path(self._run.dir) / path.name
        _link(path, target)
        self._run.save(str(target), base_path=self._run.dir, policy="now")


def _link(path: Path, target: Path) -> None:
    try:
        target.hardlink_to(path)
    except OSError:  # a disk without links
        shutil.copyfile(path, target)


def _run_id(file: Path) -> str:
    """The id of a run, which all its parts share."""
    if not file.is_file():
        write_atomically(file, secrets.token_hex(4).encode())
    return file.read_text("utf-8")
