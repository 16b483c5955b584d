"""Parquet: the columns of CSV, typed, and the probabilities as a list in the order of the classes.

The file's metadata has the class names under ``onebox.classes``. Rows are written in groups, so
that memory does not grow with their number.
"""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from onebox.errors import first_line
from onebox.optional import require
from onebox.prediction.writers import csv_results
from onebox.prediction.writers.certainty import IS_TRUE
from onebox.prediction.writers.json_lines import is_record
from onebox.prediction.writers.kinds import ContinueError, Kind, Record
from onebox.prediction.writers.records import Layout, Row

ROWS_PER_GROUP = 10_000
"""Rows in memory at once; not tuned: a few megabytes."""

_PROBABILITIES = "probabilities"
_CLASSES = b"onebox.classes"
_MAGIC = b"PAR1"

_import = partial(require, extra="parquet", purpose="Parquet files")


def _columns(layout: Layout) -> list[str]:
    """The columns, those of the probabilities by their classes."""
    return [*csv_results.columns(layout), *(f"{_PROBABILITIES}.{name}" for name in layout.classes)]


def _record(row: Row, layout: Layout) -> Record:
    values = csv_results.record(row, layout)
    return {**values, _PROBABILITIES: list(row.prediction.probabilities)}


def _write(records: Iterable[Record], layout: Layout, path: Path) -> None:
    arrow, parquet = _import("pyarrow"), _import("pyarrow.parquet")
    table_schema, rows = schema(arrow, layout), map(as_utf8, records)
    with parquet.ParquetWriter(path, table_schema) as writer:
        while group := list(islice(rows, ROWS_PER_GROUP)):
            writer.write_table(arrow.Table.from_pylist(group, schema=table_schema))


def _read(path: Path, layout: Layout) -> Iterator[Record]:
    arrow, parquet = _import("pyarrow"), _import("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(path)
    except (ValueError, OSError) as error:  # Arrow's own: empty, cut short, of another format
        raise ContinueError(path, "is no Parquet file") from error
    with file:
        known, wanted = file.schema_arrow, schema(arrow, layout)
        if (known.names, known.types, known.metadata) != (
            wanted.names,
            wanted.types,
            wanted.metadata,
        ):
            raise ContinueError(path, "has other columns or classes than these answers")
        try:
            for batch in file.iter_batches(ROWS_PER_GROUP):
                yield from _checked(batch.to_pylist())
        except (ValueError, OSError) as error:
            raise ContinueError(path, f"is damaged ({first_line(error)})") from error


def _checked(rows: list[Record]) -> list[Record]:
    """The rows, each with the name of its image.

    Raises:
        ValueError: If a name is missing.
    """
    if not all(map(is_record, rows)):
        raise ValueError("a row has no image")
    return rows


def schema(arrow: Any, layout: Layout) -> Any:  # noqa: ANN401 - imported by name
    """The Arrow schema of a file, with the class names; ``arrow`` is the module ``pyarrow``."""
    types = dict.fromkeys(("image", "label"), arrow.string()) | {"frame": arrow.int64()}
    types |= dict.fromkeys(IS_TRUE, arrow.bool_())
    fields = [(name, types.get(name, arrow.float64())) for name in csv_results.columns(layout)]
    probabilities = (_PROBABILITIES, arrow.list_(arrow.float64()))
    metadata = {_CLASSES: json.dumps(layout.classes).encode()}
    return arrow.schema([*fields, probabilities], metadata=metadata)


def as_utf8(record: Record) -> Record:
    """The record with a name that Arrow can store."""
    return {**record, "image": _stored_name(record["image"])}


def _stored_name(name: str) -> str:
    # Arrow's text is UTF-8. Bytes that are not are spelled out as in JSON (r"\udcff"): two names
    # that differ in them must not become one.
    return name.encode("utf-8", "backslashreplace").decode()


def _is_results(path: Path) -> bool:
    """Whether the file's metadata has the classes of results; a shard of labels has other keys."""
    arrow, parquet = _import("pyarrow"), _import("pyarrow.parquet")
    try:
        metadata = parquet.read_schema(path).metadata or {}
    except arrow.ArrowInvalid:  # cut short: a process was killed while it wrote
        return path.stat().st_size <= len(_MAGIC)
    return _CLASSES in metadata


PARQUET = Kind(
    "parquet",
    _MAGIC,
    record=_record,
    write=_write,
    read=_read,
    is_results=_is_results,
    columns=_columns,
    stored_name=_stored_name,
    check=partial(_import, "pyarrow.parquet"),
)
