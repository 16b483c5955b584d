"""Whether outer boxes contain the true box as often as the model promises, and how large they are.

The outer boxes are made as for a user who asks for the coverage: `confidence.guarantees`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from onebox.boxes import Boxes, box_areas
from onebox.confidence.applying import guaranteed
from onebox.confidence.conformal import least_images, quantile
from onebox.confidence.guarantees import guarantees
from onebox.confidence.records import Calibration
from onebox.metrics import Outcome

LEVELS = tuple(round(0.05 * step, 2) for step in range(10, 20))
"""The coverages that are measured: 0.5, 0.55, ... 0.95."""

_TAIL = 0.025  # left out on each side of an interval


@dataclass(frozen=True, slots=True)
class OuterBoxes:
    """The outer boxes of labelled images, for one coverage asked for.

    Attributes:
        level: The coverage asked for.
        covered: Fraction of the outer boxes that contain the true box.
        expected: Where ``covered`` lies with a probability of 95 %, if the images are like the
            calibration images. Both are few: the interval allows for the coverage that these
            calibration images happen to give, and for the number of images that are judged.
        p_value: Probability of so few or fewer true boxes inside, if that is so.
        stretch: Median of ``sqrt(area of the outer box / area of the predicted box)``; None if
            every predicted box is empty.
        by_third: ``covered`` for the least sure third of the images, the middle one and the surest
            one. Nothing promises these. None for fewer than three images.
    """

    level: float
    covered: float
    expected: tuple[float, float]
    p_value: float
    stretch: float | None
    by_third: tuple[float, float, float] | None


def judge_outer_boxes(
    outcomes: Sequence[Outcome], calibration: Calibration, level: float
) -> OuterBoxes | None:
    """Judge the outer boxes for one coverage.

    Args:
        outcomes: Images with a true box, least sure first, predicted with a sigma.
        calibration: That of the model.
        level: The coverage asked for, in (0, 1).

    Returns:
        None without outcomes, or if the model has too few calibration images for this coverage.
    """
    if not outcomes or len(calibration.sides.outer) < least_images(level):
        return None
    promise = guarantees(calibration, "the model", level)
    predictions = [guaranteed(one.prediction, promise, one.size_wh) for one in outcomes]
    outer = np.array([one.outer_box for one in predictions], dtype=np.float64)
    is_covered = _contains(outer, np.array([one.sample.box for one in outcomes], dtype=np.float64))
    cumulative = np.cumsum(_distribution(outcomes, calibration, level))
    low, high = (int(np.searchsorted(cumulative, tail)) for tail in (_TAIL, 1 - _TAIL))
    return OuterBoxes(
        level=level,
        covered=float(is_covered.mean()),
        expected=(low / len(outcomes), high / len(outcomes)),
        p_value=min(float(cumulative[is_covered.sum()]), 1.0),
        stretch=_stretch(outer, np.array([one.prediction.box for one in outcomes], np.float64)),
        by_third=_by_third(is_covered),
    )


def hits_distribution(calibration_images: int, rank: int, images: int) -> Float[ndarray, " m"]:
    """Probability of each number of images, from 0 to all, whose true box is covered.

    The coverage of a growth that is the ``rank``-th smallest of ``n`` scores is Beta(rank,
    n + 1 - rank), and each image is covered with that probability: a beta-binomial distribution.

    Args:
        calibration_images: The number ``n`` of scores.
        rank: From 1 to ``n``.
        images: Number of images that are judged.

    References:
        Angelopoulos and Bates, arXiv:2107.07511, section 3.2 and appendix C.
    """
    a, b = rank, calibration_images + 1 - rank
    hits = np.arange(images)
    steps = np.log((images - hits) * (a + hits)) - np.log((hits + 1) * (b + images - hits - 1))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


def _distribution(
    outcomes: Sequence[Outcome], calibration: Calibration, level: float
) -> Float[ndarray, " m"]:
    """`hits_distribution` of the outcomes; labels with a growth of their own count apart."""
    own: dict[str | None, int] = {
        label: len(sides.outer)
        for label, sides in calibration.sides_by_label.items()
        if len(sides.outer) >= least_images(level)
    }
    labels = (one.prediction.label for one in outcomes)
    groups = Counter(label if label in own else None for label in labels)
    parts = []
    for label, images in groups.items():
        scores = own.get(label, len(calibration.sides.outer))
        rank = int(quantile([float(k) for k in range(1, scores + 1)], level))
        parts.append(hits_distribution(scores, rank, images))
    distribution: Float[ndarray, " m"] = reduce(np.convolve, parts)
    return distribution


def _contains(outer: Boxes, true: Boxes) -> Bool[ndarray, " n"]:
    inside = np.concatenate([outer[:, :2] <= true[:, :2], outer[:, 2:] >= true[:, 2:]], axis=1)
    return np.logical_and.reduce(inside, axis=1)


def _stretch(outer: Boxes, predicted: Boxes) -> float | None:
    areas = box_areas(predicted)
    has_area = areas > 0
    ratios = box_areas(outer[has_area]) / areas[has_area]
    return float(np.median(np.sqrt(ratios))) if len(ratios) else None


def _by_third(is_covered: Bool[ndarray, " n"]) -> tuple[float, float, float] | None:
    if len(is_covered) < 3:  # noqa: PLR2004
        return None
    least, middle, most = (float(part.mean()) for part in np.array_split(is_covered, 3))
    return least, middle, most
