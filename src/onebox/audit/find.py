"""From out-of-fold predictions to an audit: two ranked lists, and checks."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from onebox.audit import checks
from onebox.audit.lists import LEAST_PER_CLASS, Labelled, numbered, rank_boxes, rank_classes
from onebox.audit.records import Audit, Finding, OutOfFold
from onebox.errors import format_count, shorten
from onebox.image_sizes import size_of
from onebox.structures import Dataset, as_box

_RIGHT_NUMBERS = {"reading", "other image"}  # checks that say what is wrong with a box


def find(data: Dataset, found: OutOfFold, rate: float) -> Audit:
    """Compare every label of a data set with the prediction for its image.

    Args:
        data: The data set.
        found: Predictions for its samples, row by row.
        rate: The false-discovery rate of the two lists, in (0, 1).

    Raises:
        ImageError: If an image whose size is not known cannot be read.
    """
    sizes = np.array([size_of(sample) for sample in data], np.float64).reshape(-1, 2)
    labelled = _labelled(data, found, np.tile(sizes, 2))
    boxes = rank_boxes(labelled, rate)
    is_listed = {finding.row: finding.is_listed for finding in boxes}
    ruled = [
        *checks.check_readings(labelled),
        *checks.check_owners(labelled, data),
        *checks.check_whole(labelled, is_listed),
        *_other_checks(data, found, labelled, sizes),
    ]
    ruled = numbered(_once_a_box(ruled))
    index = {name: number for number, name in enumerate(data.classes)}
    rows = [row for row, sample in enumerate(data) if sample.label in index]
    given = np.array([index[data.samples[row].label or ""] for row in rows], np.int64)
    classes, error_rate = rank_classes(given, found.probabilities[rows], rows, data.classes, rate)
    notes = _notes(data, given)
    return Audit(_explained(boxes, ruled), classes, ruled, rate, error_rate, notes)


def _labelled(data: Dataset, found: OutOfFold, sides: np.ndarray) -> Labelled:
    rows = [row for row, sample in enumerate(data) if sample.box is not None]
    return Labelled(
        rows, data.boxes(), found.boxes[rows] * sides[rows], found.sigmas[rows] * sides[rows],
        sides[rows],
    )  # fmt: skip


def _other_checks(
    data: Dataset, found: OutOfFold, labelled: Labelled, sizes: np.ndarray
) -> Iterator[Finding]:
    normalized = labelled.given / labelled.sizes
    boxes = {row: as_box(box) for row, box in zip(labelled.rows, normalized, strict=True)}
    yield from checks.check_copies(data, found.copies, boxes)
    if found.keypoints is not None:
        yield from checks.check_keypoints(data, found.keypoints, sizes)
    if found.present is not None:
        yield from checks.check_absent(data, found.present)


def _once_a_box(ruled: Sequence[Finding]) -> list[Finding]:
    """Leave out a second explanation of one box: the first check is the more certain."""
    explained: set[int] = set()
    kept = []
    for finding in ruled:
        if finding.box is None or finding.row not in explained:
            kept.append(finding)
        if finding.box is not None:
            explained.add(finding.row)
    return kept


def _explained(boxes: Sequence[Finding], ruled: Sequence[Finding]) -> list[Finding]:
    """The list of boxes, with the explanation and the suggestion of a check where one has any."""
    by_row = {finding.row: finding for finding in ruled if finding.kind in _RIGHT_NUMBERS}
    changed = []
    for finding in boxes:
        check = by_row.get(finding.row)
        if check is not None:
            finding = dataclasses.replace(  # noqa: PLW2901
                finding,
                kind=check.kind,
                side="",
                suggested=check.suggested,
                why=check.why,
                box=check.box,
            )
        changed.append(finding)
    return changed


def _notes(data: Dataset, given: np.ndarray) -> tuple[str, ...]:
    counts = np.bincount(given, minlength=len(data.classes))
    few = [
        name
        for name, count in zip(data.classes, counts, strict=True)
        if 0 < count < LEAST_PER_CLASS
    ]
    if not few:
        return ()
    classes = format_count(len(few), "class has", "classes have")
    return (
        f"{classes} fewer than {LEAST_PER_CLASS} images, and the class labels of these are not "
        f"judged: {shorten(few)}.",
    )
