"""The time of a search: when its trials must end so that the full training still fits."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from onebox.distributed.tuning.records import WHOLE, Point

# The full training has all cores, so it is rather faster than a trial; a larger size may win.
_SAFETY = 1.2
_EXPORT_S = 30.0  # export, evaluation and reports, which the full training measures itself
_FIRST_SHARE = 0.3  # of the budget, for the full training, before any trial has been timed


@dataclass(frozen=True, slots=True)
class Budget:
    """The time that a search has.

    Attributes:
        ends_s: Value of `time.monotonic` at which everything must have ended; None for no limit.
        minutes: The budget as it was asked for.
        is_trained: Whether a full training follows the trials.
    """

    ends_s: float | None
    minutes: float
    is_trained: bool

    def trials_end_s(self, whole_s: float | None) -> float | None:
        """When the trials must end; None for no limit.

        Args:
            whole_s: The longest time that a trial takes to its end; None if none is known.
        """
        if self.ends_s is None:
            return None
        if not self.is_trained:
            return self.ends_s
        reserve_s = _FIRST_SHARE * self.minutes * 60
        if whole_s is not None:
            reserve_s = _SAFETY * whole_s + _EXPORT_S
        return self.ends_s - reserve_s

    def left_minutes(self) -> float | None:
        """Minutes that are left for the full training; None for no limit."""
        return None if self.ends_s is None else max(0.0, (self.ends_s - time.monotonic()) / 60)

    def needed_minutes(self, whole_s: float) -> float:
        """Minutes that one trial and the full training take."""
        return (whole_s * (1 + _SAFETY * self.is_trained) + 2 * _EXPORT_S) / 60


def whole_s(curve: Sequence[Point]) -> float | None:
    """Seconds that a trial takes to its end, estimated from its first and latest validation.

    What came before the first, such as decoding, is thus counted once. None if one validation is
    all there is, and it was not at the end.
    """
    if not curve:
        return None
    first, latest = curve[0], curve[-1]
    if latest.progress >= WHOLE:
        return latest.seconds
    if latest.progress <= first.progress:
        return None
    pace_s = (latest.seconds - first.seconds) / (latest.progress - first.progress)
    return latest.seconds + pace_s * (WHOLE - latest.progress)
