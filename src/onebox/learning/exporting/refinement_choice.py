"""Whether a second look pays: measured on the validation images, by the file that is shipped."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.evaluation import evaluate
from onebox.refinement import MARGIN
from onebox.runtime import Localizer
from onebox.structures import Dataset

_MARGINS = (MARGIN, 1.7)
_WORTH = 0.003  # of mean overlap; less is not worth the time of a second look
_FEWEST = 10  # images
MOST_IMAGES = 300
"""Validation images that the choice looks at; more would not change it."""
_ERRORS = 2.0  # standard errors of the mean, beyond which a gain is hardly chance

Setting = Literal["auto", "never", "always"]


def choose_refinement(localizer: Localizer, val: Dataset, setting: Setting) -> float | None:
    """The margin of the second look that does best on validation images, or None for no look.

    Args:
        localizer: The exported model.
        val: Validation images; the first 300 with a box are asked.
        setting: The recipe's; ``auto`` takes a second look where the mean overlap gains at least
            0.003 and twice its standard error, over 10 images or more.

    Returns:
        Sides of the part over sides of the box; see `refinement.part_around`.

    Raises:
        DataError: If an image cannot be read.
    """
    if setting == "never":
        return None
    shown = _with_box(val)
    first = _overlaps(localizer.with_refinement(None), shown)
    gains = {
        margin: _overlaps(localizer.with_refinement(margin), shown) - first for margin in _MARGINS
    }
    best = max(gains, key=lambda margin: float(gains[margin].mean()))
    return best if setting == "always" or _pays(gains[best]) else None


def _with_box(val: Dataset) -> Dataset:
    boxed = tuple(sample for sample in val if sample.box is not None)[:MOST_IMAGES]
    return Dataset(boxed, val.classes, val.keypoints, val.name)


def _overlaps(localizer: Localizer, shown: Dataset) -> Float[ndarray, " n"]:
    return np.array([one.iou for one in evaluate(localizer, shown).outcomes], dtype=np.float64)


def _pays(gains: Float[ndarray, " n"]) -> bool:
    """Whether the mean gain is worth the time, and more than chance."""
    if len(gains) < _FEWEST:
        return False
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    return bool(gains.mean() >= max(_WORTH, _ERRORS * error))
