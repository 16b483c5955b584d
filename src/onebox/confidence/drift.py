"""Whether new images are like the calibration images; every guarantee assumes it."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

DIFFERENT_P = 0.01
"""Below this p-value, images count as unlike the calibration images. Not tuned."""


def exchangeability_p(
    calibration_values: Float[ndarray, " n"], new_values: Float[ndarray, " m"]
) -> float:
    """Exact p-value of the two-sample Kolmogorov-Smirnov test.

    Args:
        calibration_values: One number for each calibration image, such as its spread.
        new_values: The same number for each new image.

    Returns:
        Probability that samples from one distribution differ at least as much, in their largest
        distance of distribution functions; 1 if either is empty. A small one says that the new
        images are not like the calibration images. With equal values, it is an upper bound.

    References:
        Hodges, "The Significance Probability of the Smirnov Two-Sample Test", 1958.
    """
    few, many = sorted([np.sort(calibration_values), np.sort(new_values)], key=len)
    if not len(few):
        return 1.0
    both = np.concatenate([few, many])
    below = [np.searchsorted(values, both, side="right") for values in (few, many)]
    # The distance in units of 1 / (len(few) * len(many)), so that equal ones are exactly equal.
    distance = int(np.abs(below[0] * len(many) - below[1] * len(few)).max())
    return min(max(1 - _share_of_paths(len(few), len(many), distance), 0.0), 1.0)


def _share_of_paths(few: int, many: int, distance: int) -> float:
    """Share of the orders of two samples that stay closer than a distance.

    An order is a path from (0, 0) to (few, many), one step for each value; it is closer if
    ``|i * many - j * few| < distance`` at all its points (i, j). ``paths[j]`` counts those to
    (i, j), divided by a factor for each row so that the last count is the share.
    """
    offsets = np.arange(many + 1) * few
    paths = (offsets < distance).astype(np.float64)
    for i in range(1, few + 1):
        is_close = np.abs(i * many - offsets) < distance
        paths = np.where(is_close, np.cumsum(np.where(is_close, paths, 0)), 0) * (i / (i + many))
    return float(paths[-1])
