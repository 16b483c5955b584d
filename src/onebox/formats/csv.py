"""CSV label files: one row an image, in one of three layouts.

::

    image,label,x_min,y_min,x_max,y_max[,split]     named columns, in any order
    cat.jpg,10,20,110,220,cat                       no header: file, corners, label
    image,bbox[,label][,split]                      the box as a list: "[10, 20, 110, 220]"

Boxes are ``xyxy`` pixels. A row whose box is empty is an image without the subject.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from onebox.errors import DataError, shorten, suggest
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.rows import Labels, Problems, Row, counted
from onebox.formats.splitting import named_split
from onebox.formats.writing import image_of, number_text, path_text, replacing
from onebox.images import SUFFIXES
from onebox.structures import Box, Dataset, Sample

Columns = Mapping[str, int]
Cells = list[str]

CORNERS = ("x_min", "y_min", "x_max", "y_max")
HEADER = ("image", "label", *CORNERS, "split")

NAMELESS = "object"
"""The label of every subject where a file has no column for labels."""

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
_HEADERLESS: Columns = {"image": 0, **{name: at for at, name in enumerate(CORNERS, 1)}, "label": 5}
_DELIMITERS = (",", ";", "\t")


def is_labels(path: Path) -> bool:
    """Whether a file's first row is that of a CSV label file."""
    try:
        table = _read_table(path)
        _columns_of(path.name, table)
    except DataError:
        return False
    return True


def parse(path: Path) -> Labels:
    """Read a CSV label file.

    Args:
        path: The file; UTF-8, with or without a byte order mark, delimited by comma, semicolon or
            tab.

    Returns:
        What it says, with a sentence for each row that cannot be used.

    Raises:
        DataError: If it is no CSV label file; the message says what is missing.
    """
    table = _read_table(path)
    columns, has_header = _columns_of(path.name, table)
    finder = ImageFinder(path.parent, path.stem)
    problems = Problems()
    rows = []
    for line, cells in table[1:] if has_header else table:
        origin = f"{path.name}:{line}"
        with problems.at(origin):
            rows.append(_row(origin, cells, columns, finder))
    notes = _unused(path.name, table[0][1]) if has_header else ()
    if "label" in columns:
        notes += _boxless(path.name, rows)
    return Labels(tuple(rows), notes=notes, problems=tuple(problems.sentences))


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as one CSV file with named columns.

    Images are named relative to the file's folder. Keypoints have no column here, and neither has
    the order of the classes: on reading they are sorted.

    Args:
        dataset: Without keypoints.
        path: The file to make.
    """
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        table.writerows(_cells(sample, path.parent) for sample in dataset)


def _cells(sample: Sample, folder: Path) -> Sequence[str]:
    box = ["", "", "", ""] if sample.box is None else [number_text(value) for value in sample.box]
    label = "" if sample.box is None else sample.label or ""
    return [path_text(image_of(sample), folder), label, *box, sample.split]


def _read_table(path: Path) -> list[tuple[int, Cells]]:
    """Return the rows that are not blank, each with its line.

    Raises:
        DataError: If the file is not text in rows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: is not UTF-8 text ({error.reason}). Save it so.") from error
    rows = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True)
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


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))


def _columns_of(name: str, table: list[tuple[int, Cells]]) -> tuple[Columns, bool]:
    line, first = table[0]
    if _is_headerless(first):
        return _HEADERLESS, False
    columns: dict[str, int] = {}
    for at, word in enumerate(map(_folded, first)):
        if word in _COLUMN_OF:
            columns.setdefault(_COLUMN_OF[word], at)
    missing = [column for column in _needed(columns) if column not in columns]
    if missing:
        raise DataError(f"{name}:{line}: {_missing_text(missing, first)}")
    if slip := _slip(first, columns):
        raise DataError(f"{name}:{line}: {slip}")
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


def _folded(word: str) -> str:
    return re.sub(r"[\s\-]+", "_", word.casefold())


def _needed(columns: Columns) -> tuple[str, ...]:
    return ("image", "bbox") if "bbox" in columns else HEADER[:-1]


def _missing_text(missing: Sequence[str], first: Cells) -> str:
    found = f"has no column {', '.join(missing)}; its first row is {shorten(first)}."
    slips = [
        f"{column!r}:{hint}"
        for column in first
        if _folded(column) not in _COLUMN_OF and (hint := suggest(column, missing))
    ]
    layouts = f" The columns are {','.join(HEADER)} (split may be left out), or image,bbox."
    return found + (" " + " ".join(slips) if slips else layouts)


def _slip(first: Cells, columns: Columns) -> str:
    """Say which unknown column looks like one that would otherwise be passed over in silence."""
    optional = [name for name in ("split", "label") if name not in columns]
    for column in first:
        hint = suggest(column, optional)
        if _folded(column) not in _COLUMN_OF and hint:
            return f"column {column!r} is not known.{hint}"
    return ""


def _unused(name: str, first: Cells) -> tuple[str, ...]:
    unused = [column for column in first if _folded(column) not in _COLUMN_OF]
    return (f"{name}: columns not used: {shorten(unused)}.",) if unused else ()


def _boxless(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    count = sum(row.box is None and row.label is not None for row in rows)
    told = counted(count, "row has a label and no box", "rows have a label and no box")
    return (f"{name}: {told}: read as without the subject.",) if count else ()


def _row(origin: str, cells: Cells, columns: Columns, finder: ImageFinder) -> Row:
    if len(cells) <= max(columns.values()):
        raise DataError(
            f"has {len(cells)} cells where at least {max(columns.values()) + 1} are needed. Write "
            "the missing ones, empty if need be."
        )
    said = {name: cells[at] for name, at in columns.items()}
    if not said["image"]:
        raise DataError("names no image. Write its path, or remove the row.")
    box = _listed_box(said["bbox"]) if "bbox" in said else _corners(said)
    return Row(
        origin,
        finder.find(said["image"]),
        label=said.get("label", NAMELESS) or None,
        box=box,
        split=named_split(said.get("split", "")),
        stated_wh=_stated_size(said),
    )


def _corners(said: Mapping[str, str]) -> Box | None:
    words = {name: said[name] for name in CORNERS}
    empty = [name for name, word in words.items() if not word]
    if len(empty) == len(CORNERS):
        return None
    if empty:
        raise DataError(
            f"{', '.join(empty)} is empty. Write all four numbers, or none for an image without "
            "the subject."
        )
    return _box([_number(name, word) for name, word in words.items()])


def _listed_box(cell: str) -> Box | None:
    if not cell.strip("[]() "):
        return None
    words = [word for word in re.split(r"[,;\s]+", cell.strip("[]() ")) if word]
    if len(words) != len(CORNERS):
        raise DataError(
            f'bbox {cell!r} has {len(words)} values; it is written "[x_min, y_min, x_max, '
            'y_max]", in quotes.'
        )
    return _box([_number("bbox", word) for word in words])


def _box(values: Sequence[float]) -> Box:
    x_min, y_min, x_max, y_max = values
    return x_min, y_min, x_max, y_max


def _number(name: str, word: str) -> float:
    if not _is_number(word):
        raise DataError(f"{name} is {word!r}, which is not a number. Correct it.")
    return float(word)


def _stated_size(said: Mapping[str, str]) -> tuple[int, int] | None:
    words = [said.get(side, "") for side in ("width", "height")]
    if not all(words):
        return None
    for word in words:
        if not word.isdecimal():
            raise DataError(f"width or height is {word!r}, which is no size. Correct it.")
    return int(words[0]), int(words[1])
