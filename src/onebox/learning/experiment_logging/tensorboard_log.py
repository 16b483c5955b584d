"""``logs/tensorboard``: event files, which TensorBoard shows."""

import numpy as np
import tomli_w
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image

from onebox.learning.experiment_logging.records import RunResults, RunStart, Values

_FOLDER = "tensorboard"


class TensorBoardLog:
    """A run in TensorBoard."""

    def __init__(self, start: RunStart) -> None:
        """Wait for the first epoch: TensorBoard drops what it had from there on."""
        self._start = start
        self._logger: TensorBoardLogger | None = None

    def epoch(self, epoch: int, values: Values) -> None:
        """Add a point to each curve, and write it."""
        logger = self._open(epoch)
        logger.log_metrics(values, epoch)
        logger.experiment.flush()

    def results(self, results: RunResults) -> None:
        """Add the final metrics, beside the recipe, and the image of samples."""
        logger = self._open(results.epoch + 1)
        logger.log_hyperparams(dict(self._start.recipe), dict(results.values), results.epoch)
        with Image.open(results.samples) as image:
            pixels = np.asarray(image.convert("RGB"))
        logger.experiment.add_image("samples", pixels, results.epoch, dataformats="HWC")
        files = "\n".join(f"- {path}" for path in results.artifacts)
        logger.experiment.add_text("files", files, results.epoch)

    def close(self, *, is_finished: bool) -> None:
        """Write and close the event file."""
        if self._logger is not None:
            self._logger.finalize("success" if is_finished else "failed")

    def _open(self, epoch: int) -> TensorBoardLogger:
        if self._logger is None:
            self._logger = TensorBoardLogger(
                self._start.logs,
                name="",
                version=_FOLDER,
                default_hp_metric=False,
                purge_step=epoch,
            )
            self._logger.log_hyperparams(dict(self._start.recipe))
            recipe = f"```toml\n{tomli_w.dumps(self._start.recipe)}```"
            self._logger.experiment.add_text("recipe", recipe, epoch)
        return self._logger
