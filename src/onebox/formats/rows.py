"""What label files say, row by row, before any image is opened.

Every format is parsed into these records; what follows (finding one subject, turning images
upright, splitting, naming classes) is then the same for all of them. Sentences about what is wrong
are collected, not raised one by one, so that a user reads the whole list at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

from onebox.errors import DataError
from onebox.structures import Box, Keypoints, KeypointSet, Split

Unit = Literal["pixel", "share"]


@dataclass(frozen=True, slots=True)
class Row:
    """One subject of one image, or one image without a subject.

    Attributes:
        origin: The place in the label file, as ``labels.csv:2``.
        image: The image's file, which may not exist.
        label: What the subject is; None where the file does not say.
        box: ``xyxy`` in ``unit``; None where there is no subject.
        keypoints: ``(x, y, visibility)`` for each keypoint, in ``unit``.
        unit: ``pixel``, or ``share`` of the upright image's width and height.
        split: Where the file says so.
        stated_wh: Width and height of the image, where the file says so.
    """

    origin: str
    image: Path
    label: str | None = None
    box: Box | None = None
    keypoints: Keypoints | None = None
    unit: Unit = "pixel"
    split: Split | None = None
    stated_wh: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """All that one label file, or one folder of them, says.

    Attributes:
        rows: In the order of the file.
        classes: The names that the format declares, in its order; None where it declares none.
        keypoints: The keypoints of the rows' keypoints.
        notes: What was put right or left out, one sentence each.
        problems: What is to be repaired, one sentence each.
    """

    rows: tuple[Row, ...]
    classes: tuple[str, ...] | None = None
    keypoints: KeypointSet | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problems:
    """A list of sentences that grows while rows are read."""

    sentences: list[str] = field(default_factory=list)

    @contextmanager
    def at(self, origin: str) -> Iterator[None]:
        """Keep what the body raises against a row, with its place, and go on after it."""
        try:
            yield
        except DataError as error:
            self.sentences.extend(f"{origin}: {problem}" for problem in error.problems)


def merged(parts: Sequence[Labels]) -> Labels:
    """Join what several label files of one data set say.

    Classes keep the order in which the files declare them; one set of keypoints must hold for all.
    """
    declared = [part.classes for part in parts if part.classes is not None]
    classes = tuple(dict.fromkeys(chain.from_iterable(declared)))
    keypoints = [part.keypoints for part in parts if part.keypoints is not None]
    problems = list(chain.from_iterable(part.problems for part in parts))
    if any(other != keypoints[0] for other in keypoints[1:]):
        problems.append(
            "the label files name different keypoints; a data set has one set. Give every file the "
            "same keypoints, skeleton and flip pairs."
        )
    return Labels(
        rows=tuple(chain.from_iterable(part.rows for part in parts)),
        classes=classes if declared else None,
        keypoints=keypoints[0] if keypoints else None,
        notes=tuple(chain.from_iterable(part.notes for part in parts)),
        problems=tuple(problems),
    )


def counted(count: int, one: str, many: str) -> str:
    """Write a number with its noun.

    Examples:
        >>> counted(1, "box", "boxes"), counted(2, "box", "boxes")
        ('1 box', '2 boxes')
    """
    return f"{count} {one if count == 1 else many}"
