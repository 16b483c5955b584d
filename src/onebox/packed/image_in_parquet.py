"""An image in a Parquet file, as a record of its row; the row groups that were read last.

A row can only be read with its whole row group. The groups that were read last are kept for all
threads, so that images read one after the other take linear time, and no more memory than
`MOST_BYTES` and one row group for each thread.
"""

import io
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from onebox.errors import DataError, ImageError
from onebox.packed.parquet_shards import BYTES, Columns, opened

MOST_BYTES = 1 << 28
"""Bytes of the row groups that are kept, if they are more than one; not tuned."""


@dataclass(frozen=True, slots=True)
class Table:
    """A Parquet file at one time.

    Attributes:
        shard: Its path or URI.
        stamp: Changes when the file does (`onebox.stores.stamp`).
        columns: Where it keeps its images.
    """

    shard: str
    stamp: str
    columns: Columns


@dataclass(frozen=True, slots=True)
class ParquetImage:
    """An encoded image in a Parquet file.

    Attributes:
        table: The file.
        row: Number of its row, from 0.
        group: Number of its row group.
        row_of_group: Number of its row in the group.
        name: As the table states it.
        upright_wh: Width and height of the upright image, if the table states them.
    """

    table: Table
    row: int
    group: int
    row_of_group: int
    name: str
    upright_wh: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.table.shard}:row {self.row} {self.name}"

    @property
    def shard(self) -> str:
        """Path or URI of the file."""
        return self.table.shard

    def open(self) -> io.BytesIO:
        """Open the image, which is read with its row group.

        Raises:
            ImageError: If the file cannot be read.
        """
        return io.BytesIO(self.read())

    def read(self) -> bytes:
        """The encoded image.

        Raises:
            ImageError: If the file cannot be read, or has no such row, or no image in it.
        """
        try:
            cell = _CACHE.column(self.table, self.group)[self.row_of_group].as_py()
        except DataError as error:
            raise ImageError(f"{self}: {error}") from error
        except IndexError as error:
            raise ImageError(f"{self}: the file has changed. Read the data set again.") from error
        content: bytes | None = (cell or {}).get(BYTES) if self.table.columns.is_structure else cell
        if content is None:
            raise ImageError(f"{self}: has no image. Fill the cell, or remove the row.")
        return content


@dataclass(slots=True)
class _Group:
    """The images of a row group, once they are read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    column: Any = None


class _Cache:
    """The row groups that were read last; threads that want one group wait for one reading."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[Table, int], _Group] = OrderedDict()

    def column(self, table: Table, number: int) -> Any:  # noqa: ANN401 - Arrow is imported by name
        """The images of a row group, as an array of Arrow."""
        with self._lock:
            group = self._groups.setdefault((table, number), _Group())
            self._groups.move_to_end((table, number))
        with group.lock:
            if group.column is None:
                group.column = _read_group(table, number)
                self._forget_oldest()
            return group.column

    def _forget_oldest(self) -> None:
        with self._lock:
            while len(self._groups) > 1 and self._bytes() > MOST_BYTES:
                self._groups.popitem(last=False)

    def _bytes(self) -> int:
        read = [one.column for one in self._groups.values() if one.column is not None]
        return sum(column.nbytes for column in read)


def _read_group(table: Table, number: int) -> Any:  # noqa: ANN401
    columns = table.columns
    leaf = f"{columns.image}.{BYTES}" if columns.is_structure else columns.image
    with opened(table.shard) as file:
        if number >= file.num_row_groups:
            raise IndexError(number)
        return file.read_row_group(number, columns=[leaf], use_threads=False).column(0)


_CACHE = _Cache()
