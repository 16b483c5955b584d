"""What a file of OpenVINO may hold, checked in its bytes before OpenVINO sees them.

The ``.xml`` is a flat list of layers, and each constant is a part of the ``.bin`` beside it. A
model of onebox has standard operations only, no graphs inside its graph, and no document type, with
which a short XML file can stand for an endless text.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from onebox.errors import ModelError

MOST_GRAPH_BYTES = 64 * 2**20
"""Bytes of the largest ``.xml``: ten times that of the largest network of timm."""

_MOST_LAYERS = 100_000
_MOST_DEPTH = 16
_MOST_SHARES = 8  # of the .bin, that all constants together may be: equal ones lie there once
_BITS = re.compile(r"(?:bf|f|i|u|nf)(?P<bits>\d+)(?:e\d+m\d+)?|boolean")
_STANDARD = re.compile(r"opset\d{1,2}")
_INSIDE = frozenset({"body", "then_body", "else_body", "port_map", "back_edges"})
_NOT_NEEDED = frozenset({
    *("If", "Loop", "TensorIterator", "ReadValue", "Assign", "RandomUniform", "Multinomial"),
    *("StringTensorPack", "StringTensorUnpack"),
})  # fmt: skip


@dataclass(slots=True)
class Weights:
    """What the constants of an ``.xml`` need of its ``.bin``.

    Attributes:
        end: Where the last of them ends.
        total: Bytes of all together.
        last: What the last of them is.
    """

    end: int = 0
    total: int = 0
    last: str = ""

    def check(self, length: int, file: Path) -> None:
        """Check that a ``.bin`` of a length has them.

        Raises:
            ModelError: If it has not.
        """
        problem = ""
        if self.end > length:
            problem = f"has {self.last}, which the .bin of {length} bytes has not"
        elif self.total > _MOST_SHARES * length:
            problem = f"takes the same bytes of the .bin more than {_MOST_SHARES} times"
        if problem:
            raise ModelError(_refusal(file, problem))


def check_openvino(content: bytes, file: Path) -> Weights:
    """Check the bytes of an ``.xml``.

    Returns:
        What they need of the ``.bin``.

    Raises:
        ModelError: If they hold something that a model of onebox has not; the message names it.
    """
    try:
        return _Check().parse(content)
    except (ValueError, expat.ExpatError) as error:
        problem = f"is no XML ({error})" if isinstance(error, expat.ExpatError) else str(error)
        raise ModelError(_refusal(file, problem)) from error


def _refusal(file: Path, problem: str) -> str:
    return (
        f"{file}: is not a model that onebox opens: it {problem}. Name a file that onebox export "
        "wrote, with the .bin beside it."
    )


class _Check:
    """Reads one file, element by element, and raises ``ValueError`` at what must not be there."""

    def __init__(self) -> None:
        self._weights = Weights()
        self._layers = 0
        self._depth = 0
        self._constant: str | None = None

    def parse(self, content: bytes) -> Weights:
        parser = expat.ParserCreate("utf-8")  # whatever the file says of itself
        parser.StartDoctypeDeclHandler = self._refuse_document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(content, True)  # noqa: FBT003 - the parser takes no keywords
        if not self._layers:
            raise ValueError("has no layers")
        return self._weights

    def _refuse_document_type(self, *_: object) -> None:
        raise ValueError("has a document type (DOCTYPE), which a model has not")

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ValueError(f"has more than {_MOST_DEPTH} elements inside each other")
        if self._depth == 1 and tag != "net":
            raise ValueError(f"begins with <{tag[:40]}>, not with <net>")
        if tag in _INSIDE:
            raise ValueError(f"has graphs inside its graph (<{tag}>), which a model has not")
        if tag == "layer":
            self._layer(attributes)
        elif tag == "data" and self._constant is not None:
            self._check_constant(self._constant, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "layer":
            self._constant = None

    def _layer(self, attributes: Mapping[str, str]) -> None:
        self._layers += 1
        if self._layers > _MOST_LAYERS:
            raise ValueError(f"has more than {_MOST_LAYERS} layers")
        name, kind = attributes.get("name", "")[:60], attributes.get("type", "")
        version = attributes.get("version", "")
        if kind in _NOT_NEEDED or not _STANDARD.fullmatch(version):
            raise ValueError(
                f"has the operation {kind[:40]!r} of {version[:40]!r} in the layer {name!r}, which "
                "a model has not"
            )
        self._constant = name if kind == "Const" else None

    def _check_constant(self, name: str, attributes: Mapping[str, str]) -> None:
        kind, shape = attributes.get("element_type", ""), attributes.get("shape", "")
        bits = _BITS.fullmatch(kind)
        if bits is None:
            raise ValueError(
                f"has the constant {name!r} of type {kind[:40]!r}, which has no numbers"
            )
        sides = [_natural(each) for each in shape.split(",") if each.strip()]
        offset, size = (_natural(attributes.get(key, "")) for key in ("offset", "size"))
        needed = (math.prod(sides) * int(bits["bits"] or 8) + 7) // 8
        place = f"the constant {name!r} of {needed} bytes at {offset}"
        if size != needed:
            raise ValueError(f"has {place} with a size of {size} bytes")
        self._weights.total += size
        if offset + size > self._weights.end:
            self._weights.end, self._weights.last = offset + size, place


def _natural(text: str) -> int:
    """A number of bytes or a side, of at most 18 digits.

    Raises:
        ValueError: If the text is no such number.
    """
    if not re.fullmatch(r"\s*\d{1,18}\s*", text, re.ASCII):
        raise ValueError(f"has {text[:40]!r} where a number is expected")
    return int(text)
