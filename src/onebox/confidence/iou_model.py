"""The distribution of the IoU of a box, given the spread of its edges.

``log(1 - IoU + 0.003)`` is normal; its mean grows with the logarithm of the spread. An IoU is cut
off at 0 and 1. `records.IouModel` holds the three numbers.
"""

from math import erfc, exp, log, sqrt

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.confidence.records import IouModel

ERROR_OFFSET = 0.003  # an IoU of 1 has a logarithm, too
SPREAD_OFFSET = 1e-4  # of a spread: 0 has a logarithm, too

# Chosen by simulation, for slopes from 0.7 to 1.3, deviations from 0.5 to 1.1 and 5 to 200 images:
# with 9 images, the fit is nearly three times as close to the truth as least squares.
_PRIOR_WEIGHT = 8.0  # of the slope 1: a sum of squares of logarithms of spreads
_PRIOR_IMAGES = 4.0  # that the prior deviation counts for
_PRIOR_DEVIATION = 0.7

_LEAST_DEVIATION = 0.1
_MOST_MEAN = 50.0  # far beyond an IoU of 0; larger ones would overflow
_NONE, _ALL = log(ERROR_OFFSET), log(1 + ERROR_OFFSET)  # of the error at an IoU of 1 and of 0


def fit(spreads: Float[ndarray, " n"], ious: Float[ndarray, " n"]) -> IouModel:
    """Fit the distribution to calibration images.

    A least-squares line, whose slope is shrunk to 1 and is never negative: a larger spread never
    means a better box. The deviation is shrunk to 0.7. Both matter with a few dozen images only.

    Args:
        spreads: The spread of each box; see `Prediction.spread`.
        ious: Its IoU with the true box, in [0, 1], whether its label is right or wrong.

    Raises:
        ValueError: If there is no image.
    """
    if not len(spreads):
        raise ValueError("fit needs at least one image, got none.")
    x = np.log(spreads + SPREAD_OFFSET)
    y = np.log(1 - np.clip(ious, 0, 1) + ERROR_OFFSET)
    from_mean_x, from_mean_y = x - x.mean(), y - y.mean()
    covered = from_mean_x @ from_mean_y + _PRIOR_WEIGHT
    slope = max(float(covered / (from_mean_x @ from_mean_x + _PRIOR_WEIGHT)), 0.0)
    residuals = from_mean_y - slope * from_mean_x
    squares = residuals @ residuals + _PRIOR_IMAGES * _PRIOR_DEVIATION**2
    deviation = sqrt(squares / (len(x) - 1 + _PRIOR_IMAGES))
    intercept = float(y.mean() - slope * x.mean())
    return IouModel(intercept, slope, max(deviation, _LEAST_DEVIATION))


def probability_at_least(model: IouModel, spread: float, threshold: float) -> float:
    """Probability that the IoU is at least a threshold; 1 for 0, and 0 beyond 1."""
    if not 0 < threshold <= 1:
        return float(threshold <= 0)
    return _normal((log(1 - threshold + ERROR_OFFSET) - _mean(model, spread)) / model.deviation)


def expected_iou(model: IouModel, spread: float) -> float:
    """The IoU that is expected, in [0, 1].

    With the log-normal ``E = 1 - IoU + 0.003``, the IoU cut off at 0 and 1 is
    ``max(1.003 - E, 0) - max(0.003 - E, 0)``; the expectation of either is the price of a put
    option.

    References:
        Black and Scholes, "The Pricing of Options and Corporate Liabilities", 1973.
    """
    mean, deviation = _mean(model, spread), model.deviation
    error = exp(mean + deviation * deviation / 2)
    all_, none = (_ALL - mean) / deviation, (_NONE - mean) / deviation
    at_least_0 = (1 + ERROR_OFFSET) * _normal(all_) - error * _normal(all_ - deviation)
    above_1 = ERROR_OFFSET * _normal(none) - error * _normal(none - deviation)
    return min(max(at_least_0 - above_1, 0.0), 1.0)


def _mean(model: IouModel, spread: float) -> float:
    """Mean of the logarithm of the error."""
    return min(model.intercept + model.slope * log(spread + SPREAD_OFFSET), _MOST_MEAN)


def _normal(deviations: float) -> float:
    """The normal distribution function; erfc keeps the small values of its lower tail exact."""
    return 0.5 * erfc(-0.7071067811865476 * deviations)
