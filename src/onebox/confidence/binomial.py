"""The binomial distribution, and the beta distribution with whole parameters, which it gives."""

import numpy as np

_HALVINGS = 60  # of the interval 0 to 1: finer than float64


def cumulative(successes: int, trials: int, probability: float) -> float:
    """Probability of at most so many successes in independent trials.

    Args:
        successes: At least 0.
        trials: At least 0.
        probability: Probability of success in one trial, from 0 to 1.

    Examples:
        >>> cumulative(1, 2, 0.5)
        0.75
    """
    if successes >= trials or probability <= 0:
        return 1.0
    if probability >= 1:
        return 0.0
    counts = np.arange(successes + 1)
    steps = np.log((trials - counts[1:] + 1) / counts[1:])
    log_ways = np.concatenate([[0.0], np.cumsum(steps)])  # logarithm of "trials choose counts"
    logs = log_ways + counts * np.log(probability) + (trials - counts) * np.log1p(-probability)
    return min(float(np.exp(logs).sum()), 1.0)


def beta_quantile(probability: float, a: int, b: int) -> float:
    """Quantile of the beta distribution with the parameters ``a`` and ``b``, both at least 1.

    A Beta(a, b) variable is at most ``x`` with the probability that ``a`` or more of ``a + b - 1``
    trials succeed, each with the probability ``x``.

    References:
        NIST Digital Library of Mathematical Functions, 8.17.5.
    """
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if 1 - cumulative(a - 1, a + b - 1, middle) < probability:
            low = middle
        else:
            high = middle
    return high
