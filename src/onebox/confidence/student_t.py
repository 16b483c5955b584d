"""Student's t: the interval of a mean of few numbers."""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_CONFIDENCE = 0.95
_HALVINGS = 60  # of the interval 0 to pi / 2: finer than float64


def t_interval(values: Float[ndarray, " n"]) -> tuple[float, float]:
    """The 95 % t interval of a mean.

    Args:
        values: At least two.
    """
    count = len(values)
    half = t_quantile(count - 1) * float(values.std(ddof=1)) / count**0.5
    mean = float(values.mean())
    return mean - half, mean + half


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t with at least one degree of freedom.

    Examples:
        >>> round(t_quantile(2), 3), round(t_quantile(9), 3), round(t_quantile(1000), 3)
        (4.303, 2.262, 1.962)
    """
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _probability_within(middle, freedom) < _CONFIDENCE:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(high)


def _probability_within(angle: float, freedom: int) -> float:
    """Probability that the absolute value of t is at most ``sqrt(freedom) * tan(angle)``.

    References:
        Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = freedom % 2
    steps = np.arange(1, (freedom - is_odd) // 2)
    factors = 2 * steps / (2 * steps + 1) if is_odd else (2 * steps - 1) / (2 * steps)
    series = 1 + float(np.cumprod(factors * cosine**2).sum())
    if not is_odd:
        return sine * series
    return 2 / math.pi * (angle + (sine * cosine * series if freedom > 1 else 0.0))
