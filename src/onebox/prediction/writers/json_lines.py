"""JSON lines: one object an image."""

import json
from collections.abc import Iterator
from typing import Any

from onebox.prediction.writers.kinds import Held, Kind
from onebox.prediction.writers.records import Layout, Row, as_json_line


def held(lines: Iterator[str], layout: Layout) -> Iterator[Held]:  # noqa: ARG001
    """What the lines hold.

    Raises:
        ValueError: If a line is none of ours.
    """
    for line in lines:
        row = object_in(line, "image")
        yield Held(row["image"], row.get("frame"))


def object_in(line: str, *names: str) -> dict[str, Any]:
    """The object of a line that has these names.

    Raises:
        ValueError: If it is none.
    """
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not row.keys() >= {*names}:
        raise ValueError("is no line of results")
    return row


def _line(row: Row, layout: Layout, number: int) -> str:  # noqa: ARG001
    return f"{as_json_line(row, layout)}\n"


JSON_LINES = Kind(b'{"image": ', line=_line, held=held)
