"""CSV: a header and one row per image; without videos, the file reads back as labels.

Files with frames have the columns ``frame`` and ``time_s`` next, files with presence then have
``present``, those of `certainty` follow, and each keypoint adds ``NAME_x``, ``NAME_y`` and
``NAME_confidence``.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from onebox.formats.csv import format_row
from onebox.prediction.writers import certainty
from onebox.prediction.writers.certainty import EDGES
from onebox.prediction.writers.kinds import ContinueError, Kind, Record
from onebox.prediction.writers.records import Layout, Row, flat_keypoints

COLUMNS = ("image", "label", "score", *EDGES)
_PER_KEYPOINT = ("x", "y", "confidence")
_ESCAPED = "surrogateescape"  # a name that is not UTF-8 is written as the bytes that it came as


def columns(layout: Layout) -> list[str]:
    """The names of the columns."""
    frame = ("frame", "time_s") if layout.has_frames else ()
    presence = ("present",) if layout.has_presence else ()
    names = () if layout.keypoints is None else layout.keypoints.names
    keypoints = [f"{name}_{part}" for name in names for part in _PER_KEYPOINT]
    return [*COLUMNS, *frame, *presence, *certainty.columns(layout.certainty), *keypoints]


def record(row: Row, layout: Layout) -> Record:
    """The values of a row by the names of their columns."""
    answer = row.prediction
    frame = [row.frame, row.time_s] if layout.has_frames else []
    present = [answer.present] if layout.has_presence else []
    keypoints = flat_keypoints(answer, layout.keypoints)
    sure = certainty.values(answer, layout.certainty)
    plain = [row.image, answer.label, answer.score, *answer.box]
    values = [*plain, *frame, *present, *sure, *keypoints]
    return dict(zip(columns(layout), values, strict=True))


def _write(records: Iterable[Record], layout: Layout, path: Path) -> None:
    with path.open("w", encoding="utf-8", errors=_ESCAPED, newline="") as file:
        names = columns(layout)
        rows = ([record[name] for name in names] for record in records)
        file.writelines(f"{format_row(cells)}\n" for cells in chain([names], rows))


def _read(path: Path, layout: Layout) -> Iterator[Record]:
    names = columns(layout)
    # Lines end with a line feed alone: a quoted name may hold the other kind.
    with path.open(encoding="utf-8", errors=_ESCAPED, newline="\n") as file:
        first = file.readline()
        if not first.endswith("\n") and format_row(names).startswith(first):
            return  # torn before the first row
        file.seek(0)
        rows = _whole_rows(file, path)
        _, header = next(rows, (1, [first]))
        if header != names:
            known, wanted = ",".join(header), ",".join(names)
            reason = f"has the columns {known}, and these answers have {wanted}"
            raise ContinueError(path, reason, 1)
        for number, row in rows:
            yield _as_record(row, names, path, number)


def _as_record(row: list[str], names: list[str], path: Path, number: int) -> Record:
    if len(row) != len(names):
        reason = f"has {len(row)} columns, and the header has {len(names)}"
        raise ContinueError(path, reason, number)
    values: Record = dict(zip(names, row, strict=True))
    try:
        if "frame" in values:  # the other values stay text
            values["frame"] = int(values["frame"]) if values["frame"] else None
    except ValueError as error:
        raise ContinueError(path, f"is no row of results ({error})", number) from error
    return values


def _whole_rows(file: io.TextIOBase, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of its last line; a last one without line end is left out.

    Raises:
        ContinueError: If quotes are wrong.
    """
    lines = _WholeLines(file)
    rows = csv.reader(lines, strict=True)
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        if not lines.is_torn:  # else that row began on an earlier line
            reason = f"is no row of results ({error})"
            raise ContinueError(path, reason, rows.line_num) from error


class _WholeLines:
    """The lines of a file, without a last one that has no line end."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file
        self.is_torn = False

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.is_torn = not line.endswith("\n")
            if not self.is_torn:
                yield line


CSV = Kind(
    "csv", ",".join(COLUMNS).encode(), record=record, write=_write, read=_read, columns=columns
)
