"""CSV label files: one row an image, in one of three layouts.

::

    image,label,x_min,y_min,x_max,y_max[,split]     named columns, in any order
    cat.jpg,10,20,110,220,cat                       no header: file, corners, label
    image,bbox[,label][,split]                      the box as a list: "[10, 20, 110, 220]"

Boxes are ``xyxy`` pixels. A row with an empty box is an image without the subject.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from onebox.errors import DataError, shorten, suggest
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.rows import ParsedLabels, Problems, Row, boxless_note
from onebox.formats.splitting import parse_split
from onebox.formats.writing import check_names, creating, format_number, format_path, image_file
from onebox.images import SUFFIXES
from onebox.structures import Box, Dataset, Sample, as_box

Columns = Mapping[str, int]
Cells = list[str]
NumberedCells = tuple[int, Cells]

CORNERS = ("x_min", "y_min", "x_max", "y_max")
HEADER = ("image", "label", *CORNERS, "split")
LIST_HEADER = ("image", "bbox", "label")

NAMELESS = "object"
"""Label of every subject in a file without a column for labels."""

_ALIASES: dict[str, tuple[str, ...]] = {
    "image": ("filename", "file", "path", "file_name", "image_path", "image_name", "img"),
    "label": ("class", "class_name", "category", "name"),
    "x_min": ("xmin", "x1", "left"),
    "y_min": ("ymin", "y1", "top"),
    "x_max": ("xmax", "x2", "right"),
    "y_max": ("ymax", "y2", "bottom"),
    "bbox": ("box", "bounding_box"),
    "split": ("subset", "set"),
    "width": (),
    "height": (),
}
_COLUMN_OF = {alias: name for name, aliases in _ALIASES.items() for alias in (name, *aliases)}
_WEAK = frozenset({"name", "set"})
_HEADERLESS: Columns = {name: index for index, name in enumerate(("image", *CORNERS, "label"))}
_DELIMITERS = (",", ";", "\t")


def is_labels(path: Path) -> bool:
    """Whether the first row of a file is that of a CSV label file."""
    try:
        columns_of(path.name, read_table(path))
    except DataError:
        return False
    return True


def parse(path: Path) -> ParsedLabels:
    """Read a CSV label file, with a problem for each row that cannot be used.

    The file is UTF-8, with or without a byte order mark, delimited by comma, semicolon or tab.

    Raises:
        DataError: If it is not a CSV label file; the message says what is missing.
    """
    table = read_table(path)
    columns, has_header = columns_of(path.name, table)
    finder = ImageFinder(path.parent, path.stem)
    problems = Problems()
    rows = []
    for line, cells in table[1:] if has_header else table:
        origin = f"{path.name}:{line}"
        with problems.at(origin):
            rows.append(_row(origin, cells, columns, finder))
    notes = _unused_columns_note(path.name, table[0][1], columns) if has_header else ()
    if "label" in columns:
        notes += boxless_note(path.name, rows)
    return ParsedLabels(tuple(rows), notes=notes, problems=tuple(problems.sentences))


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set without keypoints as one CSV file with named columns.

    Paths of images are relative to the file's folder. The format does not hold the order of the
    classes: reading sorts them.

    Raises:
        DataError: If the format cannot hold the name of a class or of an image.
    """
    images = map(image_file, dataset)
    check_names(dataset, {image: [format_path(image, path.parent)] for image in images})
    with creating(path) as unfinished:
        _write_table(unfinished, HEADER, (_cells(sample, path.parent) for sample in dataset))


def write_boxes(samples: Iterable[Sample], path: Path) -> None:
    """Write samples that all have a box as ``image,bbox,label``, without their splits.

    Reading the file therefore chooses a split for each image. Paths of images are relative to the
    file's folder.
    """
    _write_table(path, LIST_HEADER, (_list_cells(sample, path.parent) for sample in samples))


def read_table(path: Path) -> list[NumberedCells]:
    """Read the rows of a CSV file that are not empty, each with its line number.

    The file is UTF-8, with or without a byte order mark, delimited by comma, semicolon or tab.

    Raises:
        DataError: If it is not UTF-8, its quotes are wrong, or it is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name}: is not UTF-8 text ({error.reason}). Save it as UTF-8."
        ) from error
    rows = csv.reader(io.StringIO(text), delimiter=delimiter_of(text), strict=True)
    try:
        table = [(rows.line_num, [cell.strip() for cell in cells]) for cells in rows]
    except csv.Error as error:
        raise DataError(
            f"{path.name}:{rows.line_num}: is not CSV ({error}). Correct the quotes."
        ) from error
    filled = [(line, cells) for line, cells in table if any(cells)]
    if not filled:
        raise DataError(f"{path.name}: is empty. Write one row for each image.")
    return filled


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{format_row(cells)}\n" for cells in chain([header], rows))


def format_row(cells: Iterable[object], delimiter: str = ",") -> str:
    """The text of a row, without its line end."""
    line = io.StringIO()
    # For a line end in a cell, quotes are written only if it is among those of the table.
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n")


def _cells(sample: Sample, folder: Path) -> Sequence[str]:
    box = ["", "", "", ""] if sample.box is None else map(format_number, sample.box)
    label = "" if sample.box is None else sample.label or ""
    return [format_path(image_file(sample), folder), label, *box, sample.split]


def _list_cells(sample: Sample, folder: Path) -> Sequence[str]:
    box = ", ".join(map(format_number, sample.box or ()))
    return [format_path(image_file(sample), folder), f"[{box}]", sample.label or ""]


def delimiter_of(text: str) -> str:
    """The delimiter that splits the first line into the most cells."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))


def columns_of(name: str, table: list[NumberedCells]) -> tuple[Columns, bool]:
    """The index of each known column, and whether the first row is a header.

    Args:
        name: Name of the file, for messages.
        table: Rows that are not empty, with stripped cells; at least one.

    Raises:
        DataError: If a column is missing.
    """
    line, first = table[0]
    if _is_headerless(first):
        return _HEADERLESS, False
    columns: dict[str, int] = {}
    # Beside another word of the same meaning, these two more likely have another one.
    words = sorted(enumerate(map(_normalize, first)), key=lambda one: one[1] in _WEAK)
    for index, word in words:
        if word in _COLUMN_OF:
            columns.setdefault(_COLUMN_OF[word], index)
    missing = [column for column in _required(columns) if column not in columns]
    if problem := _missing_problem(missing, first) or _typo_problem(first, columns):
        raise DataError(f"{name}:{line}: {problem}")
    return columns, True


def _is_headerless(cells: Cells) -> bool:
    if len(cells) != len(_HEADERLESS):
        return False
    return Path(cells[0]).suffix.lower() in SUFFIXES or all(map(_is_number, cells[1:5]))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _normalize(word: str) -> str:
    return re.sub(r"[\s\-]+", "_", word.casefold())


def _required(columns: Columns) -> tuple[str, ...]:
    return ("image", "bbox") if "bbox" in columns else HEADER[:-1]


def _unknown(first: Cells) -> list[str]:
    return [column for column in first if _normalize(column) not in _COLUMN_OF]


def _missing_problem(missing: Sequence[str], first: Cells) -> str:
    if not missing:
        return ""
    problem = f"has no column {', '.join(missing)}; its first row is {shorten(first)}."
    suggestions = [
        f"{column!r}:{suggestion}"
        for column in _unknown(first)
        if (suggestion := suggest(column, missing))
    ]
    layouts = f"The columns are {','.join(HEADER)} (split may be left out), or image,bbox."
    return " ".join([problem, *(suggestions or [layouts])])


def _typo_problem(first: Cells, columns: Columns) -> str:
    """Say which unknown column resembles an optional one; empty if none does."""
    optional = [name for name in ("split", "label") if name not in columns]
    for column in _unknown(first):
        if suggestion := suggest(column, optional):
            return f"column {column!r} is not known.{suggestion}"
    return ""


def _unused_columns_note(name: str, first: Cells, columns: Columns) -> tuple[str, ...]:
    used = set(columns.values())
    unused = [column for index, column in enumerate(first) if index not in used]
    return (f"{name}: columns not used: {shorten(unused)}.",) if unused else ()


def _row(origin: str, cells: Cells, columns: Columns, finder: ImageFinder) -> Row:
    if len(cells) <= max(columns.values()):
        raise DataError(
            f"has {len(cells)} cells; at least {max(columns.values()) + 1} are needed. Write the "
            "missing cells, empty if need be."
        )
    by_column = {name: cells[index] for name, index in columns.items()}
    if not by_column["image"]:
        raise DataError("names no image. Write its path, or remove the row.")
    return Row(
        origin,
        finder.find(by_column["image"]),
        label=by_column.get("label", NAMELESS) or None,
        box=parse_box(by_column),
        split=parse_split(by_column.get("split", "")),
        stated_wh=_stated_size(by_column),
    )


def parse_box(by_column: Mapping[str, str]) -> Box | None:
    """The box of a row, given its cells by column; None if it has none.

    Raises:
        DataError: If it is not four numbers.
    """
    return _parse_list(by_column["bbox"]) if "bbox" in by_column else _parse_corners(by_column)


def _parse_corners(by_column: Mapping[str, str]) -> Box | None:
    words = {name: by_column[name] for name in CORNERS}
    empty = [name for name, word in words.items() if not word]
    if len(empty) == len(CORNERS):
        return None
    if empty:
        raise DataError(
            f"{', '.join(empty)} is empty. Write all four numbers, or none for an image without "
            "the subject."
        )
    return as_box(_parse_number(name, word) for name, word in words.items())


def _parse_list(cell: str) -> Box | None:
    if not cell.strip("[]() "):
        return None
    words = [word for word in re.split(r"[,;\s]+", cell.strip("[]() ")) if word]
    if len(words) != len(CORNERS):
        raise DataError(
            f'bbox {cell!r} has {len(words)} values; it is written "[x_min, y_min, x_max, '
            'y_max]", in quotes.'
        )
    return as_box(_parse_number("bbox", word) for word in words)


def _parse_number(name: str, word: str) -> float:
    if not _is_number(word):
        raise DataError(f"{name} is {word!r}, which is not a number. Correct it.")
    return float(word)


def _stated_size(by_column: Mapping[str, str]) -> tuple[int, int] | None:
    words = [by_column.get(name, "") for name in ("width", "height")]
    if not all(words):
        return None
    for word in words:
        if not word.isdecimal():
            raise DataError(
                f"width or height is {word!r}, which is not a whole number. Correct it."
            )
    try:
        return int(words[0]), int(words[1])
    except ValueError:  # too many digits for `int`
        raise DataError(
            f"width or height has {max(map(len, words))} digits, which is no size of an image. "
            "Correct it."
        ) from None
