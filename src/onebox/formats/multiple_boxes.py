"""One subject an image: several rows of an image become one row, or a sentence to repair.

Several different boxes are a matter of policy, which the user names. A row that repeats or
contradicts another one is a mistake under every policy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from onebox.boxes import box_areas
from onebox.errors import SettingError, suggest
from onebox.formats.rows import Row, counted

Rows = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of an image with several boxes.

    Attributes:
        choose: Its rows → the one to keep, or None to leave the image out.
        sentence: How the user is told; ``{count}`` images, of which ``{example}`` is one.
        is_allowed: Whether such images may be read at all.
    """

    choose: Callable[[Rows], Row | None]
    sentence: str
    is_allowed: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows that stay, one an image, and what is to be said of the others."""

    rows: Rows
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def policy_of(on_multiple: str) -> Policy:
    """Look a policy up by its name.

    Raises:
        SettingError: If there is none of that name.
    """
    if on_multiple not in POLICIES:
        raise SettingError(
            f"on_multiple must be one of {', '.join(POLICIES)}, got {on_multiple!r}."
            f"{suggest(on_multiple, POLICIES)}"
        )
    return POLICIES[on_multiple]


def one_subject(images: Sequence[Rows], policy: Policy) -> Chosen:
    """Choose one row for each image.

    Args:
        images: For each image its rows, with boxes in pixels.
        policy: For images with several boxes.

    Returns:
        One row for each image that is kept.
    """
    problems = [problem for rows in images for problem in _contradictions(rows)]
    crowded = [rows for rows in images if len(_distinct(rows)) > 1]
    kept = [rows[0] if len(rows) == 1 else policy.choose(rows) for rows in images]
    told = (_told(policy, crowded),) if crowded else ()
    return Chosen(
        tuple(row for row in kept if row is not None),
        notes=told if policy.is_allowed else (),
        problems=(*problems, *(() if policy.is_allowed else told)),
    )


def _largest(rows: Rows) -> Row:
    boxes = [row.box or (0.0, 0.0, 0.0, 0.0) for row in rows]
    return rows[int(np.argmax(box_areas(np.array(boxes, dtype=np.float64))))]


def _none(rows: Rows) -> None:  # noqa: ARG001  (every policy is asked alike)
    return None


POLICIES: dict[str, Policy] = {
    "error": Policy(
        _largest,
        "{count} with several boxes, for example {example}; an image has one subject. Keep the "
        "largest box with on_multiple='largest' (--on-multiple largest), or leave such images "
        "out with on_multiple='skip' (--on-multiple skip).",
        is_allowed=False,
    ),
    "largest": Policy(_largest, "{count} with several boxes kept the largest one ({example})."),
    "skip": Policy(_none, "{count} with several boxes left out ({example})."),
}


def _told(policy: Policy, crowded: list[Rows]) -> str:
    count = counted(len(crowded), "image", "images")
    first = crowded[0]
    example = f"{first[0].image.name} with {len(_distinct(first))} at {first[0].origin}"
    return policy.sentence.format(count=count, example=example)


def _distinct(rows: Rows) -> set[tuple[object, ...]]:
    return {_said(row) for row in rows if row.box is not None}


def _said(row: Row) -> tuple[object, ...]:
    return row.label, row.box, row.keypoints


def _contradictions(rows: Rows) -> list[str]:
    problems = []
    for number, row in enumerate(rows):
        for earlier in rows[:number]:
            if problem := _against(row, earlier):
                problems.append(f"{row.origin}: {problem}")
                break
    return problems


def _against(row: Row, earlier: Row) -> str:
    """Say why both rows cannot be right, or nothing."""
    name, place = row.image.name, earlier.origin
    if row.split != earlier.split:
        splits = f"in {row.split or 'no split'} here and in {earlier.split or 'no split'}"
        return f"image {name} is {splits} at {place}. Keep it in one of them."
    if _said(row) == _said(earlier):
        return f"image {name} is listed twice, first at {place}. Remove one of them."
    if (row.box is None) != (earlier.box is None):
        here, there = ("no box", "one") if row.box is None else ("a box", "none")
        return f"image {name} has {here} here and {there} at {place}. Remove one of them."
    return ""
