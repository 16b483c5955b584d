"""Whether new images are like the calibration images; every guarantee assumes it."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_TERMS = 100  # of a series whose terms fall faster than exp(-2 k^2 d^2)
_LEAST_DISTANCE = 0.2  # scaled; the probability of a larger one is 1 to 12 digits


def exchangeability_p(
    calibration_values: Float[ndarray, " n"], new_values: Float[ndarray, " m"]
) -> float:
    """P-value of the two-sample Kolmogorov-Smirnov test.

    Args:
        calibration_values: One number for each calibration image, such as its spread.
        new_values: The same number for each new image.

    Returns:
        Probability that images drawn alike differ this much, from the asymptotic distribution with
        Stephens' correction for small samples; 1 if either sample is empty. A small one says that
        the new images are not like the calibration images.

    References:
        Stephens, "Use of the Kolmogorov-Smirnov, Cramer-Von Mises and Related Statistics Without
        Extensive Tables", 1970.
    """
    n, m = len(calibration_values), len(new_values)
    if not n or not m:
        return 1.0
    both = np.concatenate([calibration_values, new_values])
    shares = [
        np.searchsorted(np.sort(values), both, side="right") / len(values)
        for values in (calibration_values, new_values)
    ]
    distance = float(np.abs(shares[0] - shares[1]).max())
    root = float(np.sqrt(n * m / (n + m)))
    return _kolmogorov((root + 0.12 + 0.11 / root) * distance)


def _kolmogorov(distance: float) -> float:
    """Probability that the scaled distance is at least this one."""
    if distance < _LEAST_DISTANCE:
        return 1.0
    k = np.arange(1, _TERMS + 1)
    terms = (-1.0) ** (k - 1) * np.exp(-2 * (k * distance) ** 2)
    return float(np.clip(2 * terms.sum(), 0, 1))
