"""What a training run says while it runs, and to whom."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """How training stands after a pass over the training images, or after some short ones.

    Attributes:
        epoch: Passes done.
        epochs: How many there will be.
        loss: Mean over the steps since the last such metrics.
        val_mean_iou: Mean overlap on the validation images, with the averaged weights.
        learning_rate: Of the heads, at the epoch's end.
        seconds: Since this run began.
    """

    epoch: int
    epochs: int
    loss: float
    val_mean_iou: float
    learning_rate: float
    seconds: float


@runtime_checkable
class Listener(Protocol):
    """Whoever shows a run's progress."""

    def stage(self, name: str) -> None:
        """A part of the work begins."""

    def advance(self, done: int, total: int) -> None:
        """So much of the present part is done."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch ended."""

    def note(self, sentence: str) -> None:
        """Something a person should know."""


class Silent:
    """A listener that shows nothing."""

    def stage(self, name: str) -> None:
        """Show nothing."""

    def advance(self, done: int, total: int) -> None:
        """Show nothing."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Show nothing."""

    def note(self, sentence: str) -> None:
        """Show nothing."""
