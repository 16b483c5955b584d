"""Parquet shards: tables with a column of encoded images.

The column of images is bytes, or a structure of ``bytes`` and ``path`` as Hugging Face writes it.
The name of an image is the ``path`` of that structure, or the cell of a column of names; an image
without either is named by its row.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from onebox import stores
from onebox.errors import DataError, first_line, shorten
from onebox.optional import require

SUFFIX = ".parquet"
IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "bytes", "image_bytes")
NAME_COLUMNS = ("file_name", "filename", "path", "image_path", "name", "id", "key", "__key__")
BYTES, PATH = "bytes", "path"
"""Fields of a structure that holds an image."""

_ROWS = 64  # read at once: 12-megapixel JPEGs then take a few hundred megabytes


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a table keeps its images and their names.

    Attributes:
        image: The column of encoded images.
        is_structure: Whether its cells have ``bytes`` and ``path``.
        name: The column of names; None if there is none.
    """

    image: str
    is_structure: bool
    name: str | None


@dataclass(frozen=True, slots=True, eq=False)
class EncodedRow:
    """One row of a table.

    Attributes:
        row: Its number, from 0.
        name: The image's name; ``row N`` if the table has none.
        content: The encoded image; None if the cell is empty.
        others: The cells of the other columns that were asked for, by name.
    """

    row: int
    name: str
    content: bytes | None
    others: dict[str, Any]


def find_columns(shard: str, schema: Any) -> Columns:  # noqa: ANN401 - Arrow is imported by name
    """Find the columns of a table by the types and names of its Arrow schema.

    Raises:
        DataError: If no column, or none of the usual names, holds encoded images.
    """
    binary = [field.name for field in schema if _is_binary(field.type)]
    structures = [field.name for field in schema if _is_structure(field.type)]
    found = structures or binary
    named = [name for name in found if name.lower() in IMAGE_COLUMNS]
    if len(named or found) != 1:
        raise DataError(
            f"{shard}: {'several columns hold' if found else 'no column holds'} encoded images; "
            f"its columns are {shorten(schema.names)}. Name the column of images image."
        )
    image = (named or found)[0]
    lowered = {name.lower(): name for name in schema.names if name != image}
    name = next((lowered[each] for each in NAME_COLUMNS if each in lowered), None)
    return Columns(image, image in structures, name)


def rows(shard: str, *others: str) -> Iterator[EncodedRow]:
    """The rows of a table with their images and some other columns, in order, a few at a time.

    Raises:
        DataError: If it is no Parquet file, or has no column of images.
        OneboxError: If pyarrow is not installed.
    """
    with opened(shard) as table:
        columns = find_columns(shard, table.schema_arrow)
        wanted = [columns.image, *([columns.name] if columns.name else []), *others]
        number = 0
        for batch in table.iter_batches(_ROWS, columns=list(dict.fromkeys(wanted))):
            for cells in batch.to_pylist():
                yield _encoded_row(number, cells, columns)
                number += 1


@contextmanager
def opened(shard: str) -> Iterator[Any]:
    """Open a table as a ``ParquetFile``; what Arrow says of it becomes an error of ours.

    Raises:
        DataError: If it is no Parquet file, or is damaged.
        OneboxError: If pyarrow is not installed.
    """
    parquet = require("pyarrow.parquet", extra="parquet", purpose="Parquet shards")
    arrow = require("pyarrow", extra="parquet", purpose="Parquet shards")
    with stores.open_input(shard) as file:
        try:
            yield parquet.ParquetFile(file)
        # UnicodeDecodeError: names of columns, which Arrow decodes late.
        except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{shard}: is no Parquet file that can be read ({first_line(error)}). "
                "Write the shard again."
            ) from error


def _encoded_row(number: int, cells: dict[str, Any], columns: Columns) -> EncodedRow:
    others = dict(cells)
    cell = others.pop(columns.image)
    name = None if columns.name is None else cells[columns.name]
    if columns.is_structure:
        name = (cell or {}).get(PATH) or name
        cell = (cell or {}).get(BYTES)
    return EncodedRow(number, f"row {number}" if name is None else str(name), cell, others)


def _is_binary(kind: Any) -> bool:  # noqa: ANN401
    return str(kind) in {"binary", "large_binary", "binary_view"}


def _is_structure(kind: Any) -> bool:  # noqa: ANN401
    if not str(kind).startswith("struct"):
        return False
    fields = {kind.field(index).name for index in range(kind.num_fields)}
    return BYTES in fields and _is_binary(kind.field(BYTES).type)
