"""CSV: a header and one row an image; without videos, it reads back as labels.

``frame`` and ``time_s`` are the next columns where there are videos, then ``present`` where the
answers have it. With keypoints, each has three more: ``NAME_x``, ``NAME_y`` and ``NAME_confidence``.
"""

import csv
import io
from collections.abc import Iterator

from onebox.prediction.writers.kinds import Held, Kind
from onebox.prediction.writers.records import Layout, Row, flat_keypoints

COLUMNS = ("image", "label", "score", "x_min", "y_min", "x_max", "y_max")
MOMENT_COLUMNS = ("frame", "time_s")
_PER_KEYPOINT = ("x", "y", "confidence")


def columns(layout: Layout) -> list[str]:
    """The names of the columns."""
    moment = MOMENT_COLUMNS if layout.has_frames else ()
    presence = ("present",) if layout.has_presence else ()
    names = () if layout.keypoints is None else layout.keypoints.names
    of_keypoints = [f"{name}_{part}" for name in names for part in _PER_KEYPOINT]
    return [*COLUMNS, *moment, *presence, *of_keypoints]


def cells(row: Row, layout: Layout) -> list[str | float | int | None]:
    """What stands in the columns."""
    answer = row.prediction
    moment = [row.frame, row.time_s] if layout.has_frames else []
    present = [answer.present] if layout.has_presence else []
    keypoints = flat_keypoints(answer, layout.keypoints)
    return [row.image, answer.label, answer.score, *answer.box, *moment, *present, *keypoints]


def held(lines: Iterator[str], layout: Layout) -> Iterator[Held]:
    """What the lines hold.

    Raises:
        ValueError: If the columns are others, or a row has more or fewer.
    """
    names = columns(layout)
    rows = csv.reader(lines, strict=True)
    header = next(rows, names)
    if header != names:
        raise ValueError(f"has the columns {','.join(header)}, and these answers {','.join(names)}")
    while (row := _next(rows)) is not None:
        if len(row) != len(names):
            raise ValueError(f"has {len(row)} columns, and the header {len(names)}")
        frame = dict(zip(names, row, strict=True)).get("frame")
        yield Held(row[0], int(frame) if frame else None)


def _next(rows: Iterator[list[str]]) -> list[str] | None:
    """The next row; None at the end, and where the last one is torn within quotes."""
    try:
        return next(rows, None)
    except csv.Error:
        return None


def _line(row: Row, layout: Layout, number: int) -> str:  # noqa: ARG001
    return _text(cells(row, layout))


def _text(values: list[str | float | int | None] | list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


CSV = Kind(
    ",".join(COLUMNS).encode(),
    header=lambda layout: _text(columns(layout)),
    line=_line,
    held=held,
    has_columns=True,
)
