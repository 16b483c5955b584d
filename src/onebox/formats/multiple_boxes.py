"""Chooses one subject for an image that has several rows.

The user names a policy for images with several different boxes. A row that repeats or contradicts
another one is a mistake under every policy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from onebox.boxes import box_areas
from onebox.errors import format_count
from onebox.formats.rows import Row

ImageRows = tuple[Row, ...]
"""The rows of one image."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do with an image that has several boxes, and the sentence that tells the user."""

    choose: Callable[[ImageRows], Row | None]  # the row to keep, or None to leave the image out
    sentence: str  # ``{count}`` is the images, ``{example}`` one of them
    is_allowed: bool = True  # whether such images may be read; if not, the sentence is a problem


@dataclass(frozen=True, slots=True)
class Selection:
    """One row for each image that is kept; notes and problems are as in `ParsedLabels`."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def select_subjects(images: Sequence[ImageRows], policy: Policy) -> Selection:
    """Choose one row for each image; boxes are in pixels."""
    problems = [problem for rows in images for problem in _contradictions(rows)]
    crowded = [rows for rows in images if len(_distinct(rows)) > 1]
    kept = [rows[0] if len(rows) == 1 else policy.choose(rows) for rows in images]
    sentences = (_sentence(policy, crowded),) if crowded else ()
    return Selection(
        tuple(row for row in kept if row is not None),
        notes=sentences if policy.is_allowed else (),
        problems=(*problems, *(() if policy.is_allowed else sentences)),
    )


def _largest(rows: ImageRows) -> Row:
    boxes = [row.box or (0.0, 0.0, 0.0, 0.0) for row in rows]
    return rows[int(np.argmax(box_areas(np.array(boxes, dtype=np.float64))))]


POLICIES: dict[str, Policy] = {
    "error": Policy(
        _largest,
        "{count} with several boxes, for example {example}; an image has one subject. Keep the "
        "largest box with on_multiple='largest' (--on-multiple largest), or leave such images "
        "out with on_multiple='skip' (--on-multiple skip).",
        is_allowed=False,
    ),
    "largest": Policy(_largest, "{count} with several boxes kept the largest one ({example})."),
    "skip": Policy(lambda _: None, "{count} with several boxes left out ({example})."),
}


def _sentence(policy: Policy, crowded: list[ImageRows]) -> str:
    count = format_count(len(crowded), "image", "images")
    first = crowded[0]
    example = f"{first[0].image.name} with {len(_distinct(first))} at {first[0].origin}"
    return policy.sentence.format(count=count, example=example)


def _distinct(rows: ImageRows) -> set[tuple[object, ...]]:
    return {_content(row) for row in rows if row.box is not None}


def _content(row: Row) -> tuple[object, ...]:
    return row.label, row.box, row.keypoints


def _contradictions(rows: ImageRows) -> list[str]:
    problems = []
    for number, row in enumerate(rows):
        found = (_contradiction(row, earlier) for earlier in rows[:number])
        if problem := next(filter(None, found), ""):
            problems.append(f"{row.origin}: {problem}")
    return problems


def _contradiction(row: Row, earlier: Row) -> str:
    """Say why both rows cannot be right; empty if they can."""
    name, origin = row.image.name, earlier.origin
    if row.split != earlier.split:
        splits = f"in {row.split or 'no split'} here and in {earlier.split or 'no split'}"
        return f"image {name} is {splits} at {origin}. Keep it in one of them."
    if _content(row) == _content(earlier):
        return f"image {name} is listed twice, first at {origin}. Remove one of them."
    if (row.box is None) != (earlier.box is None):
        here, there = ("no box", "one") if row.box is None else ("a box", "none")
        return f"image {name} has {here} here and {there} at {origin}. Remove one of them."
    return ""
