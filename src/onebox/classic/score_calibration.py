"""What machines say of an image → how sure, in [0, 1].

References:
    Platt, "Probabilistic outputs for support vector machines", 1999 (a logistic curve).
    Papke and Wooldridge, "Econometric methods for fractional response variables", 1996 (the same
    curve for a share in place of a yes or no; a few dozen overlaps say more than as many hits).
    Guo et al., arXiv:1706.04599, section 4.2 (one temperature for the classes).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from onebox.classic.packages import require_classic

_TEMPERATURES = np.geomspace(0.1, 30, 60)
_HARDLY_PENALISED = 1e4


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two curves, each fitted on images with a known answer.

    Attributes:
        slope: Of the log-odds of the box's overlap, over the agreement of the candidates.
        intercept: Of the same.
        temperature: What margins are multiplied with before their softmax over the classes.
    """

    slope: float = 1.0
    intercept: float = 0.0
    temperature: float = 1.0

    def overlap(self, agreement: float) -> float:
        """The overlap with the truth that is expected of a box."""
        return float(np.exp(-np.logaddexp(0, -(self.slope * agreement + self.intercept))))

    def probabilities(self, best: Float[ndarray, " classes"]) -> Float[ndarray, " classes"]:
        """How probable each class is, by its largest margin in the image."""
        return np.exp(_log_softmax(best[None].astype(np.float64), self.temperature))[0]


def calibrate(
    agreements: Float[ndarray, " n"],
    overlaps: Float[ndarray, " n"],
    best: Float[ndarray, "n classes"],
    labels: Int[ndarray, " n"],
) -> Calibration:
    """Fit both curves.

    Args:
        agreements: Of each image's candidates with its box.
        overlaps: Of each image's box with the true one.
        best: The largest margin of each class, for each image.
        labels: The true class of each image.

    Returns:
        The curves; where more agreement does not mean more overlap, the overlap expected is the
        same for every image.
    """
    # Two images are imagined: without agreement nothing is found, with full agreement all is.
    # They tilt the curve where a few images do not say which way it goes.
    ends = np.array([0.0, 1.0])
    slope, intercept = _logistic(np.append(agreements, ends), np.append(overlaps, ends))
    if slope <= 0:
        slope, intercept = 0.0, _logistic(np.zeros_like(agreements), overlaps)[1]
    return Calibration(slope, intercept, _temperature(best.astype(np.float64), labels))


def _logistic(values: Float[ndarray, " n"], shares: Float[ndarray, " n"]) -> tuple[float, float]:
    # Each image counts as a hit with its share, and as a miss with what is left of it.
    curve = require_classic("sklearn.linear_model").LogisticRegression(C=_HARDLY_PENALISED)
    curve.fit(
        np.tile(values, 2)[:, None],
        np.repeat([1, 0], len(values)),
        sample_weight=np.concatenate([shares, 1 - shares]),
    )
    return float(curve.coef_[0, 0]), float(curve.intercept_[0])


def _temperature(best: Float[ndarray, "n classes"], labels: Int[ndarray, " n"]) -> float:
    """The temperature that makes the true classes most likely; 1 where there is one class."""
    if best.shape[1] == 1:
        return 1.0
    rows = np.arange(len(labels))
    likelihoods = [_log_softmax(best, each)[rows, labels].mean() for each in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmax(likelihoods))])


def _log_softmax(
    margins: Float[ndarray, "n classes"], temperature: float
) -> Float[ndarray, "n classes"]:
    scaled = temperature * (margins - margins.max(axis=1, keepdims=True))
    return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
