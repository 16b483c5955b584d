"""The names that labels may have: declared ones, or those in use, searched for slips of the pen."""

import difflib
from collections import Counter
from collections.abc import Collection, Sequence

from onebox.errors import shorten, suggest
from onebox.formats.rows import Row

COMMON = 5
"""A name of as many images is taken for meant; one of a single image beside it for a typo."""

_DECLARE = " Correct it, or declare the classes: train --set data.classes=[...]."


def declared_problems(rows: Sequence[Row], classes: Sequence[str]) -> list[str]:
    """Say which rows have a label that is not among declared classes."""
    return [
        _problem(row, classes) for row in rows if row.label is not None and row.label not in classes
    ]


def undeclared_problems(rows: Sequence[Row], meant: Collection[str] = ()) -> list[str]:
    """Say which rows have a label that looks mistaken, where nothing declares the classes.

    Suspect is a label that no training image has, where training images are named, and a
    label of one image alone that is close to a common one; but none of those that are ``meant``.
    """
    counts = Counter(row.label for row in rows if row.label is not None)
    learned = {row.label for row in rows if row.split in {None, "train"} and row.label is not None}
    slips = {label for label in counts if _is_slip(label, counts)} - {*meant}
    known = sorted(((learned or set(counts)) - slips) | ({*meant} & set(counts)))
    suspects = set(counts) - set(known)
    return [_problem(row, known) + _DECLARE for row in rows if row.label in suspects]


def names_in_use(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the labels of rows, sorted."""
    return tuple(sorted({row.label for row in rows if row.label is not None}))


def _is_slip(label: str, counts: Counter[str]) -> bool:
    if counts[label] > 1:
        return False
    common = [name.casefold() for name, count in counts.items() if count >= COMMON]
    return bool(difflib.get_close_matches(label.casefold(), common, n=1))


def _problem(row: Row, known: Sequence[str]) -> str:
    label = row.label or ""
    return f"{row.origin}: label {label!r} is not one of {shorten(known)}.{suggest(label, known)}"
