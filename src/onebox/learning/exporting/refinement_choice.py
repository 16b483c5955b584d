"""Whether predictions are refined, and how: measured on validation images, on the exported file."""

import dataclasses
from statistics import fmean
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.evaluation import evaluate
from onebox.metrics import Outcome, known
from onebox.refinement import MARGIN
from onebox.runtime import NetworkLocalizer
from onebox.structures import Dataset

# Both gain 0.07 on small subjects (docs/accuracy.md, "What each part is worth").
_MARGINS = (MARGIN, 1.7)

# docs/decisions/0008-refinement-pass.md has this rule. One standard error in place of two turned
# refinement on for the raccoons, which lose by it (docs/accuracy.md, "Within a budget").
_MIN_GAIN = 0.003  # of the mean, for twice the time per image; not tuned
_MIN_STANDARD_ERRORS = 2.0
_MIN_IMAGES = 10  # below it, the standard error itself is uncertain; not tuned
MOST_IMAGES = 300
"""Validation images that are evaluated: bounds the time of three evaluations; not tuned."""

Setting = Literal["auto", "never", "always"]


def choose_refinement(localizer: NetworkLocalizer, val: Dataset, setting: Setting) -> float | None:
    """Choose the refinement margin that does best on validation images, or None for no refinement.

    A margin is the size of the crop over that of the box; see `refinement.find_crop`.
    The first 300 images with a box are evaluated by their IoU, or by the fraction of keypoints that
    are found where some are labelled. ``auto`` refines if the mean gains at least 0.003, and at
    least twice the gain's standard error, on 10 images or more.

    Raises:
        DataError: If an image cannot be read.
    """
    if setting == "never":
        return None
    samples = tuple(sample for sample in val if sample.box is not None)[:MOST_IMAGES]
    boxed = dataclasses.replace(val, samples=samples)
    plain = _qualities(localizer.with_refinement(None), boxed)
    gains = {
        margin: _qualities(localizer.with_refinement(margin), boxed) - plain for margin in _MARGINS
    }
    best = max(gains, key=lambda margin: float(gains[margin].mean()))
    return best if setting == "always" or is_worthwhile(gains[best]) else None


def is_worthwhile(gains: Float[ndarray, " n"]) -> bool:
    """Whether the mean gain is worth the time, and larger than chance explains."""
    if len(gains) < _MIN_IMAGES:
        return False
    standard_error = gains.std(ddof=1) / np.sqrt(len(gains))
    return bool(gains.mean() >= max(_MIN_GAIN, _MIN_STANDARD_ERRORS * standard_error))


def _qualities(localizer: NetworkLocalizer, boxed: Dataset) -> Float[ndarray, " n"]:
    return np.array(list(map(_quality, evaluate(localizer, boxed).outcomes)), dtype=np.float64)


def _quality(outcome: Outcome) -> float | None:
    """The fraction of labelled keypoints that are found; without any, the IoU."""
    is_found = known(outcome.keypoints_found or ())
    return fmean(is_found) if is_found else outcome.iou
