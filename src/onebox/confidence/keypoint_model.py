"""The probability that a keypoint is found, given the confidence that the network has in it.

Its log-odds are a line of the confidence's log-odds: one slope for all keypoints, an intercept for
each. `records.KeypointModel` holds them.

References:
    Platt, "Probabilistic outputs for support vector machines", 1999 (a logistic regression of what
    happened on a score).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from onebox.confidence.records import KeypointModel

LEAST_CONFIDENCE = 1e-4
"""Of a confidence, and of what it lacks to 1: its log-odds are finite."""

# In units of one keypoint of one image. They matter with a few dozen images only. The last was
# chosen on validation images: 8 to 40 are as good. The others are not tuned.
_PRIOR_SLOPE = 4.0  # of the slope 1
_PRIOR_INTERCEPT = 1.0  # of the mean intercept 0
_PRIOR_DIFFERENCE = 15.0  # of each keypoint's intercept from the mean
_STEPS = 50
_ENOUGH = 1e-9
_FALL = 1e-4  # least fall of the loss, over what its gradient promises
_SMALLEST = 1e-6  # of the halved steps


def fit(
    confidences: Float[ndarray, "n keypoints"], is_found: Float[ndarray, "n keypoints"]
) -> KeypointModel:
    """Fit the probabilities to calibration images.

    Slope and intercepts are shrunk to 1 and 0, and the intercepts to their mean.

    Args:
        confidences: Of the network, for each keypoint of each image.
        is_found: 1 if the keypoint is found, 0 if it is not, NaN if it is not labelled.
    """
    count = confidences.shape[1]
    task = _Regression(
        _log_odds(confidences),
        np.where(np.isnan(is_found), 0.0, is_found),
        ~np.isnan(is_found),
        np.array([_PRIOR_SLOPE, _PRIOR_INTERCEPT, *[_PRIOR_DIFFERENCE] * count]),
    )
    numbers = _minimize(task, np.array([1.0, 0.0, *[0.0] * count]))
    if numbers[0] < 0:  # without confidences, whose log-odds are then 0, the intercepts are others
        return KeypointModel(0.0, fit(np.full_like(confidences, 0.5), is_found).intercepts)
    return KeypointModel(float(numbers[0]), tuple((numbers[1] + numbers[2:]).tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class _Regression:
    """The loss of the numbers: the slope, the mean intercept, each keypoint's difference from it.

    Attributes:
        odds: Log-odds of the confidences.
        happened: 1 if the keypoint is found; 0 if it is not, or not labelled.
        is_known: Whether it is labelled.
        prior: Weight of the squared distance of each number from its start.
    """

    odds: Float[ndarray, "n keypoints"]
    happened: Float[ndarray, "n keypoints"]
    is_known: Bool[ndarray, "n keypoints"]
    prior: Float[ndarray, " numbers"]

    def loss(self, numbers: ndarray, start: ndarray) -> float:
        """Negative log-likelihood of what happened, and the distance from the start."""
        logits = self._logits(numbers)
        misfit = (np.logaddexp(0.0, logits) - self.happened * logits)[self.is_known].sum()
        return float(misfit + (self.prior * (numbers - start) ** 2).sum() / 2)

    def derivatives(self, numbers: ndarray, start: ndarray) -> tuple[ndarray, ndarray]:
        """The gradient of the loss, and the matrix of its second derivatives."""
        p = _sigmoid(self._logits(numbers))
        gradient = _sums((p - self.happened) * self.is_known, self.odds)
        curvature = _curvature(p * (1 - p) * self.is_known, self.odds)
        return gradient + self.prior * (numbers - start), curvature + np.diag(self.prior)

    def _logits(self, numbers: ndarray) -> Float[ndarray, "n keypoints"]:
        return numbers[0] * self.odds + numbers[1] + numbers[2:]


def _minimize(task: _Regression, start: Float[ndarray, " numbers"]) -> Float[ndarray, " numbers"]:
    """The numbers of least loss, by Newton's method with steps that are halved until it falls.

    References:
        Nocedal and Wright, "Numerical Optimization", 2006, section 3.1 (sufficient decrease).
    """
    numbers = start
    for _ in range(_STEPS):
        gradient, curvature = task.derivatives(numbers, start)
        step = np.linalg.solve(curvature, gradient)
        before, slope = task.loss(numbers, start), float(gradient @ step)
        size = 1.0
        while (
            size > _SMALLEST
            and task.loss(numbers - size * step, start) > before - _FALL * size * slope
        ):
            size /= 2
        numbers = numbers - size * step
        if abs(size * step).max() < _ENOUGH:
            break
    return numbers


def scale(model: KeypointModel, confidences: Sequence[float]) -> tuple[float, ...]:
    """The probability that each keypoint of one image is found.

    Examples:
        >>> scale(KeypointModel(2.0, (0.0,)), (0.5,))  # odds of 1 stay 1
        (0.5,)
    """
    probabilities = []
    for confidence, intercept in zip(confidences, model.intercepts, strict=True):
        p = min(max(confidence, LEAST_CONFIDENCE), 1 - LEAST_CONFIDENCE)
        probabilities.append(1 / (1 + exp(-model.slope * log(p / (1 - p)) - intercept)))
    return tuple(probabilities)


def _log_odds(confidences: Float[ndarray, "n keypoints"]) -> Float[ndarray, "n keypoints"]:
    p = np.clip(confidences, LEAST_CONFIDENCE, 1 - LEAST_CONFIDENCE)
    return np.log(p / (1 - p))


def _sigmoid(logits: Float[ndarray, "n keypoints"]) -> Float[ndarray, "n keypoints"]:
    return np.exp(-np.logaddexp(0.0, -logits))


def _sums(values: ndarray, odds: ndarray) -> Float[ndarray, " numbers"]:
    """Sums of values, weighted as each number weighs in the log-odds."""
    return np.array([(values * odds).sum(), values.sum(), *values.sum(axis=0)])


def _curvature(weights: ndarray, odds: ndarray) -> Float[ndarray, "numbers numbers"]:
    """Second derivatives of the loss by the numbers."""
    of_slope, of_keypoint = _sums(weights * odds, odds), weights.sum(axis=0)
    matrix = np.zeros((len(of_slope), len(of_slope)))
    matrix[0], matrix[:, 0] = of_slope, of_slope
    matrix[1, 1:] = matrix[1:, 1] = [of_keypoint.sum(), *of_keypoint]
    matrix[2:, 2:] = np.diag(of_keypoint)
    return matrix
