"""False-discovery rates: how many of the listed labels are right.

Few labels are wrong, so the bulk of the scores shows what right labels score: an empirical null
(Efron, JASA 2004, 99:96-104). The logarithm of a right label's score is taken as normal, with the
median of all scores as its mean. Its standard deviation comes from the lower half alone, from the
median and the 16 % quantile, which wrong labels, all above, hardly move.
"""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_LOW = 0.16
_LOW_Z = 0.9944578832097535  # distance of that quantile of the normal from its median

Values = Float[ndarray, " n"]


def p_values(scores: Values) -> Values:
    """Probability that a right label has such a score, or a higher one.

    Args:
        scores: Positive; most of them of right labels.
    """
    if not len(scores):
        return scores.copy()
    logs = np.log(scores)
    centre, low = np.quantile(logs, [0.5, _LOW])
    scale = max((centre - low) / _LOW_Z, np.finfo(np.float64).tiny)
    return np.array([normal_tail(value) for value in ((logs - centre) / scale).tolist()])


def q_values(p: Values) -> Values:
    """The smallest false-discovery rate at which each is in the list.

    References:
        Benjamini and Hochberg, JRSS B 1995, 57:289-300.
    """
    order = np.argsort(p, kind="stable")
    raw = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.minimum.accumulate(raw[::-1])[::-1].clip(max=1)
    values = np.empty_like(adjusted)
    values[order] = adjusted
    return values


def q_values_of_probabilities(right: Values) -> Values:
    """The same from the probability of each label that it is right.

    The rate of a list is the mean of these probabilities over it.
    """
    order = np.argsort(right, kind="stable")
    values = np.empty_like(right)
    values[order] = right[order].cumsum() / np.arange(1, len(right) + 1)
    return values


def normal_tail(z: float) -> float:
    """Probability that a standard normal variable exceeds a value.

    Examples:
        >>> round(normal_tail(1.644854), 4)
        0.05
    """
    return math.erfc(z / math.sqrt(2)) / 2
