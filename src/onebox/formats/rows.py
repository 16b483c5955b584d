"""What label files say, row by row, before any image is opened.

Every format is parsed into these records; the later steps (choosing one subject, turning images
upright, splitting, checking class names) are then the same for all formats. Problems are collected,
not raised one by one, so that a user reads the whole list at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

from onebox.errors import DataError, format_count
from onebox.structures import Box, Keypoints, KeypointSet, PackedImage, Split

Unit = Literal["pixel", "normalized"]


@dataclass(frozen=True, slots=True)
class Row:
    """One subject of one image, or one image without a subject.

    Attributes:
        origin: File and line of the label, as ``labels.csv:2``.
        image: Path of the image file, which may not exist, or an image in a shard.
        label: Class of the subject; None if the file does not say.
        box: ``xyxy`` in ``unit``; None if there is no subject.
        keypoints: ``(x, y, visibility)`` for each keypoint, in ``unit``.
        unit: ``pixel``, or ``normalized`` by the upright image's width and height.
        split: Split that the file states; None if it states none.
        stated_wh: Width and height of the image that the file states; None if it states none.
    """

    origin: str
    image: Path | PackedImage
    label: str | None = None
    box: Box | None = None
    keypoints: Keypoints | None = None
    unit: Unit = "pixel"
    split: Split | None = None
    stated_wh: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ParsedLabels:
    """The content of one label file, or of one folder of them.

    Attributes:
        rows: Rows in the order of the file.
        classes: Class names that the file declares, in its order; None if it declares none.
        keypoints: Names, skeleton and flip pairs of the rows' keypoints; None without keypoints.
        notes: What was corrected or left out, one sentence each.
        problems: What the user has to repair in rows, one sentence each; the rows can be left out.
        faults: What the user has to repair in the whole, one sentence each; nothing can be read
            without it.
    """

    rows: tuple[Row, ...]
    classes: tuple[str, ...] | None = None
    keypoints: KeypointSet | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problems:
    """A list of problems that grows while rows are read."""

    sentences: list[str] = field(default_factory=list)

    @contextmanager
    def at(self, origin: str) -> Iterator[None]:
        """Record a `DataError` of the body with its origin, and continue after the body."""
        try:
            yield
        except DataError as error:
            self.sentences.extend(f"{origin}: {problem}" for problem in error.problems)


def merge_labels(parts: Sequence[ParsedLabels]) -> ParsedLabels:
    """Join the content of several label files of one data set.

    Classes keep the order in which the files declare them. All files must name the same keypoints.
    """
    declared = [part.classes for part in parts if part.classes is not None]
    classes = tuple(dict.fromkeys(chain.from_iterable(declared)))
    keypoints = [part.keypoints for part in parts if part.keypoints is not None]
    faults = list(chain.from_iterable(part.faults for part in parts))
    if any(other != keypoints[0] for other in keypoints[1:]):
        faults.append(
            "the label files name different keypoints; a data set has one set. Give every file the "
            "same keypoints, skeleton and flip pairs."
        )
    return ParsedLabels(
        rows=tuple(chain.from_iterable(part.rows for part in parts)),
        classes=classes if declared else None,
        keypoints=keypoints[0] if keypoints else None,
        notes=tuple(chain.from_iterable(part.notes for part in parts)),
        problems=tuple(chain.from_iterable(part.problems for part in parts)),
        faults=tuple(faults),
    )


def boxless_note(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """A note that counts the rows of a file with a label and no box; none if there are none."""
    count = sum(row.box is None and row.label is not None for row in rows)
    rows_text = format_count(count, "row has a label and no box", "rows have a label and no box")
    return (f"{name}: {rows_text}: read as without the subject.",) if count else ()
