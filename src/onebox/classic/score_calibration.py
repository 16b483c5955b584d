"""Calibrates scores: Platt scaling for the box, temperature scaling for the classes.

References:
    Platt, "Probabilistic outputs for support vector machines", 1999 (logistic regression).
    Papke and Wooldridge, "Econometric methods for fractional response variables", 1996 (logistic
    regression on fractions; a few dozen IoUs carry more information than as many hits and misses).
    Guo et al., arXiv:1706.04599, section 4.2 (one temperature for all classes).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from onebox.classic.packages import require_classic

# Wide enough that no data set here reached an end, fine enough (10 %) not to matter; not tuned.
_INVERSE_TEMPERATURES = np.geomspace(0.1, 30, 60)
_LOGISTIC_C = 1e4  # so weak a penalty that it only keeps separable data finite; not tuned


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps agreement to expected IoU, and decision values to class probabilities.

    Attributes:
        slope: Slope of the expected IoU's log-odds over the candidates' agreement.
        intercept: Intercept of the same line.
        inverse_temperature: Factor on the decision values before their softmax over the classes.
    """

    slope: float = 1.0
    intercept: float = 0.0
    inverse_temperature: float = 1.0

    def expected_iou(self, agreement: float) -> float:
        """The expected IoU of a box with the true box."""
        return float(np.exp(-np.logaddexp(0, -(self.slope * agreement + self.intercept))))

    def probabilities(
        self, decision_values: Float[ndarray, " classes"]
    ) -> Float[ndarray, " classes"]:
        """Class probabilities, from the largest decision value of each class in the image."""
        values = decision_values[None].astype(np.float64)
        return np.exp(_log_softmax(values, self.inverse_temperature))[0]


def fit_calibration(
    agreements: Float[ndarray, " n"],
    ious: Float[ndarray, " n"],
    decision_values: Float[ndarray, "n classes"],
    class_indices: Int[ndarray, " n"],
) -> Calibration:
    """Fit both mappings on images with known boxes and classes.

    Args:
        agreements: Agreement of each image's candidates with its box.
        ious: IoU of each image's box with the true box.
        decision_values: Largest decision value of each class in each image.
        class_indices: True class of each image.

    Returns:
        The calibration. Its slope is 0, so that the expected IoU is the same for every image, if
        IoU does not grow with agreement.
    """
    # Two pseudo-observations, no IoU at no agreement and full IoU at full agreement, regularize
    # the slope where a few images do not settle its sign.
    ends = np.array([0.0, 1.0])
    slope, intercept = _fit_logistic(np.append(agreements, ends), np.append(ious, ends))
    if slope <= 0:
        slope, intercept = 0.0, _fit_logistic(np.zeros_like(agreements), ious)[1]
    inverse_temperature = _fit_temperature(decision_values.astype(np.float64), class_indices)
    return Calibration(slope, intercept, inverse_temperature)


def _fit_logistic(
    values: Float[ndarray, " n"], targets: Float[ndarray, " n"]
) -> tuple[float, float]:
    # A fractional target counts as a hit of that weight and a miss of the remaining weight.
    logistic = require_classic("sklearn.linear_model").LogisticRegression(C=_LOGISTIC_C)
    logistic.fit(
        np.tile(values, 2)[:, None],
        np.repeat([1, 0], len(values)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    return float(logistic.coef_[0, 0]), float(logistic.intercept_[0])


def _fit_temperature(
    decision_values: Float[ndarray, "n classes"], class_indices: Int[ndarray, " n"]
) -> float:
    """The inverse temperature of the largest likelihood; 1 for a single class."""
    if decision_values.shape[1] == 1:
        return 1.0
    rows = np.arange(len(class_indices))
    likelihoods = [
        _log_softmax(decision_values, each)[rows, class_indices].mean()
        for each in _INVERSE_TEMPERATURES
    ]
    return float(_INVERSE_TEMPERATURES[int(np.argmax(likelihoods))])


def _log_softmax(
    values: Float[ndarray, "n classes"], inverse_temperature: float
) -> Float[ndarray, "n classes"]:
    scaled = inverse_temperature * (values - values.max(axis=1, keepdims=True))
    return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
