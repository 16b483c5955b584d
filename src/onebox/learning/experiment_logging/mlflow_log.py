"""MLflow: a run on the server of ``MLFLOW_TRACKING_URI``, else in ``logs/mlruns`` of the run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning.pytorch.loggers import MLFlowLogger

from onebox.files import write_atomically
from onebox.learning.experiment_logging.records import RunResults, RunStart, Values

_EXPERIMENT = "onebox"
_ADDRESS = "MLFLOW_TRACKING_URI"
_STORE = "mlruns"
_RUN_ID = "mlflow-run-id.txt"


def prepare() -> None:
    """Keep MLflow from reporting its use to its makers; call before it is imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


class MlflowLog:
    """A run in MLflow."""

    def __init__(self, start: RunStart) -> None:
        """Start a run, or continue that of the resumed run."""
        id_file = start.logs / _RUN_ID
        with _local_store(start.logs / _STORE) as address:
            self._logger = MLFlowLogger(
                os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT),
                run_name=start.folder.name,
                tracking_uri=address,
                run_id=id_file.read_text("utf-8") if id_file.is_file() else None,
                synchronous=True,
            )
            run_id = self._logger.run_id or ""
        if not id_file.is_file():
            write_atomically(id_file, run_id.encode())
            self._logger.log_hyperparams(dict(start.recipe))
            self._log_file(start.folder / "recipe.toml")

    def epoch(self, epoch: int, values: Values) -> None:
        """Add a point to each curve."""
        self._logger.log_metrics(values, epoch)

    def results(self, results: RunResults) -> None:
        """Add the final metrics, the image of samples, the report and the model."""
        self._logger.log_metrics(results.values, results.epoch)
        for path in (results.samples, *results.artifacts):
            self._log_file(path)

    def close(self, *, is_finished: bool) -> None:
        """End the run."""
        self._logger.finalize("success" if is_finished else "failed")

    def _log_file(self, path: Path) -> None:
        if path.is_file():
            self._logger.experiment.log_artifact(self._logger.run_id or "", str(path))


@contextmanager
def _local_store(folder: Path) -> Iterator[str]:
    """The user's server, or a folder as MLflow's store, and the environment as it was afterwards.

    MLflow names the store that it uses in the environment, where the next run of this process
    would take it for the user's wish.
    """
    stated = os.environ.get(_ADDRESS)
    if stated is None:
        # A data base would need MLflow with all its dependencies; files need this consent.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    try:
        yield stated or folder.resolve().as_uri()
    finally:
        if stated is None:
            os.environ.pop(_ADDRESS, None)
