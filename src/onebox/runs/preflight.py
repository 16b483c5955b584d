"""Checks of the data before training: its images, boxes and classes."""

from collections.abc import Callable

from onebox.errors import DataError, SettingError, format_count, shorten, suggest
from onebox.formats.splitting import (
    LEAST_CALIBRATION,
    hold_out_calibration,
    hold_out_validation,
)
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset

_FEWEST_BOXES = 2


def check_data(data: Dataset, note: Callable[[str], None]) -> Dataset:
    """Check that a data set can be trained on and validated.

    Returns:
        The data set. If it had no validation images, some of the training images are; if it had
        no calibration images, some of the validation images are. ``note`` is told of either, and
        of calibration images that are too few.

    Raises:
        DataError: If there are too few images or boxes.
    """
    name = data.name or "the data set"
    train = data.part("train")
    if not len(train):
        raise DataError(
            f"{name}: no image has the split 'train'. Give it to some rows, or leave splits out."
        )
    if not len(train.boxes()):
        raise DataError(f"{name}: no training image has a box. Add boxes to the label file.")
    if len(train.boxes()) + len(data.part("val").boxes()) < _FEWEST_BOXES:
        raise DataError(
            f"{name}: has one image with a box; training needs at least {_FEWEST_BOXES}, one to "
            "train on and one to validate. Add images (30 make a useful model)."
        )
    if not len(data.part("val").boxes()):
        sentence = "has no validation images with a box; a tenth of the training images are used."
        note(f"{name} {sentence}")
        data = hold_out_validation(data)
    return _with_calibration(data, name, note)


def _with_calibration(data: Dataset, name: str, note: Callable[[str], None]) -> Dataset:
    stated = len(data.part("cal").boxes())
    if stated >= LEAST_CALIBRATION:
        return data
    data = hold_out_calibration(data)
    taken = len(data.part("cal").boxes())
    if taken > stated:
        note(
            f"{name} has no calibration images with a box; half of the validation images are used, "
            f"{taken} with a box."
        )
        return data
    images = format_count(stated, "calibration image", "calibration images")
    note(
        f"{name} has {images} with a box. The model will not be calibrated: that needs "
        f"{LEAST_CALIBRATION}. Name that many images 'cal' in the label file, or run onebox "
        "calibrate MODEL DATA after training."
    )
    return data


def check_classes(data: Dataset, recipe: Recipe) -> None:
    """Check that the classes of the data and those that the recipe declares agree.

    A recipe that declares no classes takes those of the data.

    Raises:
        SettingError: If the data has a class that the recipe does not declare, or no training
            image shows a class that it declares.
    """
    declared = recipe.data.classes
    name = data.name or "the data set"
    unknown = [label for label in data.classes if declared and label not in declared]
    if unknown:
        raise SettingError(
            f"[data] classes has no '{unknown[0]}', and {name} does.{suggest(unknown[0], declared)}"
        )
    shown = {sample.label for sample in data.part("train")}
    missing = [repr(label) for label in declared if label not in shown]
    if missing:
        raise SettingError(
            f"[data] classes names {shorten(missing)}, and no training image of {name} shows that. "
            "Add such images, or remove the name."
        )
