"""The accuracy of a session's newest model, and the advice, calculated when something changes."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from onebox.labelling.accuracy import (
    Progress,
    advise,
    count_measured,
    gain_since_half,
    measure,
)
from onebox.labelling.ledger import Ledger
from onebox.labelling.records import Accuracy, Advice
from onebox.labelling.rounds import Rounds

_RECENT = 50  # actions whose time counts for the time left; not tuned


class Measuring:
    """Measures on the labels of the accuracy sample; guarded by the ledger's lock."""

    def __init__(
        self, ledger: Ledger, rounds: Rounds, target: float | None, classes: Callable[[], int]
    ) -> None:
        """Begin without a measurement.

        Args:
            ledger: The labels.
            rounds: What the models predict.
            target: Mean IoU that is good enough; None without one.
            classes: Number of classes.
        """
        self._ledger, self._rounds, self._target = ledger, rounds, target
        self._classes = classes
        self._key: Any = None
        self._answer: tuple[Accuracy | None, Advice] = (None, Advice("too_early", ""))

    def measure(self, remaining: int) -> tuple[Accuracy | None, Advice]:
        """Accuracy and advice.

        Args:
            remaining: Number of images without a label.
        """
        state, newest = self._ledger.state, self._rounds.newest
        key = (newest, state.sample_version, remaining == 0, self._classes())
        if key != self._key:
            self._answer, self._key = self._measure(remaining), key
        return self._answer

    def _measure(self, remaining: int) -> tuple[Accuracy | None, Advice]:
        state, newest = self._ledger.state, self._rounds.newest
        if newest is None:
            return None, advise(Progress(remaining, target=self._target))
        sample = {key: state.labels[key] for key in state.splits if key in state.labels}
        rounds = dict(self._rounds.read)
        accuracy = measure(rounds[newest], sample, self._classes())
        measured = count_measured(rounds[newest], sample)
        gain = gain_since_half(rounds, sample)
        known = Progress(remaining, measured, accuracy, gain, self._target)
        return accuracy, advise(known)


def seconds_left(seconds: Sequence[float], remaining: int) -> float | None:
    """The time that the remaining images take at the pace of the last ones; None if unknown.

    Args:
        seconds: Time that each action took.
        remaining: Number of images without a label.
    """
    recent = seconds[-_RECENT:]
    return median(recent) * remaining if recent else None
