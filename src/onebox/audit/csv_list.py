"""``audit.csv``: every finding as a row, written for a person to edit, and read back.

A person removes rows, or writes ``no`` under ``listed``, and may correct a suggestion. Paths of
images are relative to the file's folder.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import get_args

from onebox.audit.corrections import EXCHANGED, Correction
from onebox.audit.records import Audit, Finding, ListName
from onebox.errors import DataError, format_box, shorten, suggest
from onebox.files import real_path, write_atomically
from onebox.formats.csv import CORNERS, format_row, read_table
from onebox.formats.rows import Problems
from onebox.formats.writing import format_number, format_path
from onebox.image_sizes import size_of
from onebox.structures import Box, Dataset, Sample, as_box, box_problem

Cells = Mapping[str, str]
"""Cells of a row by the names of their columns."""

SUGGESTED = tuple(f"suggested_{corner}" for corner in CORNERS)
"""Columns of a suggested box. Their names keep the file from being read as labels."""

COLUMNS = (
    *("image", "list", "rank", "score", "p_value", "q_value", "listed", "kind", "side", "given"),
    *(*SUGGESTED, "suggested_label", "suggested_keypoints", "why"),
)
_READ = ("image", "list", "listed", *SUGGESTED, "suggested_label", "suggested_keypoints")
_LISTED = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
_LISTS: tuple[ListName, ...] = get_args(ListName)


@dataclass(frozen=True, slots=True)
class ListedRow:
    """A row that is listed.

    Attributes:
        correction: What it suggests; it may be empty.
        kind: What seems wrong, in one or two words; empty if the file does not say.
        why: One sentence; empty likewise.
    """

    correction: Correction
    kind: str
    why: str


def write_list(audit: Audit, data: Dataset, path: Path) -> None:
    """Write all findings: boxes, classes, then checks, each list by rank.

    Raises:
        OneboxError: If the disk refuses.
    """
    found = (_cells(one, data.samples[one.row], path.parent) for one in audit.findings())
    rows = ([cells.get(name, "") for name in COLUMNS] for cells in found)
    table = "".join(f"{format_row(cells)}\n" for cells in chain([COLUMNS], rows))
    write_atomically(path, table.encode("utf-8", errors="replace"))


def read_corrections(path: Path, data: Dataset) -> list[Correction]:
    """Read the corrections of the rows that are listed; rows without a suggestion change nothing.

    Columns that a correction does not need may be missing.

    Raises:
        DataError: If the file or rows of it are wrong; ``problems`` lists all, with their lines.
    """
    listed = (row.correction for row in read_listed(path, data))
    return [one for one in listed if not one.is_empty]


def read_listed(path: Path, data: Dataset) -> list[ListedRow]:
    """Read the rows that are listed, with a suggestion or without, in their order.

    Raises:
        DataError: As `read_corrections`.
    """
    header, rows = _read(path)
    reader = _Reader(data, real_path(path.parent), _rows_of(data))
    problems = Problems()
    found: list[ListedRow] = []
    for line, cells in rows:
        with problems.at(f"{path.name}:{line}"):
            found.extend(reader.read(_by_column(header, cells)))
    if problems.sentences:
        raise DataError(*problems.sentences)
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one row at a time."""

    data: Dataset
    folder: Path  # which paths of images are relative to
    rows: Mapping[Path | str, int]  # image → row of the data set

    def read(self, cells: Cells) -> Iterator[ListedRow]:
        """The row, if it is listed.

        Raises:
            DataError: If a cell is wrong.
        """
        row = self._row(cells["image"])
        sample = self.data.samples[row]
        one = Correction(
            row,
            _list(cells["list"]),
            self._box(cells, sample),
            self._label(cells["suggested_label"]),
            self._swaps(cells["suggested_keypoints"]),
        )
        if sample.box is None and (one.box is None) != (one.label is None):
            raise DataError(
                "the image has no subject so far. Suggest both a box and a label, or neither."
            )
        if _is_listed(cells["listed"]):
            yield ListedRow(one, cells.get("kind", ""), cells.get("why", ""))

    def _row(self, name: str) -> int:
        image = name if name in self.rows else _located(self.folder / name)
        if image in self.rows:
            return self.rows[image]
        names = [known.name if isinstance(known, Path) else known for known in self.rows]
        raise DataError(
            f"image '{name}' is not in {self.data.name or 'the data set'}."
            f"{suggest(Path(name).name, names)} Name the data set that "
            "was audited, and keep the list in the folder where the audit wrote it: paths are "
            "relative to it."
        )

    def _box(self, cells: Cells, sample: Sample) -> Box | None:
        words = [cells[column] for column in SUGGESTED]
        if not any(words):
            return None
        box = as_box(_number(*cell) for cell in zip(SUGGESTED, words, strict=True))
        if problem := box_problem(box):
            raise DataError(f"suggested {problem}")
        width, height = size_of(sample)
        if min(box) < 0 or box[2] > width or box[3] > height:
            raise DataError(
                f"suggested box {format_box(box)} passes the frame of {width} x {height} pixels. "
                "Correct or remove it."
            )
        return box

    def _label(self, word: str) -> str | None:
        if word and word not in self.data.classes:
            raise DataError(
                f"suggested_label '{word}' is not one of {shorten(self.data.classes)}."
                f"{suggest(word, self.data.classes)} Correct or remove it."
            )
        return word or None

    def _swaps(self, word: str) -> bool:
        if word not in {"", EXCHANGED}:
            raise DataError(
                f"suggested_keypoints is '{word}'. Write '{EXCHANGED}', or leave it empty."
            )
        if word and self.data.keypoints is None:
            raise DataError(
                "suggested_keypoints is not empty, but the data set has no keypoints. Remove it."
            )
        return bool(word)


def _read(path: Path) -> tuple[Sequence[str], Sequence[tuple[int, list[str]]]]:
    try:
        (line, header), *rows = read_table(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Correct the path.") from error
    missing = [name for name in _READ if name not in header]
    if missing:
        raise DataError(
            f"{path.name}:{line}: has no column {shorten(missing)}; its first row is "
            f"{shorten(header)}. Use an audit.csv that onebox audit wrote."
        )
    return header, rows


def _by_column(header: Sequence[str], cells: Sequence[str]) -> Cells:
    if len(cells) < len(header):
        raise DataError(
            f"has {len(cells)} cells; {len(header)} are needed. Write the missing cells, empty if "
            "need be."
        )
    return dict(zip(header, cells, strict=False))


def _rows_of(data: Dataset) -> dict[Path | str, int]:
    """The row of each image: by the path of a file, by the name of an image in a shard."""
    images = ((row, sample.encoded) for row, sample in enumerate(data))
    return {
        _located(image) if isinstance(image, Path) else str(image): row
        for row, image in images
        if image is not None
    }


def _located(image: Path) -> Path:
    """The path of an image with the links of its folder followed, as `format_path` writes it."""
    try:
        return real_path(image.parent) / image.name
    except (OSError, ValueError):  # a name that no file can have
        return image


def _list(word: str) -> ListName:
    for name in _LISTS:
        if word == name:
            return name
    raise DataError(f"list '{word}' is not one of {', '.join(_LISTS)}.{suggest(word, _LISTS)}")


def _is_listed(word: str) -> bool:
    if word.casefold() not in _LISTED:
        raise DataError(f"listed is '{word}', which is neither yes nor no. Write one of them.")
    return _LISTED[word.casefold()]


def _number(column: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        hint = f" Write {word.replace(',', '.')}." if "," in word else " Correct it."
        problem = f"is '{word}', which is not a number." if word else "is empty."
        end = hint if word else " Write all four edges, or none."
        raise DataError(f"{column} {problem}{end}") from None


def _cells(one: Finding, sample: Sample, folder: Path) -> dict[str, str]:
    edges = [""] * len(SUGGESTED) if one.box is None else map(format_number, one.box)
    image = sample.image
    return {
        "image": format_path(image, folder) if isinstance(image, Path) else sample.name,
        "list": one.list,
        "rank": str(one.rank),
        "score": f"{one.score:.4g}",
        "p_value": "" if one.p_value is None else f"{one.p_value:.3g}",
        "q_value": "" if one.q_value is None else f"{one.q_value:.3g}",
        "listed": "yes" if one.is_listed else "no",
        "kind": one.kind,
        "side": one.side,
        "given": one.given,
        **dict(zip(SUGGESTED, edges, strict=True)),
        "suggested_label": one.label or "",
        "suggested_keypoints": EXCHANGED if one.swaps_keypoints else "",
        "why": one.why,
    }
