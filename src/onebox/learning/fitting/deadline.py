"""Where a schedule stands, and how it still ends in time where the machine is slower than planned.

A schedule has so many planned steps. As long as nothing is late, a step moves it on by one. Where
the rest would not end in time, fewer rounds are left, and each step moves the schedule on by more
than one: rates still fall to their last, and images still grow to their whole size.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_POINTS = 20  # of the rest of a schedule, at which the cost of a step is asked


@dataclass(frozen=True, slots=True)
class Deadline:
    """When training must end, and what it was planned to cost.

    Attributes:
        ends_at: By `time.monotonic`; with what comes after training, as far as that is known.
        after_s: Seconds that were planned for what comes after training.
        step_s: A share of the schedule → planned seconds of a step there.
        validation_s: Planned seconds of a validation.
    """

    ends_at: float
    after_s: float
    step_s: Callable[[float], float]
    validation_s: float


@dataclass(slots=True)
class Pace:
    """A schedule's place, in planned steps, as a function of the steps taken.

    A round is what lies between two validations.

    Attributes:
        steps_a_round: Steps of a round.
        rounds: How many rounds there will be.
        planned: Steps of the whole schedule.
        step: The step at which the stride was last changed.
        place: The schedule's place then.
        stride: Planned steps that a step moves it on by since then.
    """

    steps_a_round: int
    rounds: int
    planned: int = 0
    step: int = 0
    place: float = 0.0
    stride: float = 1.0

    def __post_init__(self) -> None:
        """Without another number, a step of the schedule is a step."""
        self.planned = self.planned or self.rounds * self.steps_a_round

    def at(self, step: int) -> float:
        """The schedule's place after so many steps, in planned ones."""
        return self.place + (step - self.step) * self.stride

    def share(self, step: int) -> float:
        """The same as a share of the whole."""
        return self.at(step) / self.planned

    def most_left(self, step: int) -> int:
        """Rounds that the rest of the schedule takes at a step for a step; one at least."""
        return max(1, math.floor((self.planned - self.at(step)) / self.steps_a_round))

    def end_after(self, step: int, rounds: int) -> None:
        """Have so many rounds from this step on reach the schedule's end."""
        self.place, self.step = self.at(step), step
        self.stride = (self.planned - self.place) / (rounds * self.steps_a_round)
        self.rounds = step // self.steps_a_round + rounds


class Timekeeper:
    """After each round, has the rest of a schedule end in time.

    What is left is judged by how much slower the steps so far were than planned. A schedule that is
    early stays as it is; one that was shortened may get rounds back.
    """

    def __init__(self, pace: Pace, deadline: Deadline) -> None:
        """The clock runs from now."""
        self._pace, self._deadline = pace, deadline
        self._started = time.monotonic()
        self._planned_s = 0.0

    def took(self, step: int) -> None:
        """A step is over, the last of so many."""
        self._planned_s += self._deadline.step_s(self._pace.share(step - 1))

    def ended(self, step: int) -> None:
        """A round is over, after so many steps; one follows at least where there was to be one."""
        left = self._pace.rounds - step // self._pace.steps_a_round
        self._planned_s += self._deadline.validation_s
        if left <= 0:
            return
        now = time.monotonic()
        slower = max(1.0, (now - self._started) / self._planned_s)
        seconds = self._deadline.ends_at - now - slower * self._deadline.after_s
        fitting = max(1, math.floor(seconds / (slower * self._round_s(step))))
        rounds = min(fitting, self._pace.most_left(step))
        if rounds != left:
            self._pace.end_after(step, rounds)

    def _round_s(self, step: int) -> float:
        """Planned seconds of a mean round of the rest."""
        done = self._pace.share(step)
        points = [done + (1 - done) * (point + 0.5) / _POINTS for point in range(_POINTS)]
        mean = sum(map(self._deadline.step_s, points)) / _POINTS
        return self._pace.steps_a_round * mean + self._deadline.validation_s
