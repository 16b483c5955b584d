"""A scatter plot as SVG text: panels side by side, one colour and number per name."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 260, 240, 46, 34, 62  # of a panel, in pixels
_LINE = 18  # height of a line of the legend
_COLOURS = (
    "#0b6e4f", "#b5651d", "#8c564b", "#1f77b4", "#17becf", "#9467bd", "#d62728", "#e377c2",
    "#7f7f7f", "#bcbd22",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in a panel; ``value`` is from 0 to 1."""

    name: str
    seconds: float
    value: float


def scatter(panels: Mapping[str, Sequence[Mark]], names: Sequence[str]) -> str:
    """The plot, with a legend of the names below; both axes start at 0."""
    width = _LEFT + len(panels) * (_WIDTH + _GAP)
    height = _TOP + _HEIGHT + 52 + _LINE * math.ceil(len(names) / 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12" fill="#444">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for index, (title, marks) in enumerate(panels.items()):
        parts += _panel(title, marks, names, _LEFT + index * (_WIDTH + _GAP))
    parts += _legend(names, width)
    return "\n".join([*parts, "</svg>\n"])


def _panel(title: str, marks: Sequence[Mark], names: Sequence[str], left: float) -> list[str]:
    most = max(mark.seconds for mark in marks) * 1.1
    bottom = _TOP + _HEIGHT
    parts = [text(left + _WIDTH / 2, _TOP - 14, title, "middle", bold=True)]
    for tenth in range(0, 11, 2):
        y = bottom - tenth / 10 * _HEIGHT
        parts.append(rule(left, y, left + _WIDTH, y))
        parts.append(text(left - 6, y + 4, f"{tenth / 10:.1f}", "end"))
    for second in ticks(most):
        x = left + second / most * _WIDTH
        parts.append(rule(x, bottom, x, bottom + 4))
        parts.append(text(x, bottom + 17, f"{second:g}", "middle"))
    caption = "seconds of training; upwards: mean IoU"
    parts.append(text(left + _WIDTH / 2, bottom + 34, caption, "middle"))
    for mark in marks:
        x, y = left + mark.seconds / most * _WIDTH, bottom - mark.value * _HEIGHT
        parts.append(_dot(x, y, names.index(mark.name), f"{mark.name}: {mark.value:.3f}"))
    return parts


def _legend(names: Sequence[str], width: float) -> list[str]:
    parts = []
    for index, name in enumerate(names):
        x = _LEFT + index % 2 * max(220, (width - _LEFT) / 2)
        y = _TOP + _HEIGHT + 56 + index // 2 * _LINE
        parts += [_dot(x, y - 4, index, name), text(x + 12, y, name, "start")]
    return parts


def ticks(most: float) -> list[float]:
    """Round numbers for an axis from 0, four to nine steps."""
    step = 10 ** math.floor(math.log10(most / 4))
    step = next(step * each for each in (1, 2, 5, 10) if most / (step * each) < 10)
    return [step * index for index in range(math.floor(most / step) + 1)]


def _dot(x: float, y: float, index: int, title: str) -> str:
    """A disc with its number, so that names differ by more than colour."""
    return (
        f'<g><title>{escape(title)}</title><circle cx="{x:.1f}" cy="{y:.1f}" r="7" '
        f'fill="{_COLOURS[index % len(_COLOURS)]}"/><text x="{x:.1f}" y="{y + 3.5:.1f}" '
        f'text-anchor="middle" font-size="9" fill="white">{index + 1}</text></g>'
    )


def rule(left: float, top: float, right: float, bottom: float) -> str:
    ends = f'x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"'
    return f'<line {ends} stroke="#ddd"/>'


def text(x: float, y: float, words: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    position = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {position} text-anchor="{anchor}"{weight}>{escape(words)}</text>'
