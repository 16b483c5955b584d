"""How much each setting of a search matters: explained variation, with a permutation test.

A number's importance is the square of Spearman's rank correlation with the metric. A choice's is
eta squared, the share of the metric's variance between the choices. Both are 0 for no relation and
1 for a perfect one, and both are biased upwards for few trials: with 12 trials and a setting that
does nothing, they are 1/11 on average for a number, and more for choices. So each has a p-value:
the share of random reorderings of the metric that give at least as much.

References:
    Spearman, "The Proof and Measurement of Association between Two Things", American Journal of
    Psychology 15 (1904). Phipson and Smyth, arXiv:1603.05766 (p-values of permutations).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

PERMUTATIONS = 2000
"""Reorderings of the metric; the smallest p-value is 1 / 2001."""

_LEAST_TRIALS = 4  # with fewer, any setting explains much
_ROUNDING = 1e-12  # equal up to the order of a sum


@dataclass(frozen=True, slots=True)
class Importance:
    """How much a setting matters.

    Attributes:
        explained: Share of the metric's variation that goes with the setting, in [0, 1].
        p_value: Probability of as much or more if the setting does nothing.
        trials: Number of trials that it was measured on.
    """

    explained: float
    p_value: float
    trials: int


def of_numbers(
    values: Float64[ndarray, " n"], metric: Float64[ndarray, " n"], *, seed: int = 0
) -> Importance | None:
    """Importance of a setting with numbers; None if it cannot be measured.

    Args:
        values: The setting in each trial.
        metric: The metric of each trial.
        seed: Of the reorderings.
    """
    if not len(values) or np.ptp(values) == 0:
        return None
    ranks = ranks_of(values)
    return _measured(ranks_of(metric), lambda ranked: _squared_correlation(ranks, ranked), seed)


def of_choices(
    choices: Sequence[str], metric: Float64[ndarray, " n"], *, seed: int = 0
) -> Importance | None:
    """Importance of a setting with choices; None if it cannot be measured.

    It also cannot if no choice was tried twice: then the choices always explain everything.

    Args:
        choices: The choice of each trial.
        metric: The metric of each trial.
        seed: Of the reorderings.
    """
    _, groups, counts = np.unique(np.array(choices), return_inverse=True, return_counts=True)
    if len(counts) in {1, len(choices)}:
        return None
    return _measured(metric, lambda values: eta_squared(groups, values), seed)


def eta_squared(groups: Int64[ndarray, " n"], metric: Float64[ndarray, " n"]) -> float:
    """Share of the variance that lies between groups; 0 if there is no variance.

    Args:
        groups: Number of each value's group, from 0.
        metric: The values.
    """
    counts = np.bincount(groups)
    means = np.bincount(groups, metric) / np.maximum(counts, 1)
    total = float(np.sum((metric - metric.mean()) ** 2))
    between = float(np.sum(counts * (means - metric.mean()) ** 2))
    return between / total if total > 0 else 0.0


def ranks_of(values: Float64[ndarray, " n"]) -> Float64[ndarray, " n"]:
    """Ranks from 1; equal values share the mean of theirs.

    Examples:
        >>> ranks_of(np.array([0.5, 0.1, 0.5])).tolist()
        [2.5, 1.0, 2.5]
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: Float64[ndarray, " groups"] = last - (counts - 1) / 2
    return means[places]


def _squared_correlation(first: Float64[ndarray, " n"], second: Float64[ndarray, " n"]) -> float:
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sum(a**2) * np.sum(b**2))
    return float(np.sum(a * b)) ** 2 / scale if scale > 0 else 0.0


def _measured(
    metric: Float64[ndarray, " n"],
    explained: Callable[[Float64[ndarray, " n"]], float],
    seed: int,
) -> Importance | None:
    count = len(metric)
    if count < _LEAST_TRIALS or np.ptp(metric) == 0:
        return None
    found = explained(metric)
    rng = np.random.default_rng(seed)
    others = np.array([explained(rng.permutation(metric)) for _ in range(PERMUTATIONS)])
    as_much = int(np.sum(others >= found - _ROUNDING))
    return Importance(found, (1 + as_much) / (1 + PERMUTATIONS), count)
