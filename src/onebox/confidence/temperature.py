"""Temperature scaling: class probabilities that are as often right as they say.

References:
    Guo and others, "On Calibration of Modern Neural Networks", arXiv:1706.04599.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

_LEAST_PROBABILITY = 1e-7  # what float32 resolves beside 1
_RANGE = (0.1, 10.0)  # of temperatures
_PRIOR_WEIGHT = 2.0  # of the temperature 1; by simulation for 9 to 1000 images
_HALVINGS = 50


def fit(probabilities: Float[ndarray, "n k"], labels: Int[ndarray, " n"]) -> float:
    """The temperature that makes the true labels of calibration images most probable.

    With ``b = 1 / temperature``, it minimizes the negative log-likelihood plus ``2 (b - log b)``, a
    prior that is least at 1. The prior keeps a few images that are all right from a temperature
    of 0; it is lost among a hundred. The sum is convex, so the minimum is the only one.

    Args:
        probabilities: Of each class, for each image.
        labels: The index of the true class of each image.

    Returns:
        A temperature from 0.1 to 10; 1 for one class, and without images.
    """
    logs = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
    of_truth = float(logs[np.arange(len(labels)), labels].sum())
    low, high = (float(np.log(1 / bound)) for bound in reversed(_RANGE))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        inverse = float(np.exp(middle))
        slope = _expected(logs, inverse) - of_truth + _PRIOR_WEIGHT * (1 - 1 / inverse)
        low, high = (middle, high) if slope < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def scale(probabilities: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Divide the logarithms of one image's probabilities by a temperature; the sum stays 1.

    Above 1, the probabilities move towards each other; below 1, apart. Their order stays.

    Examples:
        >>> scale((0.8, 0.2), 2.0)  # the ratio 4 becomes its square root, 2
        (0.6666666666666666, 0.3333333333333333)
    """
    if temperature == 1 or len(probabilities) == 1:
        return tuple(probabilities)
    most, exponent = max(probabilities), 1 / temperature
    powers = [(each / most) ** exponent for each in probabilities]
    total = sum(powers)
    return tuple([power / total for power in powers])


def _expected(logs: Float[ndarray, "n k"], inverse: float) -> float:
    """Sum over images of the expected logarithm, under the probabilities at a temperature."""
    powers = np.exp(inverse * (logs - logs.max(axis=1, keepdims=True, initial=-np.inf)))
    return float(((powers * logs).sum(axis=1) / powers.sum(axis=1)).sum())
