"""A `Certainty` as points of diagrams, for the report's page.

Positions are 0 to 100 of a diagram's width and height, x rightwards and y downwards, as SVG has
them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from onebox.certainty.assessment import Certainty
from onebox.certainty.outer_boxes import OuterBoxes
from onebox.certainty.reliability import Bin, Reliability

Ticks = tuple[tuple[float, str], ...]
"""Positions along an axis, with the text at each."""

_DEVIATIONS = 1.96  # of a normal distribution, for a probability of 95 %
_LOWEST_COVERAGE = 0.4  # of an axis on which nothing is lower
_RISKS = (0.02, 0.04, 0.1, 0.2, 0.4, 1.0)  # at the top of an axis; a quarter of each is round
_KEPT = 0.1  # the axis is high enough for risks from this coverage on; before, few images decide


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from one number to a larger one."""

    low: float
    high: float

    def along(self, value: float) -> float:
        """The position of a number from the left."""
        return 100 * (value - self.low) / (self.high - self.low)

    def down(self, value: float) -> float:
        """The position of a number from the top."""
        return 100 - self.along(value)

    def ticks(self, count: int, text: str) -> Ticks:
        """Evenly spaced numbers from the lowest to the highest."""
        values = [self.low + (self.high - self.low) * step / count for step in range(count + 1)]
        return tuple((self.along(value), text.format(value)) for value in values)


@dataclass(frozen=True, slots=True)
class Dot:
    """A bin of a reliability diagram, with the 95 % interval of its observed fraction."""

    bin: Bin
    x: float
    y: float
    low_y: float
    high_y: float


@dataclass(frozen=True, slots=True)
class CoverageChart:
    """Coverage of outer boxes over the coverage asked for: measured, expected, and equal."""

    line: str
    dots: tuple[tuple[float, float, OuterBoxes], ...]
    expected: str
    equal: str
    x_ticks: Ticks
    y_ticks: Ticks


@dataclass(frozen=True, slots=True)
class RiskChart:
    """Risk over coverage for the orders by name, the worst of them first."""

    lines: dict[str, str]
    y_ticks: Ticks


def reliability_dots(found: Reliability) -> tuple[Dot, ...]:
    """The bins of a reliability diagram; both axes are from 0 to 1.

    References:
        Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927, for
        the interval of a fraction.
    """
    axis = Axis(0.0, 1.0)
    dots = []
    for one in found.bins:
        squared = _DEVIATIONS**2 / one.images
        middle = (one.observed + squared / 2) / (1 + squared)
        variance = one.observed * (1 - one.observed) / one.images + squared / (4 * one.images)
        half = _DEVIATIONS * sqrt(variance) / (1 + squared)
        heights = (axis.down(value) for value in (one.observed, middle - half, middle + half))
        dots.append(Dot(one, axis.along(one.predicted), *heights))
    return tuple(dots)


def coverage_chart(levels: tuple[OuterBoxes, ...]) -> CoverageChart | None:
    """The diagram of coverage; None if the model has no outer boxes."""
    if not levels:
        return None
    lowest = min(min(one.covered, one.expected[0]) for one in levels)
    bottom = _LOWEST_COVERAGE if lowest >= _LOWEST_COVERAGE else 0.0
    x, y = Axis(0.5, 1.0), Axis(bottom, 1.0)
    measured = [(x.along(one.level), y.down(one.covered)) for one in levels]
    lower = [(x.along(one.level), y.down(one.expected[0])) for one in levels]
    upper = [(x.along(one.level), y.down(one.expected[1])) for one in levels]
    return CoverageChart(
        line=_points(measured),
        dots=tuple((*place, one) for place, one in zip(measured, levels, strict=True)),
        expected=_points([*lower, *reversed(upper)]),
        equal=_points((x.along(value), y.down(value)) for value in (0.5, 1.0)),
        x_ticks=x.ticks(5, "{:.1f}"),
        y_ticks=y.ticks(4, "{:.2f}"),
    )


def risk_chart(certainty: Certainty) -> RiskChart:
    """The diagram of risk over coverage."""
    curves = {
        "class probability": certainty.by_class_probability,
        "score": certainty.by_score,
        "best order": certainty.by_iou,
    }
    most = max(
        risk
        for curve in curves.values()
        for coverage, risk in zip(curve.coverages, curve.risks, strict=True)
        if coverage >= _KEPT
    )
    y = Axis(0.0, next(top for top in _RISKS if top >= most))
    return RiskChart(
        lines={
            name: _points(
                (100 * coverage, y.down(risk))
                for coverage, risk in zip(curve.coverages, curve.risks, strict=True)
            )
            for name, curve in curves.items()
        },
        y_ticks=y.ticks(4, "{:g}"),
    )


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in places)
