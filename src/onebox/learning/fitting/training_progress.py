"""How far training has come: the one number that drives every schedule.

The learning rate, the image size and the frozen backbone follow the same number. Without a time
budget it is the fraction of steps done. With one it is the larger of that fraction and the fraction
of time used, so that every schedule ends in time on whatever device trains.
"""

import time
from dataclasses import dataclass
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from onebox.learning.parallel.process_group import from_first


@dataclass(slots=True)
class TrainingProgress:
    """The steps of a schedule, and the time that they may take.

    Attributes:
        steps: Steps of the whole schedule; fewer are taken if the time budget ends first.
        budget_s: Seconds that steps and validations may take; None for no limit.
        used_s: Seconds used so far, those of a resumed run's first part included.
    """

    steps: int
    budget_s: float | None = None
    used_s: float = 0.0

    def position(self, step: int) -> float:
        """Position in the schedule after ``step`` steps, in steps."""
        if self.budget_s is None:
            return float(step)
        return min(float(self.steps), max(float(step), self.used_s / self.budget_s * self.steps))

    def fraction(self, step: int) -> float:
        """Position in the schedule after ``step`` steps, in [0, 1]."""
        return self.position(step) / self.steps

    def is_over(self, step: int) -> bool:
        """Whether the schedule has ended after ``step`` steps."""
        return self.position(step) >= self.steps


class TimeBudget(Callback):
    """Measures the time used, and stops training when the schedule or the budget ends.

    A run that was stopped amid an epoch and resumed ends amid an epoch, after as many steps.
    The time used includes a reserve for the validation that ends training: as long as the latest.
    A resumed run continues with the budget and the used time of the run that it resumes. Workers
    that train together have the clock of the first one.
    """

    def __init__(self, progress: TrainingProgress, left_s: float | None = None) -> None:
        """``left_s`` is what is left of the budget if a lost worker took time; None otherwise."""
        self._progress, self._left_s = progress, left_s
        self._reserve_s = self._started_s = self._validation_started_s = 0.0

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Start the clock."""
        self._started_s = time.monotonic() - (self._progress.used_s - self._reserve_s)
        self._stop_if_over(trainer)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Count the time of the step."""
        self._update()
        self._stop_if_over(trainer)

    def on_validation_start(self, *_: object) -> None:
        """Start to time a validation."""
        self._validation_started_s = time.monotonic()

    def on_validation_end(self, *_: object) -> None:
        """Count the time of the validation, and reserve as much for the last one."""
        self._reserve_s = time.monotonic() - self._validation_started_s
        self._update()

    def state_dict(self) -> dict[str, Any]:
        """The budget and the used time, for a resumed run."""
        progress = self._progress
        times = {"budget_s": progress.budget_s, "used_s": progress.used_s}
        return {**times, "reserve_s": self._reserve_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the budget and the used time of the resumed run."""
        self._progress.budget_s = state_dict["budget_s"]
        self._progress.used_s = state_dict["used_s"]
        if self._left_s is not None and self._progress.budget_s is not None:
            lost_s = self._progress.budget_s - self._left_s
            self._progress.used_s = max(self._progress.used_s, lost_s)
        self._reserve_s = state_dict["reserve_s"]

    def _update(self) -> None:
        used_s = time.monotonic() - self._started_s + self._reserve_s
        self._progress.used_s = used_s if self._progress.budget_s is None else from_first(used_s)

    def _stop_if_over(self, trainer: lightning.Trainer) -> None:
        if self._progress.is_over(trainer.global_step):
            trainer.should_stop = True
