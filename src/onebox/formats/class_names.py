"""Checks labels against declared class names, or searches the labels in use for typing errors."""

import difflib
from collections import Counter
from collections.abc import Collection, Sequence

from onebox.errors import shorten, suggest
from onebox.formats.rows import Row

COMMON_COUNT = 5
"""Images from which a label counts as common: a similar label of one image is then a typing error.
Not tuned."""

RowProblem = tuple[Row, str]
"""A row, and what is wrong with it."""

_DECLARE = " Correct it, or declare the classes: train --set data.classes=[...]."


def declared_problems(rows: Sequence[Row], classes: Sequence[str]) -> list[RowProblem]:
    """List the rows whose label is not among the declared classes, with a sentence each."""
    return [
        (row, _problem(row, classes))
        for row in rows
        if row.label is not None and row.label not in classes
    ]


def outside_problems(rows: Sequence[Row], classes: Sequence[str]) -> list[RowProblem]:
    """List the rows whose label is not among the classes that the label files declare."""
    return [(row, problem + _DECLARE) for row, problem in declared_problems(rows, classes)]


def undeclared_problems(
    rows: Sequence[Row], known_labels: Collection[str] = ()
) -> list[RowProblem]:
    """List the rows whose label looks like a typing error, for data without declared classes.

    A label is suspect if the data has training images and none of them has it, or if a single
    image has it and it resembles a common label. ``known_labels`` are never suspect.
    """
    counts = Counter(row.label for row in rows if row.label is not None)
    trained = {row.label for row in rows if row.split in {None, "train"} and row.label is not None}
    typos = {label for label in counts if _is_typo(label, counts)} - {*known_labels}
    known = sorted(((trained or set(counts)) - typos) | ({*known_labels} & set(counts)))
    suspects = set(counts) - set(known)
    return [(row, _problem(row, known) + _DECLARE) for row in rows if row.label in suspects]


def unwritable_problems(names: Collection[str]) -> list[str]:
    """List the names that no file can hold: JSON can hold half of a character, UTF-8 cannot."""
    return [
        f"name {name!r} has half of a character, which no other file can hold. Correct it."
        for name in dict.fromkeys(names)
        if not _is_writable(name)
    ]


def _is_writable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def names_in_use(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the distinct labels of rows, sorted."""
    return tuple(sorted({row.label for row in rows if row.label is not None}))


def _is_typo(label: str, counts: Counter[str]) -> bool:
    if counts[label] > 1:
        return False
    common = [name.casefold() for name, count in counts.items() if count >= COMMON_COUNT]
    return bool(difflib.get_close_matches(label.casefold(), common, n=1))


def _problem(row: Row, known: Sequence[str]) -> str:
    label = row.label or ""
    return f"{row.origin}: label {label!r} is not one of {shorten(known)}.{suggest(label, known)}"
