"""What weakens a calibration, in words."""

from collections.abc import Iterator

import numpy as np

from onebox.confidence.drift import DIFFERENT_P, exchangeability_p
from onebox.confidence.guarantees import FEW_IMAGES
from onebox.confidence.records import Calibration
from onebox.structures import Dataset


def find_warnings(
    calibration: Calibration, before: Calibration | None, images: Dataset, classes: tuple[str, ...]
) -> tuple[str, ...]:
    """What a person should know about a new calibration, one or two sentences each.

    Args:
        calibration: The new calibration.
        before: The one that it replaces; None for none.
        images: The calibration images.
        classes: The model's classes.
    """
    return (
        *_about_number(calibration),
        *_about_errors(calibration),
        *_about_classes(images, classes),
        *_about_drift(calibration, before),
    )


def _about_number(calibration: Calibration) -> Iterator[str]:
    if calibration.images < FEW_IMAGES:
        yield (
            f"{calibration.images} calibration images are few: the promise has a wide interval. "
            f"Give {FEW_IMAGES} or more."
        )


def _about_errors(calibration: Calibration) -> Iterator[str]:
    if not any(calibration.is_wrong):
        yield (
            "no calibration image has a wrong label or an IoU below 0.5, so nothing shows what a "
            "failure of this model looks like. Check that these images did not train the model, "
            "and add hard ones."
        )
    if all(calibration.is_wrong):
        yield (
            "every calibration image has a wrong label or an IoU below 0.5. Check that labels and "
            "boxes are those of these images, and that the model is the one for them."
        )


def _about_classes(images: Dataset, classes: tuple[str, ...]) -> Iterator[str]:
    labels = {sample.label for sample in images if sample.label is not None}
    if len(classes) > 1 and len(labels) == 1:
        yield (
            f"all calibration images show '{labels.pop()}', one of {len(classes)} classes: nothing "
            "is known of the others. Add images of every class."
        )


def _about_drift(calibration: Calibration, before: Calibration | None) -> Iterator[str]:
    if before is None:
        return
    p = exchangeability_p(np.array(before.spreads), np.array(calibration.spreads))
    if p < DIFFERENT_P:
        yield (
            f"these images differ from those of the earlier calibration (p = {p:.2g}): the new "
            "promise holds for images like the new ones, and the earlier one did not hold for them."
        )
