"""Keypoints whose left and right are exchanged in the label."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_LEAST_GAIN = 2.0
"""The error must fall by this factor when left and right are exchanged. Not tuned."""

_LEAST_ERROR = 0.1  # share of the box's diagonal: a smaller error needs no explanation. Not tuned.
_LEAST_POINTS = 4  # labelled keypoints in pairs: one pair alone says little. Not tuned.

Points = Float[ndarray, "keypoints 3"]
Pairs = Sequence[tuple[int, int]]


def exchange(points: Points, pairs: Pairs) -> Points:
    """The keypoints with the two of each pair exchanged."""
    order = np.arange(len(points))
    for left, right in pairs:
        order[[left, right]] = right, left
    return points[order]


def swap_gain(
    given: Points, predicted: Float[ndarray, "keypoints 2"], pairs: Pairs, diagonal: float
) -> float | None:
    """How many times smaller the error is when left and right are exchanged, if it explains much.

    Args:
        given: ``(x, y, visibility)`` of one image, in pixels.
        predicted: ``(x, y)`` in the same pixels.
        pairs: Indices of left and right keypoints.
        diagonal: Of the box, in pixels.

    Returns:
        The mean error as labelled over the mean error exchanged, of the keypoints in pairs; None
        if it is below 2, or if the error as labelled is small, or if there are few keypoints.
    """
    paired = [(left, right) for left, right in pairs if given[left, 2] and given[right, 2]]
    rows = [row for pair in paired for row in pair]
    if len(rows) < _LEAST_POINTS:
        return None
    as_labelled = _mean_distance(given[rows, :2], predicted[rows])
    exchanged = _mean_distance(exchange(given, paired)[rows, :2], predicted[rows])
    gain = as_labelled / max(exchanged, np.finfo(np.float64).tiny)
    return gain if gain >= _LEAST_GAIN and as_labelled >= _LEAST_ERROR * diagonal else None


def _mean_distance(left: Float[ndarray, "n 2"], right: Float[ndarray, "n 2"]) -> float:
    return float(np.linalg.norm(left - right, axis=1).mean())
