"""What every experiment logger is told, and the protocol that all of them follow."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from onebox.progress import EpochMetrics

FOLDER = "logs"
"""The folder of all logs, in that of the run."""

Values = Mapping[str, float]
"""Numbers by name, such as ``loss/box/l1``."""

_MODELS = ("model.onnx", "model.npz")
_VERSION = "schema_version"
_LISTED = ("iou_at",)  # metrics that are numbers by name


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run that begins.

    Attributes:
        folder: The run's folder.
        recipe: The content of its ``recipe.toml``.
    """

    folder: Path
    recipe: Mapping[str, Any]

    @property
    def logs(self) -> Path:
        """The folder of the logs, which exists."""
        path = self.folder / FOLDER
        path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class RunResults:
    """What a finished run leaves behind.

    Attributes:
        epoch: The last epoch that was reported; 0 without epochs.
        values: The metrics of the model file, as ``final/test/mean_iou``.
        folder: The run's folder.
    """

    epoch: int
    values: Values
    folder: Path

    @property
    def samples(self) -> Path:
        """The image of samples with true and predicted boxes."""
        return self.folder / "samples.png"

    @property
    def artifacts(self) -> list[Path]:
        """The report and the model, as far as they exist."""
        paths = [self.folder / name for name in ("report.html", *_MODELS)]
        return [path for path in paths if path.is_file()]


class ExperimentLog(Protocol):
    """One run in one logger; each method may raise whatever the logger's package raises."""

    def epoch(self, epoch: int, values: Values) -> None:
        """Log the numbers of an epoch."""

    def results(self, results: RunResults) -> None:
        """Log final metrics, the image of samples, and the files."""

    def close(self, *, is_finished: bool) -> None:
        """End the run; ``is_finished`` is false if training failed."""


def values_of_epoch(metrics: EpochMetrics) -> dict[str, float]:
    """The numbers of an epoch by name.

    The total is ``loss/total``: some loggers keep ``loss`` as a folder of its parts.
    """
    return {
        "loss/total": metrics.loss,
        **{f"loss/{name}": value for name, value in metrics.losses.items()},
        "val/mean_iou": metrics.val_mean_iou,
        "learning_rate": metrics.learning_rate,
        "seconds": metrics.seconds,
    }


def values_of_results(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The numbers of ``metrics.json`` that describe a whole split, by name."""
    return {
        f"final/{split}/{name}": value
        for split, of_split in metrics.items()
        for name, value in _numbers(of_split)
    }


def _numbers(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in metrics.items():
        if name in _LISTED and isinstance(value, Mapping):
            yield from ((f"{name}/{inner}", number) for inner, number in _numbers(value))
        elif _is_number(value) and name != _VERSION:
            yield name, float(value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)
