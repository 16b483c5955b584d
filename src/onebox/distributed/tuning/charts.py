"""The charts of ``tuning.html``: numbers → coordinates of inline SVG.

A chart is 520 x 262 units; its plot lies from (44, 20) to (504, 220).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onebox.distributed.tuning.comparison import Comparison, Setting
from onebox.distributed.tuning.dimensions import Choices, Range
from onebox.distributed.tuning.records import WHOLE, Found, Outcome

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 504.0, 20.0, 220.0
_MARGIN = 16.0  # between the frame and the outermost dots
_PARTS, _PER_UNIT = 4, 20  # of the vertical axis: its parts, each a multiple of 1/20
_MOST_WORDS = 8  # choices whose names fit below the axis


@dataclass(frozen=True, slots=True)
class Dot:
    """A trial in a chart; ``kind`` is its class in the style sheet, ``text`` its tooltip."""

    x: float
    y: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line in a chart: points as SVG has them, and its class in the style sheet."""

    points: str
    kind: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: titles, the places and texts of its ticks, lines and dots."""

    title: str
    x_title: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    """The vertical axis: the metric from ``low`` to ``high``."""

    low: float
    high: float

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_BOTTOM - share * (_BOTTOM - _TOP), 1)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        height = (self.high - self.low) / _PARTS
        values = [self.low + height * part for part in range(_PARTS + 1)]
        return tuple((self.y(value), f"{value:.3g}") for value in values)


def progress_of_search(found: Found) -> Chart:
    """The metric of each trial in the order in which they finished, and the best so far."""
    shown = [one for one in found.outcomes if one.value is not None and one.status != "failed"]
    scale = _scale([one.value or 0.0 for one in shown])
    places = [_spread(index, len(shown)) for index in range(len(shown))]
    dots = [_dot(place, scale, one) for place, one in zip(places, shown, strict=True)]
    best: float | None = None
    points: list[tuple[float, float]] = []
    for place, one in zip(places, shown, strict=True):
        value = one.value or 0.0
        if one.status == "ended" and (best is None or value > best):
            points += [] if best is None else [(place, scale.y(best))]
            best = value
        if best is not None:
            points.append((place, scale.y(best)))
    ticks = tuple((place, str(number)) for number, place in enumerate(places, start=1))
    return Chart(
        "Best so far",
        "finished trials",
        _thinned(ticks),
        scale.ticks(),
        (Line(_points(points), "model"),),
        tuple(dots),
    )


def learning_curves(found: Found) -> Chart:
    """The metric of each trial over its schedule."""
    shown = [one for one in found.outcomes if one.curve]
    scale = _scale([point.value for one in shown for point in one.curve])
    best = found.best
    lines = []
    for one in shown:
        points = [(_across(point.progress / WHOLE), scale.y(point.value)) for point in one.curve]
        lines.append((one, Line(_points(points), _kind_of_curve(one, best))))
    lines.sort(key=lambda pair: (pair[0] is best, pair[0].number == 0))  # these lie on top
    ticks = tuple((_across(share / 4), f"{25 * share} %") for share in range(5))
    ordered = tuple(line for _, line in lines)
    return Chart("Learning curves", "progress of a trial", ticks, scale.ticks(), ordered, ())


def by_setting(comparison: Comparison) -> list[Chart]:
    """For each setting, the metric of the trials over its values."""
    metrics = [metric for one in comparison.settings for _, metric in one.pairs]
    scale = _scale(metrics)
    return [_of_setting(one, scale) for one in comparison.settings if one.pairs]


def _of_setting(setting: Setting, scale: _Scale) -> Chart:
    dimension = setting.dimension
    ticks = _ticks_of_range(dimension) if isinstance(dimension, Range) else _ticks_of(setting)
    dots = tuple(
        Dot(_place(dimension, value, ticks), scale.y(metric), "ended", f"{value}: {metric:.4f}")
        for value, metric in setting.pairs
    )
    return Chart(setting.name, "", _thinned(ticks), scale.ticks(), (), dots)


def _ticks_of_range(dimension: Range) -> tuple[tuple[float, str], ...]:
    shares = (0.0, 0.5, 1.0)
    if dimension.log:
        values = [dimension.low * (dimension.high / dimension.low) ** share for share in shares]
    else:
        values = [dimension.low + (dimension.high - dimension.low) * share for share in shares]
    return tuple(
        (_inside(share), f"{value:.3g}") for share, value in zip(shares, values, strict=True)
    )


def _ticks_of(setting: Setting) -> tuple[tuple[float, str], ...]:
    """A place for each choice, and for the recipe's own value if it is none of them."""
    dimension: Choices = setting.dimension
    words = [str(value) for value in dimension.values]
    words += sorted({str(value) for value, _ in setting.pairs} - set(words))
    return tuple((_spread(index, len(words)), word) for index, word in enumerate(words))


def _place(dimension: Any, value: Any, ticks: Sequence[tuple[float, str]]) -> float:  # noqa: ANN401
    if not isinstance(dimension, Range):
        return next(x for x, word in ticks if word == str(value))
    low, high = dimension.low, dimension.high
    if dimension.log and value > 0:
        share = math.log(value / low) / math.log(high / low)
    else:
        share = (value - low) / (high - low)
    # The recipe's own value may lie outside the space; it is then shown at the frame.
    return _inside(min(max(share, -0.03), 1.03))


def _dot(place: float, scale: _Scale, one: Outcome) -> Dot:
    value = one.value or 0.0
    stopped = "" if one.status == "ended" else f", stopped at {one.progress} %"
    kind = "first" if one.number == 0 and one.status == "ended" else one.status
    return Dot(place, scale.y(value), kind, f"trial {one.number}: {value:.4f}{stopped}")


def _kind_of_curve(one: Outcome, best: Outcome | None) -> str:
    if one is best:
        return "model"
    return "baseline" if one.number == 0 else "other"


def _scale(values: Sequence[float]) -> _Scale:
    if not values:
        return _Scale(0.0, 1.0)
    low = math.floor(min(values) * _PER_UNIT) / _PER_UNIT
    height = math.ceil((max(values) - low) / _PARTS * _PER_UNIT - 1e-9) / _PER_UNIT
    return _Scale(low, low + _PARTS * max(height, 1 / _PER_UNIT))


def _across(share: float) -> float:
    return round(_LEFT + share * (_RIGHT - _LEFT), 1)


def _inside(share: float) -> float:
    return round(_LEFT + _MARGIN + share * (_RIGHT - _LEFT - 2 * _MARGIN), 1)


def _spread(index: int, count: int) -> float:
    return _inside((index + 0.5) / count)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _thinned(ticks: tuple[tuple[float, str], ...]) -> tuple[tuple[float, str], ...]:
    return ticks[:: math.ceil(len(ticks) / _MOST_WORDS) or 1]
