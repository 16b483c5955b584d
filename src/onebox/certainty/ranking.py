"""Whether surer predictions are better: rank correlation, and risk over coverage."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.confidence import selection

Values = Float[ndarray, " n"]

_MOST_POINTS = 100  # of a curve in JSON or on a page; more are not seen


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """The mean loss of the surest images, over the fraction of images that are kept.

    Attributes:
        area: Area under the curve (AURC): the mean of the risks at every number of images.
        coverages: Fractions of images that are kept, rising to 1; at most 100 of them.
        risks: The mean loss at each of these.
    """

    area: float
    coverages: tuple[float, ...]
    risks: tuple[float, ...]


def spearman(left: Values, right: Values) -> float | None:
    """Rank correlation in [-1, 1]; tied values have their mean rank.

    Returns:
        None where it is not defined: all values on a side are equal, or there are fewer than two.

    References:
        Spearman, "The Proof and Measurement of Association between Two Things", 1904.
    """
    if not len(left):
        return None
    deviations = [ranks - ranks.mean() for ranks in (_mean_ranks(left), _mean_ranks(right))]
    length = float(np.prod([np.linalg.norm(one) for one in deviations]))
    return float(deviations[0] @ deviations[1]) / length if length else None


def risk_curve(confidences: Values, losses: Values) -> RiskCurve:
    """Risk over coverage of at least one image, surest first; see `selection.risk_coverage`."""
    curve = selection.risk_coverage(confidences, losses)
    count = len(curve.risks)
    chosen = np.unique(np.linspace(0, count - 1, _MOST_POINTS).round().astype(int))
    return RiskCurve(
        area=selection.aurc(confidences, losses),
        coverages=tuple(curve.coverages[chosen].tolist()),
        risks=tuple(curve.risks[chosen].tolist()),
    )


def _mean_ranks(values: Values) -> Values:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[group]
