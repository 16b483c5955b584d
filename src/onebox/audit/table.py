"""``audit.csv``: one row for each finding, to be read by people, edited, and applied."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from onebox.audit.corrections import EXCHANGED, Correction
from onebox.audit.records import Audit, Finding
from onebox.errors import DataError, suggest
from onebox.files import write_atomically
from onebox.formats.csv import read_table
from onebox.formats.writing import format_path
from onebox.structures import Box, Dataset, Sample, as_box, box_problem

COLUMNS = (
    "image", "list", "rank", "score", "p_value", "q_value", "listed", "kind", "side", "given",
    "suggested", "why",
)  # fmt: skip
"""Columns of the file. ``listed`` says whether the row is in its list: ``yes`` or ``no``."""

_NEEDED = ("image", "list", "listed", "suggested")  # to apply a row
_LISTS = ("boxes", "classes", "checks")
_ANSWERS = {"yes": True, "no": False}
_SIDES = 4

Row = Mapping[str, str]


def write_table(audit: Audit, data: Dataset, path: Path) -> None:
    """Write all findings; paths of images are relative to the file's folder.

    Raises:
        OneboxError: If the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for finding in audit.findings():
        table.writerow(_cells(finding, data.samples[finding.row], path.parent))
    write_atomically(path, text.getvalue().encode("utf-8"))


def read_corrections(path: Path, data: Dataset) -> list[Correction]:
    """The corrections of an ``audit.csv`` that a person may have edited.

    Rows that are not listed, or suggest nothing, are passed over.

    Raises:
        DataError: If the file cannot be read, or rows are wrong; the message names each.
    """
    problems: list[str] = []
    corrections = []
    places = _places(data)
    for line, row in _rows(path):
        try:
            correction = _correction(row, data, _index_of(row["image"], path.parent, places))
        except DataError as error:
            problems += [f"{path.name}:{line}: {problem}" for problem in error.problems]
            continue
        if correction is not None:
            corrections.append(correction)
    if problems:
        raise DataError(*problems)
    return corrections


def as_record(finding: Finding, sample: Sample) -> dict[str, object]:
    """A finding for JSON."""
    return {
        "image": sample.name,
        "list": finding.list,
        "rank": finding.rank,
        "score": finding.score,
        "p_value": finding.p_value,
        "q_value": finding.q_value,
        "listed": finding.is_listed,
        "kind": finding.kind,
        "side": finding.side,
        "given": finding.given,
        "suggested": finding.suggested,
        "why": finding.why,
    }


def _cells(finding: Finding, sample: Sample, folder: Path) -> Sequence[str]:
    record = {
        **as_record(finding, sample),
        "image": _image(sample, folder),
        "score": "" if finding.list == "checks" else f"{finding.score:.4g}",
        "p_value": _format(finding.p_value),
        "q_value": _format(finding.q_value),
        "listed": "yes" if finding.is_listed else "no",
    }
    return [str(record[column]) for column in COLUMNS]


def _format(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _image(sample: Sample, folder: Path) -> str:
    return format_path(sample.image, folder) if isinstance(sample.image, Path) else sample.name


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        (line, header), *rows = read_table(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Correct the path.") from error
    missing = [column for column in _NEEDED if column not in header]
    if missing:
        raise DataError(
            f"{path.name}:{line}: has no column {', '.join(missing)}. Keep the columns of "
            "audit.csv."
        )
    for line, cells in rows:
        yield line, dict(zip(header, cells, strict=False))


def _correction(row: Row, data: Dataset, index: int) -> Correction | None:
    listed = row.get("listed", "").casefold()
    if listed not in _ANSWERS:
        raise DataError(f"listed is {listed!r}; write yes to apply the row, or no.")
    suggested = row.get("suggested", "")
    if not _ANSWERS[listed] or not suggested:
        return None
    if row["list"] == "classes":
        return Correction(index, label=_label(suggested, data))
    if row["list"] not in _LISTS:
        raise DataError(f"list {row['list']!r} is not one of {', '.join(_LISTS)}.")
    if suggested == EXCHANGED:
        return Correction(index, swaps_keypoints=True)
    return Correction(index, box=_box(suggested))


def _places(data: Dataset) -> dict[str, int]:
    """Row of each image, by its name and by its whole path."""
    names = {sample.name: index for index, sample in enumerate(data)}
    files = enumerate(sample.image for sample in data)
    return names | {str(file.resolve()): row for row, file in files if isinstance(file, Path)}


def _index_of(image: str, folder: Path, places: Mapping[str, int]) -> int:
    row = places.get(str((folder / image).resolve()), places.get(image))
    if row is None:
        raise DataError(f"image {image!r} is not in the data. Give the data that was audited.")
    return row


def _label(suggested: str, data: Dataset) -> str:
    if suggested not in data.classes:
        raise DataError(
            f"label {suggested!r} is not one of {', '.join(data.classes)}."
            f"{suggest(suggested, data.classes)}"
        )
    return suggested


def _box(suggested: str) -> Box:
    words = [word for word in re.split(r"[,;\s]+", suggested) if word]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != _SIDES:
        raise DataError(
            f"suggested box {suggested!r} is not four numbers: left, top, right, bottom."
        )
    box = as_box(numbers)
    if problem := box_problem(box):
        raise DataError(problem)
    return box
