"""Makes a data set of rows and their images, or lists every problem."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox.errors import DataError, format_count
from onebox.formats.class_names import (
    RowProblem,
    declared_problems,
    names_in_use,
    outside_problems,
    undeclared_problems,
    unwritable_problems,
)
from onebox.formats.image_headers import HeaderResult, read_headers
from onebox.formats.multiple_boxes import ImageRows, Policy, select_subjects
from onebox.formats.rows import ParsedLabels, Problems, Row
from onebox.formats.splitting import choose_splits, unsplit_problems
from onebox.formats.validation import ROUNDING_PX, CheckedRow, check_row
from onebox.structures import Dataset, PackedImage, Sample


@dataclass(frozen=True, slots=True)
class _CheckedRows:
    """The rows that agree with their images, the images' headers, and the problems of the rest."""

    checked: tuple[CheckedRow, ...]
    headers: dict[Path | PackedImage, HeaderResult]
    problems: tuple[str, ...]

    def by_image(self) -> list[ImageRows]:
        images: dict[Path | PackedImage, list[Row]] = {}
        for checked in self.checked:
            file = self.headers[checked.row.image].file
            images.setdefault(file, []).append(checked.row)
        return [tuple(rows) for rows in images.values()]


def assemble(
    labels: ParsedLabels,
    policy: Policy,
    *,
    classes: Sequence[str] | None = None,
    known_labels: Collection[str] = (),
    skips_bad: bool = False,
    name: str = "",
) -> Dataset:
    """Check every row against its image and make one sample for each image that is kept.

    Wrong rows are left out with a note if ``skips_bad``. ``name`` is what the user asked to read;
    `onebox.formats.read` explains ``classes`` and ``known_labels``.

    Raises:
        DataError: If rows or images are wrong; it holds every problem of every row.
    """
    rows = _check_rows(labels.rows)
    selection = select_subjects(rows.by_image(), policy)
    strange = _class_problems(selection.rows, classes, labels.classes, known_labels)
    bad = (*labels.problems, *rows.problems, *(problem for _, problem in strange))
    left_out = {id(row) for row, _ in strange} if skips_bad else set()
    kept = [row for row in selection.rows if id(row) not in left_out]
    used = names_in_use(kept)
    points = () if labels.keypoints is None else labels.keypoints.names
    problems = [
        *labels.faults,
        *(() if skips_bad else bad),
        *selection.problems,
        *unwritable_problems((*used, *(classes or labels.classes or ()), *points)),
        *unsplit_problems(kept),
    ]
    if problems:
        raise DataError(*problems)
    if not kept:
        raise DataError(f"{name}: holds no labelled image. Add at least one.", *bad)
    return Dataset(
        samples=_samples(kept, rows.headers),
        classes=tuple(classes or labels.classes or used),
        keypoints=labels.keypoints,
        name=name,
        notes=(*labels.notes, *selection.notes, *_clip_note(rows.checked), *_bad_note(bad)),
    )


def _check_rows(rows: Sequence[Row]) -> _CheckedRows:
    headers = read_headers(row.image for row in rows)
    problems = Problems()
    checked = []
    unreadable = set()
    for row in rows:
        result = headers[row.image]
        with problems.at(row.origin):
            if result.header is not None:
                checked.append(check_row(row, result.header))
            elif row.image not in unreadable:
                unreadable.add(row.image)
                raise DataError(result.problem)
    return _CheckedRows(tuple(checked), headers, tuple(problems.sentences))


def _class_problems(
    rows: Sequence[Row],
    classes: Sequence[str] | None,
    declared: Sequence[str] | None,
    known_labels: Collection[str],
) -> list[RowProblem]:
    if classes is not None:
        return declared_problems(rows, classes)
    if declared is None:
        return undeclared_problems(rows, known_labels)
    # A label that is not among them has no number, and the data set could not be written.
    return outside_problems(rows, declared) if declared else []


def _samples(
    rows: Sequence[Row], headers: dict[Path | PackedImage, HeaderResult]
) -> tuple[Sample, ...]:
    samples = []
    for row, split in zip(rows, choose_splits(rows), strict=True):
        header = headers[row.image].header
        size = None if header is None else header.size_wh
        samples.append(
            Sample(row.image, row.label, row.box, split, row.keypoints, size, row.origin)
        )
    return tuple(samples)


def _bad_note(problems: Sequence[str]) -> tuple[str, ...]:
    if not problems:
        return ()
    rows = format_count(len(problems), "bad row is", "bad rows are")
    return (f"{rows} left out, the first: {problems[0]}",)


def _clip_note(checked: Sequence[CheckedRow]) -> tuple[str, ...]:
    clipped = [row for row in checked if row.overshoot_px > ROUNDING_PX]
    if not clipped:
        return ()
    worst = max(clipped, key=lambda row: row.overshoot_px)
    return (
        f"{format_count(len(clipped), 'box', 'boxes')} clipped at the frame, passed by at most "
        f"{worst.overshoot_px:.3g} px (at {worst.row.origin}).",
    )
