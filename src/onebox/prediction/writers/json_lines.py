"""JSON lines: one object per image."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from onebox.prediction.writers.kinds import ContinueError, Kind, Record
from onebox.prediction.writers.records import Layout, as_json


def read_records(lines: Iterable[bytes], path: Path, *, first: int = 1) -> Iterator[Record]:
    """Decode lines, numbered from ``first``; a torn last one, without line break, is left out.

    Raises:
        ContinueError: If a line is no JSON object with ``image``.
    """
    for number, line in enumerate(lines, first):
        if not line.endswith(b"\n"):
            return
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not is_record(record):
            raise ContinueError(path, "is no line of results", number)
        yield record


def is_record(value: object) -> bool:
    """Whether a value has what every record has: the name of an image, and no odd frame."""
    if not isinstance(value, dict) or not isinstance(value.get("image"), str):
        return False
    frame = value.get("frame")
    return frame is None or (isinstance(frame, int) and not isinstance(frame, bool))


def _write(records: Iterable[Record], layout: Layout, path: Path) -> None:  # noqa: ARG001
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(record)}\n" for record in records)


def _read(path: Path, layout: Layout) -> Iterator[Record]:  # noqa: ARG001
    with path.open("rb") as file:
        yield from read_records(file, path)


def _is_results(path: Path) -> bool:
    """Whether the first line is a prediction; a line of labels has no score."""
    with path.open("rb") as file:
        line = file.readline()
    try:
        return not line or {"score", "probabilities"} <= json.loads(line).keys()
    except ValueError:
        return not line.endswith(b"\n")  # torn: reading leaves it out


JSON_LINES = Kind(
    "jsonl", b'{"image": ', record=as_json, write=_write, read=_read, is_results=_is_results
)
