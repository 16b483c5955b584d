"""The dimensions of a search space: a range of numbers, or choices."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Number = int | float

SIGNIFICANT_DIGITS = 4
"""Of the numbers that are drawn from a range."""


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low: The lowest.
        high: The highest.
        log: Whether equal factors are equally likely, rather than equal differences.
        step: Distance of the numbers, counted from ``low``; None for any number between.
    """

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    def at(self, position: float) -> Number:
        """The number at a position in [0, 1): equal positions are equally likely."""
        if self.step is not None:
            count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
            number = self.low + int(position * count) * self.step
            whole = all(isinstance(each, int) for each in (self.low, self.step))
            return number if whole else _rounded(number)
        if self.log:
            number = self.low * (self.high / self.low) ** position
        else:
            number = self.low + position * (self.high - self.low)
        return min(max(_rounded(number), self.low), self.high)

    def probes(self) -> tuple[Number, ...]:
        """Numbers that a recipe must accept: both ends, and one between."""
        return self.low, self.at(0.381966), self.at(0.999999) if self.step else self.high

    def as_table(self) -> dict[str, Any]:
        """As in a space file."""
        table: dict[str, Any] = {"low": self.low, "high": self.high}
        table |= {"log": True} if self.log else {}
        return table if self.step is None else {**table, "step": self.step}


@dataclass(frozen=True, slots=True)
class Choices:
    """Values without an order.

    Attributes:
        values: At least two, which differ.
    """

    values: tuple[Any, ...]

    def at(self, position: float) -> Any:  # noqa: ANN401 - a value of any setting
        """The value at a position in [0, 1): all values are equally likely."""
        return self.values[int(position * len(self.values))]

    def probes(self) -> tuple[Any, ...]:
        """Values that a recipe must accept."""
        return self.values

    def as_table(self) -> dict[str, Any]:
        """As in a space file."""
        return {"choices": list(self.values)}


Dimension = Range | Choices
Space = Mapping[str, Dimension]
"""The settings that are searched, by their dotted names."""

Changes = Mapping[str, Any]
"""What a trial changes in the recipe: values by the names of the space."""


def _rounded(number: Number) -> float:
    return float(f"{number:.{SIGNIFICANT_DIGITS}g}")
