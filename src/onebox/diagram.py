"""A network as a drawing: its parts in the order in which data flows, with shapes, as one SVG."""

from collections.abc import Sequence
from html import escape

from onebox.model_card import ModelCard, Part

_WIDTH, _HEIGHT, _GAP, _MARGIN = 310, 92, 44, 16
_HEADS = "_head"
_MILLION = 1_000_000
_LONGEST = 44  # letters that a card surely has room for
_STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:13px;fill:#1b1f24}"
    ".title{font-weight:600}.quiet{fill:#57606a;font-size:12px}"
    ".box{fill:#f6f8fa;stroke:#57606a}.head{fill:#fff4dd;stroke:#b7791f}"
    ".flow{stroke:#57606a;fill:none;marker-end:url(#tip)}"
)


def draw_network(facts: ModelCard) -> str:
    """Draw a model's parts: the trunk from left to right, then the heads below one another.

    Args:
        facts: Of a model whose file says what it is made of.

    Returns:
        A standalone SVG.
    """
    trunk = [part for part in facts.parts if not part.name.endswith(_HEADS)]
    heads = [part for part in facts.parts if part.name.endswith(_HEADS)]
    image = _card("image", [f"{facts.size} x {facts.size} x 3"], (_MARGIN, _MARGIN), "box")
    cards, flows = [image], []
    for column, part in enumerate(trunk, start=1):
        cards.append(_part_card(part, (_x(column), _MARGIN), "box"))
        flows.append(_flow((_x(column - 1), _MARGIN), (_x(column), _MARGIN)))
    for row, part in enumerate(heads):
        corner = (_x(len(trunk) + 1), _MARGIN + row * (_HEIGHT + _GAP // 2))
        cards.append(_part_card(part, corner, "head"))
        flows.append(_flow((_x(len(trunk)), _MARGIN), corner))
    width = _x(len(trunk) + 2) - _GAP + _MARGIN
    height = 2 * _MARGIN + max(1, len(heads)) * (_HEIGHT + _GAP // 2)
    return _svg(width, height, [*flows, *cards])


def _x(column: int) -> int:
    return _MARGIN + column * (_WIDTH + _GAP)


def _part_card(part: Part, corner: tuple[int, int], style: str) -> str:
    lines = [
        part.kind,
        shapes_text(part),
        f"{part.parameters:,} parameters, {_millions(part.multiply_adds)} multiply-adds",
    ]
    return _card(part.name.replace("_", " "), lines, corner, style)


def shapes_text(part: Part) -> str:
    """The shapes that a part makes of one image, as ``96 x 12 x 12, 960 x 6 x 6``; each once."""
    return ", ".join(" x ".join(map(str, shape)) for shape in dict.fromkeys(part.shapes))


def _millions(count: int) -> str:
    return f"{count / _MILLION:,.1f} M" if count >= _MILLION else f"{count:,}"


def _card(title: str, lines: Sequence[str], corner: tuple[int, int], style: str) -> str:
    x, y = corner
    text = [f'<text class="title" x="{x + 12}" y="{y + 22}">{escape(title)}</text>']
    text += [
        f'<text class="quiet" x="{x + 12}" y="{y + 42 + 18 * row}"{_squeeze(line)}>'
        f"{escape(line)}</text>"
        for row, line in enumerate(lines)
    ]
    frame = f'<rect class="{style}" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
    return "".join([frame, *text])


def _squeeze(line: str) -> str:
    """What makes a long line, as the name of a backbone may be, as wide as its card."""
    width = _WIDTH - 24
    return f' textLength="{width}" lengthAdjust="spacingAndGlyphs"' if len(line) > _LONGEST else ""


def _flow(source: tuple[int, int], target: tuple[int, int]) -> str:
    """A bent arrow from the right side of one card to the left side of another."""
    x_from, y_from = source[0] + _WIDTH, source[1] + _HEIGHT // 2
    x_to, y_to = target[0] - 2, target[1] + _HEIGHT // 2
    middle = (x_from + x_to) // 2
    return f'<path class="flow" d="M{x_from} {y_from}H{middle}V{y_to}H{x_to}"/>'


def _svg(width: int, height: int, shapes: Sequence[str]) -> str:
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"><style>{_STYLE}</style>{tip}{"".join(shapes)}</svg>\n'
    )
