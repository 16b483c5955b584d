"""What the trials report, as it arrives: curves, finished trials, and when to stop."""

import time
from collections.abc import Mapping
from typing import Any

from onebox.distributed.tuning.budget import Budget, whole_s
from onebox.distributed.tuning.journal import Journal
from onebox.distributed.tuning.records import WHOLE, Outcome, Point, Status
from onebox.distributed.tuning.trial_worker import ERROR, PROGRESS, SECONDS, VALUE
from onebox.errors import SettingError
from onebox.progress import Listener, StopTraining


class Recorder:
    """Follows the trials of a search, without Ray.

    Attributes:
        is_interrupted: Whether the user asked to stop.
        is_out_of_time: Whether the time budget ended the trials.
        refusal: An error that makes the search pointless, or None.
    """

    def __init__(self, journal: Journal, budget: Budget, listener: Listener) -> None:
        self.is_interrupted = self.is_out_of_time = False
        self.refusal: SettingError | None = None
        self._journal, self._budget, self._listener = journal, budget, listener
        self._curves: dict[int, list[Point]] = {}
        self._errors: dict[int, str] = {}
        self._slowest_s: float | None = None
        for outcome in journal.outcomes:
            self._time(outcome.curve)

    def report(self, number: int, result: Mapping[str, Any]) -> None:
        """Take a report of a trial: a validation, or an error."""
        if ERROR in result:
            self._errors[number] = str(result[ERROR])
            return
        curve = self._curves.setdefault(number, [])
        progress = int(result[PROGRESS])
        if curve and progress <= curve[-1].progress and progress < WHOLE:
            return
        curve.append(Point(progress, float(result[VALUE]), float(result[SECONDS])))
        self._time(curve)
        self._check_time(number, curve)

    def finish(self, number: int) -> None:
        """A trial is over: it ended, failed, or was stopped early; or the search stops."""
        curve = self._curves.get(number, [])
        if number in self._errors:
            self._keep(number, "failed", self._errors[number])
        elif curve and curve[-1].progress >= WHOLE:
            self._keep(number, "ended")
        elif self.is_stopping():
            return  # it runs again when the search is resumed
        elif not curve:
            self._keep(number, "failed", "no validation gave a metric.")
        else:
            self._keep(number, "stopped")

    def fail(self, number: int, error: str) -> None:
        """A trial's process died."""
        if not self.is_stopping():
            self._keep(number, "failed", error)

    def is_stopping(self) -> bool:
        """Whether no trial may go on; looks at the clock."""
        ends_s = self._budget.trials_end_s(self._slowest_s)
        if ends_s is not None and time.monotonic() >= ends_s:
            self.is_out_of_time = True
        return self.is_interrupted or self.is_out_of_time or self.refusal is not None

    def _keep(self, number: int, status: Status, error: str = "") -> None:
        outcome = Outcome(number, status, tuple(self._curves.get(number, ())), error)
        self._journal.append(outcome)
        self._listener.note(describe(outcome, self._journal.question.trials[number]))
        self.show()

    def show(self) -> None:
        """Tell the listener how many trials have finished; it may ask to stop."""
        total = len(self._journal.question.trials)
        try:
            self._listener.advance(len(self._journal.outcomes), total)
        except StopTraining:
            self.is_interrupted = True

    def _time(self, curve: list[Point] | tuple[Point, ...]) -> None:
        seconds = whole_s(curve)
        if seconds is not None:
            self._slowest_s = max(seconds, self._slowest_s or 0.0)

    def _check_time(self, number: int, curve: list[Point]) -> None:
        """Find early that not even the first trial ends in time."""
        seconds, ends_s = whole_s(curve), self._budget.trials_end_s(self._slowest_s)
        if number or seconds is None or ends_s is None:
            return
        if time.monotonic() + seconds - curve[-1].seconds > ends_s:
            needed = self._budget.needed_minutes(seconds)
            self.refusal = SettingError(
                f"--minutes {self._budget.minutes:g}: the first trial alone takes about "
                f"{seconds / 60:.1f} minutes, and the full training about as long. Give at least "
                f"{needed:.1f} minutes, or a shorter schedule (--set train.epochs)."
            )


def describe(outcome: Outcome, changes: Mapping[str, Any]) -> str:
    """A finished trial in one line."""
    settings = ", ".join(f"{name}={value}" for name, value in changes.items())
    what = settings or "the recipe unchanged"
    if outcome.status == "failed":
        return f"trial {outcome.number} failed: {outcome.error} ({what})"
    stopped = "" if outcome.status == "ended" else f", stopped at {outcome.progress} %"
    return f"trial {outcome.number}: val mean IoU {outcome.value:.4f}{stopped} ({what})"
