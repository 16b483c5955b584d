"""Checks of a data set before its audit."""

from collections.abc import Callable

from onebox.errors import DataError, SettingError, format_count
from onebox.structures import Dataset

LEAST_FOLDS = 2


def check_rate(rate: float) -> None:
    """Check a false-discovery rate.

    Raises:
        SettingError: If it is not between 0 and 1, both excluded.
    """
    if not 0 < rate < 1:
        raise SettingError(
            f"--fdr must be above 0 and below 1, got {rate:g}. 0.1 lets one label in ten of a "
            "list be right after all."
        )


def check_data(data: Dataset, folds: int, note: Callable[[str], None]) -> None:
    """Check that a data set can be audited; ``note`` is told of what cannot be judged.

    Raises:
        DataError: If it has no boxes, or fewer of them than there are folds.
        SettingError: If there are fewer than two folds.
    """
    if folds < LEAST_FOLDS:
        raise SettingError(
            f"--folds must be at least {LEAST_FOLDS}, got {folds}: the networks of one part judge "
            "another."
        )
    name = data.name or "the data set"
    count = len(data.boxes())
    if not count:
        raise DataError(f"{name}: no image has a box, so there is nothing to audit. Add boxes.")
    if count < folds:
        boxes = format_count(count, "image with a box", "images with a box")
        raise DataError(
            f"{name}: has {boxes}, fewer than the {folds} folds. Add images (200 make a useful "
            "audit), or lower --folds."
        )
    if len(data.classes) == 1:
        note(f"{name} has one class, '{data.classes[0]}': there is no list of classes.")
