"""Parquet: tables with a row for each image, the encoded image in a column.

::

    image {bytes, path}  label  x_min y_min x_max y_max  split  keypoints  width  height

Boxes are ``xyxy`` pixels of the upright image; an empty box is an image without the subject.
``keypoints`` are ``x, y, visibility`` one after the other. The Hugging Face ``datasets`` library
shows the images. Tables of that library are read too: a ``label`` that is a number of a class, and
``objects`` with ``bbox`` (``xywh`` pixels) and ``category``, as in its sets for object detection.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from onebox import stores
from onebox.errors import DataError, OneboxError
from onebox.formats.csv import CORNERS, NAMELESS
from onebox.formats.parquet_schema import LabelColumns, find_label_columns, schema, subjects_of
from onebox.formats.rows import ParsedLabels, Problems, Row, boxless_note
from onebox.formats.shard_labels import (
    ShardFacts,
    corners_of,
    facts_of,
    parse_facts,
    points_of,
    size_of_values,
    split_of,
    text_of,
)
from onebox.formats.shard_writing import Entry, ShardFile, write_shards
from onebox.formats.shards import Shard, parse_shards
from onebox.optional import require
from onebox.packed.image_in_parquet import ParquetImage, Table
from onebox.packed.parquet_shards import BYTES, PATH, SUFFIX, find_columns, opened
from onebox.structures import Dataset

_FACTS = b"onebox"
_GROUP_ROWS = 32  # an image is read with its row group
_GROUP_BYTES = 1 << 24

Cells = Mapping[str, Any]
"""The cells of a row, by column."""


def is_labels(path: Path) -> bool:
    """Whether a Parquet file has a column of images and columns of labels."""
    try:
        with opened(str(path)) as table:
            columns = find_columns(path.name, table.schema_arrow)
            find_label_columns(table.schema_arrow, columns, path.name)
    except OneboxError:
        return False
    return True


def parse(path: Path | str) -> ParsedLabels:
    """Read a Parquet file or a folder of them, with a problem for each row that cannot be used.

    Raises:
        DataError: If there are none.
        OneboxError: If pyarrow is not installed.
    """
    return parse_shards(path, SUFFIX, _parse_shard)


def write(dataset: Dataset, path: Path | str) -> None:
    """Write a data set as Parquet files, with its images as they are.

    A path that ends in ``.parquet`` is one file with all splits; any other is a folder to make,
    with files named after their splits.
    """
    arrow = require("pyarrow", extra="parquet", purpose="Parquet")
    parquet = require("pyarrow.parquet", extra="parquet", purpose="Parquet")
    labelled = schema(arrow, {_FACTS: facts_of(dataset).as_json().encode()})
    plain = [name for name in labelled.names if name != "image"]

    @contextmanager
    def create(file: Path) -> Iterator[ShardFile]:
        settings = {"compression": "none", "use_dictionary": plain, "write_statistics": plain}
        with parquet.ParquetWriter(file, labelled, **settings) as writer:
            table = _ParquetFile(arrow, writer)
            yield table
            table.flush()

    write_shards(dataset, path, SUFFIX, create)


@dataclass(slots=True)
class _ParquetFile:
    """A Parquet file that is being written, one row group at a time."""

    arrow: Any
    writer: Any
    rows: list[dict[str, Any]] = field(default_factory=list)
    group_bytes: int = 0

    def add(self, entry: Entry) -> None:
        """Add a row."""
        self.rows.append(_cells(entry))
        self.group_bytes += len(entry.content)
        if len(self.rows) == _GROUP_ROWS or self.group_bytes >= _GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are waiting as a row group."""
        if self.rows:
            self.writer.write_table(
                self.arrow.Table.from_pylist(self.rows, schema=self.writer.schema)
            )
        self.rows, self.group_bytes = [], 0


def _cells(entry: Entry) -> dict[str, Any]:
    sample, (width, height) = entry.sample, entry.size_wh
    has_box = sample.box is not None
    points = sample.keypoints and [float(value) for point in sample.keypoints for value in point]
    return {
        "image": {BYTES: entry.content, PATH: entry.name},
        "label": sample.label if has_box else None,
        **dict(zip(CORNERS, sample.box or (None,) * len(CORNERS), strict=True)),
        "split": sample.split,
        "keypoints": points,
        "width": width,
        "height": height,
    }


def _parse_shard(shard: Shard) -> ParsedLabels:
    problems = Problems()
    rows: list[Row] = []
    with opened(shard.name) as file:
        reader = _reader(shard, file)
        for image, cells in reader.images(file):
            origin = f"{shard.title}:row {image.row}"
            with problems.at(origin):
                rows.extend(reader.rows(origin, image, cells))
    facts = reader.facts
    return ParsedLabels(
        tuple(rows),
        classes=reader.columns.declared if facts.classes is None else facts.classes,
        keypoints=facts.keypoints,
        notes=boxless_note(shard.title, rows) if reader.columns.label else (),
        problems=tuple(problems.sentences),
    )


def _reader(shard: Shard, file: Any) -> "_Reader":  # noqa: ANN401 - Arrow is imported by name
    found = file.schema_arrow
    table = Table(shard.name, stores.stamp(shard.name), find_columns(shard.title, found))
    columns = find_label_columns(found, table.columns, shard.title)
    content = (found.metadata or {}).get(_FACTS)
    problems = Problems()
    facts = ShardFacts()
    with problems.at(shard.title):
        facts = facts if content is None else parse_facts(content)
    if problems.sentences:
        raise DataError(*problems.sentences)
    return _Reader(table, columns, facts)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the labels of one file, without its images."""

    table: Table
    columns: LabelColumns
    facts: ShardFacts

    def images(self, file: Any) -> Iterator[tuple[ParquetImage, Cells]]:  # noqa: ANN401
        """Each image with the cells of its labels, in order."""
        number = 0
        stem = stores.last_part(self.table.shard).removesuffix(SUFFIX)
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=list(self.columns.read)).to_pylist()
            for place, cells in enumerate(rows):
                name = self.columns.name_of(cells) or f"{stem}-{number}"
                yield ParquetImage(self.table, number, group, place, name), cells
                number += 1

    def rows(self, origin: str, image: ParquetImage, cells: Cells) -> Iterator[Row]:
        """The subjects of an image, or the image without a subject.

        Raises:
            DataError: If a cell is wrong.
        """
        columns = self.columns
        size = size_of_values(cells.get("width"), cells.get("height"))
        if self.facts.has_upright_sizes:
            image = replace(image, upright_wh=size)
        row = Row(origin, image, split=split_of(cells.get("split")), stated_wh=size)
        if columns.objects is not None:
            yield from subjects_of(row, cells.get(columns.objects.name), columns.objects)
            return
        yield replace(
            row,
            label=self._label(cells),
            box=corners_of({name: cells[name] for name in CORNERS}),
            keypoints=points_of(cells.get("keypoints"), self.facts.keypoints),
        )

    def _label(self, cells: Cells) -> str | None:
        if self.columns.label is None:
            return NAMELESS
        value = cells[self.columns.label]
        return text_of("label", self.columns.named(value))
