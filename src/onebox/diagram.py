"""A network drawn as one SVG: its parts in the order of the data flow, with their shapes."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from onebox.model_card import ModelCard, Part

_WIDTH, _HEIGHT, _GAP, _MARGIN = 310, 92, 44, 16
_ROW = _HEIGHT + _GAP // 2
_MILLION = 1_000_000
_MAX_LETTERS = 44  # that fit on a node in any font; a longer line is squeezed
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:13px;fill:#1b1f24}"
    ".title{font-weight:600}.quiet{fill:#57606a;font-size:12px}"
    ".box{fill:#f6f8fa;stroke:#57606a}.head{fill:#fff4dd;stroke:#b7791f}"
    ".flow{stroke:#57606a;fill:none;marker-end:url(#tip)}"
)
"""Style sheet of every diagram, by which an earlier one is known."""
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>'
)

_Corner = tuple[int, int]


def draw_network(card: ModelCard) -> str:
    """Draw a model's parts: the trunk from left to right, then the heads one below another.

    Args:
        card: Model card that lists the parts.

    Returns:
        A standalone SVG.
    """
    trunk = [part for part in card.parts if not part.name.endswith("_head")]
    heads = [part for part in card.parts if part.name.endswith("_head")]
    *corners, (right, top) = [
        (_MARGIN + column * (_WIDTH + _GAP), _MARGIN) for column in range(len(trunk) + 2)
    ]
    head_corners = [(right, top + row * _ROW) for row in range(len(heads))]
    shapes = [
        *(_flow(source, target) for source, target in pairwise(corners)),
        *(_flow(corners[-1], corner) for corner in head_corners),
        _node("image", [f"{card.size} x {card.size} x 3"], corners[0], "box"),
        *(_part_node(part, at, "box") for part, at in zip(trunk, corners[1:], strict=True)),
        *(_part_node(part, at, "head") for part, at in zip(heads, head_corners, strict=True)),
    ]
    width = right + _WIDTH + _MARGIN
    height = 2 * _MARGIN + max(1, len(heads)) * _ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"><style>{STYLE}</style>{_TIP}{"".join(shapes)}</svg>\n'
    )


def shapes_text(part: Part) -> str:
    """The shapes of a part's outputs for one image, as ``96 x 12 x 12, 960 x 6 x 6``; each once."""
    return ", ".join(" x ".join(map(str, shape)) for shape in dict.fromkeys(part.shapes))


def _part_node(part: Part, corner: _Corner, style: str) -> str:
    count = part.multiply_adds
    multiply_adds = f"{count / _MILLION:,.1f} M" if count >= _MILLION else f"{count:,}"
    cost = f"{part.parameters:,} parameters, {multiply_adds} multiply-adds"
    return _node(part.name.replace("_", " "), [part.kind, shapes_text(part), cost], corner, style)


def _node(title: str, lines: Sequence[str], corner: _Corner, style: str) -> str:
    x, y = corner
    squeezed = f' textLength="{_WIDTH - 24}" lengthAdjust="spacingAndGlyphs"'
    texts = (
        f'<text class="quiet" x="{x + 12}" y="{y + 42 + 18 * row}"'
        f"{squeezed if len(line) > _MAX_LETTERS else ''}>{escape(line)}</text>"
        for row, line in enumerate(lines)
    )
    return (
        f'<rect class="{style}" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
        f'<text class="title" x="{x + 12}" y="{y + 22}">{escape(title)}</text>{"".join(texts)}'
    )


def _flow(source: _Corner, target: _Corner) -> str:
    """A bent arrow from the right edge of one node to the left edge of another."""
    x_from, y_from = source[0] + _WIDTH, source[1] + _HEIGHT // 2
    x_to, y_to = target[0] - 2, target[1] + _HEIGHT // 2
    middle = (x_from + x_to) // 2
    return f'<path class="flow" d="M{x_from} {y_from}H{middle}V{y_to}H{x_to}"/>'
