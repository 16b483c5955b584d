"""How far each labelled box lies from the predicted one, against how far right boxes lie.

A residual is a labelled edge minus the predicted one. How large the residuals of right labels are
follows from the predicted spread and the size of the box, by a robust regression on all labels of
the data set: a few wrong ones do not move it. A residual over that scale is standardized.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from onebox.audit.false_discovery import p_values, q_values

STANDS_OUT = 2.0
"""A side stands out if its residual is so many times the next, both standardized."""

PLAUSIBLE = 0.05
"""A box with a higher p-value is plausible."""

_LEAST_RESIDUAL = 0.002  # share of the box's size: an exact hit has no logarithm. Not tuned.
_LEAST_LENGTH = 1e-3  # of the image
_LEAST_SCORE = 1e-6
_HUBER = 1.5  # standard deviations, from where a residual of the regression counts less
_ROUNDS = 5
_MAD_OF_NORMAL = 0.6744897501960817

Boxes = Float[ndarray, "n 4"]
Values = Float[ndarray, " n"]


@dataclass(frozen=True, slots=True, eq=False)
class BoxScores:
    """Scores of labelled boxes, one row each.

    Attributes:
        scores: Mean of the four standardized residuals. (Their maximum or their root mean square
            rank worse: where the networks are wrong, one edge often is far off.)
        standardized: Each side's residual over its scale, without sign.
        p_values: See `false_discovery.p_values`.
        q_values: The smallest false-discovery rate at which the box is in the list.
        one_side: The side that alone is wrong, else -1: it stands out, and with the predicted side
            in its place the box is plausible.
    """

    scores: Values
    standardized: Boxes
    p_values: Values
    q_values: Values
    one_side: Int[ndarray, " n"]

    def side_of(self, row: int) -> int | None:
        """The side of one box that stands out, as an index into its four numbers."""
        lengths = self.standardized[row]
        second, first = np.argsort(lengths)[-2:].tolist()
        return first if lengths[first] >= STANDS_OUT * lengths[second] else None


def score_boxes(given: Boxes, predicted: Boxes, sigmas: Boxes) -> BoxScores:
    """Score labelled boxes against predictions; all ``xyxy``, normalized, row by row."""
    residuals = given - predicted
    standardized = np.abs(residuals) / residual_scales(residuals, predicted, sigmas)
    scores = _means(standardized)
    p = p_values(scores)
    return BoxScores(scores, standardized, p, q_values(p), _one_side(standardized, scores, p))


def residual_scales(residuals: Boxes, predicted: Boxes, sigmas: Boxes) -> Boxes:
    """The scale of each residual: ``exp(a) * sigma ** b * size ** c``, fitted to all of them.

    The regression of the logarithms is by least squares with Huber's weights.
    """
    if not len(residuals):
        return residuals.copy()
    sizes = np.tile(predicted[:, 2:] - predicted[:, :2], 2).clip(_LEAST_LENGTH)
    target = np.log(np.abs(residuals) + _LEAST_RESIDUAL * sizes).ravel()
    logs = [np.ones_like(target), np.log(sigmas.clip(1e-6)).ravel(), np.log(sizes).ravel()]
    factors = np.stack(logs, axis=1)
    weights = np.ones_like(target)
    for _ in range(_ROUNDS):
        found = np.linalg.lstsq(factors * weights[:, None], target * weights, rcond=None)[0]
        errors = np.abs(target - factors @ found)
        limit = _HUBER * np.median(errors) / _MAD_OF_NORMAL
        weights = np.sqrt(np.minimum(1, limit / np.maximum(errors, np.finfo(float).tiny)))
    return np.exp(factors @ found).reshape(residuals.shape)


def _means(standardized: Boxes) -> Values:
    return standardized.mean(axis=1).clip(_LEAST_SCORE)


def _one_side(standardized: Boxes, scores: Values, p: Values) -> Int[ndarray, " n"]:
    ordered = np.sort(standardized, axis=1)
    largest = standardized.argmax(axis=1)
    stands_out = ordered[:, 3] >= STANDS_OUT * ordered[:, 2]
    rest = standardized.copy()
    rest[np.arange(len(rest)), largest] = 0
    # The p-value falls with the score, so that one score separates the plausible boxes.
    plausible = scores[p > PLAUSIBLE]
    limit = plausible.max() if len(plausible) else 0.0
    return np.where(stands_out & (_means(rest) <= limit), largest, -1)
