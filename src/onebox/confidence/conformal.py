"""Boxes with a guarantee: split conformal prediction with one score for all four sides.

The *outer score* of an image is how many sigmas its box must grow to contain the true box: on each
side, the signed distance from the box outwards to the true box over that side's sigma; of the
four, the largest. The *inner score* has the other sign: how many sigmas the box must shrink to
lie within the true box. The growth that sufficed for 90 % of the calibration images (`quantile`)
suffices for 90 % of new images, if those are exchangeable with the calibration images, as when
both are drawn at random from one source. It holds on average over images and over calibration
sets (`coverage_interval` says for one), not for each kind of image.

References:
    Angelopoulos and Bates, "A Gentle Introduction to Conformal Prediction", arXiv:2107.07511.
    Andéol and others, "Confident Object Detection via Conformal Prediction and Conformal Risk
    Control", arXiv:2304.06052, for one score over four sides.
"""

from collections.abc import Sequence
from math import ceil, inf

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.boxes import Boxes, box_areas, box_sizes
from onebox.confidence.binomial import beta_quantile
from onebox.structures import Box

LEAST_SIGMA = 1e-3
"""Pixels; a smaller sigma counts as this one."""

_OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])  # the direction of each side's coordinate
_ROUNDING = 1e-9  # 0.55 x 100 is 55.00000000000001, and its rank is 55
_HALVINGS = 60


def side_scores(
    boxes: Boxes, true_boxes: Boxes, sigmas: Float[ndarray, "n 4"]
) -> tuple[Float[ndarray, " n"], Float[ndarray, " n"]]:
    """The outer and the inner score of each image.

    Args:
        boxes: Predicted ``xyxy`` boxes in pixels.
        true_boxes: The true boxes of the same images.
        sigmas: Standard deviation of each edge, in pixels.
    """
    residuals = _OUTWARDS * (true_boxes - boxes) / np.maximum(sigmas, LEAST_SIGMA)
    return residuals.max(axis=1), (-residuals).max(axis=1)


def quantile(sorted_scores: Sequence[float], coverage: float) -> float:
    """The score that covers a new image with at least this probability.

    Args:
        sorted_scores: Scores of the calibration images, lowest first.
        coverage: In (0, 1).

    Returns:
        The ``ceil((n + 1) * coverage)``-th smallest of the ``n`` scores; infinite if that exceeds
        ``n``.

    Raises:
        ValueError: If the coverage is not in (0, 1).
    """
    rank = _rank(len(sorted_scores), coverage)
    return float(sorted_scores[rank - 1]) if rank <= len(sorted_scores) else inf


def least_images(coverage: float) -> int:
    """How many calibration images it takes for a finite `quantile`.

    Examples:
        >>> least_images(0.9)
        9

    Raises:
        ValueError: If the coverage is not in (0, 1).
    """
    _check(coverage)
    images = ceil(coverage / (1 - coverage))
    # The quotient may be rounded up.
    return images - 1 if _rank(images - 1, coverage) < images else images


def coverage_interval(
    images: int, coverage: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Where the coverage lies, over all new images, of one set of calibration images.

    The coverage depends on which images calibrated. Its distribution is Beta(k, n + 1 - k), for the
    k-th smallest of n scores, if no two scores are equal.

    Args:
        images: Number of calibration images.
        coverage: The coverage asked for, in (0, 1).
        confidence: Probability of the interval, which leaves as much out below as above.

    Returns:
        The ends of the interval; 1 and 1 if the `quantile` is infinite.

    Raises:
        ValueError: If the coverage is not in (0, 1).

    References:
        Vovk, "Conditional validity of inductive conformal predictors", arXiv:1209.2673.
    """
    rank = _rank(images, coverage)
    if rank > images:
        return 1.0, 1.0
    tail = (1 - confidence) / 2
    ends = [beta_quantile(each, rank, images + 1 - rank) for each in (tail, 1 - tail)]
    return ends[0], ends[1]


def grow(box: Box, sigma: Box, q: float, size_wh: tuple[int, int]) -> Box:
    """Move each side of a box outwards by ``q`` of its sigmas, at most to the image's border.

    A negative ``q`` moves them inwards, at most to where opposite sides meet.
    """
    x_min, x_max = _moved(box[0], box[2], sigma[0], sigma[2], q, size_wh[0])
    y_min, y_max = _moved(box[1], box[3], sigma[1], sigma[3], q, size_wh[1])
    return x_min, y_min, x_max, y_max


def shrink(box: Box, sigma: Box, q: float, size_wh: tuple[int, int]) -> Box | None:
    """Move each side of a box inwards by ``q`` of its sigmas; None if nothing is left.

    A negative ``q`` moves them outwards, at most to the image's border.
    """
    x_min, y_min, x_max, y_max = grow(box, sigma, -q, size_wh)
    return (x_min, y_min, x_max, y_max) if x_min < x_max and y_min < y_max else None


def uncovered_share_quantile(
    boxes: Boxes, true_boxes: Boxes, sigmas: Float[ndarray, "n 4"], most: float
) -> float:
    """How many sigmas boxes must grow so that little of a true box is left outside.

    The share of the true box's area outside the grown box is at most ``most`` on average, where
    `quantile` bounds how often any is. So it takes less growth.

    Args:
        boxes: Predicted ``xyxy`` boxes of the calibration images, in pixels.
        true_boxes: Their true boxes.
        sigmas: Standard deviation of each edge, in pixels.
        most: The expected share that is accepted, in (0, 1).

    Returns:
        The smallest number of sigmas for `grow`, to 15 digits, negative if boxes may shrink;
        infinite for fewer than ``1 / most - 1`` images.

    Raises:
        ValueError: If ``most`` is not in (0, 1).

    References:
        Angelopoulos and others, "Conformal Risk Control", arXiv:2208.02814.
    """
    _check(most, "most")
    images, sigmas = len(boxes), np.maximum(sigmas, LEAST_SIGMA)
    allowed = (images + 1) * most - 1 + _ROUNDING  # sum of the shares; a new image may add 1
    if not images or allowed < 0:
        return inf
    low = -float((box_sizes(boxes) / sigmas[:, :2]).max()) - 1  # nothing is left of any box
    high = float(side_scores(boxes, true_boxes, sigmas)[0].max())  # nothing is left outside
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        shares = _uncovered_shares(boxes + _OUTWARDS * middle * sigmas, true_boxes)
        low, high = (low, middle) if shares.sum() <= allowed else (middle, high)
    return high


def _uncovered_shares(boxes: Boxes, true_boxes: Boxes) -> Float[ndarray, " n"]:
    """Share of each true box's area that is outside the box; 0 for a true box without area."""
    corners = [
        np.maximum(boxes[:, :2], true_boxes[:, :2]),
        np.minimum(boxes[:, 2:], true_boxes[:, 2:]),
    ]
    areas, covered = box_areas(true_boxes), box_areas(np.concatenate(corners, axis=1))
    return 1 - np.divide(covered, areas, out=np.ones_like(areas), where=areas > 0)


def _rank(images: int, coverage: float) -> int:
    _check(coverage)
    return ceil((images + 1) * coverage - _ROUNDING)


def _check(value: float, name: str = "coverage") -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value}.")


def _moved(
    low: float, high: float, low_sigma: float, high_sigma: float, q: float, length: int
) -> tuple[float, float]:
    """The two sides of one axis, moved outwards and cut at 0 and at the image's length."""
    low_sigma, high_sigma = max(low_sigma, LEAST_SIGMA), max(high_sigma, LEAST_SIGMA)
    meeting = (low - high) / (low_sigma + high_sigma)
    if q <= meeting:
        low = high = low - meeting * low_sigma
    else:
        low, high = low - q * low_sigma, high + q * high_sigma
    return min(max(low, 0.0), float(length)), min(max(high, 0.0), float(length))
