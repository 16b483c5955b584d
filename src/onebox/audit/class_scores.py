"""How probable it is that each class label is right.

A label is wrong with a small probability, the error rate, and then any of the other classes.
With the predicted probabilities, Bayes' rule gives the probability that a label is right. The
error rate, and a temperature that makes the predicted probabilities fit, are those under which the
given labels are most likely.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from onebox.audit.false_discovery import q_values_of_probabilities

_TEMPERATURES = np.exp(np.linspace(np.log(0.3), np.log(4), 40))
_RATES = np.array([0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3])
_LEAST = 1e-12  # of a probability

Probabilities = Float[ndarray, "n classes"]
Values = Float[ndarray, " n"]


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """Scores of class labels, one row each.

    Attributes:
        wrong: Probability that the label is wrong.
        q_values: The smallest false-discovery rate at which the label is in the list.
        probabilities: Of the classes, with the temperature.
        error_rate: Estimated fraction of wrong labels.
    """

    wrong: Values
    q_values: Values
    probabilities: Probabilities
    error_rate: float


def score_classes(given: Int[ndarray, " n"], probabilities: Probabilities) -> ClassScores:
    """Score class labels against predicted probabilities.

    Args:
        given: Index of the class of each image.
        probabilities: Of two classes or more, row by row.
    """
    logs = np.log(probabilities.clip(_LEAST))
    of_temperature = [_softmax(logs / each) for each in _TEMPERATURES]
    likelihoods = [
        [_log_likelihood(_of_given(each, given), rate, each.shape[1]) for rate in _RATES]
        for each in of_temperature
    ]
    temperature, rate = np.unravel_index(np.argmax(likelihoods), np.shape(likelihoods))
    scaled = of_temperature[temperature]
    # A rate of 0 would call every label right, whatever the networks say.
    least_rate = max(float(_RATES[rate]), 1 / max(len(given), 1))
    right = _right(_of_given(scaled, given), least_rate, scaled.shape[1])
    error_rate = float(_RATES[rate])
    return ClassScores(1 - right, q_values_of_probabilities(right), scaled, error_rate)


def _right(probability: Values, rate: float, classes: int) -> Values:
    """Probability that a label of this predicted probability is right, by Bayes' rule."""
    right = (1 - rate) * probability
    wrong = rate * (1 - probability) / (classes - 1)
    return right / np.maximum(right + wrong, _LEAST)


def _log_likelihood(probability: Values, rate: float, classes: int) -> float:
    likely = (1 - rate) * probability + rate * (1 - probability) / (classes - 1)
    return float(np.log(likely.clip(_LEAST)).sum())


def _of_given(probabilities: Probabilities, given: Int[ndarray, " n"]) -> Values:
    return probabilities[np.arange(len(given)), given]


def _softmax(logits: Probabilities) -> Probabilities:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
