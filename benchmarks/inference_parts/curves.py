"""Curves as SVG text: panels side by side over a common x axis, one line in each."""

from collections.abc import Sequence
from dataclasses import dataclass

from scatter import rule, text, ticks

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 300, 200, 56, 34, 70  # of a panel, in pixels
_COLOUR = "#0b6e4f"


@dataclass(frozen=True, slots=True)
class Curve:
    """A line in a panel.

    Attributes:
        title: The panel's title, with the unit.
        values: One value per position on the x axis.
    """

    title: str
    values: Sequence[float]


def draw_curves(xs: Sequence[float], caption: str, curves: Sequence[Curve]) -> str:
    """The plot; both axes start at 0."""
    width, height = _LEFT + len(curves) * (_WIDTH + _GAP), _TOP + _HEIGHT + 52
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12" fill="#444">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, curve in enumerate(curves):
        parts += _panel(xs, caption, curve, _LEFT + number * (_WIDTH + _GAP))
    return "\n".join([*parts, "</svg>\n"])


def _panel(xs: Sequence[float], caption: str, curve: Curve, left: float) -> list[str]:
    right, high = max(xs), max(curve.values) * 1.1
    bottom = _TOP + _HEIGHT
    parts = [text(left + _WIDTH / 2, _TOP - 14, curve.title, "middle", bold=True)]
    for value in ticks(high):
        y = bottom - value / high * _HEIGHT
        parts += [rule(left, y, left + _WIDTH, y), text(left - 6, y + 4, f"{value:g}", "end")]
    for value in ticks(right)[::2]:
        x = left + value / right * _WIDTH
        parts += [rule(x, bottom, x, bottom + 4), text(x, bottom + 17, f"{value:g}", "middle")]
    parts.append(text(left + _WIDTH / 2, bottom + 34, caption, "middle"))
    points = " ".join(
        f"{left + x_value / right * _WIDTH:.1f},{bottom - value / high * _HEIGHT:.1f}"
        for x_value, value in zip(xs, curve.values, strict=True)
    )
    line = f'<polyline points="{points}" fill="none" stroke="{_COLOUR}" stroke-width="1.5"/>'
    return [*parts, line]
