"""Edits CSV label files: rows of other images keep their bytes.

A changed row keeps its other cells; a new row has empty ones. A file that is missing or empty gets
the header of `onebox.formats.csv`.
"""

import csv as csv_module
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onebox.errors import DataError
from onebox.formats import csv
from onebox.formats.edits import (
    Edited,
    Edits,
    Replacement,
    closest,
    may_name,
    names_of,
    new_name,
    read_or_none,
)
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.rows import ParsedLabels
from onebox.formats.writing import format_number
from onebox.image_sizes import size_of
from onebox.structures import Box, Sample

_BOM = "\ufeff"
_BLANK = _BOM.encode() + b" \t\r\n"


Rows = dict[int, "_Record | None"]


@dataclass(frozen=True, slots=True)
class _Record:
    """A row of the file: its text with the line end, and its cells; no cells if it is blank."""

    text: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the rows of a file are written."""

    columns: csv.Columns
    width: int  # cells of a row
    delimiter: str
    line_end: str
    states_splits: bool = True

    def cell(self, record: _Record, column: str) -> str:
        """A cell as reading gives it; empty if the column or the cell is missing."""
        index = self.columns.get(column, len(record.cells))
        cell = record.cells[index].strip() if index < len(record.cells) else ""
        return cell.replace("\r\n", "\n").replace("\r", "\n")

    def record(self, cells: Sequence[str], line_end: str) -> _Record:
        """A row with these cells."""
        return _Record(csv.format_row(cells, self.delimiter) + line_end, list(cells))


def files(path: Path) -> list[Path]:
    """The files that hold the labels."""
    return [path]


def parse(path: Path) -> ParsedLabels:
    """Read a CSV label file, which may be missing or empty; see `onebox.formats.csv.parse`.

    Raises:
        DataError: If it is not a CSV label file.
    """
    content = read_or_none(path) or b""
    return csv.parse(path) if content.strip(_BLANK) else ParsedLabels(())


def edit(path: Path, edits: Edits) -> Edited:
    """Change labels in a CSV file.

    Returns:
        The file with the new labels. An image that has several rows gets one. Columns ``width``
        and ``height`` get the size of the upright image, to which the new box belongs.

    Raises:
        DataError: If the file is not a CSV label file.
    """
    old = read_or_none(path)
    head, rows, layout = _take_apart(path.name, old or b"")
    finder = ImageFinder(path.parent, path.stem)
    found = _find(rows, layout, finder, edits)
    refused = {}
    for image, sample in edits.samples.items():
        try:
            if sample is not None and image not in found:
                name = new_name(image, path.parent, finder)
                rows[len(rows)] = _new_record(sample, name, layout)
            else:
                rows |= _changed(found.get(image, []), rows, sample, layout)
        except DataError as error:
            refused[image] = str(error)
    kept = [record for record in rows.values() if record is not None]
    new = _joined([*head, *kept], layout.line_end).encode()
    return Edited((Replacement(path, old, new),), refused)


def _take_apart(name: str, content: bytes) -> tuple[list[_Record], Rows, _Layout]:
    """The rows up to the header, the rows after it by number, and the layout of both."""
    text = content.decode("utf-8")
    mark, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    line_end = next((end for end in ("\r\n", "\n", "\r") if end in text), "\n")
    delimiter = csv.delimiter_of(text)
    records = list(_records(text, delimiter))
    first = next((number for number, record in enumerate(records) if any(record.cells)), None)
    if first is None:
        columns: csv.Columns = {column: index for index, column in enumerate(csv.HEADER)}
        layout = _Layout(columns, len(columns), ",", line_end)
        return [_Record(mark, []), layout.record(csv.HEADER, line_end)], {}, layout
    cells = [cell.strip() for cell in records[first].cells]
    columns, has_header = csv.columns_of(name, [(first + 1, cells)])
    layout = _Layout(columns, len(cells), delimiter, line_end)
    start = first + 1 if has_header else first
    rows: Rows = dict(enumerate(records[start:]))
    filled = [layout.cell(record, "split") for record in records[start:] if any(record.cells)]
    layout = replace(layout, states_splits=not filled or any(filled))
    return [_Record(mark, []), *records[:start]], rows, layout


def _records(text: str, delimiter: str) -> Iterator[_Record]:
    lines = list(io.StringIO(text, newline=""))  # each with its own line end
    reader = csv_module.reader(lines, delimiter=delimiter, strict=True)
    start = 0
    for cells in reader:
        yield _Record("".join(lines[start : reader.line_num]), cells)
        start = reader.line_num


def _find(rows: Rows, layout: _Layout, finder: ImageFinder, edits: Edits) -> dict[Path, list[int]]:
    """The numbers of the rows of each image that is edited and has rows."""
    names = names_of(edits.samples)
    found: dict[Path, list[int]] = {}
    for number, record in rows.items():
        name = layout.cell(record, "image") if record is not None else ""
        if may_name(name, names) and (image := finder.find(name)) in edits.samples:
            found.setdefault(image, []).append(number)
    return found


def _changed(numbers: Sequence[int], rows: Rows, sample: Sample | None, layout: _Layout) -> Rows:
    """The rows of one image as they become: one with the new label, none if there is no sample."""
    removed: Rows = dict.fromkeys(numbers)
    if sample is None:
        return removed
    records = [record for number in numbers if (record := rows[number]) is not None]
    kept = closest([_content(record, layout) for record in records], sample)
    return removed | {numbers[kept]: _relabelled(records[kept], sample, layout)}


def _content(record: _Record, layout: _Layout) -> tuple[str | None, Box | None]:
    by_column = {column: layout.cell(record, column) for column in layout.columns}
    return by_column.get("label"), csv.parse_box(by_column)


def _relabelled(record: _Record, sample: Sample, layout: _Layout) -> _Record:
    cells = list(record.cells)
    for column, text in _texts(sample, layout).items():
        cells[layout.columns[column]] = text
    if all(layout.cell(record, name) for name in ("width", "height")):
        for column, text in _size_texts(sample, layout).items():
            cells[layout.columns[column]] = text
    end = record.text[len(record.text.rstrip("\r\n")) :]
    return layout.record(cells, end)


def _new_record(sample: Sample, name: str, layout: _Layout) -> _Record:
    texts = {"image": name} | _texts(sample, layout) | _size_texts(sample, layout)
    if "split" in layout.columns and layout.states_splits:
        texts["split"] = sample.split
    cells = [""] * layout.width
    for column, text in texts.items():
        cells[layout.columns[column]] = text
    return layout.record(cells, layout.line_end)


def _texts(sample: Sample, layout: _Layout) -> dict[str, str]:
    """The cells that hold a label.

    Raises:
        DataError: If the file has no column for its class.
    """
    numbers = [format_number(edge) for edge in sample.box or ()]
    texts = dict(zip(csv.CORNERS, numbers or [""] * len(csv.CORNERS), strict=True))
    if "bbox" in layout.columns:
        texts = {"bbox": f"[{', '.join(numbers)}]"}
    if "label" in layout.columns:
        return texts | {"label": sample.label or ""}
    if sample.label not in {None, csv.NAMELESS}:
        raise DataError(
            f"{sample.name}: class {sample.label!r} cannot be written, for the label file has no "
            f"column 'label': all its subjects are called {csv.NAMELESS!r}. Add the column."
        )
    return texts


def _size_texts(sample: Sample, layout: _Layout) -> dict[str, str]:
    sizes = dict(zip(("width", "height"), map(str, size_of(sample)), strict=True))
    return {column: text for column, text in sizes.items() if column in layout.columns}


def _joined(records: Sequence[_Record], line_end: str) -> str:
    """The text of all rows; a row that was the last one gets a line end if others follow."""
    texts = [record.text for record in records if record.text]
    ended = [text if text == _BOM or text[-1] in "\r\n" else text + line_end for text in texts[:-1]]
    return "".join([*ended, *texts[-1:]])
