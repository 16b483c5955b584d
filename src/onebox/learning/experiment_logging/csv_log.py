"""``logs/csv``: one row for each epoch in ``metrics.csv``, and the recipe in ``hparams.yaml``."""

import csv
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger

from onebox.learning.experiment_logging.records import RunResults, RunStart, Values

_FOLDER = "csv"
_STEP = "step"


class CsvLog:
    """A run in a CSV file."""

    def __init__(self, start: RunStart) -> None:
        """Wait for the first epoch, from which a resumed run writes the rows anew."""
        self._start = start
        self._logger: CSVLogger | None = None

    def epoch(self, epoch: int, values: Values) -> None:
        """Write a row."""
        logger = self._open(epoch)
        logger.log_metrics(dict(values), epoch)
        logger.save()

    def results(self, results: RunResults) -> None:
        """Write a row of final metrics; report and model lie in the run's folder anyway."""
        logger = self._open(results.epoch + 1)
        logger.log_metrics(dict(results.values), results.epoch)
        logger.save()

    def close(self, *, is_finished: bool) -> None:
        """Write what is not written yet."""
        if self._logger is not None:
            self._logger.finalize("success" if is_finished else "failed")

    def _open(self, epoch: int) -> CSVLogger:
        if self._logger is None:
            file = self._start.logs / _FOLDER / "metrics.csv"
            earlier = _rows_before(epoch, file)
            # Lightning's logger would remove the file itself, with a warning about the folder.
            for old in (file, file.with_name("hparams.yaml")):
                old.unlink(missing_ok=True)
            self._logger = CSVLogger(self._start.logs, name="", version=_FOLDER)
            self._logger.log_hyperparams(dict(self._start.recipe))
            for step, values in earlier:
                self._logger.log_metrics(dict(values), step)
        return self._logger


def _rows_before(epoch: int, file: Path) -> list[tuple[int, dict[str, float]]]:
    """The rows of an earlier part of the run, up to where it was resumed."""
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    return [
        (
            int(row[_STEP]),
            {name: float(cell) for name, cell in row.items() if cell and name != _STEP},
        )
        for row in rows
        if int(row[_STEP]) < epoch
    ]
