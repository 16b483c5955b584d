"""Parquet: the columns of CSV, typed, and the probabilities as a list in the order of the classes.

The names of the classes stand in the file's metadata, under ``onebox.classes``. Rows are written in
groups, so that memory does not grow with their number.
"""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from onebox.optional import require
from onebox.prediction.writers import json_lines
from onebox.prediction.writers.csv_results import COLUMNS, columns
from onebox.prediction.writers.kinds import Held, Kind, Whole
from onebox.prediction.writers.records import Layout

ROWS_A_GROUP = 10_000

_TEXT = ("image", "label")
_PROBABILITIES = "probabilities"
_CLASSES = b"onebox.classes"

_imported = partial(require, extra="parquet", purpose="Parquet files")


def _check() -> None:
    _imported("pyarrow.parquet")


def _pack(lines: Iterator[str], layout: Layout, path: Path) -> None:
    arrow, parquet = _imported("pyarrow"), _imported("pyarrow.parquet")
    schema = _schema(arrow, layout)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := [
            _as_cells(json.loads(line), layout) for line in islice(lines, ROWS_A_GROUP)
        ]:
            writer.write_table(arrow.Table.from_pylist(group, schema=schema))


def _unpack(path: Path, layout: Layout) -> Iterator[str]:
    try:
        file = _imported("pyarrow.parquet").ParquetFile(path)
    except ValueError:  # Arrow's own are of that kind: empty, cut short, of another format
        file = None
    if file is None or file.schema_arrow.names != [*columns(layout), _PROBABILITIES]:
        yield "null\n"  # refused as a line, with its place
        return
    for batch in file.iter_batches(ROWS_A_GROUP):
        yield from _as_lines(batch.to_pylist(), layout)


def _held(lines: Iterator[str], layout: Layout) -> Iterator[Held]:
    """What the lines hold.

    Raises:
        ValueError: If a line is none of ours, or has what the columns have no room for.
    """
    for line in lines:
        row = json_lines.object_in(line, "image", _PROBABILITIES)
        if row.get("frame") is not None and not layout.has_frames:
            raise ValueError("is a frame of a video, and these answers have no column for that")
        if tuple(row[_PROBABILITIES]) != layout.classes:
            raise ValueError("has other classes than the model")
        yield Held(row["image"], row.get("frame"))


def _schema(arrow: Any, layout: Layout) -> Any:  # noqa: ANN401 - imported by name
    kinds = {name: arrow.string() for name in _TEXT} | {"frame": arrow.int64()}
    fields = [(name, kinds.get(name, arrow.float64())) for name in columns(layout)]
    names = json.dumps(layout.classes).encode()
    probabilities = (_PROBABILITIES, arrow.list_(arrow.float64()))
    return arrow.schema([*fields, probabilities], metadata={_CLASSES: names})


def _as_cells(row: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """A JSON object by the columns of the table."""
    points = [number for point in row.get("keypoints", {}).values() for number in point]
    names = columns(layout)
    return {
        **{name: row.get(name) for name in names},
        **dict(zip(COLUMNS[3:], row["box"], strict=True)),
        **dict(zip(names[len(names) - len(points) :], points, strict=True)),
        # Arrow's text is UTF-8: what is none of it is written with a question mark.
        "image": row["image"].encode("utf-8", "replace").decode(),
        _PROBABILITIES: list(row[_PROBABILITIES].values()),
    }


def _as_lines(rows: Iterable[dict[str, Any]], layout: Layout) -> Iterator[str]:
    """Rows of the table as the JSON lines that they were made of."""
    names = () if layout.keypoints is None else layout.keypoints.names
    for row in rows:
        points = {
            name: [row[f"{name}_{part}"] for part in ("x", "y", "confidence")] for name in names
        }
        moment = (
            {} if row.get("frame") is None else {name: row[name] for name in ("frame", "time_s")}
        )
        one = {
            "image": row["image"],
            **moment,
            "label": row["label"],
            "score": row["score"],
            "box": [row[name] for name in COLUMNS[3:]],
            _PROBABILITIES: dict(zip(layout.classes, row[_PROBABILITIES], strict=True)),
            **({"present": row["present"]} if layout.has_presence else {}),
            **({"keypoints": points} if names else {}),
        }
        yield f"{json.dumps(one)}\n"


PARQUET = Kind(
    b"PAR1",
    line=json_lines.JSON_LINES.line,
    held=_held,
    whole=Whole(_pack, _unpack, check=_check),
    has_columns=True,
)
