"""Rows of label files, and the images they speak of → a data set, or all that is wrong."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox.errors import DataError
from onebox.formats.class_names import declared_problems, names_in_use, undeclared_problems
from onebox.formats.image_headers import Look, look_at
from onebox.formats.multiple_boxes import Policy, Rows, one_subject
from onebox.formats.rows import Labels, Problems, Row, counted
from onebox.formats.splitting import choose_splits, unsplit
from onebox.formats.validation import ROUNDING_PX, Checked, check_row
from onebox.structures import Dataset, Sample


@dataclass(frozen=True, slots=True)
class _Seen:
    """Rows that agree with their images, and the images' sizes."""

    checked: tuple[Checked, ...]
    looks: dict[Path, Look]
    problems: tuple[str, ...]

    def by_image(self) -> list[Rows]:
        images: dict[Path, list[Row]] = {}
        for checked in self.checked:
            file = self.looks[checked.row.image].file
            images.setdefault(file, []).append(checked.row)
        return [tuple(rows) for rows in images.values()]


def assemble(
    labels: Labels,
    policy: Policy,
    *,
    classes: Sequence[str] | None = None,
    meant: Collection[str] = (),
    skips_bad: bool = False,
    name: str = "",
) -> Dataset:
    """Check every row against its image and make the samples.

    Args:
        labels: As the label files state them.
        policy: For images with several boxes.
        classes: The names that labels may have, in order, where the user declares them.
        meant: Names that are no slips of the pen, where nothing declares the classes.
        skips_bad: Whether a row that is wrong is left out, with a note, and the rest is kept.
        name: What the user asked to read.

    Returns:
        One sample for each image that is kept.

    Raises:
        DataError: If anything is to be repaired; it holds every problem of every row.
    """
    seen = _look_through(labels.rows)
    chosen = one_subject(seen.by_image(), policy)
    bad = (*labels.problems, *seen.problems)
    problems = [
        *(() if skips_bad else bad),
        *chosen.problems,
        *_class_problems(chosen.rows, classes, labels.classes, meant),
        *unsplit(chosen.rows),
    ]
    if problems:
        raise DataError(*problems)
    if not chosen.rows:
        raise DataError(f"{name}: holds no labelled image. Add at least one.")
    return Dataset(
        samples=_samples(chosen.rows, seen.looks),
        classes=tuple(classes or labels.classes or names_in_use(chosen.rows)),
        keypoints=labels.keypoints,
        name=name,
        notes=(*labels.notes, *chosen.notes, *_clipped(seen.checked), *_left_out(bad)),
    )


def _look_through(rows: Sequence[Row]) -> _Seen:
    looks = look_at(row.image for row in rows)
    problems = Problems()
    checked = []
    unreadable = set()
    for row in rows:
        look = looks[row.image]
        with problems.at(row.origin):
            if look.header is not None:
                checked.append(check_row(row, look.header))
            elif row.image not in unreadable:
                unreadable.add(row.image)
                raise DataError(look.problem)
    return _Seen(tuple(checked), looks, tuple(problems.sentences))


def _class_problems(
    rows: Sequence[Row],
    classes: Sequence[str] | None,
    declared: Sequence[str] | None,
    meant: Collection[str],
) -> list[str]:
    if classes is not None:
        return declared_problems(rows, classes)
    return [] if declared is not None else undeclared_problems(rows, meant)


def _samples(rows: Sequence[Row], looks: dict[Path, Look]) -> tuple[Sample, ...]:
    samples = []
    for row, split in zip(rows, choose_splits(rows), strict=True):
        header = looks[row.image].header
        samples.append(
            Sample(
                image=row.image,
                label=row.label,
                box=row.box,
                split=split,
                keypoints=row.keypoints,
                size_wh=None if header is None else header.size_wh,
                origin=row.origin,
            )
        )
    return tuple(samples)


def _left_out(problems: Sequence[str]) -> tuple[str, ...]:
    if not problems:
        return ()
    rows = counted(len(problems), "bad row is", "bad rows are")
    return (f"{rows} left out, the first: {problems[0]}",)


def _clipped(checked: Sequence[Checked]) -> tuple[str, ...]:
    passed = [row for row in checked if row.overshoot_px > ROUNDING_PX]
    if not passed:
        return ()
    worst = max(passed, key=lambda row: row.overshoot_px)
    return (
        f"{counted(len(passed), 'box', 'boxes')} clipped at the frame, passed by at most "
        f"{worst.overshoot_px:.3g} px (at {worst.row.origin}).",
    )
