"""Part files: the columns of ``--parquet`` on one machine, and ``error``.

An image that cannot be read is a row with its name and the error; its other columns are empty. The
metadata of a part say which job it belongs to.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from onebox import stores
from onebox.distributed.prediction.records import PartSummary
from onebox.optional import require
from onebox.prediction.writers import KINDS, Layout, Row
from onebox.prediction.writers.parquet import ROWS_PER_GROUP, as_utf8, schema

ERROR = "error"
"""The column of errors: empty for an image that was predicted."""

_METADATA = b"onebox.part"
_EXAMPLES = 5  # errors that the summary of a part quotes


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """An image, or a packed shard, that could not be read.

    Attributes:
        image: Its name.
        error: The reason, a sentence with its name.
    """

    image: str
    error: str


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    errors: list[str] = field(default_factory=list)

    def record(self, row: Row | ErrorRow, layout: Layout) -> dict[str, Any]:
        self.rows += 1
        if isinstance(row, Row):
            return KINDS["parquet"].record(row, layout)
        self.errors.append(row.error)
        return {"image": row.image, ERROR: row.error}


def write_part(rows: Iterable[Row | ErrorRow], layout: Layout, file: Path, job: str) -> None:
    """Write a part file; a few thousand rows are in memory at once.

    Args:
        rows: The answers, drawn as they are written.
        layout: What the rows have in common.
        file: Where the part is written.
        job: The digest of the request.
    """
    arrow, parquet = _import("pyarrow"), _import("pyarrow.parquet")
    table_schema = schema(arrow, layout).append(arrow.field(ERROR, arrow.string()))
    tally = _Tally()
    with parquet.ParquetWriter(file, table_schema) as writer:
        records = (as_utf8(tally.record(row, layout)) for row in rows)
        while group := list(islice(records, ROWS_PER_GROUP)):
            writer.write_table(arrow.Table.from_pylist(group, schema=table_schema))
        about = {"job": job, "errors": len(tally.errors), "examples": tally.errors[:_EXAMPLES]}
        writer.add_key_value_metadata({_METADATA: json.dumps(about).encode()})


def read_summary(name: str, number: int, job: str) -> PartSummary | None:
    """What a part file holds, by its path or URI; None if it is not there whole, or not the job's.

    Raises:
        DataError: If its store cannot be reached.
    """
    if not stores.exists(name):
        return None
    arrow, parquet = _import("pyarrow"), _import("pyarrow.parquet")
    with stores.open_input(name) as file:
        try:
            found = parquet.ParquetFile(file).metadata
            about = json.loads((found.metadata or {})[_METADATA])
        except (arrow.ArrowException, KeyError, ValueError):  # cut short by a power failure
            return None
    if about["job"] != job:
        return None
    return PartSummary(number, found.num_rows, about["errors"], tuple(about["examples"]))


def _import(module: str) -> Any:  # noqa: ANN401 - imported by name
    return require(module, extra="ray", purpose="predictions on a cluster")
