"""What a long job reports while it runs: the listener protocol, for one listener or several."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

Progress = Callable[[int, int], None]
"""Called with the number of items done and their total."""


class StopTraining(Exception):  # noqa: N818 - a request, like StopIteration, not an error
    """Raised by a listener to end training early, as Ctrl-C does; the model so far is exported.

    A run that was stopped amid an epoch leaves the rest of the epoch out when it is resumed.
    """


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """The state of training after an epoch, or after several short ones.

    Attributes:
        epoch: Passes over the training images so far.
        epochs: Passes over the training images at most.
        loss: Mean over the steps since the last report.
        val_mean_iou: Mean IoU on the validation images, with the averaged weights.
        learning_rate: Of the heads, at the end of the epoch.
        seconds: Since this run began.
        losses: Parts of the loss by name, such as ``box/l1``, weighted as in ``loss``; each is the
            mean over the steps that had it.
    """

    epoch: int
    epochs: int
    loss: float
    val_mean_iou: float
    learning_rate: float
    seconds: float
    losses: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Listener(Protocol):
    """An object that follows a run; `advance` and `epoch` may raise `StopTraining`.

    A run is told in the order `begin`, epochs, `finish`. Stages, steps and notes come at any time.
    """

    def begin(self, folder: Path) -> None:
        """The run has this folder, with its ``recipe.toml`` in it."""

    def finish(self, folder: Path) -> None:
        """The run ended well: model, metrics and report are in its folder."""

    def stage(self, name: str) -> None:
        """A stage of the run begins, such as "Decoding train images"."""

    def advance(self, done: int, total: int) -> None:
        """``done`` of ``total`` items of the present stage are done."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch ended."""

    def note(self, sentence: str) -> None:
        """The run has something to tell the user."""


class Silent:
    """A listener that does nothing; a listener of your own may inherit what it does not need."""

    def begin(self, folder: Path) -> None:
        """Do nothing."""

    def finish(self, folder: Path) -> None:
        """Do nothing."""

    def stage(self, name: str) -> None:
        """Do nothing."""

    def advance(self, done: int, total: int) -> None:
        """Do nothing."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Do nothing."""

    def note(self, sentence: str) -> None:
        """Do nothing."""


class Listeners:
    """Several listeners as one; each is told even if one before it asks to stop."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = tuple(listeners)

    def begin(self, folder: Path) -> None:
        """Tell all listeners."""
        self._tell(lambda each: each.begin(folder))

    def finish(self, folder: Path) -> None:
        """Tell all listeners."""
        self._tell(lambda each: each.finish(folder))

    def stage(self, name: str) -> None:
        """Tell all listeners."""
        self._tell(lambda each: each.stage(name))

    def advance(self, done: int, total: int) -> None:
        """Tell all listeners."""
        self._tell(lambda each: each.advance(done, total))

    def epoch(self, metrics: EpochMetrics) -> None:
        """Tell all listeners."""
        self._tell(lambda each: each.epoch(metrics))

    def note(self, sentence: str) -> None:
        """Tell all listeners."""
        self._tell(lambda each: each.note(sentence))

    def _tell(self, tell: Callable[[Listener], None]) -> None:
        request: StopTraining | None = None
        for each in self._listeners:
            try:
                tell(each)
            except StopTraining as stop:
                request = stop
        if request is not None:
            raise request
